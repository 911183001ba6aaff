"""The limits of alerting rules in words: of some the threshold is a multiple or a share of something else."""

from collections.abc import Callable

from phoenix_metrics.words import amount, duration, ratio


def _times(limit: float) -> str:
    return "over" if limit == 1 else f"over {limit:g} times"


LIMITS: dict[str, Callable[[float], str]] = {
    "CICDPipelineFailureRate": lambda limit: f"over {ratio(limit)} of the runs fail",
    "CICDErrorBudgetBurn": lambda limit: f"{_times(limit)} what the objective allows",
    "CICDPipelineSlower": lambda limit: f"p95 over {limit:g} times the week's",
    "CICDQueueLong": lambda limit: f"over {ratio(limit)} of the jobs wait over {duration(600)}",
    "CICDBudgetBurn": lambda limit: f"forecast {_times(limit)} the budget",
    "CICDRollback": lambda limit: f"more than {limit:g} in the last hour",
    "CICDDeploymentStuck": lambda limit: f"open for over {duration(limit)}",
    "CICDScheduleMissed": lambda _: "the newest start did not come",
    "CICDSourceStale": lambda limit: f"not read in full for over {duration(limit)}",
    "CICDRateLimitLow": lambda limit: f"under {ratio(limit)} of the requests are left",
}


def limit(rule: str, threshold: float, unit: str) -> str:
    """Return when a rule's figure is over its limit."""
    return LIMITS.get(rule, lambda value: f"over {amount(value, unit)}")(threshold)
