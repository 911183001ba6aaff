"""What goes with the demo organisation's runs, through our own collectors, against its world."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from phoenix_metrics.defs import context
from phoenix_metrics.defs.polling import Poll, sync_github
from phoenix_metrics.defs.reports import visit_reports
from phoenix_metrics.demo.api import app
from phoenix_metrics.demo.organization import Organization
from phoenix_metrics.demo.protection import REQUIRED_CHECKS
from phoenix_metrics.demo.runs import Attempt, Job, Run
from phoenix_metrics.demo.steps import steps_of
from phoenix_metrics.demo.suites import Result, results
from phoenix_metrics.demo.workflows import CI, RELEASE
from phoenix_metrics.demo.world import World
from phoenix_metrics.settings import load_settings
from phoenix_metrics.sources.github.connections import Connections
from phoenix_metrics.warehouse.store import writing
from tests.conftest import publish_landing
from tests.demo.conftest import NOW, serving

DAYS = 3
SECOND = int(NOW.timestamp())
Rows = list[tuple[Any, ...]]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home into which three days of everything were collected."""
    folder = tmp_path_factory.mktemp("demo")
    with serving(app(days=DAYS, clock=lambda: NOW)) as address:
        settings = load_settings(
            {
                "PHOENIX_HOME": str(folder),
                "PHOENIX_GITHUB_API_URL": address,
                "PHOENIX_GITHUB_REPOSITORIES": "phoenix/platform",
                "PHOENIX_GITHUB_TOKEN": "demo",
                "PHOENIX_GITHUB_SINCE": f"{DAYS}d",
                "PHOENIX_GITHUB_CHECKS": "true",
            }
        )
        assert [done.state for done in sync_github(settings, Poll(), clock=lambda: NOW)] == ["ok"]
        publish_landing(folder)
        visit = partial(_visited, Connections(settings), settings)
        for loop in (context.visit_pull_requests, context.visit_releases, context.visit_rules, context.visit_billing):
            visit(loop)
        visit(context.visit_checks)
        visit(visit_reports)
        publish_landing(folder)
    return folder


def _visited(connections: Connections, settings: Any, loop: Any) -> None:
    assert {done.state for done in loop(settings, connections.client_for, lambda: NOW)} == {"ok"}


@pytest.fixture(scope="module")
def world() -> World:
    """The platform's world as the server tells it."""
    return Organization(days=DAYS).platform


def asked(home: Path, query: str) -> Rows:
    """Return the store's answer."""
    with writing(home) as connection:
        return connection.execute(query).fetchall()


def seconds(at: datetime | None) -> int | None:
    return None if at is None else int(at.replace(tzinfo=UTC).timestamp())


def settled(run: Run) -> Iterator[tuple[Attempt, Job]]:
    """Yield the jobs of a run that ran, each once, and had ended by now."""
    for attempt in run.attempts:
        for job in attempt.jobs:
            if job.runner is not None and attempt.started_at <= job.started_at and job.completed_at <= SECOND:
                yield attempt, job


def test_pull_requests_become_the_commits_that_are_delivered(home: Path, world: World) -> None:
    """Head and merge of each are commits of runs; the merge's time is that of the commit pushed to main."""
    heads: dict[int, str] = {}
    merges: dict[int, tuple[str, int]] = {}
    for run in reversed(world.runs(SECOND)):
        trigger = run.trigger
        if trigger.pull_request is not None:
            heads[trigger.pull_request.number] = trigger.commit.sha
        elif trigger.workflow is CI and trigger.branch == "main":
            merges[int(trigger.title.rpartition("#")[2].rstrip(")"))] = trigger.commit.sha, trigger.commit.at
    found = asked(home, "select number, head_sha, merge_commit_sha, merged_at, state from staging.github_pull_requests")
    assert len(heads) > 20
    assert len(merges) > 10
    assert {row[0]: row[1] for row in found if row[0] in heads} == heads
    assert {row[0]: (row[2], seconds(row[3])) for row in found if row[4] == "merged"} == merges
    joined = """
        select count(distinct pulls.number) from staging.github_pull_requests as pulls
        inner join marts.workflow_runs as runs on runs.head_sha = pulls.merge_commit_sha and runs.is_default_branch
    """
    assert asked(home, joined) == [(len(merges),)]


def test_releases_come_out_when_their_step_ends(home: Path, world: World) -> None:
    """Each with the commit that its tag stands for."""
    expected = {}
    for run in world.runs(SECOND):
        done = [
            step.completed_at
            for _, job in settled(run)
            for step in steps_of(job)
            if run.trigger.workflow is RELEASE and (step.name, step.conclusion) == ("Create release", "success")
        ]
        if done:
            expected[run.trigger.branch] = run.trigger.commit.sha, min(done)
    found = asked(home, "select tag, commit_sha, published_at from staging.github_releases")
    assert {tag: (sha, seconds(at)) for tag, sha, at in found} == expected
    assert expected


