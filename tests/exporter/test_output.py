"""What the exporter says of a small snapshot, against truth worked out without SQL."""

import json
import shutil
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families

from phoenix_metrics.exporter.page import Page
from phoenix_metrics.warehouse.landing import Record, write_batch
from phoenix_metrics.warehouse.snapshot import SnapshotReader
from tests.conftest import MODELS, publish_landing, rows
from tests.exporter import truth
from tests.exporter.landed import NOW, WORKFLOWS, Attempt, ago, land, land_pass, land_workflow, publish
from tests.exporter.truth import parsed, sample

OPENMETRICS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"


ATTEMPTS = [
    *(Attempt(run_id, ago(minutes=5 * run_id), duration_seconds=90 + 37 * run_id) for run_id in range(1, 9)),
    Attempt(20, ago(minutes=40), "failure", duration_seconds=15, queue_seconds=0),
    Attempt(21, ago(minutes=50), "timed_out", duration_seconds=2000, queue_seconds=61),
    Attempt(22, ago(minutes=30), "cancelled"),
    Attempt(23, ago(minutes=2), None),
    Attempt(24, ago(days=3), "failure", seen_at=ago(minutes=1)),
    Attempt(25, ago(hours=9), "success", duration_seconds=3600, seen_at=ago(hours=2, minutes=1)),  # late by a minute
    Attempt(26, ago(hours=9), "success", duration_seconds=3600, seen_at=ago(hours=2)),  # six hours: not late
    Attempt(27, ago(hours=5), "failure", duration_seconds=400),
    Attempt(27, ago(hours=4), "success", duration_seconds=500, run_attempt=2),
    Attempt(28, ago(hours=3), "skipped", workflow="Deploy", has_job=False),
    Attempt(29, ago(hours=20), "startup_failure", repository="acme/api", duration_seconds=0, has_job=False),
    Attempt(30, ago(days=2), "neutral", repository="acme/api", runner="self-hosted"),
]


WASTED = {  # the time-out, what somebody stopped, and what passed the second time
    "timeout": [one for one in ATTEMPTS if one.run_id == 21],
    "cancelled": [one for one in ATTEMPTS if one.run_id == 22],
    "flaky": [one for one in ATTEMPTS if (one.run_id, one.run_attempt) == (27, 1)],
}


def test_the_whole_page_says_what_happened(home: Path, page_of: Callable[..., Page]) -> None:
    """Every sample of the page, no more and no fewer, has the value worked out from the attempts."""
    publish(home, ATTEMPTS, remaining=4210)
    page = parsed(page_of(home).render()[0])
    published = page.pop(sample("phoenix_snapshot_timestamp_seconds"))
    assert page.pop(sample("phoenix_snapshot_read_seconds")) > 0
    assert published == SnapshotReader(home).current().published_at.timestamp()
    assert page == pytest.approx(
        truth.counters(ATTEMPTS)
        | truth.histograms(ATTEMPTS)
        | truth.costs(ATTEMPTS, WASTED)
        | truth.windows(ATTEMPTS, NOW)
        | {
            sample("phoenix_exporter_folded", subject="workflow"): 0,
            sample("phoenix_exporter_folded", subject="runner"): 0,
            sample("phoenix_exporter_folded", subject="service"): 0,
            sample("phoenix_source_rate_limit", source="github"): 5000,
            sample("phoenix_snapshot_readable"): 1,
            sample("phoenix_source_last_success_timestamp_seconds", source="github"): NOW.timestamp(),
            sample("phoenix_source_rate_limit_remaining", source="github"): 4210,
            sample("phoenix_source_missing", source="github"): 0,
        }
    )


def test_help_is_what_the_sql_files_say(home: Path, page_of: Callable[..., Page]) -> None:
    """Each family but the exporter's own carries a sentence written beside a mart or one of its columns."""
    publish(home, ATTEMPTS)
    families = list(text_string_to_metric_families(page_of(home).render()[0].decode()))
    marts = [model for model in MODELS.values() if model.schema == "marts"]
    sentences = [column.comment for model in marts for column in model.columns] + [mart.description for mart in marts]
    for family in families:
        if not family.name.startswith(("phoenix_snapshot_", "phoenix_exporter_")):
            assert any(family.documentation.startswith(sentence) for sentence in sentences), family.name
        assert family.documentation


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_promtool_finds_nothing_to_say(home: Path, page_of: Callable[..., Page]) -> None:
    """`promtool check metrics` accepts names, types and help, before the first publication and after."""
    for _ in range(2):
        page, _ = page_of(home).render()
        checked = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True, check=False)
        assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")
        publish(home, ATTEMPTS)


