"""The same figures by the names of OpenTelemetry's semantic conventions for CI/CD, in their Prometheus spelling.

A label that is empty is an attribute that is not set. The conventions have attributes for deployments, but no metrics,
so these keep a prefix of ours.
"""

from collections.abc import Iterator
from itertools import groupby

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily

from phoenix_metrics.exporter.collector import MartCollector
from phoenix_metrics.exporter.counters import CounterCollector
from phoenix_metrics.exporter.figures import Figures
from phoenix_metrics.exporter.histograms import HistogramCollector
from phoenix_metrics.exporter.subjects import SERVICES, WORKFLOWS

PIPELINE = ("vcs_owner_name", "vcs_repository_name", "cicd_pipeline_name")
DEPLOYMENT = ("deployment_name", "deployment_environment_name")

_PIPELINE_COLUMNS = """
            repository,
            workflow,
            split_part(repository, '/', 1) as vcs_owner_name,
            split_part(repository, '/', 2) as vcs_repository_name,
            workflow as cicd_pipeline_name"""
_DEPLOYMENT_COLUMNS = """
            service,
            environment,
            service as deployment_name,
            environment as deployment_environment_name"""


class OtelDurationsCollector(HistogramCollector):
    """Time that attempts were pending, then executing; the result belongs to executing, the error to a failure.

    cicd_pipeline_run_duration_seconds_count{cicd_pipeline_name="CI",cicd_pipeline_result="failure",
        cicd_pipeline_run_state="executing",error_type="failure",vcs_owner_name="acme",vcs_repository_name="shop"} 2.0
    """

    name = "cicd_pipeline_run_duration_seconds"
    mart = "run_state_duration_buckets"
    labels = (*PIPELINE, "cicd_pipeline_run_state", "cicd_pipeline_result", "error_type")
    subject = WORKFLOWS
    named_by = PIPELINE
    query = f"""
        select {_PIPELINE_COLUMNS},
            run_state as cicd_pipeline_run_state,
            result as cicd_pipeline_result,
            case result
                when 'failure' then 'failure'
                when 'timeout' then 'timed_out'
                when 'error' then 'startup_failure'
                else ''
            end as error_type,
            upper_bound_seconds as upper_bound,
            attempt_count as below_count,
            duration_seconds_sum as below_sum,
            counted_since
        from counters.run_state_duration_buckets
    """


class OtelErrorsCollector(CounterCollector):
    """Attempts that failed, by GitHub's conclusion: unlike the reasons that rules find, it stays what it was.

    cicd_pipeline_run_errors_total{cicd_pipeline_name="CI",error_type="timed_out",…} 1.0
    """

    mart = "workflow_run_totals"
    labels = (*PIPELINE, "error_type")
    subject = WORKFLOWS
    named_by = PIPELINE
    counters = (("cicd_pipeline_run_errors_total", "attempt_count"),)
    query = f"""
        select {_PIPELINE_COLUMNS},
            conclusion as error_type,
            attempt_count,
            counted_since
        from counters.workflow_run_totals
        where conclusion in ('failure', 'timed_out', 'startup_failure')
    """


class OtelActiveRunsCollector(MartCollector):
    """Runs under way at the newest pass; what shares a series is added up.

    cicd_pipeline_run_active{cicd_pipeline_name="CI",cicd_pipeline_run_state="executing",…} 2.0
    """

    labels = (*PIPELINE, "cicd_pipeline_run_state")
    subject = WORKFLOWS
    named_by = PIPELINE
    query = f"""
        select {_PIPELINE_COLUMNS},
            run_state as cicd_pipeline_run_state,
            run_count
        from marts.active_runs
    """

    def metrics(self, figures: Figures) -> Iterator[Metric]:
        """Yield the gauge."""
        help_text = figures.help("active_runs.run_count", "active_runs")
        family = GaugeMetricFamily("cicd_pipeline_run_active", help_text, labels=self.labels)
        counts = sorted((self.series(figures, row), row["run_count"]) for row in figures.rows[self.query])
        for series, pairs in groupby(counts, key=lambda pair: pair[0]):
            family.add_metric(series, sum(count for _, count in pairs))
        yield family


class OtelDeploymentsCollector(CounterCollector):
    """Deployments of services by how they ended; one that ended in an error failed, too.

    phoenix_otel_deployment_total{deployment_environment_name="production",deployment_name="shop",
        deployment_status="succeeded"} 41.0
    """

    mart = "deployment_totals"
    labels = (*DEPLOYMENT, "deployment_status")
    subject = SERVICES
    named_by = DEPLOYMENT
    counters = (("phoenix_otel_deployment_total", "deployment_count"),)
    query = f"""
        select {_DEPLOYMENT_COLUMNS},
            case status when 'error' then 'failed' else status end as deployment_status,
            deployment_count,
            counted_since
        from counters.deployment_totals
    """


class OtelDeploymentDurationsCollector(HistogramCollector):
    """Durations of deployments.

    phoenix_otel_deployment_duration_seconds_count{deployment_environment_name="production",deployment_name="shop"} 41.0
    """

    name = "phoenix_otel_deployment_duration_seconds"
    mart = "deployment_duration_buckets"
    labels = DEPLOYMENT
    subject = SERVICES
    named_by = DEPLOYMENT
    query = f"""
        select {_DEPLOYMENT_COLUMNS},
            upper_bound_seconds as upper_bound,
            deployment_count as below_count,
            duration_seconds_sum as below_sum,
            counted_since
        from counters.deployment_duration_buckets
    """


OTEL_COLLECTORS: tuple[type[MartCollector], ...] = (
    OtelDurationsCollector,
    OtelErrorsCollector,
    OtelActiveRunsCollector,
    OtelDeploymentsCollector,
    OtelDeploymentDurationsCollector,
)
