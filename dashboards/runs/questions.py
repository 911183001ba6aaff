"""Questions about runs and their jobs and steps, which Overview and Workflow ask."""

from collections.abc import Sequence
from datetime import datetime

import pandas as pd

from dashboards.data import ask
from dashboards.scope import Scope, matching

BY_PERIOD = "period"
BY_BUCKET = "bucket"
BY_WORKFLOW = "repository, workflow"

# The counterpart is how the run ended in the other of the two views.
_RUNS = {
    "final": "select *, first_outcome as counterpart from marts.workflow_runs",
    "first": """
        select runs.* replace (runs.first_outcome as outcome, attempts.duration_seconds as duration_seconds),
            runs.outcome as counterpart
        from marts.workflow_runs as runs
        left join marts.run_attempts as attempts on attempts.run_id = runs.run_id and attempts.run_attempt = 1
    """,
}

_MEASURES = """
    count(*) as run_count,
    count(*) filter (where outcome = 'success') as success_count,
    count(*) filter (where outcome = 'failure') as failure_count,
    count(*) filter (where outcome = 'cancelled') as cancelled_count,
    count(*) filter (where outcome not in ('success', 'failure', 'cancelled') or outcome is null) as other_count,
    count(*) filter (where is_decided) as decided_count,
    count(*) filter (where is_decided and is_flaky) as flaky_count,
    count(*) filter (where counterpart = 'failure') as counterpart_failure_count,
    count(*) filter (where counterpart in ('success', 'failure')) as counterpart_count,
    count(duration_seconds) filter (where is_decided) as duration_count,
    quantile_cont(duration_seconds, 0.5) filter (where is_decided) as duration_p50,
    quantile_cont(duration_seconds, 0.95) filter (where is_decided) as duration_p95,
    quantile_cont(duration_seconds, 0.99) filter (where is_decided) as duration_p99,
    count(job_seconds) as job_time_count,
    sum(job_seconds) as job_seconds,
    sum(lost_seconds) as lost_seconds,
    cast(sum(cost_usd) as double) as cost_usd,
    cast(sum(waste_usd) as double) as waste_usd,
    cast(sum(unpriced_count) as bigint) as unpriced_count
"""


def workflow_names() -> pd.DataFrame:
    """Return repository and workflow of all that is known, the busiest of late first."""
    return ask("""
        select workflows.repository, workflows.workflow
        from (
            select repository, workflow from marts.workflows
            union
            select repository, workflow from marts.workflow_daily
        ) as workflows
        left join marts.workflow_daily as daily
            on daily.repository = workflows.repository and daily.workflow = workflows.workflow
            and daily.day > (select max(day) from marts.workflow_daily) - interval 30 days
        group by all
        order by sum(daily.run_count) desc nulls last, workflows.repository, workflows.workflow
    """)


def events() -> list[str]:
    """Return what has ever triggered a run, the most frequent first."""
    frame = ask("""
        select event from marts.workflow_runs where event is not null group by event order by count(*) desc, event
    """)
    return list(frame["event"])


def newest_run_at(scope: Scope) -> datetime | None:
    """Return when the newest run that passes the filters was created, whatever the period; naive UTC."""
    query = f"select max(created_at) as at from marts.workflow_runs where {_filters(scope)}"
    at = ask(query, scope.filters)["at"].iloc[0]
    return None if pd.isna(at) else at.to_pydatetime()


def run_count(scope: Scope) -> int:
    """Count the runs of the current period, whatever became of them."""
    frame = ask(f"{_runs(scope)} select count(*) as run_count from runs where period = 'current'", scope.parameters)
    return int(frame["run_count"].iloc[0])


def run_summary(scope: Scope, by: str) -> pd.DataFrame:
    """Count and measure runs, by one of the BY_ groupings; all but BY_PERIOD look at the current period only."""
    return ask(
        f"{_runs(scope)} select {by}, {_MEASURES} from runs where {_rows(by)} group by {by} order by {by}",
        scope.parameters,
    )


def lost_seconds_by_bucket(scope: Scope) -> pd.DataFrame:
    """Sum the job time that each workflow lost in each hour or day of the current period."""
    return ask(
        f"""
        {_runs(scope)}
        select repository, workflow, bucket, sum(lost_seconds) as lost_seconds
        from runs where period = 'current' group by all order by all
        """,
        scope.parameters,
    )


def longer_than(scope: Scope, seconds: float) -> pd.DataFrame:
    """Count the runs of each hour or day of the current period that succeeded or failed, and those that took longer."""
    return ask(
        f"""
        {_runs(scope)}
        select bucket, count(duration_seconds) as duration_count,
            count(*) filter (where duration_seconds > $seconds) as longer_count
        from runs where period = 'current' and is_decided group by bucket order by bucket
        """,
        {**scope.parameters, "seconds": seconds},
    )


def duration_percentiles(scope: Scope, shares: Sequence[float]) -> pd.DataFrame:
    """Return percentiles of duration (shares of 0 to 1) of both periods, in a column `percentiles`."""
    return ask(
        f"""
        {_runs(scope)}
        select period, quantile_cont(duration_seconds, [{", ".join(f"{share:.9f}" for share in shares)}]) as percentiles
        from runs where is_decided group by period
        """,
        scope.parameters,
    )


