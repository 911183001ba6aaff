"""What the addresses of everything that goes with runs answer, joined with those of the runs themselves."""

from collections.abc import Callable
from typing import Any

from phoenix_metrics.demo import addresses, annotations, billing, checks, endpoints, protection
from phoenix_metrics.demo.endpoints import Endpoint, Question, not_found
from phoenix_metrics.demo.manners import Moved, RefusalError
from phoenix_metrics.demo.paging import Listing
from phoenix_metrics.demo.pull_requests import Proposal, proposal, proposals, pull_request_payload, whole_payload
from phoenix_metrics.demo.releases import reference_payload, release_payload, releases, tagged
from phoenix_metrics.demo.repository_secrets import secret_payload, secrets
from phoenix_metrics.demo.runs import Job, Run
from phoenix_metrics.demo.storage import address, artifact_payload
from phoenix_metrics.demo.uploads import Upload, upload, uploads, uploads_of
from phoenix_metrics.demo.workflow_files import FOLDER, file_entry, file_payload, folder_entry, workflow_text
from phoenix_metrics.demo.workflows import WORKFLOWS, Workflow

_SORTED_BY: dict[str, Callable[[Proposal], tuple[int, int]]] = {
    "created": lambda shown: (shown.story.pushed_at[0], shown.story.number),
    "updated": lambda shown: (shown.updated_at, shown.story.number),
}


def _pulls(question: Question) -> Listing:
    asked = question.query
    state, sort = asked.get("state", "open"), asked.get("sort", "created")
    found = [one for one in proposals(question.world, question.now) if state in (one.state, "all")]
    if "head" in asked:
        found = [one for one in found if asked["head"].partition(":")[2] == one.story.branch]
    if asked.get("base", addresses.DEFAULT_BRANCH) != addresses.DEFAULT_BRANCH:
        found = []
    is_descending = asked.get("direction", "asc" if "sort" in asked and sort != "created" else "desc") == "desc"
    found.sort(key=_SORTED_BY.get(sort, _SORTED_BY["created"]), reverse=is_descending)
    return Listing(found, _as_pull_request(question, pull_request_payload))


def _pull(question: Question) -> dict[str, Any]:
    found = proposal(question.world, question.number("pull_number"), question.now)
    if found is None:
        raise not_found()
    return _as_pull_request(question, whole_payload)(found)


