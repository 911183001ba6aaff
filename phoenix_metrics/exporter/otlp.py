"""What the page says, as OpenTelemetry's SDK has it: made from Prometheus's families, one by one.

The SDK's instruments observe numbers one at a time, not histograms that a store has summed up; so its data classes are
filled here. Counters and histograms are cumulative, and begin where `_created` says so, else at a time unknown (0).
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import version
from itertools import pairwise

from opentelemetry.sdk.metrics import Exemplar
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.metrics.export import Metric as OtelMetric
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from prometheus_client import Metric
from prometheus_client.samples import Sample

Attributes = Mapping[str, str]

# The conventions' names for what has Prometheus's spelling of them on the page, with their units.
CONVENTIONS: Mapping[str, tuple[str, str]] = {
    "cicd_pipeline_run_duration_seconds": ("cicd.pipeline.run.duration", "s"),
    "cicd_pipeline_run_errors": ("cicd.pipeline.run.errors", "{error}"),
    "cicd_pipeline_run_active": ("cicd.pipeline.run.active", "{run}"),
}
ATTRIBUTES: Mapping[str, str] = {
    "cicd_pipeline_name": "cicd.pipeline.name",
    "cicd_pipeline_result": "cicd.pipeline.result",
    "cicd_pipeline_run_state": "cicd.pipeline.run.state",
    "deployment_environment_name": "deployment.environment.name",
    "deployment_name": "deployment.name",
    "deployment_status": "deployment.status",
    "error_type": "error.type",
    "vcs_owner_name": "vcs.owner.name",
    "vcs_repository_name": "vcs.repository.name",
}
UP_DOWN_COUNTERS = ("cicd_pipeline_run_active",)  # gauges to Prometheus, sums to OpenTelemetry

_CUMULATIVE = AggregationTemporality.CUMULATIVE


def metrics_data(families: Iterable[Metric], now_ns: int) -> MetricsData:
    """Return the families as of a moment (nanoseconds since 1970); those without samples are left out."""
    metrics = [_metric(family, now_ns) for family in families if family.samples]
    ours = version("phoenix-metrics")
    resource = Resource.create({"service.name": "phoenix-metrics", "service.version": ours})
    scope = ScopeMetrics(InstrumentationScope("phoenix_metrics.exporter", ours), metrics, "")
    return MetricsData([ResourceMetrics(resource, [scope], "")])


def _metric(family: Metric, now_ns: int) -> OtelMetric:
    name, unit = CONVENTIONS.get(family.name, (_name(family), "s" if family.name.endswith("_seconds") else ""))
    return OtelMetric(name, family.documentation, unit, _data(family, now_ns))


def _name(family: Metric) -> str:
    return f"{family.name}_total" if family.type == "counter" else family.name


def _data(family: Metric, now_ns: int) -> Sum | Gauge | Histogram:
    if family.type == "histogram":
        return Histogram(list(_histogram_points(family, now_ns)), _CUMULATIVE)
    points = list(_number_points(family, now_ns))
    if family.type == "counter":
        return Sum(points, _CUMULATIVE, is_monotonic=True)
    if family.name in UP_DOWN_COUNTERS:
        return Sum(points, _CUMULATIVE, is_monotonic=False)
    return Gauge(points)  # quantiles too, of which the SDK has no summaries: by the attribute quantile


def _number_points(family: Metric, now_ns: int) -> Iterator[NumberDataPoint]:
    began = {_series(one): _nanoseconds(one.value) for one in family.samples if one.name.endswith("_created")}
    for one in family.samples:
        if not one.name.endswith("_created"):
            yield NumberDataPoint(_attributes(one), began.get(_series(one), 0), now_ns, float(one.value))


def _histogram_points(family: Metric, now_ns: int) -> Iterator[HistogramDataPoint]:
    series: dict[frozenset[tuple[str, str]], list[Sample]] = defaultdict(list)
    for one in family.samples:
        series[_series(one)].append(one)
    for samples in series.values():
        yield _histogram_point(family.name, samples, now_ns)


def _histogram_point(name: str, samples: Sequence[Sample], now_ns: int) -> HistogramDataPoint:
    """Return one series of a histogram, whose buckets hold what lies between two bounds, not all below one."""
    values = {one.name.removeprefix(name): one.value for one in samples if "le" not in one.labels}
    buckets = sorted((one for one in samples if "le" in one.labels), key=lambda one: float(one.labels["le"]))
    below = [0, *(int(one.value) for one in buckets)]
    return HistogramDataPoint(
        attributes=_attributes(samples[0]),
        start_time_unix_nano=_nanoseconds(values.get("_created", 0)),
        time_unix_nano=now_ns,
        count=below[-1],
        sum=float(values["_sum"]),
        bucket_counts=[high - low for low, high in pairwise(below)],
        explicit_bounds=[float(one.labels["le"]) for one in buckets[:-1]],
        min=None,  # type: ignore[arg-type]  # not known; the encoder leaves it out
        max=None,  # type: ignore[arg-type]
        exemplars=[_exemplar(one) for one in buckets if one.exemplar is not None],
    )


def _exemplar(bucket: Sample) -> Exemplar:
    told = bucket.exemplar
    assert told is not None  # noqa: S101  # the caller looked
    return Exemplar(told.labels, float(told.value), _nanoseconds(float(told.timestamp or 0)))


def _attributes(sample: Sample) -> Attributes:
    """Return a sample's labels by their names in the conventions; an empty one is an attribute that is not set."""
    return {ATTRIBUTES.get(name, name): value for name, value in sample.labels.items() if value and name != "le"}


def _series(sample: Sample) -> frozenset[tuple[str, str]]:
    return frozenset((name, value) for name, value in sample.labels.items() if name != "le")


def _nanoseconds(seconds: float) -> int:
    return int(seconds * 1_000_000) * 1_000  # more digits than a microsecond has are rounding
