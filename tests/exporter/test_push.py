"""The push by OTLP: what a collector decodes is what the page says, and its outages disturb nobody."""

import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from opentelemetry.proto.metrics.v1.metrics_pb2 import AGGREGATION_TEMPORALITY_CUMULATIVE, Metric
from opentelemetry.semconv._incubating.attributes import cicd_attributes, deployment_attributes, vcs_attributes
from opentelemetry.semconv._incubating.metrics import cicd_metrics
from opentelemetry.semconv.attributes import error_attributes
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families

from phoenix_metrics.exporter.otlp import ATTRIBUTES, CONVENTIONS
from phoenix_metrics.exporter.page import Page
from phoenix_metrics.exporter.push import Pusher
from phoenix_metrics.exporter.server import running
from phoenix_metrics.settings import load_settings
from phoenix_metrics.warehouse.snapshot import SnapshotReader
from tests.exporter.collector import Answer, Collector, collecting
from tests.exporter.landed import NOW, Attempt, ago, land_workflow, publish
from tests.exporter.serving import SERVE, free_ports, wait_for
from tests.exporter.test_output import ATTEMPTS, OPENMETRICS
from tests.exporter.test_server import get, settings_of
from tests.exporter.truth import Samples, parsed, sample

LAST = sample("phoenix_otlp_last_success_timestamp_seconds")
SPELLED = {otel: name for name, (otel, _) in CONVENTIONS.items()}  # Prometheus's spelling of the conventions' names
DOTTED = {dotted: name for name, dotted in ATTRIBUTES.items()}


@pytest.fixture
def collector() -> Iterator[Collector]:
    """Run a collector that takes everything."""
    with collecting() as one:
        yield one


@pytest.fixture
def pusher_of() -> Iterator[Callable[..., Pusher]]:
    """Make pushers, closed at the end."""
    made: list[Pusher] = []

    def make(page: Page, endpoint: str, timeout_seconds: float = 10, **headers: str) -> Pusher:
        made.append(Pusher(page, endpoint, headers, timeout_seconds))
        return made[-1]

    yield make
    for pusher in made:
        pusher.close()


def metrics_of(collector: Collector) -> list[Metric]:
    """Return all metrics that were taken."""
    return [
        metric
        for request in collector.requests
        for resource in request.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    ]


def received(collector: Collector) -> Samples:
    """Return what was taken as Prometheus's samples: buckets added up again, attributes spelled as labels."""
    found: Samples = {}
    for metric in metrics_of(collector):
        name = SPELLED.get(metric.name, metric.name)
        name += "_total" if metric.name == "cicd.pipeline.run.errors" else ""
        for point in getattr(metric, metric.WhichOneof("data")).data_points:
            labels = {DOTTED.get(one.key, one.key): one.value.string_value for one in point.attributes}
            assert all(labels.values())
            if metric.WhichOneof("data") == "histogram":
                bounds = [*map(str, point.explicit_bounds), "+Inf"]
                for bound, below in zip(bounds, itertools.accumulate(point.bucket_counts), strict=True):
                    found[sample(f"{name}_bucket", le=bound, **labels)] = below
                found[sample(f"{name}_count", **labels)] = point.count
                found[sample(f"{name}_sum", **labels)] = point.sum
            else:
                assert sample(name, **labels) not in found
                found[sample(name, **labels)] = point.as_double
    return found


def without_empty(page: Samples) -> Samples:
    """Return the samples without labels that are empty, which to Prometheus are the same series."""
    return {(name, frozenset(pair for pair in labels if pair[1])): value for (name, labels), value in page.items()}


