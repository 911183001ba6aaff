"""Health and comparison with Git: what the controller writes of an application between and after operations."""

from phoenix_metrics.demo.argocd.agenda import Agenda
from phoenix_metrics.demo.argocd.application import Application, Json, destination, revisions_json, sources_json
from phoenix_metrics.demo.argocd.journal import Journal
from phoenix_metrics.demo.times import written

_DEADLINE = "exceeded its progress deadline"


class Health:
    """Moves the health and the sync status of applications."""

    def __init__(self, agenda: Agenda, journal: Journal) -> None:
        self._agenda = agenda
        self._journal = journal

    def become(self, application: Application, status: str, at: int, message: str = "") -> None:
        """Let an application have a health from now on."""
        before = application.health.get("status")
        application.reconciled_at = at
        if before != status:
            application.health = _health(status, at, message)
            text = f"Updated health status: {before} -> {status}" + (f" ({message})" if message else "")
            self._journal.tell(application, at, "ResourceUpdated", text)
        elif message != application.health.get("message", ""):
            since = application.health["lastTransitionTime"]
            application.health = {**_health(status, at, message), "lastTransitionTime": since}
        self._journal.record(application, at)

    def supersede(self, application: Application) -> int:
        """Drop what was foreseen of health, and return what the next plan is known by."""
        application.health_plan += 1
        return application.health_plan

    def foresee(self, application: Application, at: int, healthy_after: int | None, degraded_after: int | None) -> None:
        """Plan what health follows an operation that ends now."""
        plan = self.supersede(application)
        if healthy_after is not None:
            self._agenda.follow(at + healthy_after, lambda moment: self._recover(application, plan, moment))
        if degraded_after is not None:
            self._agenda.follow(at + degraded_after, lambda moment: self._degrade(application, plan, moment))

    def recover(self, application: Application, at: int) -> None:
        """Let everything that is under way be done, and the application be Healthy, unless a Rollout is aborted."""
        for workload in application.workloads.values():
            if not workload.is_settled and not workload.is_aborted:
                workload.settle(at)
        if not any(workload.is_aborted for workload in application.workloads.values()):
            self.become(application, "Healthy", at)

    def compare(self, application: Application, at: int) -> None:
        """Compare an application with Git and write down what that shows."""
        status = "Synced" if application.is_synced() else "OutOfSync"
        before = application.sync.get("status")
        application.sync = _sync(application, status)
        application.reconciled_at = at
        if before not in (None, status):
            text = f"Updated sync status: {before} -> {status}"
            self._journal.tell(application, at, "ResourceUpdated", text)
        self._journal.record(application, at)

    def _recover(self, application: Application, plan: int, at: int) -> None:
        if plan == application.health_plan:
            self.recover(application, at)

    def _degrade(self, application: Application, plan: int, at: int) -> None:
        if plan == application.health_plan:
            self.become(application, "Degraded", at, _reason(application))


def _health(status: str, at: int, message: str) -> Json:
    return {"status": status, **({"message": message} if message else {}), "lastTransitionTime": written(at)}


def _reason(application: Application) -> str:
    late = [service for service, workload in sorted(application.workloads.items()) if not workload.is_settled]
    return f'Deployment "{late[0]}" {_DEADLINE}' if late else ""


def _sync(application: Application, status: str) -> Json:
    compared = {**sources_json(application.sources), "destination": destination(application)}
    return {"status": status, "comparedTo": compared, **revisions_json(application.git.revisions)}