def queue_summary(scope: Scope, by: str) -> pd.DataFrame:
    """Measure how long the jobs of the runs, of all attempts, waited for a runner."""
    return ask(
        f"""
        {_runs(scope)}
        select {", ".join(f"runs.{column.strip()}" for column in by.split(","))},
            count(jobs.queue_seconds) as queue_count,
            quantile_cont(jobs.queue_seconds, 0.95) as queue_p95
        from runs inner join marts.jobs as jobs on jobs.run_id = runs.run_id
        where jobs.day >= cast($previous_start as date) and {_of_workflow(scope)} and {_rows(by)}
        group by all
        """,
        scope.parameters,
    )


def recent_runs(scope: Scope, limit: int) -> pd.DataFrame:
    """Return the newest runs of the period, newest first."""
    return ask(
        f"""
        {_runs(scope)}
        select run_id, run_number, run_attempt, title, event, head_branch, head_sha, actor, created_at, outcome,
            conclusion, first_outcome, is_flaky, duration_seconds, queue_seconds, html_url
        from runs where period = 'current'
        order by created_at desc, run_id desc
        limit {limit:d}
        """,
        scope.parameters,
    )


def duration_bins(scope: Scope, width: int, last: int) -> pd.DataFrame:
    """Count the period's successful and failed runs by duration, in bins of so many seconds, the last one open."""
    return ask(
        f"""
        {_runs(scope)}
        select least(cast(floor(duration_seconds / $width) as integer), $last) as bin,
            count(*) filter (where outcome = 'success') as success_count,
            count(*) filter (where outcome = 'failure') as failure_count,
            max(duration_seconds) as longest_seconds
        from runs
        where period = 'current' and is_decided and duration_seconds is not null
        group by bin
        order by bin
        """,
        {**scope.parameters, "width": width, "last": last},
    )


def job_summary(scope: Scope) -> pd.DataFrame:
    """Count and measure the jobs of the period's runs, those that took most time first; every execution counts."""
    return ask(
        f"""
        {_runs(scope)}
        select jobs.job_base as job,
            count(*) filter (where jobs.outcome in ('success', 'failure')) as decided_count,
            count(*) filter (where jobs.outcome = 'failure') as failure_count,
            failure_count / nullif(decided_count, 0) as failure_ratio,
            count(jobs.duration_seconds) filter (where jobs.outcome in ('success', 'failure')) as duration_count,
            quantile_cont(jobs.duration_seconds, 0.5)
                filter (where jobs.outcome in ('success', 'failure')) as duration_p50,
            quantile_cont(jobs.duration_seconds, 0.95)
                filter (where jobs.outcome in ('success', 'failure')) as duration_p95,
            count(jobs.queue_seconds) as queue_count,
            quantile_cont(jobs.queue_seconds, 0.95) as queue_p95,
            sum(jobs.duration_seconds) as job_seconds
        from runs inner join marts.jobs as jobs on jobs.run_id = runs.run_id
        where period = 'current' and jobs.day >= cast($start as date) and {_of_workflow(scope)}
            and not jobs.is_carried_over
        group by jobs.job_base
        order by job_seconds desc nulls last, job
        """,
        scope.parameters,
    )


def slowest_steps(scope: Scope, limit: int) -> pd.DataFrame:
    """Return the steps that took most time in the period's runs; the members of a job's matrix count together."""
    return ask(
        f"""
        {_runs(scope)}
        select jobs.job_base as job, steps.step,
            count(steps.duration_seconds) as duration_count,
            quantile_cont(steps.duration_seconds, 0.5) as duration_p50,
            quantile_cont(steps.duration_seconds, 0.95) as duration_p95,
            sum(steps.duration_seconds) as step_seconds
        from runs
        inner join marts.jobs as jobs on jobs.run_id = runs.run_id
        inner join marts.steps as steps on steps.job_id = jobs.job_id
        where period = 'current' and jobs.day >= cast($start as date) and steps.day >= cast($start as date)
            and {_of_workflow(scope)}
        group by jobs.job_base, steps.step
        having sum(steps.duration_seconds) > 0
        order by step_seconds desc, job, step
        limit {limit:d}
        """,
        scope.parameters,
    )


def _runs(scope: Scope) -> str:
    return f"""
        with runs as (
            select *,
                date_trunc($unit, created_at) as bucket,
                case when created_at >= $start then 'current' else 'previous' end as period,
                coalesce(outcome in ('success', 'failure'), false) as is_decided
            from ({_RUNS[scope.attempt]})
            where created_at >= $previous_start and created_at < $end
                and (created_at >= $start or created_at < $previous_end)
                and {_filters(scope)}
        )
    """


def _filters(scope: Scope) -> str:
    return matching(scope.filters, scope.team) + (" and is_default_branch" if scope.default_branch_only else "")


def _of_workflow(scope: Scope) -> str:
    """Select jobs by what of the filters they hold themselves, before they are joined with the runs."""
    held = [f"jobs.{column} = ${column}" for column in ("repository", "workflow") if column in scope.filters]
    return " and ".join(held or ["true"])


def _rows(by: str) -> str:
    return "true" if by == BY_PERIOD else "period = 'current'"
