"""Questions that only the Workflow page asks: one run with its jobs, and what marts say of the workflow as a whole."""

import pandas as pd

from dashboards.data import ask
from dashboards.scope import Scope


def run(scope: Scope, run_id: int) -> pd.DataFrame:
    """Return one run of the workflow, whatever the period and the other filters; no row where there is none."""
    return ask(
        """
        select run_id, run_number, run_attempt, title, event, head_branch, head_sha, actor, created_at, outcome,
            conclusion, first_outcome, is_flaky, duration_seconds, queue_seconds, html_url, day
        from marts.workflow_runs
        where run_id = $run_id and repository = $repository and workflow = $workflow
        """,
        {"run_id": run_id, **_names(scope)},
    )


def attempts(run_id: int, day: object) -> pd.DataFrame:
    """Return the attempts of a run that was created on a day, oldest first."""
    return ask(
        """
        select run_attempt, outcome, started_at, completed_at, duration_seconds, is_duration_fallback
        from marts.run_attempts
        where day = $day and run_id = $run_id
        order by run_attempt
        """,
        {"run_id": run_id, "day": day},
    )


def jobs(run_id: int, day: object) -> pd.DataFrame:
    """Return the jobs of all attempts of a run that was created on a day, in the order in which they began."""
    return ask(
        """
        select job_id, run_attempt, coalesce(job, '?') as job, coalesce(job_base, job, '?') as job_base, outcome,
            conclusion, runner, created_at, started_at, completed_at, queue_seconds, duration_seconds, is_executed,
            is_carried_over, html_url
        from marts.jobs
        where day = $day and run_id = $run_id
        order by run_attempt, coalesce(created_at, started_at), started_at, job, job_id
        """,
        {"run_id": run_id, "day": day},
    )


def critical_path(run_id: int, day: object) -> pd.DataFrame:
    """Return the jobs that the duration of a run's latest attempt is made of, first to last; empty if not known."""
    return ask(
        """
        select job_id, position, job_base, execution_seconds, queue_seconds, handover_seconds, unexplained_seconds,
            margin_seconds, linked_by
        from marts.critical_path_jobs
        where day = $day and run_id = $run_id
        order by position
        """,
        {"run_id": run_id, "day": day},
    )


def longest_poles(scope: Scope) -> pd.DataFrame:
    """Return the jobs that make the workflow take as long as it takes, over the last 28 days, longest first."""
    return ask(
        """
        select job_base, run_count, path_count, path_ratio, duration_seconds_mean, execution_seconds_mean,
            duration_ratio, saving_seconds_mean, queue_seconds_mean, unexplained_seconds_mean
        from marts.longest_poles
        where repository = $repository and workflow = $workflow
        order by run_count desc, workflow_id, pole_rank
        """,
        _names(scope),
    )


def duration_changes(scope: Scope) -> pd.DataFrame:
    """Return the changes of level of the workflow's and its jobs' durations and queue times, newest first."""
    return ask(
        f"""
        select event, job, measure, direction, changed_at, last_head_sha, first_head_sha, last_html_url,
            first_html_url, before_p50_seconds, after_p50_seconds, difference_seconds, ratio, ratio_low, ratio_high,
            before_count, after_count, is_latest
        from marts.duration_changes
        where repository = $repository and workflow = $workflow {"and event = $event" if scope.event else ""}
        order by changed_at desc, job nulls first, measure
        """,
        {**_names(scope), **({"event": scope.event} if scope.event else {})},
    )


def queue_hours(scope: Scope) -> pd.DataFrame:
    """Return queue times by hour of the last days of the kinds of runner that the workflow asked for meanwhile."""
    return ask(
        """
        with used as (
            select distinct regexp_replace(runner, '[0-9]{8,}', '*', 'g') as runner
            from marts.jobs
            where repository = $repository and workflow = $workflow and is_executed
                and day >= (select cast(min(hour) as date) from marts.queue_hourly)
        )
        select hour, runner, job_count, excluded_count, queue_p50_seconds, queue_p95_seconds, queue_max_seconds
        from marts.queue_hourly
        where runner in (select runner from used)
        order by runner, hour
        """,
        _names(scope),
    )


def flaky_jobs(scope: Scope) -> pd.DataFrame:
    """Return the jobs of the workflow that are known or suspected to fail by chance, the flakiest first."""
    return ask(
        """
        select job, level, flaky_count, observation_count, flaky_ratio, ratio_low, ratio_high, is_ranked, is_healed
        from marts.flaky_jobs
        where repository = $repository and workflow = $workflow
        order by is_healed, flaky_count = 0, is_ranked desc, flaky_ratio desc, job
        """,
        _names(scope),
    )


def cost(scope: Scope) -> pd.Series:
    """Return what the workflow's jobs cost in the period, of all branches and events."""
    return ask(
        """
        select count(*) as row_count, sum(cost_usd) as cost_usd, sum(waste_usd) as waste_usd,
            sum(billed_minutes) as billed_minutes, sum(job_count) as job_count, sum(unpriced_count) as unpriced_count
        from marts.costs_daily
        where repository = $repository and workflow = $workflow
            and day >= cast($start as date) and day <= cast($end as date)
        """,
        {**_names(scope), "start": scope.period.start, "end": scope.period.end},
    ).iloc[0]


def _names(scope: Scope) -> dict[str, object]:
    return {"repository": scope.repository, "workflow": scope.workflow}
