"""What is called flaky: against a second implementation, in any order of arrival, and with more passes."""

import random
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from phoenix_metrics.warehouse.marts import build_mart
from phoenix_metrics.warehouse.models import load_models
from phoenix_metrics.warehouse.snapshot import forget_touched
from phoenix_metrics.warehouse.store import transaction
from tests.sql import flaky_truth
from tests.sql.conftest import OpenStore
from tests.sql.flaky_truth import START, Row, Run, Story, Try, stories
from tests.sql.test_cases import insert
from tests.sql.test_properties import in_order, rows_of

MODELS = load_models()
FLAKY = ("run_flakes", "job_flakes", "isolated_failures", "job_runs_daily", "repeated_jobs", "flaky_jobs")

few = settings(max_examples=10, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


@contextmanager
def opened(open_store: OpenStore) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open an empty store of its own."""
    with TemporaryDirectory() as folder, open_store(Path(folder)) as connection:
        yield connection


def test_findings_and_ratios_are_what_the_definitions_say(open_store: OpenStore) -> None:
    """Evidence, levels, ratios, healing and losses agree with plain Python; ratios lie in their intervals."""
    with opened(open_store) as connection:

        @given(story=stories())
        @settings(few, max_examples=40)
        def agree(story: Story) -> None:
            hold(connection, story)
            rebuild(connection)
            for name in ("run_flakes", "job_flakes", "flaky_jobs"):
                expected: list[Row] = getattr(flaky_truth, name)(story)
                columns = list(expected[0]) if expected else ["1"]
                assert rows_of(connection, f"marts.{name}", columns) == in_order(
                    tuple(row.values()) for row in expected
                )
            query = "from marts.flaky_jobs where not (0 <= ratio_low and ratio_low <= flaky_ratio + 1e-12 "
            query += "and flaky_ratio <= ratio_high + 1e-12 and ratio_high <= 1 and flaky_count <= observation_count)"
            assert connection.execute(query).fetchall() == []

        agree()


def test_evidence_knows_no_order_of_arrival(open_store: OpenStore) -> None:
    """Runs that arrive in any order and in any batches leave the evidence of one rebuild from all of them."""
    with opened(open_store) as connection:

        @given(story=stories(), chance=st.randoms(use_true_random=False))
        @settings(few, max_examples=6)
        def agree(story: Story, chance: random.Random) -> None:
            hold(connection, Story((), ()))
            grow(connection, [])
            rebuild(connection)
            coming = story.run_ids
            chance.shuffle(coming)
            here: list[int] = []
            while coming:
                batch = [coming.pop() for _ in range(min(len(coming), chance.randint(1, 5)))]
                here += batch
                hold(connection, story.of(here))
                grow(connection, story.of(batch).attempts)
            grown = {name: rows_of(connection, f"marts.{name}") for name in FLAKY}
            rebuild(connection)
            assert grown == {name: rows_of(connection, f"marts.{name}") for name in FLAKY}

        agree()


@pytest.mark.parametrize("is_backwards", [False, True])
def test_a_proof_may_come_weeks_later(open_store: OpenStore, *, is_backwards: bool) -> None:
    """A job failed, and passed at the same commit a month apart: the finding is there, whichever was loaded first."""
    failed_run = Run(1, 1, "push", "a", START, is_default_branch=True)
    passed_run = replace(failed_run, run_id=2, day=START + timedelta(days=30))
    parts = [
        Story((Try(run, 1, outcome, conclusion=outcome),), (Try(run, 1, outcome, "test", run.run_id * 100),))
        for run, outcome in ((failed_run, "failure"), (passed_run, "success"))
    ]
    coming = parts[::-1] if is_backwards else parts
    both = Story(parts[0].attempts + parts[1].attempts, parts[0].jobs + parts[1].jobs)
    with opened(open_store) as connection:
        for here, part in ((coming[0], coming[0]), (both, coming[1])):
            hold(connection, here)
            grow(connection, part.attempts)
        assert rows_of(connection, "marts.run_flakes", ["run_id", "level", "passed_run_id"]) == [(1, "L2", 2)]
        assert rows_of(connection, "marts.job_flakes", ["job_id", "level", "passed_job_id"]) == [(100, "L2", 200)]


def test_what_passes_elsewhere_never_makes_a_job_flakier(open_store: OpenStore) -> None:
    """A pass at another commit lowers every ratio of its job or leaves it; one more pass takes no evidence away."""
    with opened(open_store) as connection:

        @given(story=stories(), data=st.data())
        @few
        def agree(story: Story, data: st.DataObject) -> None:
            if not story.jobs:
                return
            like = data.draw(st.sampled_from(story.jobs))
            before = ratios(connection, story)
            elsewhere = ratios(connection, _with_a_pass(story, like, head_sha="new"))
            same = ratios(connection, _with_a_pass(story, like, head_sha=like.run.head_sha))
            for job, (ratio, low, failures) in before.items():
                assert elsewhere[job][0] <= ratio
                assert elsewhere[job][1] <= low + 1e-12
                assert elsewhere[job][2] == failures
                assert same[job][2] >= failures

        agree()


def _with_a_pass(story: Story, like: Try, head_sha: str) -> Story:
    """Return a story in which a job passes once more, in a run of its own off the mainline."""
    run = replace(like.run, run_id=99, head_sha=head_sha, is_default_branch=False)
    attempt = Try(run, 1, "success", conclusion="success")
    passed = Try(run, 1, "success", like.job, 9910)
    return Story((*story.attempts, attempt), (*story.jobs, passed))


def ratios(connection: duckdb.DuckDBPyConnection, story: Story) -> dict[Any, tuple[float, float, int]]:
    """Return of each flaky job its ratio, the lower end of that and the failures that are proven flaky."""
    hold(connection, story)
    rebuild(connection)
    query = "select workflow_id, job, flaky_ratio, ratio_low, flaky_failure_count from marts.flaky_jobs"
    return {row[:2]: row[2:] for row in connection.execute(query).fetchall()}


def hold(connection: duckdb.DuckDBPyConnection, story: Story) -> None:
    """Let the tables upstream hold a story."""
    latest = {one.run.run_id: one for one in story.attempts}.values()
    tables = {
        "staging.github_run_attempts": [_placed(one) for one in story.attempts],
        "marts.run_attempts": [_attempt(one) for one in story.attempts],
        "marts.workflow_runs": [_attempt(one) for one in latest],
        "marts.jobs": [_job(one) for one in story.jobs],
        "marts.repository_daily": [{"repository": "acme/app", "day": day} for day in _days(story.attempts)],
    }
    with transaction(connection):
        for table, rows in tables.items():
            connection.execute(f"delete from {table}")
            insert(connection, table, rows)


def _days(attempts: Iterable[Try]) -> set[date]:
    return {one.run.day for one in attempts}


def _attempt(one: Try) -> Row:
    return {
        **_shown(one),
        "created_at": one.run.created_at,
        "conclusion": one.conclusion,
        "html_url": str(one.run.run_id),
    }


def _job(one: Try) -> Row:
    return {
        **_shown(one),
        "job": one.job,
        "job_base": one.job,
        "job_id": one.job_id,
        "is_executed": one.is_executed,
        "duration_seconds": one.lost_seconds,
        "html_url": one.page,
    }


def _placed(one: Try) -> Row:
    run = one.run
    return {
        "run_id": run.run_id,
        "run_attempt": one.attempt,
        "workflow_id": run.workflow_id,
        "event": run.event,
        "head_sha": run.head_sha,
        "day": run.day,
    }


def _shown(one: Try) -> Row:
    return {
        **_placed(one),
        "repository": "acme/app",
        "workflow": f"CI {one.run.workflow_id}",
        "is_default_branch": one.run.is_default_branch,
        "outcome": one.outcome,
        "completed_at": one.completed_at,
    }


def grow(connection: duckdb.DuckDBPyConnection, attempts: Iterable[Try]) -> None:
    """Bring the marts up to date where attempts were loaded, and publish."""
    insert(connection, "meta.touched_tables", [{"name": "staging.github_run_attempts"}])
    placed = [_placed(one) for one in attempts]
    columns = ("run_id", "day", "head_sha", "workflow_id")
    insert(connection, "meta.touched_runs", [{name: row[name] for name in columns} for row in placed])
    for name in FLAKY:
        build_mart(connection, MODELS[f"marts.{name}"], MODELS)
    forget_touched(connection)


def rebuild(connection: duckdb.DuckDBPyConnection) -> None:
    """Build the marts from everything that is there."""
    with transaction(connection):
        for model in (MODELS[f"marts.{name}"] for name in FLAKY):
            connection.execute(f"delete from {model.table}")
            connection.execute(f"insert into {model.table} by name {model.query}")