def test_openmetrics_says_the_same(home: Path, page_of: Callable[..., Page]) -> None:
    """A Prometheus that asks for OpenMetrics gets it, with the same samples."""
    publish(home, ATTEMPTS)
    page = page_of(home)
    plain, _ = page.render()
    text, content_type = page.render(OPENMETRICS)
    assert content_type.startswith("application/openmetrics-text; version=1.0.0")
    samples = [s for family in openmetrics_families(text.decode()) for s in family.samples]
    assert {(s.name, frozenset(s.labels.items())): s.value for s in samples} == parsed(plain)


def test_openmetrics_says_since_when_a_newcomer_is_counted(home: Path, page_of: Callable[..., Page]) -> None:
    """The publication that it came with; the older format, which would make a gauge of it, leaves it out."""
    publish(home, ATTEMPTS)
    land_workflow(home, "acme/shop", "Fresh", NOW, workflow_id=12)
    publish(home)
    page = page_of(home)
    began = SnapshotReader(home).current().published_at.timestamp()
    text, _ = page.render(OPENMETRICS)
    families = openmetrics_families(text.decode())
    created = {(s.name, s.labels["workflow"], s.value) for f in families for s in f.samples if "_created" in s.name}
    assert created == {
        (f"github_actions_{name}_created", "Fresh", began)
        for name in (
            "workflow_run",
            "workflow_run_late",
            "workflow_run_duration_seconds",
            "cost_usd",
            "cost_usd_late",
            "waste_usd",
            "waste_usd_late",
        )
    }
    assert b"_created" not in page.render()[0]


def test_openmetrics_names_the_newest_run_of_a_bucket(home: Path, page_of: Callable[..., Page]) -> None:
    """Of the last day, with its duration and its end; a bucket of none names none."""
    publish(home, ATTEMPTS)
    text, _ = page_of(home).render(OPENMETRICS)
    found = {
        (s.labels["repository"], s.labels["workflow"], s.labels["le"]): s.exemplar
        for family in openmetrics_families(text.decode())
        for s in family.samples
        if s.exemplar is not None
    }
    bounds = truth.bounds("workflow_run_duration")
    decided = ("success", "failure", "timed_out", "startup_failure")
    recent = [a for a in ATTEMPTS if a.conclusion in decided and not a.is_late and NOW - a.ended_at < timedelta(days=1)]
    newest = {}
    for attempt in sorted(recent, key=lambda a: (a.ended_at, a.run_id)):
        bound = next(bound for bound in bounds if attempt.duration_seconds <= bound)
        newest[attempt.repository, attempt.workflow, str(bound)] = attempt
    assert {key: (one.labels, one.value, float(one.timestamp)) for key, one in found.items()} == {
        key: ({"run_id": str(a.run_id)}, a.duration_seconds, a.ended_at.timestamp()) for key, a in newest.items()
    }


def test_beyond_the_limit_series_are_shared_and_nothing_is_lost(home: Path, page_of: Callable[..., Page]) -> None:
    """What was counted first has series of its own, the rest adds up under other, and a metric says how many."""
    publish(home, ATTEMPTS)
    whole = parsed(page_of(home).render()[0])
    page = parsed(page_of(home, limit=1).render()[0])
    assert page[sample("phoenix_exporter_folded", subject="workflow")] == len(WORKFLOWS) - 1
    assert page[sample("phoenix_exporter_folded", subject="runner")] == 1
    own = ("acme/api", "CI")
    assert {dict(labels)["repository"] for _, labels in page if "workflow" in dict(labels)} == {"acme/api", "other"}
    for (name, labels), value in page.items():
        its = dict(labels)
        if its.get("workflow") == "other":
            rest = {key: text for key, text in its.items() if key not in ("repository", "workflow")}
            shared = sum(
                whole[sample(name, repository=repository, workflow=workflow, **rest)]
                for repository, workflow in WORKFLOWS
                if (repository, workflow) != own
            )
            assert value == pytest.approx(shared)
    assert not [name for name, labels in page if "window" in dict(labels) and "other" in dict(labels).values()]


def test_an_accept_header_that_makes_no_sense_gets_plain_text(tmp_path: Path, page_of: Callable[..., Page]) -> None:
    """A version that is no number does not end in an error."""
    assert page_of(tmp_path).render("text/plain;version=x")[1].startswith("text/plain")


