"""GitHub's list prices of the runners that the demo organisation has."""

from decimal import Decimal

from phoenix_metrics.demo.workflows import STANDARD_RUNNER

_CHEAPER_FROM = 1_767_225_600  # 2026-01-01
_PRICES = {  # USD for a minute by label: before that and from then on
    STANDARD_RUNNER: (Decimal("0.008"), Decimal("0.006")),
    "ubuntu-latest-8-cores": (Decimal("0.032"), Decimal("0.022")),
}


def usd_per_minute(label: str, at: int) -> Decimal:
    """Return what a minute on a runner costs that is asked for by a label, for a job that starts at a moment."""
    return _PRICES[label][at >= _CHEAPER_FROM]
