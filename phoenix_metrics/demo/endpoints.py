"""What each address of the API answers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from phoenix_metrics.demo import addresses, payloads
from phoenix_metrics.demo.filters import FILTERS, BadFilterError, matching
from phoenix_metrics.demo.manners import Moved, RefusalError
from phoenix_metrics.demo.moment import visible_attempts, visible_jobs
from phoenix_metrics.demo.organization import Organization
from phoenix_metrics.demo.paging import Listing
from phoenix_metrics.demo.repositories import ORGANIZATION
from phoenix_metrics.demo.runs import Attempt, Job, Run
from phoenix_metrics.demo.times import FOUNDED_AT, written
from phoenix_metrics.demo.workflows import WORKFLOWS
from phoenix_metrics.demo.world import World


@dataclass(frozen=True)
class Question:
    """A request: what is asked of which world at which moment, under which API root."""

    organization: Organization
    world: World
    now: int
    api: str
    path: Mapping[str, str]
    query: Mapping[str, str]

    @property
    def place(self) -> addresses.Place:
        """The repository that is asked about, under this root."""
        return addresses.Place(self.api, self.world.repository)

    def number(self, name: str) -> int:
        """Return a number from the path, or refuse as for an unknown address."""
        text = self.path[name]
        if not (text.isdecimal() and len(text) < 19):
            raise not_found()
        return int(text)


_PUSHES = ("push", "pull_request")

Endpoint = Callable[[Question], Listing | Moved | dict[str, Any]]


def not_found() -> RefusalError:
    """Return GitHub's refusal for what does not exist or may not be seen."""
    return RefusalError(404, "Not Found")


def _repository(question: Question) -> dict[str, Any]:
    return addresses.full_repository(question.place, pushed_at(question, question.world))


def organization_repositories(question: Question) -> Listing:
    """Answer with the repositories of the organisation."""
    check_organization(question)

    def shown(world: World) -> dict[str, Any]:
        place = addresses.Place(question.api, world.repository)
        return addresses.listed_repository(place, pushed_at(question, world))

    return Listing(question.organization.worlds, shown)


def _workflows(question: Question) -> Listing:
    return Listing(WORKFLOWS, lambda workflow: payloads.workflow_payload(question.place, workflow), "workflows")


def _runs(question: Question) -> Listing:
    return _listed_runs(question, question.world.runs(question.now))


def _workflow_runs(question: Question) -> Listing:
    wanted, of = question.path["workflow"], question.world.repository
    workflow = next(
        (known for known in WORKFLOWS if wanted in (str(payloads.workflow_id(of, known)), known.file)), None
    )
    if workflow is None:
        raise not_found()
    return _listed_runs(
        question, [run for run in question.world.runs(question.now) if run.trigger.workflow is workflow]
    )


def _run(question: Question) -> dict[str, Any]:
    return _shown_run(question, _known_run(question))


def _attempt(question: Question) -> dict[str, Any]:
    run = _known_run(question)
    return _shown_run(question, run, _known_attempt(question, run).number)


def _run_jobs(question: Question) -> Listing:
    run = _known_run(question)
    attempts = visible_attempts(run, question.now)
    return _listed_jobs(question, run, attempts if question.query.get("filter") == "all" else attempts[-1:])


def _attempt_jobs(question: Question) -> Listing:
    run = _known_run(question)
    return _listed_jobs(question, run, (_known_attempt(question, run),))


def _job(question: Question) -> dict[str, Any]:
    found = question.world.job(question.number("job_id"), question.now)
    if found is None or found[2].created_at > question.now:
        raise not_found()
    run, attempt_number, job = found
    return payloads.job_payload(question.place, run, attempt_number, job, question.now)


def _nothing(key: str | None = None) -> Endpoint:
    """Return an endpoint with an empty list: of this the demo organisation has nothing."""

    def answer(question: Question) -> Listing:
        check_organization(question)
        return Listing([], dict, key)

    return answer


def _account(question: Question) -> dict[str, Any]:
    if question.path["username"].lower() != ORGANIZATION:
        raise not_found()
    return addresses.organization(question.api)


def check_organization(question: Question) -> None:
    """Refuse a question about another organisation than ours."""
    if question.path.get("org", ORGANIZATION).lower() != ORGANIZATION:
        raise not_found()


OF_ORGANIZATION: dict[str, Endpoint] = {
    "/orgs/{org}/repos": organization_repositories,
    "/orgs/{org}/hooks": _nothing(),
    "/orgs/{org}/actions/runners": _nothing("runners"),
    "/orgs/{org}/actions/hosted-runners": _nothing("runners"),
    "/orgs/{org}/actions/runner-groups": _nothing("runner_groups"),
    "/users/{username}": _account,
}

OF_REPOSITORY: dict[str, Endpoint] = {
    "": _repository,
    "/actions/workflows": _workflows,
    "/actions/workflows/{workflow}/runs": _workflow_runs,
    "/actions/runs": _runs,
    "/actions/runs/{run_id}": _run,
    "/actions/runs/{run_id}/jobs": _run_jobs,
    "/actions/runs/{run_id}/attempts/{attempt_number}": _attempt,
    "/actions/runs/{run_id}/attempts/{attempt_number}/jobs": _attempt_jobs,
    "/actions/jobs/{job_id}": _job,
    "/actions/runners": _nothing("runners"),
    "/hooks": _nothing(),
    "/deployments": _nothing(),
    "/rules/branches/{branch}": _nothing(),
}


def _known_run(question: Question) -> Run:
    run = question.world.run(question.number("run_id"), question.now)
    if run is None:
        raise not_found()
    return run


def _known_attempt(question: Question, run: Run) -> Attempt:
    number = question.number("attempt_number")
    attempt = next((known for known in visible_attempts(run, question.now) if known.number == number), None)
    if attempt is None:
        raise not_found()
    return attempt


def _shown_run(question: Question, run: Run, attempt_number: int | None = None) -> dict[str, Any]:
    return payloads.run_payload(
        question.place,
        run,
        question.world.number(run),
        question.now,
        attempt_number=attempt_number,
        with_pull_requests=question.query.get("exclude_pull_requests", "false") != "true",
    )


def _listed_runs(question: Question, runs: list[Run]) -> Listing:
    try:
        found = matching(runs, question.query, question.now)
    except BadFilterError as error:
        raise RefusalError(422, f"Validation Failed: {error}") from None
    is_filtered = any(name in question.query for name in FILTERS)
    return Listing(found, lambda run: _shown_run(question, run), "workflow_runs", is_filtered)


def _listed_jobs(question: Question, run: Run, attempts: tuple[Attempt, ...]) -> Listing:
    jobs = [(attempt.number, job) for attempt in attempts for job in visible_jobs(attempt, question.now)]

    def shown(numbered: tuple[int, Job]) -> dict[str, Any]:
        return payloads.job_payload(question.place, run, *numbered, question.now)

    return Listing(jobs, shown, "jobs")


def pushed_at(question: Question, world: World) -> str:
    """Return when somebody last pushed to a repository."""
    pushes = (run.trigger.at for run in world.runs(question.now) if run.trigger.event in _PUSHES)
    newest = next(pushes, None)
    return FOUNDED_AT if newest is None else written(newest)
