"""Schedules of workflows: whether their newest start came."""

from phoenix_metrics.exporter.gauges import GaugeCollector
from phoenix_metrics.exporter.subjects import WORKFLOWS


class SchedulesCollector(GaugeCollector):
    """Whether the newest start of a workflow that can be judged was missed (1) or came (0).

    phoenix_schedule_missed{repository="acme/shop",workflow="Nightly"} 0.0
    """

    mart = "schedules"
    labels = ("repository", "workflow")
    subject = WORKFLOWS
    gauges = (("phoenix_schedule_missed", "is_missed"),)
    query = """
        select repository, workflow, is_missed
        from marts.schedules
        where is_missed is not null
        order by repository, workflow
    """
