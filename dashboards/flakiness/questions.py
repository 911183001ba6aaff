"""Questions about what failed by chance: how much of it there is, which jobs and tests it is, and what proves it."""

from datetime import date, timedelta

import pandas as pd

from dashboards.data import ask
from dashboards.days import DayScope

WINDOW_DAYS = 30  # over which marts.flaky_jobs and marts.flaky_tests look
LISTED = 500

_PROVEN = "level in ('L1', 'L2')"
_ORDER = "is_healed, level in ('L2x', 'L4'), not is_ranked, score desc nulls last, last_seen_at desc"
_SHARED = """
    repository, workflow, level, flaky_count, observation_count, flaky_ratio, ratio_low, ratio_high, is_ranked, score,
    flaky_failure_count, success_count, first_seen_at, last_seen_at, success_count_since, is_healed,
    lost_seconds, lost_minutes, cast(lost_usd as double) as lost_usd, failed_url, passed_url
"""


def newest_day() -> date | None:
    """Return the newest day with runs, None if there is none; the ranking looks back from it."""
    day = ask("select max(day) as day from marts.repository_daily")["day"].iloc[0]
    return None if pd.isna(day) else pd.Timestamp(day).date()


def has_jobs(scope: DayScope) -> bool:
    """Whether any job of the ranking's days is known."""
    frame = ask(
        f"""
        select count(*) as row_count
        from (
            select 1 from marts.job_daily
            where day > (select max(day) from marts.repository_daily) - {WINDOW_DAYS} and {scope.where}
            limit 1
        )
        """,
        scope.chosen,
    )
    return bool(frame["row_count"].iloc[0])


def unattributed_count(scope: DayScope) -> int:
    """Count the flaky runs of the ranking's days none of whose jobs is known to have failed by chance."""
    query = f"select count(*) as run_count from marts.unattributed_flakes where {scope.where}"
    return int(ask(query, scope.chosen)["run_count"].iloc[0])


def has_reports(scope: DayScope) -> bool:
    """Whether any test report of the ranking's days was read."""
    frame = ask(
        f"""
        select count(*) as result_count
        from (
            select 1 from marts.test_results
            where day > (select max(day) from marts.repository_daily) - {WINDOW_DAYS} and {scope.where}
            limit 1
        )
        """,
        scope.chosen,
    )
    return bool(frame["result_count"].iloc[0])


def by_day(scope: DayScope) -> pd.DataFrame:
    """Count runs, failed jobs and what of these was chance, on each day of both periods that has any."""
    return ask(
        f"""
        with runs as (
            select day, cast(sum(success_count + failure_count) as bigint) as decided_count,
                cast(sum(least(flaky_count, success_count + failure_count)) as bigint) as flaky_count
            from marts.workflow_daily where day >= $previous_start and {scope.where} group by day
        ),
        failures as (
            select day, cast(sum(failure_count) as bigint) as failure_count
            from marts.job_daily where day >= $previous_start and {scope.where} group by day
        ),
        flakes as (
            select day,
                count(*) filter (where {_PROVEN}) as chance_count,
                count(*) filter (where level = 'L2x') as hint_count,
                count(*) filter (where {_PROVEN} and lost_usd is null) as unpriced_count,
                cast(sum(lost_seconds) filter (where {_PROVEN}) as double) as lost_seconds,
                cast(sum(lost_minutes) filter (where {_PROVEN}) as bigint) as lost_minutes,
                cast(sum(lost_usd) filter (where {_PROVEN}) as double) as lost_usd
            from marts.job_flakes where day >= $previous_start and {scope.where} group by day
        )
        select runs.*, coalesce(failures.failure_count, 0) as failure_count, flakes.* exclude (day)
        from runs
        left join failures on failures.day = runs.day
        left join flakes on flakes.day = runs.day
        order by runs.day
        """,
        scope.both,
    )


def by_workflow(scope: DayScope) -> pd.DataFrame:
    """Count the flaky runs of each workflow and what their failed attempts cost, those that lost most time first."""
    return ask(
        f"""
        with runs as (
            select repository, workflow, cast(sum(success_count + failure_count) as bigint) as decided_count,
                cast(sum(least(flaky_count, success_count + failure_count)) as bigint) as flaky_count
            from marts.workflow_daily where day >= $start and {scope.where} group by repository, workflow
        ),
        flakes as (
            select repository, workflow, count(*) as attempt_count, cast(sum(lost_seconds) as double) as lost_seconds,
                cast(sum(lost_usd) as double) as lost_usd, count(*) filter (where lost_usd is null) as unpriced_count
            from marts.run_flakes
            where {_PROVEN} and day >= $start and {scope.where} group by repository, workflow
        )
        select runs.*, runs.flaky_count / nullif(runs.decided_count, 0) as flaky_ratio, flakes.attempt_count,
            flakes.lost_seconds, flakes.lost_usd, coalesce(flakes.unpriced_count, 0) as unpriced_count
        from runs
        inner join flakes on flakes.repository = runs.repository and flakes.workflow = runs.workflow
        order by lost_seconds desc nulls last, runs.repository, runs.workflow
        """,
        scope.current,
    )