def test_a_collector_decodes_what_the_page_says(
    home: Path, page_of: Callable[..., Page], pusher_of: Callable[..., Pusher], collector: Collector
) -> None:
    """Sample by sample, in as many requests as it takes; the header goes along, and then the page says when."""
    publish(home, ATTEMPTS)
    page = page_of(home, otel_names=True, is_pushed=True)
    told = without_empty(parsed(page.render()[0]))
    began = time.time()
    assert pusher_of(page, collector.endpoint, Authorization="Bearer abc").push()
    assert told[LAST] == 0
    assert received(collector) == told
    assert began <= parsed(page.render()[0])[LAST] <= time.time()
    assert {(path, one["authorization"]) for path, one in zip(collector.paths, collector.headers, strict=True)} == {
        ("/v1/metrics", "Bearer abc")
    }
    resource = collector.requests[0].resource_metrics[0].resource
    assert {one.key: one.value.string_value for one in resource.attributes}["service.name"] == "phoenix-metrics"


def test_types_and_help_are_the_pages(
    home: Path, page_of: Callable[..., Page], pusher_of: Callable[..., Pusher], collector: Collector
) -> None:
    """Counters are monotonic sums, runs under way a sum that is not, all of them cumulative; quantiles are gauges."""
    publish(home, ATTEMPTS)
    page = page_of(home, otel_names=True)
    pusher_of(page, collector.endpoint).push()
    families = {family.name: family for family in openmetrics_families(page.render(OPENMETRICS)[0].decode())}
    kinds = {"counter": "sum", "gauge": "gauge", "summary": "gauge", "histogram": "histogram"}
    for metric in metrics_of(collector):
        name = SPELLED.get(metric.name, metric.name.removesuffix("_total"))
        family = families[name]
        kind = "sum" if name == "cicd_pipeline_run_active" else kinds[family.type]
        assert (metric.WhichOneof("data"), metric.description) == (kind, family.documentation)
        if kind != "gauge":
            assert getattr(metric, kind).aggregation_temporality == AGGREGATION_TEMPORALITY_CUMULATIVE
        if kind == "sum":
            assert metric.sum.is_monotonic == (family.type == "counter")
    assert {SPELLED.get(m.name, m.name.removesuffix("_total")) for m in metrics_of(collector)} == {
        name for name, family in families.items() if family.samples
    }


def test_beginnings_and_exemplars_go_along(
    home: Path, page_of: Callable[..., Page], pusher_of: Callable[..., Pusher], collector: Collector
) -> None:
    """What came later than the first publication has its start, others have none, and buckets name their newest run."""
    publish(home, ATTEMPTS)
    land_workflow(home, "acme/shop", "Fresh", NOW, workflow_id=12)
    publish(home)
    page = page_of(home)
    pusher_of(page, collector.endpoint).push()
    began = SnapshotReader(home).current().published_at
    starts: dict[bool, set[int]] = {True: set(), False: set()}
    exemplars = set()
    for metric in metrics_of(collector):
        if metric.WhichOneof("data") == "gauge":
            continue
        for point in getattr(metric, metric.WhichOneof("data")).data_points:
            starts["Fresh" in {one.value.string_value for one in point.attributes}].add(point.start_time_unix_nano)
            exemplars |= {
                (one.filtered_attributes[0].value.string_value, one.as_double, one.time_unix_nano)
                for one in getattr(point, "exemplars", [])
            }
    assert starts == {True: {round(began.timestamp() * 1_000_000) * 1_000}, False: {0}}
    text = page.render(OPENMETRICS)[0].decode()
    told = [s.exemplar for family in openmetrics_families(text) for s in family.samples if s.exemplar]
    assert exemplars == {(one.labels["run_id"], one.value, int(float(one.timestamp)) * 10**9) for one in told}


def test_names_are_those_of_the_conventions() -> None:
    """OpenTelemetry's own list of names has each metric and attribute, and spells to Prometheus what the page has."""
    named = {value for name, value in vars(cicd_metrics).items() if name.startswith("CICD_")}
    assert {name for name, _ in CONVENTIONS.values()} <= named
    modules = (cicd_attributes, deployment_attributes, vcs_attributes, error_attributes)
    keys = {value for one in modules for value in vars(one).values() if isinstance(value, str)}
    assert set(ATTRIBUTES.values()) <= keys
    assert {name.replace(".", "_") for name in ATTRIBUTES.values()} == set(ATTRIBUTES)
    for spelled, (name, unit) in CONVENTIONS.items():
        assert spelled == name.replace(".", "_") + ("_seconds" if unit == "s" else "")