def _as_pull_request(question: Question, payload: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    repository = addresses.listed_repository(question.place, endpoints.pushed_at(question, question.world))
    return lambda shown: payload(question.place, question.world.universe, shown, repository)


def _releases(question: Question) -> Listing:
    return Listing(releases(question.world, question.now), lambda found: release_payload(question.place, *found))


def _tag(question: Question) -> dict[str, Any]:
    tag = question.path["tag"]
    run = next((run for run in tagged(question.world, question.now) if run.trigger.branch == tag), None)
    if run is None:
        raise not_found()
    return reference_payload(question.place, f"tags/{tag}", run.trigger.commit.sha)


def _branch(question: Question) -> dict[str, Any]:
    _check_protected(question)
    return protection.branch_payload(question.place, checks.main_commit(question.world, question.now))


def _protection(question: Question) -> dict[str, Any]:
    _check_protected(question)
    return protection.protection_payload(question.place)


def _required_checks(question: Question) -> dict[str, Any]:
    return dict(_protection(question)["required_status_checks"])


def _check_runs(question: Question) -> Listing:
    runs, asked = _runs_of_commit(question), question.query
    found = checks.check_runs(runs, question.now, is_latest=asked.get("filter", "latest") == "latest")
    if asked.get("app_id", str(checks.ACTIONS_APP)) != str(checks.ACTIONS_APP):
        found = []
    if "check_name" in asked:
        found = [(run, job) for run, job in found if job.name == asked["check_name"]]

    def shown(pair: tuple[Run, Job]) -> dict[str, Any]:
        return checks.check_run_payload(question.place, *pair, question.now)

    return Listing(found, shown, "check_runs")


def _annotations(question: Question) -> Listing:
    found = question.world.job(question.number("check_run_id"), question.now)
    if found is None or found[2].created_at > question.now:
        raise not_found()
    run, _, job = found
    told = annotations.told(run, job) if job.completed_at <= question.now else ()
    return Listing(told, lambda text: annotations.annotation_payload(question.place, run, text))


def _statuses(question: Question) -> Listing:
    found = checks.statuses(question.world.universe, _runs_of_commit(question), question.now)
    return Listing(found, lambda status: checks.status_payload(question.place, status))


def _combined_status(question: Question) -> dict[str, Any]:
    runs = _runs_of_commit(question)
    found = checks.statuses(question.world.universe, runs, question.now)
    sha = (runs[0].trigger.commit if runs else checks.main_commit(question.world, question.now)).sha
    url = f"{question.place.url}/commits/{sha}"
    return {
        "state": checks.combined_state(found),
        "statuses": [checks.status_payload(question.place, status) for status in found],
        "sha": sha,
        "total_count": len(found),
        "repository": addresses.repository(question.place),
        "commit_url": url,
        "url": f"{url}/status",
    }


def _artifacts(question: Question) -> Listing:
    return _listed_artifacts(question, uploads(question.world, question.now))


def _run_artifacts(question: Question) -> Listing:
    run = question.world.run(question.number("run_id"), question.now)
    if run is None:
        raise not_found()
    found = sorted((one for one in uploads_of(run) if one.at <= question.now), key=lambda one: one.id)
    return _listed_artifacts(question, found if question.query.get("direction") == "asc" else found[::-1])


def _artifact(question: Question) -> dict[str, Any]:
    return artifact_payload(question.place, question.world.universe, _known_upload(question), question.now)


def _artifact_zip(question: Question) -> Moved:
    found = _known_upload(question)
    if found.expires_at <= question.now:
        raise RefusalError(410, "Artifact has expired")
    return Moved(address(question.place, question.world.universe, found, question.now))


def _bill(question: Question) -> dict[str, Any]:
    found = billing.lines(question.organization.worlds, _period(question), question.now)
    return {"usageItems": [billing.usage_payload(line) for line in found]}


def _bill_in_sum(question: Question) -> dict[str, Any]:
    wanted = _period(question)
    return billing.summary_payload(billing.lines(question.organization.worlds, wanted, question.now), wanted)


def _secrets(question: Question) -> Listing:
    return Listing(secrets(question.world.universe, question.now), secret_payload, "secrets")


def _contents(question: Question) -> Listing:
    return Listing([FOLDER.partition("/")[0]], lambda path: folder_entry(question.place, path))


def _workflow_folder(question: Question) -> Listing:
    def shown(workflow: Workflow) -> dict[str, Any]:
        return file_entry(question.place, workflow.path, workflow_text(workflow, question.world.universe))

    return Listing(sorted(WORKFLOWS, key=lambda workflow: workflow.file), shown)


def _workflow_file(question: Question) -> dict[str, Any]:
    workflow = next((known for known in WORKFLOWS if known.file == question.path["file"]), None)
    if workflow is None:
        raise not_found()
    return file_payload(question.place, workflow.path, workflow_text(workflow, question.world.universe))


OF_ORGANIZATION: dict[str, Endpoint] = {
    **endpoints.OF_ORGANIZATION,
    "/organizations/{org}/settings/billing/usage": _bill,
    "/organizations/{org}/settings/billing/usage/summary": _bill_in_sum,
}

OF_REPOSITORY: dict[str, Endpoint] = {
    **endpoints.OF_REPOSITORY,
    "/actions/runs/{run_id}/artifacts": _run_artifacts,
    "/actions/artifacts": _artifacts,
    "/actions/artifacts/{artifact_id}": _artifact,
    "/actions/artifacts/{artifact_id}/zip": _artifact_zip,
    "/actions/secrets": _secrets,
    "/releases": _releases,
    "/git/ref/tags/{tag}": _tag,
    "/pulls": _pulls,
    "/pulls/{pull_number}": _pull,
    "/contents": _contents,
    "/contents/": _contents,
    f"/contents/{FOLDER}": _workflow_folder,
    f"/contents/{FOLDER}/{{file}}": _workflow_file,
    "/branches/{branch}": _branch,
    "/branches/{branch}/protection": _protection,
    "/branches/{branch}/protection/required_status_checks": _required_checks,
    "/commits/{ref}/check-runs": _check_runs,
    "/check-runs/{check_run_id}/annotations": _annotations,
    "/commits/{ref}/statuses": _statuses,
    "/commits/{ref}/status": _combined_status,
}


def _check_protected(question: Question) -> None:
    if question.path["branch"] != addresses.DEFAULT_BRANCH:
        raise RefusalError(404, "Branch not found")


def _runs_of_commit(question: Question) -> list[Run]:
    found = checks.runs_of(question.world, question.path["ref"], question.now)
    if not found and question.path["ref"] != addresses.DEFAULT_BRANCH:  # which exists also while nothing runs on it
        raise RefusalError(422, f"No commit found for SHA: {question.path['ref']}")
    return found


def _listed_artifacts(question: Question, found: list[Upload]) -> Listing:
    wanted = question.query.get("name")
    found = [one for one in found if wanted in (None, one.name)]

    def shown(one: Upload) -> dict[str, Any]:
        return artifact_payload(question.place, question.world.universe, one, question.now)

    return Listing(found, shown, "artifacts")


def _known_upload(question: Question) -> Upload:
    found = upload(question.world, question.number("artifact_id"), question.now)
    if found is None:
        raise not_found()
    return found


def _period(question: Question) -> billing.Period:
    endpoints.check_organization(question)
    try:
        return billing.period(question.query, question.now)
    except billing.BadPeriodError as error:
        raise RefusalError(422, f"Validation Failed: {error}") from None