def flaky_jobs(scope: DayScope) -> pd.DataFrame:
    """Return the jobs with evidence, the surest and worst first."""
    return ask(
        f"""
        select workflow_id, job, hint_count, suspicion_count, {_SHARED}
        from marts.flaky_jobs
        where {scope.where}
        order by {_ORDER}, repository, workflow, job
        limit {LISTED:d}
        """,
        scope.chosen,
    )


def flaky_tests(scope: DayScope) -> pd.DataFrame:
    """Return the tests with evidence, by platform, the surest and worst first."""
    return ask(
        f"""
        select test_id, coalesce(class, suite) as class, test, platform, in_report_count, message, {_SHARED}
        from marts.flaky_tests
        where {scope.where}
        order by {_ORDER}, repository, workflow, class, test, platform
        limit {LISTED:d}
        """,
        scope.chosen,
    )


def job_evidence(workflow_id: int, job: str, limit: int) -> pd.DataFrame:
    """Return the failures of a job that something contradicts, in all our history, the newest first."""
    return ask(
        f"""
        select level, failed_at, head_sha, event, run_attempt, failed_url, passed_at, passed_url,
            cast(null as varchar) as passed_before_url, lost_seconds, cast(lost_usd as double) as lost_usd
        from marts.job_flakes
        where workflow_id = $workflow_id and job = $job
        union all
        select 'L4', failed_at, head_sha, event, run_attempt, failed_url, null, passed_url_after, passed_url_before,
            null, null
        from marts.isolated_failures
        where workflow_id = $workflow_id and job = $job
            and 1 < (select count(*) from marts.isolated_failures where workflow_id = $workflow_id and job = $job)
        order by failed_at desc
        limit {limit:d}
        """,
        {"workflow_id": workflow_id, "job": job},
    )


def test_evidence(test: pd.Series, limit: int) -> pd.DataFrame:
    """Return the failures of a test that something contradicts, in all our history, the newest first."""
    return ask(
        f"""
        select proof, failed_at, head_sha, event, run_attempt, failed_url, passed_at, passed_url, message,
            lost_seconds, cast(lost_usd as double) as lost_usd
        from marts.test_flakes
        where repository = $repository and workflow = $workflow and test_id = $test_id and platform = $platform
        order by failed_at desc
        limit {limit:d}
        """,
        _key(test),
    )


def job_course(workflow_id: int, job: str, newest: date) -> pd.DataFrame:
    """Count the executions of a job on each of the ranking's days by how they turned out."""
    return ask(
        f"""
        select jobs.day,
            count(*) filter (where jobs.outcome = 'success') as success_count,
            count(*) filter (where jobs.outcome = 'failure' and flakes.{_PROVEN}) as chance_count,
            count(*) filter (where jobs.outcome = 'failure') - chance_count as other_count
        from marts.jobs as jobs
        left join marts.job_flakes as flakes on flakes.job_id = jobs.job_id and flakes.day > $after
        where jobs.workflow_id = $workflow_id and jobs.job = $job and jobs.day > $after
            and jobs.is_executed and jobs.outcome in ('success', 'failure')
        group by jobs.day
        order by jobs.day
        """,
        {"workflow_id": workflow_id, "job": job, "after": newest - timedelta(days=WINDOW_DAYS)},
    )


def test_course(test: pd.Series, newest: date) -> pd.DataFrame:
    """Count the results of a test on each of the ranking's days by how they turned out."""
    return ask(
        """
        with results as (
            select day, run_id, run_attempt, job_id, ordinal, outcome
            from marts.test_results
            where repository = $repository and workflow = $workflow and test_id = $test_id and platform = $platform
                and day > $after and outcome in ('success', 'failure')
        ),
        flakes as (
            select run_id, run_attempt, job_id, ordinal
            from marts.test_flakes
            where repository = $repository and workflow = $workflow and test_id = $test_id and platform = $platform
                and day > $after
        )
        select results.day,
            count(*) filter (where flakes.run_id is not null) as chance_count,
            count(*) filter (where results.outcome = 'success' and flakes.run_id is null) as success_count,
            count(*) filter (where results.outcome = 'failure' and flakes.run_id is null) as other_count
        from results
        left join flakes on flakes.run_id = results.run_id and flakes.run_attempt = results.run_attempt
            and flakes.job_id is not distinct from results.job_id and flakes.ordinal = results.ordinal
        group by results.day
        order by results.day
        """,
        {**_key(test), "after": newest - timedelta(days=WINDOW_DAYS)},
    )


def _key(test: pd.Series) -> dict[str, object]:
    return {name: test[name] for name in ("repository", "workflow", "test_id", "platform")}
