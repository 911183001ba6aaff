"""Billing: what GitHub charges an organisation for Actions, line by line, or summed up where only that answers."""

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Any

from phoenix_metrics.errors import AccessError, RepositoryError
from phoenix_metrics.sources.github.client import GitHubClient
from phoenix_metrics.sources.github.side_loops import Bookmark
from phoenix_metrics.sources.items import Batch, Item, as_text

SETTLED_AFTER = timedelta(days=5)  # lines of a day may still be added or corrected until then

PERMISSION = "organization_administration=read"
_LINE = (
    "date",
    "product",
    "sku",
    "unitType",
    "quantity",
    "grossQuantity",
    "pricePerUnit",
    "grossAmount",
    "discountAmount",
    "netAmount",
    "repositoryName",
)


def fetch_billing_usage(
    client: GitHubClient, organization: str, visit: Bookmark, *, since: date, today: date
) -> Iterator[Batch]:
    """Yield what an organisation's Actions cost, for each day that was not settled at the last visit.

    The cursor is the last settled day. Raises AccessError where neither shape of the report can be read.
    """
    settled = date.fromisoformat(visit.cursor) if visit.cursor else since - timedelta(days=1)
    for month in _months(settled + timedelta(days=1), today):
        yield [Item("github_billing_usage", None, line) for line in _report(client, organization, month, settled)]
    visit.cursor = max(settled, today - SETTLED_AFTER).isoformat()


def billing_payload(organization: str, shape: str, month: date, line: Mapping[str, Any]) -> str:
    """Return a line of a report with whose it is, and which of GitHub's two shapes it came in."""
    period = {"shape": shape, "organization": organization, "year": month.year, "month": month.month}
    return as_text({**{key: line[key] for key in _LINE if key in line}, **period})


def _report(client: GitHubClient, organization: str, month: date, settled: date) -> Iterator[str]:
    """Yield the lines of a month that are not settled, day by day, or its sums where GitHub gives only those."""
    path = f"/organizations/{organization}/settings/billing/usage"
    period = {"year": month.year, "month": month.month}
    try:
        shape, report = "usage", client.get(path, **period)
    except (AccessError, RepositoryError):
        shape, report = "summary", _summary(client, organization, f"{path}/summary", period)
    for line in report["usageItems"]:
        is_news = shape == "summary" or date.fromisoformat(line["date"][:10]) > settled
        if line["product"].lower() == "actions" and is_news:
            yield billing_payload(organization, shape, month, line)


def _summary(client: GitHubClient, organization: str, path: str, period: Mapping[str, int]) -> Any:
    try:
        return client.get(path, **period)
    except (AccessError, RepositoryError):
        raise AccessError(
            f"{organization}: the billing usage cannot be read; the token needs {PERMISSION} from an owner"
        ) from None


def _months(first: date, last: date) -> Iterator[date]:
    """Yield the first day of each month from one day's to another's."""
    month = first.replace(day=1)
    while month <= last:
        yield month
        month = (month + timedelta(days=31)).replace(day=1)
