"""Plants bugs in the SQL and the ingester, one at a time, and tells which test notices each.

    .venv/bin/python tests/mutations.py              # all of them, some minutes
    .venv/bin/python tests/mutations.py --only rollback

Each bug is a small replacement of text that someone could have written. The checkout is copied to a temporary folder,
one bug is planted there, and the smallest selection of tests that should notice runs with `-x`. The table at the end
says for each bug which test failed. A bug that nothing catches is a test that is missing, and the exit code is 1.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]
COPIED = ("phoenix_metrics", "sql", "tests", "dashboards", "deploy", "dagster_home", "pyproject.toml")
LONGEST_TEST = 600  # seconds
CASES = "tests/sql/test_cases.py"


@dataclass(frozen=True)
class Bug:
    """A mistake: what is replaced where by what, and which tests should notice."""

    name: str
    file: str
    right: str
    wrong: str
    tests: tuple[str, ...]


def _cases(table: str) -> tuple[str, ...]:
    """Select the cases of one table."""
    return (CASES, "-k", table)


BUGS = (
    Bug(
        "late runs raise an alert",
        "sql/marts/alert_conditions.sql",
        "        and not attempts.is_late\n        and conclusions.outcome",
        "        and conclusions.outcome",
        _cases("alert_conditions"),
    ),
    Bug(
        "quiet repositories are stale",
        "sql/marts/source_freshness.sql",
        "- pause_seconds as behind_seconds",
        "as behind_seconds",
        _cases("source_freshness"),
    ),
    Bug(
        "time in which a source is silent counts as held",
        "phoenix_metrics/alerts/episodes.py",
        "held_since=episode.held_since + passed",
        "held_since=episode.held_since",
        ("tests/alerts/test_episodes.py",),
    ),
    Bug(
        "an alert that failed to be told counts as told",
        "phoenix_metrics/alerts/messages.py",
        'return self.state in ("delivered", "refused")',
        'return self.state in ("delivered", "refused", "failed")',
        ("tests/alerts/test_delivery.py",),
    ),
    Bug(
        "success ratio over all runs",
        "sql/marts/workflow_daily.sql",
        "success_count / nullif(success_count + failure_count, 0) as success_ratio",
        "success_count / nullif(run_count, 0) as success_ratio",
        _cases("workflow_daily"),
    ),
    Bug(
        "p95 over all outcomes",
        "sql/marts/workflow_daily.sql",
        "case when outcome in ('success', 'failure') then duration_seconds end",
        "duration_seconds",
        _cases("workflow_daily"),
    ),
    Bug(
        "carried-over jobs counted",
        "sql/marts/jobs.sql",
        "        not is_carried_over\n        and outcome in",
        "        outcome in",
        _cases("marts/jobs"),
    ),
    Bug(
        "queue time from the start of the attempt",
        "sql/marts/jobs.sql",
        "(epoch_us(execution_started_at) - epoch_us(created_at))",
        "(epoch_us(execution_started_at) - epoch_us(attempt_started_at))",
        _cases("marts/jobs"),
    ),
    Bug(
        "billed minutes rounded to the nearest",
        "sql/marts/jobs.sql",
        "greatest(ceil(duration_seconds / 60), 1)",
        "greatest(round(duration_seconds / 60), 1)",
        _cases("marts/jobs"),
    ),
    Bug(
        "a job is priced by the day it ended",
        "sql/marts/runner_skus.sql",
        "coalesce(cast(coalesce(jobs.first_step_at, jobs.started_at) as date), attempts.day) as started_on",
        "coalesce(cast(jobs.completed_at as date), attempts.day) as started_on",
        _cases("runner_skus"),
    ),
    Bug(
        "carried-over jobs are charged",
        "sql/marts/jobs.sql",
        "            when not is_executed then 0\n",
        "            when is_carried_over then ceil(span_seconds / 60)\n            when not is_executed then 0\n",
        _cases("marts/jobs"),
    ),
    Bug(
        "an unknown runner costs nothing",
        "sql/marts/jobs.sql",
        "            when price_basis is not null then billed_minutes * usd_per_minute\n",
        "            else billed_minutes * coalesce(usd_per_minute, 0)\n",
        _cases("marts/jobs"),
    ),
    Bug(
        "public repositories pay",
        "sql/marts/jobs.sql",
        "and (is_githubs_own or not repositories.is_private) then 'free'",
        "and is_githubs_own then 'free'",
        _cases("marts/jobs"),
    ),
    Bug(
        "any earlier push cancelled a job",
        "sql/marts/wasted_jobs.sql",
        "ended.next_created_at between ended.completed_at - interval 10 minutes and",
        "ended.next_created_at between ended.completed_at - interval 10 hours and",
        _cases("wasted_jobs"),
    ),
    Bug(
        "a push that is read late leaves the day before as it was",
        "sql/touched/github_run_attempts.sql",
        "jobs.completed_at >= series.created_at - interval 5 seconds",
        "false",
        ("tests/sql/test_costs.py", "-k", "read_late"),
    ),
    Bug(
        "skipped jobs are failures",
        "sql/seeds/conclusions.csv",
        "skipped,skipped",
        "skipped,failure",
        _cases("outcomes"),
    ),
    Bug(
        "cancelled is a failure",
        "sql/seeds/conclusions.csv",
        "cancelled,cancelled",
        "cancelled,failure",
        _cases("outcomes"),
    ),
    Bug(
        "a run is its first attempt",
        "sql/marts/workflow_runs.sql",
        "where attempts.is_latest",
        "where attempts.run_attempt = 1",
        _cases("workflow_runs"),
    ),
    Bug(
        "duration from the run's creation, over the wait for a re-run",
        "sql/marts/run_attempts.sql",
        "epoch_us(run_started_at)) / 1000000.0 as span_seconds",
        "epoch_us(created_at)) / 1000000.0 as span_seconds",
        _cases("run_attempts"),
    ),
    Bug(
        "a backfill is no longer late",
        "sql/marts/run_attempts.sql",
        "first_ended_at + interval 6 hours",
        "first_ended_at + interval 6 days",
        _cases("run_attempts"),
    ),
    Bug(
        "flaky in whatever order",
        "sql/marts/run_attempts.sql",
        "coalesce(runs.first_failure < runs.last_success, false)",
        "coalesce(runs.first_failure <> runs.last_success, false)",
        _cases("run_attempts"),
    ),
    Bug(
        "what was read last wins over what is newer",
        "sql/staging/github_run_attempts.sql",
        "Newest: updated_at, status_rank, fetched_at",
        "Newest: fetched_at",
        _cases("github_run_attempts"),
    ),
    Bug(
        "time zones ignored",
        "sql/staging/github_jobs.sql",
        "cast(cast(job.completed_at as timestamptz) at time zone 'UTC' as timestamp)",
        "cast(left(job.completed_at, 19) as timestamp)",
        _cases("github_jobs"),
    ),
    Bug(
        "the history's id is the operation's key",
        "sql/marts/operations.sql",
        "uid, '|', strftime(started_at, '%Y-%m-%dT%H:%M:%SZ'),",
        "uid, '|', coalesce(cast(history_id as varchar), strftime(started_at, '%Y-%m-%dT%H:%M:%SZ')),",
        ("tests/sql/test_cases.py", "tests/sql/test_version_properties.py", "-k", "operations or version"),
    ),
    Bug(
        "a wait for the next retry is an end",
        "sql/marts/operations.sql",
        "select *, phase in ('Succeeded', 'Failed', 'Error') as is_terminal",
        "select *, finished_at is not null as is_terminal",
        _cases("marts/operations"),
    ),
    Bug(
        "retries are not counted",
        "sql/marts/operations.sql",
        "ends.retry_count + 1 as attempt_count",
        "ends.retry_count as attempt_count",
        _cases("marts/operations"),
    ),
    Bug(
        "a hook that failed undoes what it followed",
        "sql/marts/operations.sql",
        "and coalesce(imaged.is_applied, false))",
        "and false)",
        _cases("marts/operations"),
    ),
    Bug(
        "a re-sync is a deployment",
        "sql/marts/service_deployments.sql",
        "brought.change in ('first', 'forward', 'rollback', 'recreated') as is_deployment",
        "brought.change in ('first', 'forward', 'rollback', 'recreated', 'resync') as is_deployment",
        _cases("service_deployments"),
    ),
    Bug(
        "whatever comes back is a rollback",
        "sql/marts/service_deployments.sql",
        "compared.is_same_track and track.is_return and track.first_position < track.first_position_before",
        "compared.is_same_track and track.is_return",
        _cases("service_deployments"),
    ),
    Bug(
        "a revert after an abort is a second rollback",
        "sql/marts/rollbacks.sql",
        "        and (left_to_undo.deployment_id is null or left_to_undo.unmended_count > 0)\n",
        "",
        _cases("marts/rollbacks"),
    ),
    Bug(
        "lead time from the commit although the merge is known",
        "sql/marts/deliveries.sql",
        "- epoch_us(coalesce(reworked.merged_at, reworked.committed_at))",
        "- epoch_us(reworked.committed_at)",
        _cases("marts/deliveries"),
    ),
    Bug(
        "change failures among what succeeded",
        "sql/marts/delivery_weekly.sql",
        "change_failure_count / nullif(deployment_count, 0) as change_failure_ratio",
        "change_failure_count / nullif(succeeded_count, 0) as change_failure_ratio",
        _cases("delivery_weekly"),
    ),
    Bug(
        "the last failed step decides",
        "sql/marts/job_failures.sql",
        "when conclusion = 'cancelled' then 2 else 1 end, step_number\n    ) = 1",
        "when conclusion = 'cancelled' then 2 else 1 end, step_number desc\n    ) = 1",
        _cases("job_failures"),
    ),
    Bug(
        "the last rule that fits wins",
        "sql/marts/job_failures.sql",
        "partition by described.job_id order by fitting.rank nulls last",
        "partition by described.job_id order by fitting.rank desc nulls last",
        ("tests/sql/test_cases.py", "tests/sql/test_failure_rules.py", "-k", "job_failures or fits_wins"),
    ),
    Bug(
        "what was cancelled with its run timed out",
        "phoenix_metrics/warehouse/rules.py",
        "run-(success|failure|other|open|unknown)$",
        "run-",
        ("tests/sql/test_failure_rules.py", "-k", "were_set"),
    ),
    Bug(
        "the newest run that changed changes nothing",
        "phoenix_metrics/warehouse/touched.py",
        "{literal(row[0])} and {literal(row[1])}",
        "{literal(row[0])} and {literal(row[0])}",
        ("tests/sql/test_flakiness.py", "-k", "weeks_later"),
    ),
    Bug(
        "rules that were set wait for the day to be touched",
        "phoenix_metrics/warehouse/marts.py",
        'return _content(connection, table) if table.startswith("seeds.") else table',
        "return table",
        ("tests/sql/test_failure_rules.py", "-k", "were_set"),
    ),
    Bug(
        "the critical path goes by jobs' starts",
        "sql/marts/critical_path_jobs.sql",
        "jobs.completed_at - coalesce(jobs.created_at, jobs.completed_at)",
        "jobs.completed_at - jobs.started_at",
        ("tests/sql/test_cases.py", "tests/sql/test_path_properties.py", "-k", "critical or longest_chain"),
    ),
    Bug(
        "a job comes before itself",
        "sql/marts/critical_path_jobs.sql",
        "least(ended_before_count, job_rank - 1)",
        "least(ended_before_count, job_rank)",
        ("tests/sql/test_cases.py", "tests/sql/test_path_properties.py", "-k", "critical or longest_chain"),
    ),
    Bug(
        "a workflow file that contradicts a run is believed",
        "sql/marts/critical_path_jobs.sql",
        "coalesce(waited.needed_ended_at <= coalesce(keyed.created_at, keyed.started_at), true)",
        "true",
        ("tests/sql/test_cases.py", "tests/sql/test_needed_path_properties.py", "-k", "critical or the_needs"),
    ),
    Bug(
        "a schedule that was changed is expected of the night of the change",
        "sql/marts/scheduled_starts.sql",
        "having count(distinct possible.seen_at) = count(distinct foreseen.seen_at)",
        "having count(*) > 0",
        _cases("scheduled_starts"),
    ),
    Bug(
        "a start that can still come is missed",
        "sql/marts/scheduled_starts.sql",
        "when seen_seconds <= late_minutes * 60 then 'pending'",
        "when seen_seconds < 0 then 'pending'",
        _cases("scheduled_starts"),
    ),
    Bug(
        "a job is flaky if any event passed it",
        "sql/marts/job_flakes.sql",
        "        and passed_in_event.event = failed.event\n",
        "",
        _cases("job_flakes"),
    ),
    Bug(
        "what is carried over has passed",
        "sql/marts/job_flakes.sql",
        "    where jobs.is_executed\n",
        "    where jobs.is_executed or jobs.outcome = 'success'\n",
        _cases("job_flakes"),
    ),
    Bug(
        "a start-up failure is a flake",
        "sql/marts/run_flakes.sql",
        "where attempts.outcome in ('success', 'failure') and attempts.conclusion <> 'startup_failure'",
        "where attempts.outcome in ('success', 'failure')",
        _cases("run_flakes"),
    ),
    Bug(
        "one variant that passed contradicts another that failed",
        "sql/marts/test_flakes.sql",
        "min(results.outcome) as outcome,",
        "max(results.outcome) as outcome,",
        _cases("test_flakes"),
    ),
    Bug(
        "commits are rebuilt from the runs that were touched alone",
        "phoenix_metrics/warehouse/touched.py",
        'part["run_id"] = runs_where(connection, part[key], f"scratch.runs_{len(self._parts)}")',
        "pass",
        ("tests/sql/test_flakiness.py", "-k", "weeks_later"),
    ),
    Bug(
        "a commit that was built twice is two commits",
        "sql/marts/flaky_jobs.sql",
        "observed.run_count - coalesce(repeated.run_count, 0)",
        "observed.run_count",
        ("tests/sql/test_flakiness.py", "-k", "definitions"),
    ),
    Bug(
        "a pass in another attempt is a recovery",
        "sql/marts/flaky_jobs.sql",
        "daily.day > cast(seen.last_seen_at as date)",
        "daily.day >= cast(seen.last_seen_at as date)",
        ("tests/sql/test_flakiness.py", "-k", "definitions"),
    ),
    Bug(
        "news reach the next table only",
        "phoenix_metrics/warehouse/marts.py",
        "found |= _sources(models[table], models)",
        "pass",
        ("tests/sql/test_properties.py", "-k", "rebuilding_what_was_touched"),
    ),
    Bug(
        "a part of a long history is its first day",
        "phoenix_metrics/warehouse/marts.py",
        "between {group[0]} and {group[-1]}",
        "between {group[0]} and {group[0]}",
        ("tests/sql/test_properties.py", "-k", "several_days"),
    ),
    Bug(
        "a day that has not ended counts in what got slower",
        "sql/marts/duration_changes.sql",
        "and attempts.day < recent.newest_day",
        "and attempts.day <= recent.newest_day",
        ("tests/sql/test_duration_changes.py",),
    ),
    Bug(
        "re-runs are executions like any other in what got slower",
        "sql/marts/duration_changes.sql",
        "attempts.run_attempt = 1\n        and attempts.outcome",
        "attempts.outcome",
        _cases("marts/duration_changes"),
    ),
    Bug(
        "executions of a day count as if they were of as many days",
        "phoenix_metrics/warehouse/change_points.py",
        "np.stack([segments, series.blocks])",
        "np.stack([segments, series.starts])",
        ("tests/warehouse/test_change_points.py", "-k", "days_of_their_own"),
    ),
    Bug(
        "a period holds the day that has not ended",
        "sql/marts/period_comparisons.sql",
        "where daily.day < clock.run_end_day and",
        "where daily.day <= clock.run_end_day and",
        _cases("marts/period_comparisons"),
    ),
    Bug(
        "earlier attempts are not read",
        "phoenix_metrics/sources/github/detail.py",
        "for number in range(1, run.run_attempt):",
        "for number in range(2, run.run_attempt):",
        ("tests/sources/test_history.py", "-k", "has_all_its_attempts"),
    ),
    Bug(
        "lists end with their first page",
        "phoenix_metrics/sources/github/history.py",
        "yield from self._fetch_changed(self._all_pages(page, listed))",
        "yield from self._fetch_changed(page.items)",
        ("tests/sources/test_history.py", "-k", "more_runs_than_github_lists"),
    ),
    Bug(
        "events are read once an hour",
        "phoenix_metrics/sources/argocd/events.py",
        "EVERY = timedelta(minutes=15)",
        "EVERY = timedelta(minutes=75)",
        ("tests/defs/test_argocd_story.py",),
    ),
    Bug(
        "an older state of a row overwrites a newer one",
        "phoenix_metrics/warehouse/staging.py",
        """is_newer = f"{_row('new', model.newest)} > {_row('old', model.newest)}\"""",
        'is_newer = "true"',
        (CASES, "-k", "test_staging and github_run_attempts"),
    ),
    Bug(
        "a counter falls with its mart",
        "phoenix_metrics/warehouse/counters.py",
        'f"{name} = greatest(kept.{name}, built.{name})"',
        'f"{name} = built.{name}"',
        ("tests/warehouse/test_counters.py",),
    ),
    Bug(
        "counters of a store made anew begin at nought",
        "phoenix_metrics/warehouse/counters.py",
        "if missing and published is not None:",
        "if False:",
        ("tests/warehouse/test_counters.py",),
    ),
    Bug(
        "a newcomer is not held at zero",
        "phoenix_metrics/exporter/counters.py",
        "sum(0 if self.is_held(row) else row[column] for row in its)",
        "sum(row[column] for row in its)",
        ("tests/exporter/test_counters.py",),
    ),
    Bug(
        "what shares a series is not added up",
        "phoenix_metrics/exporter/counters.py",
        "for row in its)",
        "for row in its[:1])",
        ("tests/exporter/test_output.py", "-k", "limit"),
    ),
    Bug(
        "cost of late attempts counts as news",
        "sql/marts/workflow_cost_totals.sql",
        "sum(case when is_late then 0 else cost_usd end) as cost_usd",
        "sum(cost_usd) as cost_usd",
        _cases("workflow_cost_totals"),
    ),
    Bug(
        "a report looks at a day too few",
        "phoenix_metrics/report/book.py",
        "return self.end - timedelta(days=self.days)",
        "return self.end - timedelta(days=self.days - 1)",
        ("tests/report/test_figures.py",),
    ),
    Bug(
        "a report calls noise a change",
        "phoenix_metrics/report/figures.py",
        'return self.row["verdict"] in ("better", "worse")',
        'return self.row["verdict"] != "too_few"',
        ("tests/report/test_digest.py",),
    ),
    Bug(
        "a report takes names for Markdown",
        "phoenix_metrics/report/rendering.py",
        "shown = _verbatim(text)",
        "shown = Markup(text)",
        ("tests/report/test_formats.py",),
    ),
    Bug(
        "a report links whatever it is given",
        "phoenix_metrics/report/rendering.py",
        'if url and _URL.match(url) else ""',
        'if url else ""',
        ("tests/report/test_formats.py",),
    ),
    Bug(
        "a report keeps quiet about unpriced jobs",
        "phoenix_metrics/report/costs.py",
        'if found["unpriced_count"]:',
        'if found["unpriced_count"] is None:',
        ("tests/report/test_words.py", "-k", "partial"),
    ),
)


