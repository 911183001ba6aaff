"""Newcomers: what was first known so recently that its series still show zeros."""

from dataclasses import dataclass
from datetime import timedelta

HOLD = timedelta(minutes=2)  # four scrapes at the usual 30 s see the zeros of a newcomer


@dataclass(frozen=True)
class FirstSeen:
    """What series are about, named by their first labels, and the query that says when each such thing was first known.

    The query returns those labels and `first_seen`, in seconds since 1970.
    """

    labels: tuple[str, ...]
    query: str


WORKFLOWS = FirstSeen(
    ("repository", "workflow"),
    """
        select repository, workflow, epoch(min(first_seen_at)) as first_seen
        from marts.workflows
        where first_seen_at is not null
        group by repository, workflow
    """,
)
SERVICES = FirstSeen(
    ("service", "environment"),
    """
        select distinct service, environment, epoch(first_seen_at) as first_seen
        from marts.deployment_totals
        where first_seen_at is not null
    """,
)
