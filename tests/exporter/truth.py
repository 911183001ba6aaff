"""What the exporter must say of attempts and deliveries, worked out in Python without any SQL."""

import csv
import math
from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np
from prometheus_client.parser import text_string_to_metric_families

from phoenix_metrics.warehouse.models import SQL_ROOT
from tests.exporter.delivered import Delivery
from tests.exporter.landed import PRIVATE, WORKFLOWS, Attempt

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]

FAILURES = ("failure", "timed_out", "startup_failure")
CONCLUSIONS = ("success", *FAILURES, "cancelled", "skipped", "neutral", "stale", "action_required")
STATUSES = ("succeeded", "failed", "error", "cancelled")
KINDS = ("argocd", "revert", "target_revision", "redeploy", "rollout_abort", "rollout_undo")
OTEL_RESULTS = {  # cicd.pipeline.result and error.type; what the conventions have no word for stays GitHub's
    "success": ("success", ""),
    "failure": ("failure", "failure"),
    "timed_out": ("timeout", "timed_out"),
    "cancelled": ("cancellation", ""),
    "neutral": ("neutral", ""),
}
LATE = timedelta(hours=6)
LINUX_USD = 0.006  # a minute on two cores of Linux in 2026
WASTE_CLASSES = ("timeout", "flaky", "superseded", "fail_fast", "cancelled", "rerun", "outdated")
WINDOWS = {"1h": timedelta(hours=1), "24h": timedelta(hours=24), "7d": timedelta(days=7)}


def parsed(page: bytes) -> Samples:
    """Return every sample of a page; no series may stand there twice."""
    found: Samples = {}
    for family in text_string_to_metric_families(page.decode()):
        for sample in family.samples:
            series = (sample.name, frozenset(sample.labels.items()))
            assert series not in found
            found[series] = sample.value
    return found


def sample(name: str, **labels: str) -> tuple[str, frozenset[tuple[str, str]]]:
    """Return the key of a sample."""
    return name, frozenset(labels.items())


def counters(attempts: Sequence[Attempt]) -> Samples:
    """Settled attempts by conclusion, a zero for each conclusion of each known workflow."""
    found: Samples = {}
    for repository, workflow in WORKFLOWS:
        for conclusion in CONCLUSIONS:
            labels = {"repository": repository, "workflow": workflow, "status": "completed", "conclusion": conclusion}
            its = [
                a for a in attempts if (a.repository, a.workflow, a.conclusion) == (repository, workflow, conclusion)
            ]
            found[sample("github_actions_workflow_run_total", **labels)] = sum(not a.is_late for a in its)
            found[sample("github_actions_workflow_run_late_total", **labels)] = sum(a.is_late for a in its)
    return found


def histograms(attempts: Sequence[Attempt]) -> Samples:
    """Durations of workflows and queue times of runners, of attempts that are settled and not late."""
    news = [a for a in attempts if a.conclusion and not a.is_late]
    found: Samples = {}
    for repository, workflow in WORKFLOWS:
        its = [a for a in news if (a.repository, a.workflow) == (repository, workflow)]
        seconds = [a.duration_seconds for a in its if a.conclusion in ("success", *FAILURES)]
        labels = {"repository": repository, "workflow": workflow}
        found |= _histogram("github_actions_workflow_run_duration_seconds", "workflow_run_duration", labels, seconds)
    for repository, runner in {(a.repository, a.runner) for a in news if a.has_job}:
        waits = [a.queue_seconds for a in news if (a.repository, a.runner) == (repository, runner) and _waited(a)]
        labels = {"repository": repository, "runner": runner}
        found |= _histogram("github_actions_job_queue_seconds", "job_queue", labels, waits)
    return found


def costs(attempts: Sequence[Attempt], wasted: dict[str, Sequence[Attempt]]) -> Samples:
    """USD of the jobs that ran in settled attempts, whole minutes each, and of those that were wasted, by class."""
    found: Samples = {}
    for repository, workflow in WORKFLOWS:
        labels = {"repository": repository, "workflow": workflow}
        its = [a for a in attempts if (a.repository, a.workflow) == (repository, workflow) and a.conclusion]
        found |= _news("github_actions_cost_usd", its, **labels)
        for name in WASTE_CLASSES:
            lost = [a for a in its if a in wasted.get(name, ())]
            found |= _news("github_actions_waste_usd", lost, **{**labels, "class": name})
    return found


def _news(name: str, attempts: Sequence[Attempt], **labels: str) -> Samples:
    return {
        sample(f"{name}{end}_total", **labels): sum(_cost_usd(a) for a in attempts if a.is_late == is_late)
        for end, is_late in (("", False), ("_late", True))
    }


def _cost_usd(attempt: Attempt) -> float:
    seconds = attempt.duration_seconds - attempt.queue_seconds
    is_billed = attempt.has_job and attempt.repository in PRIVATE and attempt.runner == "ubuntu-latest"
    return max(1, math.ceil(seconds / 60)) * LINUX_USD if is_billed else 0


def windows(attempts: Sequence[Attempt], as_of: datetime) -> Samples:
    """Ratios and percentiles of final attempts that ended within each window."""
    last = {a.run_id: a for a in sorted(attempts, key=lambda a: a.run_attempt)}.values()
    found: Samples = {}
    for repository, workflow in WORKFLOWS:
        for window, span in WINDOWS.items():
            its = [a for a in last if (a.repository, a.workflow) == (repository, workflow)]
            its = [a for a in its if a.conclusion in ("success", *FAILURES) and as_of - a.ended_at < span]
            labels = {"repository": repository, "workflow": workflow, "window": window}
            found[sample("phoenix_failure_ratio_runs", **labels)] = len(its)
            found[sample("phoenix_pipeline_duration_runs", **labels)] = len(its)
            if its:
                found[sample("phoenix_failure_ratio", **labels)] = sum(a.conclusion in FAILURES for a in its) / len(its)
                for quantile in ("0.5", "0.95", "0.99"):
                    value = float(np.quantile([a.duration_seconds for a in its], float(quantile)))
                    found[sample("phoenix_pipeline_duration_seconds", quantile=quantile, **labels)] = value
    return found


