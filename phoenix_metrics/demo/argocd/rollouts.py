"""What people and analyses do to Rollouts, and what that makes of the application's health."""

from typing import TypeGuard

from phoenix_metrics.demo.argocd.actions import Abort, Promote, RetryRollout, SetImage, Undo
from phoenix_metrics.demo.argocd.agenda import Agenda
from phoenix_metrics.demo.argocd.application import Application
from phoenix_metrics.demo.argocd.health import Health
from phoenix_metrics.demo.argocd.journal import Journal
from phoenix_metrics.demo.argocd.manifests import timed_out
from phoenix_metrics.demo.argocd.workloads import Workload

_SETTLES_AFTER = 30  # seconds for pods of a template that changed outside Argo CD
_ASSESSED = {
    "Failed": 'Metric "success-rate" assessed Failed due to failed (1) > failureLimit (0)',
    "Error": 'Metric "success-rate" assessed Error due to consecutiveErrors (5) > consecutiveErrorLimit (4)',
    "Inconclusive": 'Metric "success-rate" assessed Inconclusive due to inconclusive (1) > inconclusiveLimit (0)',
}

Refused = str | None  # why something cannot be done


class Rollouts:
    """Promotes, aborts, retries and undoes; each verb returns why it cannot, or None when it is done."""

    def __init__(self, agenda: Agenda, journal: Journal, health: Health) -> None:
        self._agenda = agenda
        self._journal = journal
        self._health = health

    def promote(self, application: Application, action: Promote, at: int) -> Refused:
        """Make the version under way the stable one."""
        workload = application.workloads.get(action.service)
        if workload is None or workload.is_settled or workload.is_aborted:
            return f"nothing of {action.service} is under way"
        workload.settle(at)
        _settle_deployments(application, at)
        if all(known.is_settled for known in application.workloads.values()):
            self._health.supersede(application)
            self._health.become(application, "Healthy", at)
        else:
            self._journal.record(application, at)
        return None

    def analyse(self, application: Application, service: str, at: int) -> None:
        """Start the AnalysisRun that something will follow from, where a Rollout is under way by now."""
        workload = application.workloads.get(service)
        if _is_under_way(workload) and not workload.has_analysis_under_way():
            workload.analyse(at)
            self._journal.record(application, at)

    def abort(self, application: Application, action: Abort, at: int) -> Refused:
        """Go back to the stable version; the operation that brought the other one stays as it ended."""
        workload = application.workloads.get(action.service)
        if not _is_under_way(workload):
            return f"no Rollout of {action.service} is under way"
        text = f"Rollout aborted update to revision {workload.revision}"
        if action.is_deadline:
            text += f": {timed_out(workload)}"
        elif action.analysis is not None:
            if not workload.has_analysis_under_way():
                workload.analyse(max(workload.started_at, at - action.analysis_seconds))
            workload.end_analysis(action.analysis, at, _ASSESSED[action.analysis])
            text += f": Step-based analysis phase error/failed: {_ASSESSED[action.analysis]}"
        _settle_deployments(application, at)
        workload.abort(at, text)
        self._health.supersede(application)
        self._health.become(application, "Degraded", at, f"RolloutAborted: {text}")
        return None

    def retry(self, application: Application, action: RetryRollout, at: int) -> Refused:
        """Try an aborted version again."""
        workload = application.workloads.get(action.service)
        if workload is None or not workload.is_aborted:
            return f"no Rollout of {action.service} is aborted"
        workload.retry(at)
        self._health.supersede(application)
        self._health.become(application, "Progressing", at, "more replicas need to be updated")
        return None

    def undo(self, application: Application, action: Undo, at: int) -> Refused:
        """Give a Rollout's template the image it had before, which Git and Argo CD do not know of."""
        workload = application.workloads.get(action.service)
        image = workload.previous_image() if workload is not None else None
        if workload is None or image is None:
            return f"{action.service} has no earlier revision"
        self._change(application, workload, image, at)
        return None

    def set_image(self, application: Application, action: SetImage, at: int) -> Refused:
        """Give a workload's template an image, which Git and Argo CD do not know of."""
        workload = application.workloads.get(action.service)
        if workload is None:
            return f"there is no workload {action.service}"
        self._change(application, workload, action.image, at)
        return None

    def _change(self, application: Application, workload: Workload, image: str, at: int) -> None:
        if workload.apply(image, at):
            self._health.become(application, "Progressing", at)
            self._health.foresee(application, at, _SETTLES_AFTER, None)
        self._health.compare(application, at)


def _is_under_way(workload: Workload | None) -> TypeGuard[Workload]:
    return workload is not None and workload.is_rollout and not workload.is_settled and not workload.is_aborted


def _settle_deployments(application: Application, at: int) -> None:
    """Let Deployments be done: by the time that a Rollout is decided on, they have long been."""
    for workload in application.workloads.values():
        if not workload.is_rollout and not workload.is_settled:
            workload.settle(at)
