"""Questions about quality: objectives, schedules, required checks, failures, test reports, what got slower."""

from datetime import date, timedelta

import pandas as pd

from dashboards.data import ask
from dashboards.days import DayScope

SCHEDULES_DRAWN, STARTS_DRAWN = 8, 28
_SCHEDULE_ORDER = """
    state not in ('missed', 'not_found', 'disabled', 'late'), missed_count desc nulls last,
    late_count desc nulls last, repository, workflow
"""
TEST_DAYS = 7  # results of tests are many, so single ones are looked at over the last days only


def objectives(scope: DayScope) -> pd.DataFrame:
    """Return each workflow with an objective and how its runs of both periods ended, the most overspent first."""
    return ask(
        f"""
        with runs as (
            select repository, workflow,
                cast(sum(failure_count) filter (where day >= $start) as bigint) as failure_count,
                cast(sum(success_count + failure_count) filter (where day >= $start) as bigint) as decided_count,
                cast(sum(failure_count) filter (where day < $start) as bigint) as failure_count_before,
                cast(sum(success_count + failure_count) filter (where day < $start) as bigint) as decided_count_before
            from marts.workflow_daily where day >= $previous_start and {scope.where} group by repository, workflow
        ),
        judged as (
            select objectives.repository, objectives.workflow, objectives.success_ratio as target,
                coalesce(runs.failure_count, 0) as failure_count, coalesce(runs.decided_count, 0) as decided_count,
                1 - runs.failure_count / nullif(runs.decided_count, 0) as success_ratio,
                1 - runs.failure_count_before / nullif(runs.decided_count_before, 0) as success_ratio_before,
                (1 - objectives.success_ratio) * runs.decided_count as allowed_count
            from (select * from marts.objectives where {scope.where}) as objectives
            left join runs on runs.repository = objectives.repository and runs.workflow = objectives.workflow
        )
        select *, success_ratio >= target - 1e-9 as is_met, failure_count / nullif(allowed_count, 0) as spent_ratio
        from judged
        order by is_met nulls last, spent_ratio desc nulls last, repository, workflow
        """,
        scope.current | scope.both,
    )


def workflow_count(scope: DayScope) -> int:
    """Count the workflows that had a run in the period."""
    frame = ask(
        f"""
        select count(*) as workflow_count
        from (
            select distinct repository, workflow from marts.workflow_daily where day >= $start and {scope.where}
        )
        """,
        scope.current,
    )
    return int(frame["workflow_count"].iloc[0])


def schedules(scope: DayScope) -> pd.DataFrame:
    """Return the workflows that have to start by a schedule, those with starts missed or late first."""
    return ask(
        f"""
        select *
        from marts.schedules
        where {scope.where}
        order by {_SCHEDULE_ORDER}
        """,
        scope.chosen,
    )


def scheduled_starts(scope: DayScope) -> pd.DataFrame:
    """Return the newest starts of the first of these workflows, oldest first."""
    return ask(
        f"""
        with worst as (
            select repository, workflow
            from marts.schedules
            where {scope.where}
            order by {_SCHEDULE_ORDER}
            limit {SCHEDULES_DRAWN:d}
        )
        select starts.repository, starts.workflow, expected_at, started_at, delay_seconds, state
        from marts.scheduled_starts as starts
        inner join worst on worst.repository = starts.repository and worst.workflow = starts.workflow
        qualify row_number() over (partition by starts.workflow_id order by expected_at desc) <= {STARTS_DRAWN:d}
        order by starts.repository, starts.workflow, expected_at
        """,
        scope.chosen,
    )


def failure_classes(scope: DayScope) -> pd.DataFrame:
    """Count failed jobs by why they failed, in both periods, the most frequent first; with what they cost."""
    return ask(
        f"""
        with counted as (
            select failure_class, day >= $start as is_current, cast(sum(job_count) as bigint) as job_count,
                cast(sum(attempt_count) as bigint) as attempt_count,
                cast(sum(lost_seconds) as double) as lost_seconds, cast(sum(lost_usd) as double) as lost_usd
            from marts.failure_classes_daily
            where day >= $previous_start and {scope.where}
            group by failure_class, is_current
        ),
        shared as (
            select *, job_count / nullif(sum(job_count) over (partition by is_current), 0) as job_ratio from counted
        )
        select now.*, before.job_count as job_count_before,
            coalesce(before.job_ratio, if(exists (from shared where not is_current and job_count > 0), 0, null))
                as job_ratio_before
        from shared as now
        left join shared as before on before.failure_class = now.failure_class and not before.is_current
        where now.is_current
        order by now.job_count desc, now.attempt_count desc, now.failure_class
        """,
        scope.current | scope.both,
    )


def unclassified_by_day(scope: DayScope) -> pd.DataFrame:
    """Count failed jobs, and those that no rule explains, on each day of both periods."""
    return ask(
        f"""
        select day, cast(sum(job_count) as bigint) as job_count,
            cast(sum(if(failure_class = 'unclassified', job_count, 0)) as bigint) as unclassified_count
        from marts.failure_classes_daily
        where day >= $previous_start and {scope.where}
        group by day
        order by day
        """,
        scope.both,
    )