def test_any_name_a_workflow_can_have_arrives(home: Path, page_of: Callable[..., Page]) -> None:
    """Quotes, backslashes, line ends and letters of other scripts are escaped so that they come out as they went in."""
    name = 'a "b" \\ c\n{d="e"} ünïcödé 🚀,'
    land_workflow(home, "acme/shop", name, ago(days=1), workflow_id=99)
    publish(home)
    page = parsed(page_of(home).render()[0])
    labels = {"repository": "acme/shop", "workflow": name, "status": "completed", "conclusion": "success"}
    assert page[sample("github_actions_workflow_run_total", **labels)] == 0


def test_no_figure_is_not_a_number(home: Path, page_of: Callable[..., Page]) -> None:
    """A workflow without runs has counts of zero and neither a ratio nor a percentile."""
    publish(home)
    page = parsed(page_of(home).render()[0])
    assert all(value == value for value in page.values())  # noqa: PLR0124  # only NaN differs from itself
    assert not [name for name, _ in page if name in ("phoenix_failure_ratio", "phoenix_pipeline_duration_seconds")]


def test_a_runner_started_for_one_run_is_no_series_of_its_own(home: Path, page_of: Callable[..., Page]) -> None:
    """Labels that hold a run's number are one kind of runner."""
    for run_id in (1234567890, 1234567891):
        land(home, Attempt(run_id, ago(minutes=9), runner=f"runs-on={run_id}"))
    publish(home)
    page = parsed(page_of(home).render()[0])
    assert page[sample("github_actions_job_queue_seconds_count", repository="acme/shop", runner="runs-on=*")] == 2


def test_a_source_is_as_fresh_as_its_most_silent_repository(home: Path, page_of: Callable[..., Page]) -> None:
    """One repository that fails holds the time back, and one that never succeeded makes it zero."""
    last_success = sample("phoenix_source_last_success_timestamp_seconds", source="github")
    busy = [Attempt(1, ago(hours=3)), Attempt(2, ago(hours=3), repository="acme/api")]
    publish(home, busy, passed_at=ago(minutes=50))
    land_pass(home, "acme/shop", NOW, remaining=17)
    land_pass(home, "acme/api", ago(minutes=1), "failed")
    publish_landing(home)
    page = parsed(page_of(home).render()[0])
    assert page[last_success] == ago(minutes=50).timestamp()
    assert page[sample("phoenix_source_rate_limit_remaining", source="github")] == 17
    land_pass(home, "acme/never", NOW, "failed")
    publish_landing(home)
    assert parsed(page_of(home).render()[0])[last_success] == 0


def test_a_repository_that_is_read_seldom_makes_no_source_stale(home: Path, page_of: Callable[..., Page]) -> None:
    """One without a run for two days is polled hourly: until that pause is over it counts as read."""
    publish(home, [Attempt(1, ago(hours=3)), Attempt(2, ago(days=3), repository="acme/api")], passed_at=ago(minutes=50))
    land_pass(home, "acme/shop", NOW)
    publish_landing(home)
    last_success = sample("phoenix_source_last_success_timestamp_seconds", source="github")
    assert parsed(page_of(home).render()[0])[last_success] == NOW.timestamp()


def test_a_landing_file_set_aside_is_missing_and_is_no_stale_source(home: Path, page_of: Callable[..., Page]) -> None:
    """It is counted under the source `landing`, which has no time of success that an alert could wait for."""
    broken = home / "landing" / "github_runs" / "2026-11-20" / "20261120T000000.000000Z-00000000.parquet"
    broken.parent.mkdir(parents=True)
    broken.write_bytes(b"not Parquet")
    publish(home)
    page = parsed(page_of(home).render()[0])
    assert page[sample("phoenix_source_missing", source="landing")] == 1
    assert sample("phoenix_source_last_success_timestamp_seconds", source="landing") not in page


def test_a_stated_gap_is_no_stale_source(home: Path, page_of: Callable[..., Page]) -> None:
    """A token that may not read the bill has a row in data_health and does not raise the alert on silent sources."""
    visit = {"loop": "billing", "subject": "acme", "state": "no_access", "finished_at": NOW.isoformat()}
    write_batch(home, "github_visits", [Record(None, None, NOW, json.dumps(visit))])
    publish(home)
    assert "github_billing" not in page_of(home).render()[0].decode()
    assert rows(home, "select subject from marts.data_health where source = 'github_billing'") == [{"subject": "acme"}]
