"""What the overview asks beside runs and deliveries."""

from datetime import timedelta

import pandas as pd

from dashboards.data import ask
from dashboards.scope import Scope, matching

PUSHES = "push"


def failing_workflows(ratio: float, min_runs: int) -> pd.DataFrame:
    """Return workflows whose failure ratio over the last hour or day is above a ratio, worst first."""
    return ask(
        """
        select repository, workflow, time_window, run_count, failure_count, failure_ratio
        from marts.workflow_windows
        where time_window in ('1h', '24h') and run_count >= $min_runs and failure_ratio > $ratio
        order by failure_ratio desc, run_count desc
        """,
        {"ratio": ratio, "min_runs": min_runs},
    )


def judged_count(min_runs: int) -> int:
    """Return how many workflows had enough runs in the last hour or day to be judged by how many of them failed."""
    frame = ask(
        """
        select count(distinct (repository, workflow)) as workflow_count
        from marts.workflow_windows
        where time_window in ('1h', '24h') and run_count >= $min_runs
        """,
        {"min_runs": min_runs},
    )
    return int(frame["workflow_count"].iloc[0])


def open_alerts() -> pd.DataFrame:
    """Return the alerts that fire, the gravest and oldest first; those of failing workflows and of sources aside.

    The overview says both for itself, also before they have lasted long enough for an alert.
    """
    return ask("""
        select rule, subject, severity, value, threshold, unit, started_at, note, repository, workflow, service,
            environment, budget
        from marts.alerts
        where state = 'firing' and source is null and not (rule = 'CICDFailureRateHigh' and workflow is not null)
        order by severity, started_at, rule, subject
    """)


def commits(scope: Scope, limit: int) -> pd.DataFrame:
    """Return the newest commits of the default branch in the period, newest first, each with its runs as one.

    A commit failed if any of its runs did, and took as long as the longest of them. Without a choice of events these
    are the runs that the push itself began: a schedule runs a commit again for days.
    """
    event = scope.event or PUSHES
    chosen = matching(["repository"] if scope.repository else [], scope.team)
    return ask(
        f"""
        select repository, head_sha, min(created_at) as created_at, arg_min(title, created_at) as title,
            count(*) as run_count,
            count(*) filter (where outcome = 'failure') as failure_count,
            count(*) filter (where outcome = 'open') as open_count,
            max(duration_seconds) as duration_seconds,
            case
                when count(*) filter (where outcome = 'failure') > 0 then 'failure'
                when count(*) filter (where outcome = 'open') > 0 then 'open'
                when count(*) filter (where outcome = 'success') > 0 then 'success'
                when count(*) filter (where outcome = 'cancelled') > 0 then 'cancelled'
                else 'other'
            end as outcome,
            coalesce(
                arg_max(html_url, created_at) filter (where outcome = 'failure'), arg_max(html_url, duration_seconds),
                max(html_url)
            ) as html_url
        from marts.workflow_runs
        where is_default_branch and event = $event and day >= $first_day and created_at >= $start and created_at < $end
            and {chosen}
        group by repository, head_sha
        order by created_at desc, repository, head_sha
        limit {limit:d}
        """,
        {**_named(scope), "event": event, "first_day": (scope.period.start - timedelta(days=1)).date()},
    )


def _named(scope: Scope) -> dict[str, object]:
    chosen = {"repository": scope.repository, "team": scope.team}
    return {
        "start": scope.period.start,
        "end": scope.period.end,
        **{name: value for name, value in chosen.items() if value is not None},
    }