def deployments(deliveries: Sequence[Delivery], looks: Sequence[datetime]) -> Samples:
    """Deployments by how they ended and their durations, of each service with a zero for each status."""
    found: Samples = {}
    for service, environment in {one.track for one in deliveries}:
        labels = {"service": service, "environment": environment}
        its = [one for one in deliveries if one.track == (service, environment) and not (one.is_again or one.is_lost)]
        late = [one for one in its if is_late(one, looks)]
        news = [one for one in its if one not in late]
        for status in STATUSES:
            for name, those in (("phoenix_deployment_total", news), ("phoenix_deployment_late_total", late)):
                found[sample(name, status=status, **labels)] = sum(one.status == status for one in those)
        seconds = [one.seconds for one in news if one.status != "cancelled"]
        found |= _histogram("phoenix_deployment_duration_seconds", "deployment_duration", labels, seconds)
    return found


def rollbacks(deliveries: Sequence[Delivery], looks: Sequence[datetime]) -> Samples:
    """Rollbacks that were asked for and Rollouts that were aborted, of each service with a zero for each kind."""
    found: Samples = {}
    for service, environment in {one.track for one in deliveries}:
        its = [one for one in deliveries if one.track == (service, environment)]
        went_back = [("argocd", is_late(one, looks)) for one in its if one.back_to is not None]
        went_back += [("rollout_abort", False) for one in its if one.aborted_at is not None]  # none of them is late
        for kind in KINDS:
            labels = {"service": service, "environment": environment, "kind": kind}
            found[sample("phoenix_rollback_total", **labels)] = went_back.count((kind, False))
            found[sample("phoenix_rollback_late_total", **labels)] = went_back.count((kind, True))
    return found


def otel_runs(attempts: Sequence[Attempt]) -> Samples:
    """The same attempts by OpenTelemetry's names: time in each state by result, errors, and runs under way."""
    found: Samples = {}
    for repository, workflow in WORKFLOWS:
        owner, name = repository.split("/")
        labels = {"vcs_owner_name": owner, "vcs_repository_name": name, "cicd_pipeline_name": workflow}
        its = [a for a in attempts if (a.repository, a.workflow) == (repository, workflow)]
        news = [a for a in its if a.conclusion and not a.is_late]
        for result, error in {("", ""), ("success", ""), *(OTEL_RESULTS[a.conclusion] for a in news if a.has_job)}:
            those = [a for a in news if a.has_job and result in ("", OTEL_RESULTS[a.conclusion][0])]
            seconds = [a.duration_seconds - a.queue_seconds if result else a.queue_seconds for a in those]
            found |= _histogram(
                "cicd_pipeline_run_duration_seconds",
                "workflow_run_duration",
                {
                    **labels,
                    "cicd_pipeline_run_state": "executing" if result else "pending",
                    "cicd_pipeline_result": result,
                    "error_type": error,
                },
                seconds,
            )
        for error in FAILURES:
            count = sum(a.conclusion == error for a in news)
            found[sample("cicd_pipeline_run_errors_total", error_type=error, **labels)] = count
        for state, count in (("pending", 0), ("executing", sum(a.conclusion is None for a in its))):
            found[sample("cicd_pipeline_run_active", cicd_pipeline_run_state=state, **labels)] = count
    return found


def otel_deployments(deliveries: Sequence[Delivery], looks: Sequence[datetime]) -> Samples:
    """The same deployments by OpenTelemetry's names; errors are failures, late ones are left out."""
    found: Samples = {}
    for (name, labels), value in deployments(deliveries, looks).items():
        if "_late_" in name:
            continue
        its = dict(labels)
        renamed = {"deployment_name": its["service"], "deployment_environment_name": its["environment"]}
        if "status" in its:
            renamed["deployment_status"] = its["status"].replace("error", "failed")
        if "le" in its:
            renamed["le"] = its["le"]
        series = sample(name.replace("phoenix_", "phoenix_otel_"), **renamed)
        found[series] = found.get(series, 0) + value
    return found


def is_late(delivery: Delivery, looks: Sequence[datetime]) -> bool:
    """Whether nobody looked within six hours of its end."""
    return min(look for look in looks if look >= delivery.ended_at) - delivery.ended_at > LATE


def _waited(attempt: Attempt) -> bool:
    return attempt.has_job and attempt.conclusion != "skipped"


def _histogram(name: str, histogram: str, labels: dict[str, str], seconds: Sequence[float]) -> Samples:
    found: Samples = {}
    for bound in bounds(histogram):
        le = "+Inf" if math.isinf(bound) else str(bound)
        found[sample(f"{name}_bucket", le=le, **labels)] = sum(second <= bound for second in seconds)
    found[sample(f"{name}_count", **labels)] = len(seconds)
    found[sample(f"{name}_sum", **labels)] = sum(seconds)
    return found


def bounds(histogram: str) -> list[float]:
    """Return the upper bounds of a histogram's buckets."""
    with (SQL_ROOT / "seeds" / "histogram_bounds.csv").open(encoding="utf-8") as file:
        return [float(row["upper_bound_seconds"]) for row in csv.DictReader(file) if row["histogram"] == histogram]