def test_main_is_guarded_by_the_specifications_checks(home: Path) -> None:
    """Classic protection, read off the branch."""
    query = "select branch, protection, [one.context for one in required_checks] from staging.github_branch_rules"
    assert asked(home, query) == [("main", "classic", list(REQUIRED_CHECKS))]


def test_codecov_speaks_about_commits_that_have_all_coverage(home: Path, world: World) -> None:
    """Two statuses for each commit of main whose unit and frontend tests passed in some attempt."""
    covered = set()
    for run in world.runs(SECOND):
        passed = {job.name for _, job in settled(run) if job.conclusion == "success"}
        if run.trigger.branch == "main" and {"test (unit)", "test (frontend)"} <= passed:
            covered.add(run.trigger.commit.sha)
    checked = {row[0] for row in asked(home, "select head_sha from staging.github_commit_checks")}
    found = asked(home, "select head_sha, context, state, creator from staging.github_commit_statuses")
    expected = {
        (sha, f"codecov/{of}", "success", "codecov[bot]") for sha in checked & covered for of in ("patch", "project")
    }
    assert set(found) == expected
    assert len(checked) > 10
    assert asked(home, "select count(*) from staging.github_check_runs") == [(0,)]  # those of jobs are jobs


def test_every_test_job_has_its_results(home: Path, world: World) -> None:
    """Whatever a suite's cases did in a job is in the mart under that job, variants and second tries included."""
    expected: Counter[tuple[Any, ...]] = Counter()
    job_ids = set()
    for run in world.runs(SECOND):
        for attempt, job in settled(run):
            if job.name.startswith("test (") and job.conclusion in ("success", "failure"):
                known_id = job.id if attempt.settled_at <= SECOND else None  # jobs are read when their run has ended
                for result in results(world.universe, run, job):
                    expected[run.id, attempt.number, known_id, *_told(result)] += 1
                job_ids.add(job.id)
    query = """
        select run_id, run_attempt, job_id, class, test, result, is_flaky_in_report, duration_seconds, message
        from marts.test_results
    """
    assert Counter(asked(home, query)) == expected
    assert {row[5] for row in expected} == {"passed", "failed", "skipped"}
    assert any(row[6] for row in expected)
    artifacts = asked(
        home, "select count(*), count(distinct name), bool_and(state = 'parsed') from staging.github_artifacts"
    )
    assert artifacts == [(len(job_ids), 3, True)]


def _told(result: Result) -> tuple[Any, ...]:
    duration = float(f"{result.seconds:.3f}")
    message = "not on CI" if result.result == "skipped" else result.message
    return result.case.class_name, result.case.name, result.result, result.was_run_again, duration, message


def test_the_bill_is_the_jobs_rounded_up(home: Path, world: World) -> None:
    """Day by day, also from before the history that can be seen: quantity, price and what the plan includes."""
    minutes: Counter[str] = Counter()
    start = int(datetime(2026, 11, 1, tzinfo=UTC).timestamp())
    for run in world.since(start - 40 * 86_400, SECOND):
        for _, job in settled(run):
            if job.started_at >= start:
                minutes[_day(job.started_at)] += -(-max(1, job.completed_at - job.started_at) // 60)
    left, expected = 3_000, []
    for day in sorted(minutes):
        included = min(left, minutes[day])
        left -= included
        gross, discount = minutes[day] * 0.006, included * 0.006
        expected.append(
            (day, "actions_linux", "phoenix/platform", float(minutes[day]), gross, discount, gross - discount)
        )
    query = """
        select strftime(starts_on, '%Y-%m-%d'), sku, repository, quantity, gross_amount, discount_amount, net_amount
        from staging.github_billing_usage order by starts_on
    """
    found = asked(home, query)
    first = _day(SECOND - DAYS * 86_400)
    assert len(found) == DAYS + 1
    assert [row[:4] for row in found] == [row[:4] for row in expected if row[0] >= first]
    for row, other in zip(found, [row for row in expected if row[0] >= first], strict=True):
        assert row[4:] == pytest.approx(other[4:])


def test_our_cost_is_what_is_billed(home: Path) -> None:
    """Line by line of the bill, where all of a day was read: minutes and dollars without any drift."""
    query = """
        select starts_on, sku, repository, minutes, drift_minutes, drift_usd, unpriced_count
        from marts.billing_reconciliation order by starts_on
    """
    found = asked(home, query)
    assert len(found) == DAYS + 1
    first, *whole, today = found  # the first day was read from noon on, today goes on
    assert [row[4:] for row in whole] == [(0, 0, 0)] * (DAYS - 1)
    assert all(row[1:3] == ("actions_linux", "phoenix/platform") and row[3] > 0 for row in whole)
    assert first[4] < 0
    assert today[4] <= 0


def _day(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d")