def main() -> int:
    """Plant the bugs asked for, print the table, and return how that went."""
    parser = argparse.ArgumentParser(description="Which test notices which bug.")
    parser.add_argument("--only", default="", help="part of the names of the bugs to plant")
    wanted = [bug for bug in BUGS if parser.parse_args().only in bug.name]
    found = list(_plant_all(wanted))
    width = max(len(bug.name) for bug in wanted)
    sys.stdout.write("\n" + "\n".join(f"{bug.name:{width}}  {caught or 'NOTHING'}" for bug, caught in found) + "\n")
    missed = sum(caught is None for _, caught in found)
    sys.stdout.write(f"{len(found)} bugs, {len(found) - missed} caught\n")
    return 1 if missed else 0


def _plant_all(bugs: Sequence[Bug]) -> Iterator[tuple[Bug, str | None]]:
    with tempfile.TemporaryDirectory(prefix="mutations-") as folder:
        copy = Path(folder) / "checkout"
        _copy(copy)
        for bug in bugs:
            caught = _plant(copy, bug)
            sys.stdout.write(f"{bug.name}: {caught or 'NOTHING'}\n")
            sys.stdout.flush()
            yield bug, caught


def _copy(folder: Path) -> None:
    ignored = shutil.ignore_patterns("__pycache__", "*.duckdb", "storage", "history")
    for name in COPIED:
        source = CHECKOUT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=ignored)
        else:
            folder.mkdir(exist_ok=True)
            shutil.copy(source, folder / name)


def _plant(copy: Path, bug: Bug) -> str | None:
    """Return the test that fails with a bug, None where all pass; the copy is whole again afterwards."""
    file = copy / bug.file
    text = file.read_text("utf-8")
    if text.count(bug.right) != 1:
        raise SystemExit(f"{bug.name}: {bug.file} does not hold once: {bug.right}")
    file.write_text(text.replace(bug.right, bug.wrong), "utf-8")
    try:
        return _first_failure(copy, bug.tests)
    finally:
        file.write_text(text, "utf-8")


def _first_failure(copy: Path, tests: Sequence[str]) -> str | None:
    command = [sys.executable, "-B", "-m", "pytest", "-x", "-q", "--no-header", "--tb=no", "-rfE", *tests]
    done = subprocess.run(command, cwd=copy, capture_output=True, text=True, timeout=LONGEST_TEST, check=False)
    failed = re.search(r"^(?:FAILED|ERROR) (\S+)", done.stdout, re.MULTILINE)
    if done.returncode not in (0, 1) or (done.returncode == 1 and failed is None):
        raise SystemExit(f"pytest {' '.join(tests)}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return failed[1] if failed else None


if __name__ == "__main__":
    sys.exit(main())