def newest_failures(scope: DayScope) -> pd.DataFrame:
    """Return the newest failed job of each class, with its page."""
    return ask(
        f"""
        with newest as (
            select repository, failure_class, job_id, job, failed_step, rule, completed_at, day
            from marts.job_failures
            where day >= $start and {scope.where}
            qualify 1 = row_number() over (
                partition by failure_class order by completed_at desc nulls last, job_id desc
            )
        )
        select newest.*, jobs.html_url
        from newest
        left join marts.jobs as jobs on jobs.job_id = newest.job_id and jobs.day = newest.day and jobs.day >= $start
        order by newest.failure_class
        """,
        scope.current,
    )


def tests_by_day(scope: DayScope) -> pd.DataFrame:
    """Count the results in test reports on each day of both periods."""
    return ask(
        f"""
        select day,
            count(*) filter (where is_counted) as report_count,
            cast(sum(passed_count) filter (where is_counted) as bigint) as passed_count,
            cast(sum(coalesce(failed_count, 0) + coalesce(error_count, 0)) filter (where is_counted) as bigint)
                as failed_count,
            cast(sum(coalesce(skipped_count, 0)) filter (where is_counted) as bigint) as skipped_count,
            count(*) filter (where is_infrastructure and not is_copy) as infrastructure_count
        from (
            select *, state = 'parsed' and not is_copy and not is_infrastructure as is_counted from marts.test_reports
        )
        where day >= $previous_start and {scope.where}
        group by day
        order by day
        """,
        scope.both,
    )


def unread_reports(scope: DayScope) -> pd.DataFrame:
    """Count what should be test reports but was not read in full, by the reason."""
    return ask(
        f"""
        select state, error, count(*) as report_count
        from marts.test_reports
        where day >= $start and {scope.where} and state not in ('parsed', 'copy')
        group by state, error
        order by report_count desc, state, error
        limit 3
        """,
        scope.current,
    )


def slowest_tests(scope: DayScope, limit: int) -> pd.DataFrame:
    """Return the tests whose median is longest, by platform."""
    return _tests(scope, "median_seconds desc", "count(duration_seconds) > 0", limit)


def failing_tests(scope: DayScope, limit: int) -> pd.DataFrame:
    """Return the tests that failed most often, by platform."""
    return _tests(scope, "failure_count desc, result_count", "failure_count > 0", limit)


def since(scope: DayScope) -> date:
    """Return the first day over which single tests are looked at."""
    return max(scope.period.start.date(), scope.period.end.date() - timedelta(days=TEST_DAYS - 1))


def slower(scope: DayScope) -> pd.DataFrame:
    """Return the changes of durations and queue times in the period that still hold, what costs most time first."""
    return ask(
        f"""
        select *, regexp_replace(first_html_url, '/actions/runs/.*$', '')
            || '/compare/' || last_head_sha || '...' || first_head_sha as compare_url
        from marts.duration_changes
        where is_latest and day >= $start and {scope.where}
        order by direction <> 'slower',
            max(abs(difference_seconds)) over (partition by direction, workflow_id, event, first_head_sha) desc,
            workflow_id, event, first_head_sha, job is not null, abs(difference_seconds) desc, job, measure
        """,
        scope.current,
    )


def series_count(scope: DayScope) -> int:
    """Count the series of whole workflows that are long enough to find a change in."""
    frame = ask(
        f"""
        select count(*) as series_count
        from (
            select workflow_id, event
            from marts.run_attempts
            where run_attempt = 1 and outcome = 'success' and is_default_branch and not is_duration_fallback
                and duration_seconds is not null and day >= $since and {scope.where}
            group by workflow_id, event
            having count(*) >= 20
        )
        """,
        {"since": scope.period.end.date() - timedelta(days=90), **scope.chosen},
    )
    return int(frame["series_count"].iloc[0])


def required_checks(scope: DayScope) -> pd.DataFrame:
    """Return the checks that default branches demand: silent ones first, then those that hold most changes up."""
    return ask(
        f"""
        select * from marts.required_checks where {scope.where}
        order by state <> 'silent', blocked_count / nullif(passed_count + blocked_count, 0) desc nulls last,
            blocked_count desc, repository, context
        """,
        scope.chosen,
    )


def coverage(scope: DayScope) -> pd.DataFrame:
    """Return the coverage of all code that services reported in the period, in order of time."""
    return ask(
        f"""
        select * from marts.coverage where scope = 'project' and day >= $start and {scope.where}
        order by reported_at, repository, context, head_sha
        """,
        scope.current,
    )


def _tests(scope: DayScope, order: str, having: str, limit: int) -> pd.DataFrame:
    return ask(
        f"""
        select repository, workflow, test_id, platform, any_value(coalesce(class, suite)) as class,
            any_value(test) as test,
            count(*) as result_count,
            count(*) filter (where outcome = 'failure') as failure_count,
            count(duration_seconds) as duration_count,
            quantile_cont(duration_seconds, 0.5) as median_seconds,
            max(duration_seconds) as longest_seconds,
            sum(duration_seconds) as total_seconds
        from marts.test_results
        where outcome in ('success', 'failure') and not is_infrastructure and day >= $since and {scope.where}
        group by repository, workflow, test_id, platform
        having {having}
        order by {order}, repository, workflow, class, test, platform
        limit {limit:d}
        """,
        {"since": since(scope), **scope.chosen},
    )