def test_required_attributes_and_values_are_those_of_the_conventions(home: Path, page_of: Callable[..., Page]) -> None:
    """States, results and required attributes; a result only where the state has one, an error only of a failure."""
    publish(home, [one for one in ATTEMPTS if one.conclusion != "neutral"])
    states = {one.value for one in cicd_attributes.CicdPipelineRunStateValues}
    results = {one.value for one in cicd_attributes.CicdPipelineResultValues}
    seen = [(name, dict(labels)) for name, labels in parsed(page_of(home, otel_names=True).render()[0])]
    runs = [labels for name, labels in seen if name == "cicd_pipeline_run_duration_seconds_count"]
    assert {labels["cicd_pipeline_result"] for labels in runs} == {"", "success", "failure", "timeout", "cancellation"}
    for labels in runs:
        assert labels["cicd_pipeline_name"]
        assert labels["cicd_pipeline_run_state"] in states
        assert (labels["cicd_pipeline_result"] in results) == (labels["cicd_pipeline_run_state"] == "executing")
        assert bool(labels["error_type"]) == (labels["cicd_pipeline_result"] in ("failure", "timeout", "error"))
    active = [labels for name, labels in seen if name == "cicd_pipeline_run_active"]
    assert {labels["cicd_pipeline_run_state"] for labels in active} == {"pending", "executing"}
    errors = [labels for name, labels in seen if name == "cicd_pipeline_run_errors_total"]
    assert all(labels["error_type"] and labels["cicd_pipeline_name"] for labels in errors)


def test_a_collector_that_is_away_is_mentioned_once_and_made_up_for(
    home: Path,
    page_of: Callable[..., Page],
    pusher_of: Callable[..., Pusher],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Refused twice, then there: one line when it goes, one when it comes back, and it gets everything."""
    publish(home, ATTEMPTS)
    page = page_of(home, is_pushed=True)
    port = free_ports(1)[0]
    pusher = pusher_of(page, f"http://127.0.0.1:{port}", 3)
    assert (pusher.push(), pusher.push()) == (False, False)
    told = parsed(page.render()[0])
    with collecting(port) as collector:
        assert (pusher.push(), pusher.push()) == (True, True)
    assert told[LAST] == 0
    collector.requests = collector.requests[: len(collector.requests) // 2]
    assert received(collector) == told
    lines = [record.getMessage() for record in caplog.records if record.name == "phoenix_metrics.exporter.push"]
    assert [line.partition(" (")[0] for line in lines] == [
        f"http://127.0.0.1:{port}/v1/metrics: metrics are not taken",
        f"http://127.0.0.1:{port}/v1/metrics: metrics are taken again",
    ]
    assert "refused" in lines[0]


def test_a_busy_collector_is_asked_again_when_it_says(
    home: Path,
    page_of: Callable[..., Page],
    pusher_of: Callable[..., Pusher],
    collector: Collector,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """503 with Retry-After within the time-out is waited for; a longer one leaves it to the next push."""
    publish(home, ATTEMPTS)
    page = page_of(home)
    pusher = pusher_of(page, collector.endpoint)
    collector.answers = [Answer(503, {"Retry-After": "0"})]
    assert pusher.push()
    assert len(collector.headers) == 2
    collector.answers = [Answer(503, {"Retry-After": "3600"})]
    assert not pusher.push()
    assert "(503 Service Unavailable)" in caplog.text
    assert len(collector.headers) == 3
    assert pusher.push()


def test_what_a_collector_refuses_is_told(
    home: Path,
    page_of: Callable[..., Page],
    pusher_of: Callable[..., Pusher],
    collector: Collector,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A wrong token is said with the status, never with the token."""
    publish(home)
    collector.answers = [Answer(401)]
    assert not pusher_of(page_of(home), collector.endpoint, Authorization="Bearer secret").push()
    assert "401" in caplog.text
    assert "secret" not in caplog.text


def test_a_slow_collector_holds_no_scrape_up(home: Path, collector: Collector) -> None:
    """While a push waits for an answer the newest page is served, and the exporter can be stopped."""
    publish(home, [Attempt(1, ago(minutes=20))])
    held = threading.Event()
    collector.answers = [Answer(held_until=held)] * 100
    settings = settings_of(home, PHOENIX_OTLP_ENDPOINT=collector.endpoint, PHOENIX_OTLP_HEADERS="x-tenant=a%20b")
    try:
        with running(settings):
            wait_for(lambda: len(collector.headers) > 0)
            publish(home, [Attempt(2, ago(minutes=10), runner="other-runner")])
            wait_for(lambda: "other-runner" in get(settings, "/metrics")[2])
        assert collector.requests == []
    finally:
        held.set()
    assert collector.headers[0]["x-tenant"] == "a b"


def test_an_outage_is_one_line_in_the_log(home: Path, collector: Collector) -> None:
    """Of an exporter that runs alone, while each new snapshot brings another try that is refused; it ends quietly."""
    publish(home)
    collector.answers = [Answer(401)] * 100
    settings = settings_of(home, PHOENIX_OTLP_ENDPOINT=collector.endpoint)
    environ = {
        "PHOENIX_HOME": str(home),
        "PHOENIX_EXPORTER_PORT": str(settings.exporter_port),
        "PHOENIX_OTLP_ENDPOINT": collector.endpoint,
    }
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE],
        env={**os.environ, **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        for tries in (1, 2, 3):
            wait_for(lambda: len(collector.headers) >= tries)  # noqa: B023  # asked at once
            publish(home)
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=30)
    finally:
        process.kill()
    refusal = f"{collector.endpoint}/v1/metrics: metrics are not taken (401 Unauthorized); each push tries again\n"
    assert (process.returncode, output) == (0, refusal)


