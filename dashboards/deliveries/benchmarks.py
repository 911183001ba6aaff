"""DORA's published clusters, as words to set beside a team's own figures; no function here knows of pages.

The 2023 report is the newest whose clusters are in order in all four keys: in 2024 the change failure rate of the high
cluster (20 %) is above that of the medium one (10 %), and 2025's report has no clusters.
"""

from typing import TypeGuard

import pandas as pd

SOURCE = (
    "DORA 2023 (Accelerate State of DevOps 2023, dora.dev) grouped the answers to its survey into clusters. The word "
    "names the best one that this figure reaches. It compares figures of one service with what people answered "
    "about theirs, so take it as a direction and compare with your own past; it ranks no team."
)
CLUSTERS = {
    "frequency": "Elite: more than once a day. High: once a day to once a week. Medium and low: once a week to once a "
    "month.",
    "lead_time": "Elite: under a day. High: a day to a week. Medium and low: a week to a month.",
    "failure": "Elite 5 %, high 10 %, medium 15 %, low 64 %: one figure for each, of which the nearest counts.",
    "recovery": "Elite: under an hour. High: under a day. Medium: a day to a week. Low: a month to six months.",
}
BEYOND = "beyond DORA's ranges"

_FAILURES = {"elite": 0.05, "high": 0.10, "medium": 0.15, "low": 0.64}
_HOUR, _DAY, _WEEK, _MONTH = 3_600.0, 86_400.0, 7 * 86_400.0, 30 * 86_400.0


def frequency_band(per_week: float | None) -> str:
    """Return the cluster that deployments per week reach, "" where they are not known or there were none."""
    if not _is_known(per_week) or per_week <= 0:
        return ""
    reached = [(per_week > 7, "elite"), (per_week >= 1, "high"), (per_week >= _WEEK / _MONTH, "medium or low")]
    return next((name for is_so, name in reached if is_so), BEYOND)


def lead_time_band(seconds: float | None) -> str:
    """Return the cluster that a lead time reaches, "" where it is not known."""
    return _below(seconds, ((_DAY, "elite"), (_WEEK, "high"), (_MONTH, "medium or low")))


def recovery_band(seconds: float | None) -> str:
    """Return the cluster that a recovery time reaches, "" where it is not known."""
    return _below(seconds, ((_HOUR, "elite"), (_DAY, "high"), (_WEEK, "medium"), (6 * _MONTH, "low")))


def failure_band(ratio: float | None) -> str:
    """Return the cluster whose change failure ratio is nearest, "" where it is not known."""
    if not _is_known(ratio):
        return ""
    return min(_FAILURES, key=lambda name: abs(_FAILURES[name] - ratio))


def meaning(key: str) -> str:
    """Return what the clusters say of one key, and where they come from."""
    return f" DORA's clusters: {CLUSTERS[key]} {SOURCE}"


def _below(seconds: float | None, limits: tuple[tuple[float, str], ...]) -> str:
    if not _is_known(seconds):
        return ""
    return next((name for limit, name in limits if seconds < limit), BEYOND)


def _is_known(value: float | None) -> TypeGuard[float]:
    return value is not None and not pd.isna(value)
