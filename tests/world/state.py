"""What happens on GitHub, when, and which webhooks tell of it."""

import bisect
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.world.objects import Attempt, Job, Repository, Run, iso
from tests.world.payloads import (
    Delivery,
    account,
    job_payload,
    owner_id,
    repository_payload,
    run_payload,
    workflow_payload,
)
from tests.world.truth import Truth, truth_of

RERUN_REACH = timedelta(days=30)  # GitHub refuses to run older runs again


class World:
    """Everything GitHub holds. `now` is set by the test; where it was never set, it is the machine's clock.

    Operations change it and return the webhook deliveries that GitHub sends for them; `deliveries` keeps them all.
    `carried` says how jobs that "re-run failed jobs" leaves alone are listed in the new attempt: under a `new` number,
    under the `same` number once more, or `kept`: as the one job they are, still of the attempt that ran them. A world
    that does not send webhooks is several times faster and smaller.
    """

    def __init__(
        self,
        now: datetime | None = None,
        organization: str = "acme",
        carried: str = "new",
        *,
        sends_webhooks: bool = True,
    ) -> None:
        self._now = now
        self.sends_webhooks = sends_webhooks
        self.organization = organization
        self.carried = carried
        self.url = "https://api.github.com"
        self.lock = threading.RLock()
        self.repositories: dict[int, Repository] = {}
        self.by_name: dict[str, int] = {}  # lower-case full names of today
        self.moved: dict[str, int] = {}  # names of yesterday
        self.organizations: dict[str, int] = {organization.lower(): owner_id(organization)}
        self.runs: dict[int, Run] = {}
        self.by_suite: dict[str, Run] = {}
        self.deliveries: list[Delivery] = []
        self._numbers: dict[str, int] = {}

    # -- the clock

    @property
    def now(self) -> datetime:
        return self._now or datetime.now(UTC)

    @now.setter
    def now(self, moment: datetime) -> None:
        self._now = moment

    def advance(self, **time: float) -> datetime:
        """Move the clock on, by seconds=, minutes=, hours= or days=, and return what it shows."""
        self.now += timedelta(**time)
        return self.now

    @contextmanager
    def at(self, moment: datetime) -> Iterator[None]:
        """Let what happens in the block happen at another moment."""
        before, self._now = self._now, moment
        try:
            yield
        finally:
            self._now = before

    # -- repositories

    def add_repository(self, name: str, owner: str | None = None, **attributes: Any) -> Repository:
        """Create a repository; one with the old name of another ends that one's redirect."""
        with self.lock:
            owner, now = owner or self.organization, iso(self.now)
            number = self._next("repository", 1000)
            repository = Repository(number, owner, name, now, now, now, **attributes)
            self.repositories[number] = repository
            self.organizations.setdefault(owner.lower(), owner_id(owner))
            self._name(repository)
            self._tell_repository(repository, "created")
            return repository

    def rename_repository(self, repository: Repository, name: str) -> list[Delivery]:
        """Give it another name; the old one redirects."""
        old = repository.name
        self._move(repository, repository.owner, name)
        return [self._tell_repository(repository, "renamed", {"repository": {"name": {"from": old}}})]

    def transfer_repository(self, repository: Repository, owner: str) -> list[Delivery]:
        """Give it to another owner; the old name redirects and it leaves the organisation's list."""
        old = repository.owner
        self._move(repository, owner, repository.name)
        changes = {"owner": {"from": {"organization": {"login": old}}}}
        return [self._tell_repository(repository, "transferred", changes)]

    def archive_repository(self, repository: Repository, *, archived: bool = True) -> list[Delivery]:
        """Archive it, or bring it back."""
        with self.lock:
            repository.archived, repository.updated_at = archived, iso(self.now)
            return [self._tell_repository(repository, "archived" if archived else "unarchived")]

    def delete_repository(self, repository: Repository) -> list[Delivery]:
        """Delete it with its runs; its name and its number are not found any more."""
        with self.lock:
            repository.state = "deleted"
            self.by_name.pop(repository.full_name.lower(), None)
            self.moved = {name: number for name, number in self.moved.items() if number != repository.repository_id}
            for run in repository.runs:
                run.gone = run.gone or "repository deleted"
            return [self._tell_repository(repository, "deleted")]

    def set_state(self, repository: Repository, state: str) -> None:
        """Make it ok, blocked, forbidden or hidden for everyone; GitHub sends nothing for that."""
        repository.state = state

    def _move(self, repository: Repository, owner: str, name: str) -> None:
        with self.lock:
            del self.by_name[repository.full_name.lower()]
            self.moved[repository.full_name.lower()] = repository.repository_id
            self.organizations.setdefault(owner.lower(), owner_id(owner))
            repository.owner, repository.name, repository.updated_at = owner, name, iso(self.now)
            self._name(repository)

    def _name(self, repository: Repository) -> None:
        key = repository.full_name.lower()
        if key in self.by_name:
            raise ValueError(f"{repository.full_name} is taken")
        self.moved.pop(key, None)
        self.by_name[key] = repository.repository_id

    # -- runs

    def create_run(
        self,
        repository: Repository,
        jobs: Sequence[str] = ("build", "test"),
        *,
        workflow: str = "CI",
        event: str = "push",
        branch: str = "main",
        sha: str | None = None,
        status: str = "queued",
    ) -> tuple[Run, list[Delivery]]:
        """Create a run whose jobs wait for a runner."""
        with self.lock:
            now, run_id = iso(self.now), self._next("run", 12_000_000_000)
            if workflow not in repository.workflows:
                repository.workflows[workflow] = self._next("workflow", 500)
            number = self._next(f"run of {repository.repository_id} {workflow}", 0)
            run = Run(run_id, repository, workflow, number, now, event, branch, sha or f"{run_id:040x}")
            run.attempts.append(Attempt(1, now, now, status))
            run.latest.jobs = [self._job(name, 1) for name in jobs]
            bisect.insort(repository.runs, run, key=lambda found: found.age_key)
            self.runs[run_id] = self.by_suite[run.suite_node_id] = run
            if event == "push":
                repository.pushed_at = now
            return run, self._tell(run, "requested", run.latest.jobs, "queued")

    def start(self, run: Run, *names: str) -> list[Delivery]:
        """Give its waiting jobs, or those named, a runner."""
        with self.lock:
            self._expect_open(run)
            started = [
                job
                for job in run.latest.jobs
                if job.status in ("queued", "waiting") and (not names or job.name in names)
            ]
            is_first = run.latest.status != "in_progress"
            self._start(run, started)
            return self._tell(run, "in_progress" if is_first else None, started, "in_progress")

    def hold(self, run: Run) -> list[Delivery]:
        """Let it wait for an approval."""
        with self.lock:
            self._expect_open(run)
            held = [job for job in run.latest.jobs if job.status == "queued"]
            for job in held:
                job.status = "waiting"
            self._touch(run, status="waiting")
            return self._tell(run, None, held, "waiting")

    def finish_job(self, run: Run, name: str, conclusion: str = "success") -> list[Delivery]:
        """End one job; the run goes on."""
        with self.lock:
            self._expect_open(run)
            job = next(job for job in run.latest.jobs if job.name == name and job.status != "completed")
            self._start(run, [job] if job.status != "in_progress" else [])
            self._finish(job, conclusion)
            return self._tell(run, None, [job], "completed")

    def complete(self, run: Run, conclusion: str = "success", *, failing: Iterable[str] = ()) -> list[Delivery]:
        """End the run. Of the unfinished jobs those `failing`, else the last one, end as the run does.

        The others succeed; in a skipped or cancelled run all of them are that.
        """
        with self.lock:
            self._expect_open(run)
            unfinished = [job for job in run.latest.jobs if job.status != "completed"]
            names = set(failing) or {job.name for job in unfinished[-1:]}
            for job in unfinished:
                as_the_run = conclusion in ("skipped", "cancelled") or job.name in names
                if job.status != "in_progress" and conclusion not in ("skipped", "cancelled"):
                    self._start(run, [job])
                self._finish(job, conclusion if as_the_run else "success")
            self._touch(run, status="completed", conclusion=conclusion)
            return self._tell(run, "completed", unfinished, "completed")

    def cancel(self, run: Run) -> list[Delivery]:
        """End the run and its unfinished jobs as cancelled; those that waited never have a runner."""
        return self.complete(run, "cancelled")

    def can_rerun(self, run: Run, which: str = "all") -> bool:
        """Whether GitHub would run it again."""
        is_done = run.gone is None and run.repository.state == "ok" and run.latest.status == "completed"
        is_young = iso(self.now - RERUN_REACH) <= run.created_at
        return is_done and is_young and (which == "all" or any(map(_is_rerun, run.latest.jobs)))

    def rerun(self, run: Run, which: str = "all", *, carried: str | None = None) -> list[Delivery]:
        """Begin another attempt, with all jobs anew or the failed ones; these carry the successful ones over."""
        if not self.can_rerun(run, which):
            raise ValueError(f"run {run.run_id} cannot be run again")
        with self.lock:
            now, number = iso(self.now), run.latest.number + 1
            before = run.latest.jobs
            run.attempts.append(Attempt(number, now, now))
            for job in before:
                again = which == "all" or _is_rerun(job)
                listed = self._job(job.name, number) if again else self._carry(job, number, carried or self.carried)
                run.latest.jobs.append(listed)
            return self._tell(run, "requested", [job for job in run.latest.jobs if job.status == "queued"], "queued")

    def touch(self, run: Run) -> None:
        """Let `updated_at` move for no reason that shows, as annotations and retention do."""
        with self.lock:
            self._touch(run)

    def delete_run(self, run: Run, reason: str = "deleted") -> list[Delivery]:
        """Delete it; GitHub sends nothing for that."""
        with self.lock:
            run.gone = reason
            run.repository.runs.remove(run)
            self.by_suite.pop(run.suite_node_id, None)
            return []

    def expire(self, retention: timedelta) -> list[Run]:
        """Delete every run created longer ago than that, as GitHub's retention does, and return them."""
        with self.lock:
            before = iso(self.now - retention)
            kept = [found for found in self.repositories.values() if found.state != "deleted"]
            expired = [run for found in kept for run in found.runs if run.created_at < before]
            for run in expired:
                self.delete_run(run, "expired")
            return expired

    def _job(self, name: str, attempt: int) -> Job:
        now = iso(self.now)
        return Job(self._next("job", 34_000_000_000), name, attempt, now, now)

    def _carry(self, job: Job, attempt: int, how: str) -> Job:
        now = iso(self.now)
        if how == "kept":
            job.created_at = now
            return job
        number = job.job_id if how == "same" else self._next("job", 34_000_000_000)
        changes = {"job_id": number, "attempt": attempt, "created_at": now, "is_carried_over": True}
        return Job(**{**vars(job), **changes})

    def _expect_open(self, run: Run) -> None:
        if run.gone or run.latest.status == "completed":
            raise ValueError(f"run {run.run_id} is {run.gone or 'completed'}")

    def _start(self, run: Run, jobs: Iterable[Job]) -> None:
        for job in jobs:
            job.status, job.started_at, job.runner_id = "in_progress", iso(self.now), self._next("runner", 0) % 50 + 1
        self._touch(run, status="in_progress")

    def _finish(self, job: Job, conclusion: str) -> None:
        job.status, job.conclusion, job.completed_at = "completed", conclusion, iso(self.now)

    def _touch(self, run: Run, **changes: str) -> None:
        vars(run.latest).update(changes, updated_at=iso(self.now))

    # -- deliveries

    def _tell(self, run: Run, run_action: str | None, jobs: Iterable[Job], job_action: str) -> list[Delivery]:
        told: list[Delivery] = []
        if not self.sends_webhooks:
            return told
        if run_action and run_action != "completed":
            told.append(self._tell_run(run, run_action))
        for job in jobs:
            payload = job_payload(run, job, self.url)
            told.append(self._deliver("workflow_job", job_action, run.repository, workflow_job=payload))
        if run_action == "completed":
            told.append(self._tell_run(run, run_action))
        return told

    def _tell_run(self, run: Run, action: str) -> Delivery:
        workflow = workflow_payload(run.repository, run.workflow, self.url)
        payload = run_payload(run, run.latest, self.url)
        return self._deliver("workflow_run", action, run.repository, workflow_run=payload, workflow=workflow)

    def _tell_repository(self, repository: Repository, action: str, changes: dict[str, Any] | None = None) -> Delivery:
        return self._deliver("repository", action, repository, **({"changes": changes} if changes else {}))

    def _deliver(self, event: str, action: str, repository: Repository, **subject: Any) -> Delivery:
        number = len(self.deliveries) + 1
        common = {
            "repository": repository_payload(repository, self.url),
            "organization": {"login": repository.owner, "id": owner_id(repository.owner)},
            "sender": account("ada", "User"),
        }
        delivery = Delivery(
            f"{number:08x}-0000-4000-8000-{number:012x}", event, {"action": action, **subject, **common}
        )
        self.deliveries.append(delivery)
        return delivery

    # -- what is true

    def truth(self) -> Truth:
        """Return every attempt and job there ever was, as GitHub last showed it."""
        with self.lock:
            return truth_of(self.runs.values())

    def _next(self, kind: str, start: int) -> int:
        self._numbers[kind] = self._numbers.get(kind, start) + 1
        return self._numbers[kind]


def _is_rerun(job: Job) -> bool:
    return job.conclusion != "success"
