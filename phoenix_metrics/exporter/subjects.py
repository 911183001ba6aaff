"""What series are about, in the order in which they were first counted; beyond a limit they share one series."""

from dataclasses import dataclass

OTHER = "other"


@dataclass(frozen=True)
class Subject:
    """A kind of thing that series are about, named by their first labels.

    The query returns those labels of everything that is counted, in an order in which new ones come last: who has
    series of their own keeps them.
    """

    name: str
    labels: tuple[str, ...]
    query: str


WORKFLOWS = Subject(
    "workflow",
    ("repository", "workflow"),
    """
        select repository, workflow
        from counters.workflow_run_totals
        group by repository, workflow
        order by min(coalesce(counted_since, '-infinity')), repository, workflow
    """,
)
RUNNERS = Subject(
    "runner",
    ("repository", "runner"),
    """
        select repository, runner
        from counters.job_queue_buckets
        group by repository, runner
        order by min(coalesce(counted_since, '-infinity')), repository, runner
    """,
)
SERVICES = Subject(
    "service",
    ("service", "environment"),
    """
        select service, environment
        from (
            select service, environment, counted_since from counters.deployment_totals
            union all
            select service, environment, counted_since from counters.rollback_totals
        )
        group by service, environment
        order by min(coalesce(counted_since, '-infinity')), service, environment
    """,
)
SUBJECTS = (WORKFLOWS, RUNNERS, SERVICES)
