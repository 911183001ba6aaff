"""How an application begins, begins again, and what is told when somebody asks for an operation."""

from dataclasses import replace

from phoenix_metrics.demo.argocd.actions import Source, Sync
from phoenix_metrics.demo.argocd.application import Application, destination, revisions_json, sources_json
from phoenix_metrics.demo.times import written


def begin(application: Application, at: int) -> None:
    """Give a new application the status it has before its first operation."""
    application.health = {"status": "Missing", "lastTransitionTime": written(at)}
    application.sync = _compared(application, "OutOfSync")
    application.reconciled_at = at


def forget_status(application: Application, at: int) -> None:
    """Let health and comparison be found anew, as of now, from what runs."""
    status = application.health["status"]
    application.health = {"status": status, "lastTransitionTime": written(at)}


def retargeted(sources: tuple[Source, ...], revision: str) -> tuple[Source, ...]:
    """Return sources of which the first follows another branch, tag or commit."""
    return (replace(sources[0], target_revision=revision), *sources[1:])


def told(application: Application, action: Sync) -> str | None:
    """Return what the event of a request says; None where a request is not told of.

    Operations that are patched straight into Kubernetes, as ApplicationSet's are, have no such event.
    """
    if action.is_anonymous or action.is_appset:
        return None
    revisions = application.git.revisions
    if action.by is None:
        return f"Initiated automated sync to '{', '.join(revisions)}'"
    part = " partial" if action.kind == "partial" else ""
    if action.kind == "local":
        return f"initiated{part} sync locally"
    shown = [f"{source.target_revision} ({sha})" for source, sha in zip(application.sources, revisions, strict=False)]
    return f"initiated{part} sync to {', '.join(shown)}"


def _compared(application: Application, status: str) -> dict[str, object]:
    compared = {**sources_json(application.sources), "destination": destination(application)}
    return {"status": status, "comparedTo": compared, **revisions_json(application.git.revisions)}
