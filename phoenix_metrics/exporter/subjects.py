"""What series are about, in the order in which they were first counted; beyond a limit they share one series."""

from dataclasses import dataclass

OTHER = "other"


@dataclass(frozen=True)
class Subject:
    """A kind of thing that series are about, named by their first labels, and the counters that tell of it."""

    name: str
    labels: tuple[str, str]
    counters: tuple[str, ...]

    @property
    def query(self) -> str:
        """A query for everything that is counted; new ones come last, so who has series of their own keeps them."""
        labels = ", ".join(self.labels)
        counted = " union all ".join(f"select {labels}, counted_since from counters.{table}" for table in self.counters)
        return (
            f"select {labels} from ({counted}) group by {labels} "
            f"order by min(coalesce(counted_since, '-infinity')), {labels}"
        )


WORKFLOWS = Subject("workflow", ("repository", "workflow"), ("workflow_run_totals",))
RUNNERS = Subject("runner", ("repository", "runner"), ("job_queue_buckets",))
SERVICES = Subject("service", ("service", "environment"), ("deployment_totals", "rollback_totals"))
SUBJECTS = (WORKFLOWS, RUNNERS, SERVICES)
