"""Histograms hold what Prometheus takes for granted, whatever the durations."""

from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from phoenix_metrics.exporter.page import Page
from tests.exporter.landed import Attempt, ago, publish
from tests.exporter.truth import Samples, parsed

FAMILIES = ("github_actions_workflow_run_duration_seconds", "github_actions_job_queue_seconds")


def series_of(page: Samples, family: str) -> dict[frozenset[tuple[str, str]], dict[float, float]]:
    """Return the buckets of each series of a histogram by their bounds."""
    found: dict[frozenset[tuple[str, str]], dict[float, float]] = {}
    for (name, labels), value in page.items():
        if name == f"{family}_bucket":
            bound = float(dict(labels)["le"])
            found.setdefault(frozenset(labels - {("le", dict(labels)["le"])}), {})[bound] = value
    return found


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(times=st.lists(st.tuples(st.integers(0, 30_000), st.integers(0, 90_000)), min_size=1, max_size=6))
def test_buckets_are_cumulative_and_the_last_one_is_the_count(
    times: list[tuple[int, int]],
    tmp_path_factory: pytest.TempPathFactory,
    page_of: Callable[..., Page],
) -> None:
    """Buckets never fall with their bounds, +Inf is the count, and the sum is no less than the lower bounds allow."""
    home = tmp_path_factory.mktemp("home")
    attempts = [
        Attempt(number, ago(days=2), duration_seconds=duration + wait, queue_seconds=wait)
        for number, (duration, wait) in enumerate(times, start=1)
    ]
    publish(home, attempts)
    page = parsed(page_of(home).render()[0])
    for family in FAMILIES:
        for labels, buckets in series_of(page, family).items():
            bounds = sorted(buckets)
            count = page[f"{family}_count", labels]
            assert buckets[float("inf")] == count
            assert all(buckets[low] <= buckets[high] for low, high in pairwise(bounds))
            least = sum(low * (buckets[high] - buckets[low]) for low, high in pairwise(bounds))
            assert least <= page[f"{family}_sum", labels]
