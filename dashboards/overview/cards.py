"""The overview's five headline cards."""

import pandas as pd

from dashboards import data
from dashboards.cards import Card, change, course_of, number_in
from dashboards.deliveries import questions as deliveries
from dashboards.runs import cards as runs
from dashboards.scope import BOTH_PERIODS, DeliveryScope, Scope
from phoenix_metrics import words


def headline_cards(scope: Scope) -> list[Card]:
    """Return the five: failures, duration, flakiness, deployments and cost; four where nothing is ever deployed."""
    figures = runs.figures_of(scope)
    environment = deliveries.first_environment()
    return [
        runs.failure_card(figures),
        runs.duration_card(figures),
        runs.flaky_card(figures),
        *([deployments_card(DeliveryScope(scope.period, environment, team=scope.team))] if environment else []),
        runs.cost_card(figures),
    ]


def deployments_card(scope: DeliveryScope) -> Card:
    """Return how often something was deployed where it counts, and the share that went back."""
    totals = _counted(scope, deliveries.BY_PERIOD).set_index("period").reindex(list(BOTH_PERIODS)).fillna(0)
    course = _counted(scope, deliveries.BY_BUCKET).set_index("bucket").reindex(scope.buckets).fillna(0)
    now, before = totals.loc["current"], totals.loc["previous"]
    back, all_count = number_in(now, "rollback_count"), number_in(now, "sync_count")
    share = f" ({words.ratio(back / all_count)})" if all_count else ""
    return Card(
        f"Deployments to {scope.environment}",
        words.count(all_count),
        change(all_count, before["sync_count"], words.count, words.count, is_firm=True, is_more_better=None),
        f"{words.counted(back, 'rollback')}{share}; "
        + (f"team {words.plain(scope.team)}" if scope.team else "of all repositories"),
        course_of(course["sync_count"]),
        "Syncs that began in the time range, brought a version and succeeded or failed, whichever repository or branch "
        "is chosen. " + data.definition_of("rollbacks"),
    )


def _counted(scope: DeliveryScope, by: str) -> pd.DataFrame:
    return deliveries.summary(scope, by).merge(deliveries.rollback_summary(scope, by), on=by, how="outer")
