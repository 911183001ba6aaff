"""Where an alert leads: the page about what it is about, its runs, and what to do about it."""

from html import escape
from typing import Any
from urllib.parse import quote

from dashboards.filters import address
from dashboards.scope import ALL_BRANCHES
from phoenix_metrics.settings import Settings

OVERVIEW = "./"  # the page that the bare address shows; by its name there is none


def page_of(alert: Any) -> str:
    """Return the address of the page about what an alert is about; its own where two subjects share a page."""
    if isinstance(alert.workflow, str):
        chosen = {"repository": alert.repository, "workflow": alert.workflow, "branch": ALL_BRANCHES}
        return address("workflow", **chosen)
    if isinstance(alert.service, str):
        return address("deliveries", environment=alert.environment, service=alert.service)
    anchor = f"#{quote(alert.subject)}"
    if isinstance(alert.source, str):
        return address("health") + anchor
    if isinstance(alert.budget, str):
        return address("cost", **({"team": alert.team} if alert.scope == "team" else {})) + anchor
    chosen = {"repository": alert.repository} if isinstance(alert.repository, str) else {}
    return address(OVERVIEW, **chosen) + anchor


def runs_of(alert: Any) -> list[str]:
    """Return the pages of the runs or jobs that show it."""
    urls = alert.evidence_urls.split() if isinstance(alert.evidence_urls, str) else []
    return [url for url in urls if url.startswith(("https://", "http://"))]


def runbook(settings: Settings, name: object) -> str | None:
    """Return the address of what to do about a rule, None where no address of the runbooks is set."""
    if settings.runbooks_url is None or not isinstance(name, str):
        return None
    return f"{settings.runbooks_url}#{name.partition('#')[2]}"


def anchor(address: str, text: str, *, outside: bool = False) -> str:
    """Return a link as HTML; what leads elsewhere opens a tab of its own."""
    where = ' target="_blank" rel="noopener noreferrer"' if outside else ' target="_self"'
    return f'<a href="{escape(address)}"{where}>{escape(text)}</a>'
