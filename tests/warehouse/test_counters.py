"""Counters: what was published once never falls, whatever the marts say afterwards."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phoenix_metrics.warehouse.counters import raise_counters
from phoenix_metrics.warehouse.models import load_models
from phoenix_metrics.warehouse.snapshot import publish
from phoenix_metrics.warehouse.store import writing

BEGAN = datetime(2026, 3, 2, 12, tzinfo=UTC)
BOUNDS = (15.0, 60.0, float("inf"))
MODEL = load_models()["marts.workflow_run_duration_buckets"]

histograms = st.dictionaries(
    st.sampled_from(["CI", "Deploy", "Lint"]), st.lists(st.integers(0, 20), min_size=len(BOUNDS), max_size=len(BOUNDS))
)


def fill(connection: duckdb.DuckDBPyConnection, histogram: dict[str, list[int]]) -> None:
    """Let the mart hold the attempts of each workflow that lie between the bounds."""
    connection.execute(
        "create or replace table marts.workflow_run_duration_buckets (repository varchar, workflow varchar, "
        "upper_bound_seconds double, attempt_count bigint, duration_seconds_sum double, exemplar_run_id bigint, "
        "exemplar_seconds double, exemplar_at timestamp)"
    )
    for workflow, counts in histogram.items():
        for place, bound in enumerate(BOUNDS):
            below = sum(counts[: place + 1])
            connection.execute(
                "insert into marts.workflow_run_duration_buckets values ('acme/app', ?, ?, ?, ?, ?, null, null)",
                [workflow, bound, below, below * 10.0, below],
            )


def counted(connection: duckdb.DuckDBPyConnection) -> dict[tuple[str, float], tuple[int, float]]:
    """Return what is counted, by workflow and bound."""
    query = (
        "select workflow, upper_bound_seconds, attempt_count, duration_seconds_sum "
        "from counters.workflow_run_duration_buckets"
    )
    return {(row[0], row[1]): (row[2], row[3]) for row in connection.execute(query).fetchall()}


@settings(max_examples=20, deadline=None)
@given(st.lists(histograms, min_size=1, max_size=5))
def test_counters_never_fall_and_buckets_stay_cumulative(
    tmp_path_factory: pytest.TempPathFactory, histories: list[dict[str, list[int]]]
) -> None:
    """Each is the highest that the mart has said so far; what the mart forgot stays."""
    highest: dict[tuple[str, float], tuple[int, float]] = {}
    with writing(tmp_path_factory.mktemp("home")) as connection:
        for number, histogram in enumerate(histories):
            fill(connection, histogram)
            raise_counters(connection, None, BEGAN + timedelta(minutes=number))
            for workflow, counts in histogram.items():
                for place, bound in enumerate(BOUNDS):
                    below = sum(counts[: place + 1])
                    kept = highest.get((workflow, bound), (0, 0.0))
                    highest[workflow, bound] = (max(kept[0], below), max(kept[1], below * 10.0))
            assert counted(connection) == highest
            for workflow in {key[0] for key in highest}:
                values = [highest[workflow, bound] for bound in BOUNDS]
                assert values == sorted(values)


def test_what_comes_later_is_dated_by_its_publication(tmp_path: Path) -> None:
    """What the first publication held has no date; what is no counter says what the mart says now."""
    with writing(tmp_path) as connection:
        for number, histogram in enumerate(
            [{"CI": [1, 1, 1]}, {"CI": [2, 0, 0], "Lint": [0, 0, 1]}, {"CI": [2, 0, 0]}]
        ):
            fill(connection, histogram)
            raise_counters(connection, None, BEGAN + timedelta(minutes=number))
        found = connection.execute(
            "select workflow, counted_since, attempt_count, exemplar_run_id "
            "from counters.workflow_run_duration_buckets where upper_bound_seconds = 'inf' order by workflow"
        ).fetchall()
    assert found == [("CI", None, 3, 2), ("Lint", datetime(2026, 3, 2, 12, 1), 1, 1)]  # noqa: DTZ001


def test_a_store_made_anew_goes_on_from_the_snapshot(tmp_path: Path) -> None:
    """With the dates of the old one."""
    with writing(tmp_path) as connection:
        fill(connection, {"CI": [5, 0, 0]})
        publish(connection, tmp_path)
        fill(connection, {"CI": [5, 0, 0], "Lint": [1, 0, 0]})
        publish(connection, tmp_path)
        before = connection.execute("from counters.workflow_run_duration_buckets order by all").fetchall()
    (tmp_path / "store.duckdb").unlink()
    with writing(tmp_path) as connection:
        fill(connection, {"CI": [4, 0, 0]})
        published = publish(connection, tmp_path)
        after = connection.execute(
            "select * replace (case when workflow = 'CI' then 5 else exemplar_run_id end as exemplar_run_id) "
            "from counters.workflow_run_duration_buckets order by all"
        ).fetchall()
    assert after == before
    assert published.sequence == 3


def test_a_column_that_a_release_adds_does_not_cost_the_counts(tmp_path: Path) -> None:
    """The table gets the mart's columns and keeps its rows."""
    with writing(tmp_path) as connection:
        fill(connection, {"CI": [7, 0, 0]})
        raise_counters(connection, None, BEGAN)
        connection.execute("alter table counters.workflow_run_duration_buckets drop column exemplar_at")
        fill(connection, {"CI": [6, 0, 0]})
        raise_counters(connection, None, BEGAN + timedelta(days=1))
        columns = [
            row[0] for row in connection.execute("describe from counters.workflow_run_duration_buckets").fetchall()
        ]
        assert {value[0] for value in counted(connection).values()} == {7}
    assert columns == [*(column.name for column in MODEL.columns), "counted_since"]
