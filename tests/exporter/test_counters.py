"""Counters never fall, and a new workflow's first failures are seen."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from phoenix_metrics.exporter.page import Page
from phoenix_metrics.warehouse.snapshot import publish as publish_store
from phoenix_metrics.warehouse.store import writing
from tests.exporter.landed import NOW, Attempt, ago, land_workflow, publish
from tests.exporter.truth import LINUX_USD, Samples, parsed, sample

CUMULATIVE = ("_total", "_bucket", "_count", "_sum")
ATTEMPTS = [
    Attempt(1, ago(minutes=40)),
    Attempt(2, ago(minutes=30), "failure", duration_seconds=700),
    Attempt(3, ago(days=3), "failure", seen_at=ago(hours=1)),
]


def cumulative(page: Page) -> Samples:
    """Return the samples that must not fall."""
    return {series: value for series, value in parsed(page.render()[0]).items() if series[0].endswith(CUMULATIVE)}


def count(samples: Samples, conclusion: str, name: str = "github_actions_workflow_run_total", **labels: str) -> float:
    """Return a counter of acme/shop's CI."""
    labels = {"repository": "acme/shop", "workflow": "CI", "status": "completed", "conclusion": conclusion} | labels
    return samples[sample(name, **labels)]


def test_a_new_snapshot_only_adds(home: Path, page_of: Callable[..., Page]) -> None:
    """What happened since is added to what was counted, and nothing falls."""
    page = page_of(home)
    publish(home, ATTEMPTS)
    before = cumulative(page)
    publish(home, [Attempt(4, ago(minutes=9), "failure")])
    after = cumulative(page)
    assert all(after[series] >= value for series, value in before.items())
    assert count(after, "failure") - count(before, "failure") == 1
    assert count(after, "success") == count(before, "success")


def test_a_restart_changes_nothing(home: Path, page_of: Callable[..., Page]) -> None:
    """Another process over the same snapshot shows the same, as does one over a store built anew from the archive."""
    publish(home, ATTEMPTS)
    before = cumulative(page_of(home))
    assert cumulative(page_of(home)) == before
    for file in home.glob("store.duckdb*"):
        file.unlink()
    publish(home)
    assert cumulative(page_of(home)) == before


def test_an_attempt_that_ends_differently_after_all_stays_where_it_was_counted(
    home: Path, page_of: Callable[..., Page]
) -> None:
    """GitHub changes a conclusion afterwards: the counters say what they said, in this process and in the next."""
    page = page_of(home)
    publish(home, ATTEMPTS)
    before = cumulative(page)
    publish(home, [Attempt(2, ago(minutes=30), "success", duration_seconds=710, seen_at=NOW)])
    assert all(cumulative(page)[series] >= value for series, value in before.items())
    for later in (cumulative(page), cumulative(page_of(home))):
        assert (count(later, "failure"), count(later, "success")) == (1, 1)


def test_an_attempt_that_opens_again_after_an_approval_stays_counted(home: Path, page_of: Callable[..., Page]) -> None:
    """A run that waited for approval had settled with action_required; running on, it lowers no counter."""
    publish(home, [Attempt(5, ago(minutes=20), "action_required", duration_seconds=1, has_job=False)])
    assert count(cumulative(page_of(home)), "action_required") == 1
    publish(home, [Attempt(5, ago(minutes=20), None, duration_seconds=600, seen_at=ago(minutes=5))])
    assert count(cumulative(page_of(home)), "action_required") == 1


def test_a_backfill_goes_to_the_late_counter(home: Path, page_of: Callable[..., Page]) -> None:
    """Old runs that are loaded now move the late counters and neither the others nor a histogram."""
    page = page_of(home)
    publish(home, ATTEMPTS)
    before = cumulative(page)
    publish(home, [Attempt(100 + n, ago(days=n + 1), "failure", seen_at=NOW) for n in range(12)])
    moved = {series: value - before[series] for series, value in cumulative(page).items() if value != before[series]}
    labels = {"repository": "acme/shop", "workflow": "CI"}
    settled = {**labels, "status": "completed", "conclusion": "failure"}
    assert moved == {
        sample("github_actions_workflow_run_late_total", **settled): 12,
        sample("github_actions_cost_usd_late_total", **labels): pytest.approx(12 * 2 * LINUX_USD),
    }


def test_a_store_that_lost_rows_lowers_no_counter(home: Path, page_of: Callable[..., Page]) -> None:
    """Whatever a store holds less than before, this process and the next show what was published once."""
    page = page_of(home)
    publish(home, ATTEMPTS)
    before = cumulative(page)
    with writing(home) as connection:
        connection.execute("update marts.workflow_run_totals set attempt_count = 0, late_attempt_count = 0")
        connection.execute("delete from marts.workflow_run_duration_buckets where repository = 'acme/shop'")
        publish_store(connection, home)
    assert cumulative(page) == before
    assert cumulative(page_of(home)) == before


def test_a_store_made_anew_goes_on_where_the_published_one_was(home: Path, page_of: Callable[..., Page]) -> None:
    """Even where the archive that it was made from holds less."""
    publish(home, ATTEMPTS)
    before = cumulative(page_of(home))
    for file in (*home.glob("store.duckdb*"), *home.glob("landing/github_runs/*/*.parquet")):
        file.unlink()
    publish(home, [Attempt(7, ago(minutes=20))])
    after = cumulative(page_of(home))
    assert all(after[series] >= value for series, value in before.items())
    assert count(after, "failure") == count(before, "failure") == 1


def test_a_new_workflow_shows_zeros_for_two_minutes(home: Path, page_of: Callable[..., Page]) -> None:
    """Its first failures count from the third minute on, by the clock alone; other workflows are not held."""
    publish(home, [Attempt(1, ago(minutes=40))])
    now = [datetime.now(UTC) + timedelta(seconds=30)]

    def clock() -> datetime:
        return now[0]

    land_workflow(home, "acme/shop", "Fresh", NOW, workflow_id=12)
    publish(home, [Attempt(6, ago(minutes=4), "failure", workflow="Fresh", workflow_id=12)])
    page = page_of(home, clock)
    for held in (cumulative(page), cumulative(page_of(home, clock))):
        assert count(held, "failure", workflow="Fresh") == 0
        assert held[fresh_duration_count()] == 0
        assert count(held, "success") == 1
    publish(home, [Attempt(8, ago(minutes=2), "failure", workflow="Fresh", workflow_id=12)])
    assert count(cumulative(page), "failure", workflow="Fresh") == 0
    now[0] += timedelta(minutes=2)
    for shown in (cumulative(page), cumulative(page_of(home, clock))):
        assert count(shown, "failure", workflow="Fresh") == 2
        assert shown[fresh_duration_count()] == 2


def test_what_the_first_publication_holds_is_not_held(home: Path, page_of: Callable[..., Page]) -> None:
    """Nobody knows when it began, so it is no news of now: its series begin where they stand."""
    publish(home, ATTEMPTS)
    assert count(cumulative(page_of(home, lambda: datetime.now(UTC))), "failure") == 1


def fresh_duration_count() -> tuple[str, frozenset[tuple[str, str]]]:
    """Return the key of the number of durations of the new workflow."""
    name = "github_actions_workflow_run_duration_seconds_count"
    return sample(name, repository="acme/shop", workflow="Fresh")
