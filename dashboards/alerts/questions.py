"""What the Alerts page knows: questions about episodes, what was told of them, and the rules."""

import pandas as pd

from dashboards.alerts.scope import AlertScope
from dashboards.data import ask

MOST_EPISODES = 500


def open_alerts() -> pd.DataFrame:
    """Return every episode that is open, those that fire first, then the newest."""
    return ask(
        """
        select *
        from marts.alerts
        where ended_at is null
        order by state = 'pending', state = 'silenced', is_frozen, coalesce(fired_at, started_at) desc, rule, subject
        """
    )


def stale_sources() -> pd.DataFrame:
    """Return what was not read for so long that alerts that rest on it stand still, longest silent first."""
    return ask(
        """
        select freshness.source, freshness.subject, freshness.last_success_at, freshness.is_refused, health.note
        from marts.source_freshness as freshness
        left join marts.data_health as health using (source, subject)
        where freshness.is_stale
        order by freshness.last_success_at nulls first, freshness.source, freshness.subject
        """
    )


def rules() -> pd.DataFrame:
    """Return every rule with its limits and what it has to judge by, those that are over their limit first."""
    return ask("select * from marts.alert_rules order by breached_count desc, judged_count desc, rule")


def episodes(scope: AlertScope) -> pd.DataFrame:
    """Return the newest episodes that were open in the period, and how each was told."""
    return ask(
        f"""
        with told as (
            select alert_id,
                count(*) as message_count,
                count(*) filter (where state = 'delivered') as delivered_count
            from marts.alert_deliveries
            group by alert_id
        )
        select alerts.*, coalesce(told.message_count, 0) as message_count,
            coalesce(told.delivered_count, 0) as delivered_count
        from marts.alerts as alerts
        left join told using (alert_id)
        where {_in_period(scope)}
        order by alerts.started_at desc, alerts.rule, alerts.subject
        limit {MOST_EPISODES}
        """,
        scope.parameters,
    )


def episode_count(scope: AlertScope) -> int:
    """Return how many episodes were open in the period."""
    frame = ask(f"select count(*) as n from marts.alerts as alerts where {_in_period(scope)}", scope.parameters)
    return int(frame["n"].iloc[0])


def teams() -> list[str]:
    """Return every team that an alert was of."""
    return list(ask("select distinct team from marts.alerts where team is not null order by team")["team"])


def targets(scope: AlertScope) -> pd.DataFrame:
    """Return how telling each target went in the period, and how the newest message to it did."""
    return ask(
        """
        select target,
            count(*) filter (where state = 'delivered') as delivered_count,
            count(*) filter (where state = 'failed') as failed_count,
            count(*) filter (where state = 'refused') as refused_count,
            max(attempted_at) as newest_at,
            max_by(state, attempted_at) as newest_state,
            max_by(error, attempted_at) filter (where error is not null) as newest_error
        from marts.alert_deliveries
        where attempted_at >= $start and attempted_at < $end
        group by target
        order by target
        """,
        {name: scope.parameters[name] for name in ("start", "end")},
    )


def messages(scope: AlertScope, limit: int) -> pd.DataFrame:
    """Return the newest messages of the period, what did not arrive first."""
    return ask(
        f"""
        select attempted_at, target, rule, subject, kind, state, attempt_count, next_at, error
        from marts.alert_deliveries
        where attempted_at >= $start and attempted_at < $end
        order by state = 'delivered', attempted_at desc, target, rule, subject
        limit {limit:d}
        """,
        {name: scope.parameters[name] for name in ("start", "end")},
    )


def messages_of_open() -> pd.DataFrame:
    """Return what was told of the episodes that are open."""
    return ask(
        """
        select deliveries.alert_id, deliveries.target, deliveries.kind, deliveries.state, deliveries.attempted_at
        from marts.alert_deliveries as deliveries
        inner join marts.alerts as alerts using (alert_id)
        where alerts.ended_at is null
        order by deliveries.attempted_at, deliveries.target
        """
    )


def _in_period(scope: AlertScope) -> str:
    conditions = ["alerts.started_at < $end", "coalesce(alerts.ended_at, alerts.updated_at) >= $start"]
    return " and ".join([*conditions, *(["alerts.team = $team"] if scope.team else [])])