def test_each_new_snapshot_is_pushed(home: Path, collector: Collector) -> None:
    """Soon after it was published, without anyone scraping; then the page says when."""
    publish(home, [Attempt(1, ago(minutes=20))])
    settings = settings_of(home, PHOENIX_OTLP_ENDPOINT=f"{collector.endpoint}/v1/metrics")
    with running(settings):
        wait_for(lambda: "ubuntu-latest" in str(collector.requests))
        publish(home, [Attempt(2, ago(minutes=10), runner="other-runner")])
        wait_for(lambda: "other-runner" in str(collector.requests))
        wait_for(lambda: parsed(get(settings, "/metrics")[2].encode())[LAST] > 0)
    assert set(collector.paths) == {"/v1/metrics"}


def test_without_the_extra_one_line_names_it(home: Path) -> None:
    """An exporter that is told to push and cannot says what to install, and ends."""
    hide = "import sys; sys.modules['opentelemetry'] = None; from phoenix_metrics.cli import main; main()"
    ended = subprocess.run(
        [sys.executable, "-c", hide, "exporter"],
        env={**os.environ, "PHOENIX_HOME": str(home), "PHOENIX_OTLP_ENDPOINT": "http://127.0.0.1:4318"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode != 0
    assert "'phoenix-metrics[otlp]'" in ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1


def test_headers_are_a_secret_and_checked(tmp_path: Path) -> None:
    """They come from the variable or a file, are decoded, and a wrong one is refused without being shown."""
    (tmp_path / "headers").write_text("Authorization=Basic%20YTpi,x-tenant=acme\n")
    settings = load_settings({"PHOENIX_OTLP_HEADERS_FILE": str(tmp_path / "headers")})
    assert settings.otlp_header_values == {"Authorization": "Basic YTpi", "x-tenant": "acme"}
    assert "YTpi" not in repr(settings)
    for wrong in ("hush", "a=hush%0Ab", "na me=hush", "=hush"):
        with pytest.raises(Exception, match="PHOENIX_OTLP_HEADERS: expected HTTP headers as name=value") as refused:
            load_settings({"PHOENIX_OTLP_HEADERS": wrong})
        assert "hush" not in str(refused.value)
