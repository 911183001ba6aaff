"""Failed webhook deliveries, asked for again: GitHub keeps them for three days and never tries twice by itself."""

import http
from datetime import UTC, datetime, timedelta

from phoenix_metrics.sources.github.client import GitHubClient
from phoenix_metrics.sources.github.payloads import parse_time

KEPT = timedelta(days=3)
_GOOD = range(http.HTTPStatus.OK, http.HTTPStatus.MULTIPLE_CHOICES)


def ask_again(client: GitHubClient, hooks: str) -> int:
    """Ask for every delivery of the hooks at a path that failed and never succeeded; return how many.

    Raises AccessError where the token may not see the hooks (it needs repository_hooks=write).
    """
    count = 0
    for hook in client.items(hooks, None):
        if "/github" not in str((hook.get("config") or {}).get("url", "")):
            continue  # somebody else's
        count += sum(1 for _ in map(client.post, _failed(client, f"{hooks}/{hook['id']}/deliveries")))
    return count


def _failed(client: GitHubClient, deliveries: str) -> list[str]:
    """Return the addresses to ask at, one for each delivery that did not arrive in any of its attempts."""
    since = datetime.now(UTC) - KEPT
    failed: dict[str, int] = {}
    arrived: set[str] = set()
    for delivery in client.items(deliveries, None):
        if parse_time(delivery["delivered_at"]) < since:
            break  # newest first
        if delivery["status_code"] in _GOOD:
            arrived.add(delivery["guid"])
        else:
            failed.setdefault(delivery["guid"], delivery["id"])
    return [f"{deliveries}/{number}/attempts" for guid, number in failed.items() if guid not in arrived]
