"""Any history, polled, told by webhook and interrupted in any order: the tables end up as the world is."""

import os
import random
import tempfile
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from phoenix_metrics.defs.intake import land
from phoenix_metrics.defs.polling import Poll, sync_github
from phoenix_metrics.settings import load_settings
from phoenix_metrics.sources.github.deliveries import delivered_items
from phoenix_metrics.warehouse.staging import load_landing
from phoenix_metrics.warehouse.store import writing
from tests.conftest import MODELS, publish_landing, rows
from tests.world import Chaos, Delivery, Run, World, serving

START = datetime(2026, 3, 2, 8, tzinfo=UTC)
CONCLUSIONS = ["success", "success", "failure", "timed_out", "startup_failure", "action_required"]
EXAMPLES = int(os.environ.get("STATE_MACHINE_EXAMPLES", "12"))


class Killed(BaseException):
    """The process ends here, whatever it was about to do."""


class KilledAt:
    """A progress that ends the process after so many runs."""

    def __init__(self, count: int) -> None:
        self.count = count

    def expect(self, count: int) -> None:
        """Nothing to count yet."""

    def advance(self, count: int) -> None:
        """Count down to the end."""
        self.count -= count
        if self.count < 0:
            raise Killed


class AnyHistory(RuleBasedStateMachine):
    """Things that happen at GitHub, between things that happen here."""

    @initialize(
        carried=st.sampled_from(["new", "same", "kept"]),
        detail=st.sampled_from(["full", "live", "failed", "webhooks"]),
        chaos=st.one_of(st.none(), st.integers(0, 99)),
    )
    def begin(self, carried: str, detail: str, chaos: int | None) -> None:
        """An organisation with two repositories, and an empty home."""
        self.stack = ExitStack()
        self.home = Path(self.stack.enter_context(tempfile.TemporaryDirectory(prefix="history-")))
        self.world = World(START, carried=carried)
        self.server = self.stack.enter_context(serving(self.world, chaos=Chaos(chaos) if chaos is not None else None))
        self.repositories = [self.world.add_repository(name) for name in ("shop", "depot")]
        self.delivered: list[Delivery] = []
        self.serial = 0
        environ = {
            "PHOENIX_HOME": str(self.home),
            "PHOENIX_GITHUB_API_URL": self.server.url,
            "PHOENIX_GITHUB_REPOSITORIES": "acme/shop,acme/depot",
            "PHOENIX_GITHUB_SINCE": "2026-03-01",
            "PHOENIX_GITHUB_DETAIL": detail,
        }
        self.settings = load_settings(environ)

    def teardown(self) -> None:
        """At the end the polls have time to find everything; then the tables equal the world."""
        if hasattr(self, "world"):
            try:
                self.settle_and_compare()
            finally:
                self.stack.close()

    # -- what happens at GitHub

    @rule(which=st.integers(0, 1), count=st.integers(1, 3), jobs=st.integers(1, 3))
    def push(self, which: int, count: int, jobs: int) -> None:
        """Runs are created."""
        for _ in range(count):
            names = tuple(f"test ({number})" for number in range(jobs))
            self.world.create_run(self.repositories[which], names)
            self.world.advance(seconds=7)

    @precondition(lambda self: self.open_runs())
    @rule(pick=st.randoms(use_true_random=False))
    def start(self, pick: random.Random) -> None:
        """A runner takes the jobs of a run."""
        self.world.start(pick.choice(self.open_runs()))

    @precondition(lambda self: self.open_runs())
    @rule(pick=st.randoms(use_true_random=False), conclusion=st.sampled_from(CONCLUSIONS))
    def complete(self, pick: random.Random, conclusion: str) -> None:
        """A run ends."""
        self.world.advance(seconds=30)
        self.world.complete(pick.choice(self.open_runs()), conclusion)

    @precondition(lambda self: self.open_runs())
    @rule(pick=st.randoms(use_true_random=False))
    def cancel(self, pick: random.Random) -> None:
        """A run is cancelled."""
        self.world.cancel(pick.choice(self.open_runs()))

    @rule(pick=st.randoms(use_true_random=False), which=st.sampled_from(["all", "failed"]))
    def rerun(self, pick: random.Random, which: str) -> None:
        """A run is run again, in whole or its failed jobs."""
        able = [run for run in self.runs() if self.world.can_rerun(run, which)]
        if able:
            self.world.rerun(pick.choice(able), which)

    @precondition(lambda self: self.runs())
    @rule(pick=st.randoms(use_true_random=False))
    def delete(self, pick: random.Random) -> None:
        """A run is deleted."""
        self.world.delete_run(pick.choice(self.runs()))

    @precondition(lambda self: self.runs())
    @rule(pick=st.randoms(use_true_random=False))
    def touch(self, pick: random.Random) -> None:
        """A run's updated_at moves for no visible reason."""
        self.world.touch(pick.choice(self.runs()))

    @rule(which=st.integers(0, 1), name=st.sampled_from(["market", "store", "yard"]))
    def rename(self, which: int, name: str) -> None:
        """A repository gets another name."""
        if f"acme/{name}" not in self.world.by_name:
            self.world.rename_repository(self.repositories[which], name)

    @rule(span=st.sampled_from([timedelta(minutes=5), timedelta(hours=2), timedelta(days=1), timedelta(days=9)]))
    def wait(self, span: timedelta) -> None:
        """Time passes."""
        self.world.now += span

    # -- what happens here

    @rule(everything=st.booleans())
    def poll(self, everything: bool) -> None:
        """The schedule ticks, or somebody runs the command."""
        sync_github(self.settings, Poll(everything=everything), clock=self.clock)

    @rule(count=st.integers(0, 4))
    def poll_and_die(self, count: int) -> None:
        """A pass is killed."""
        with suppress(Killed):
            sync_github(self.settings, Poll(), KilledAt(count), clock=self.clock)

    @rule(pick=st.randoms(use_true_random=False))
    def hear(self, pick: random.Random) -> None:
        """Some of the deliveries sent so far arrive, in any order, some of them once more."""
        sent = self.world.deliveries
        heard = pick.sample(sent, pick.randint(0, len(sent)))
        self.deliver(heard + heard[: len(heard) // 3])

    @rule()
    def load(self) -> None:
        """What is in landing is loaded."""
        with writing(self.home) as connection:
            load_landing(connection, self.home, MODELS)

    # -- what must hold

    def settle_and_compare(self) -> None:
        """Two polls that look for everything, an hour and a day later."""
        self.server.chaos = None
        for run in self.open_runs():
            self.world.complete(run, "success")
        for _ in range(2):
            self.world.advance(hours=25)
            passes = sync_github(self.settings, Poll(reconcile=True, deep=True), clock=self.clock)
            assert {done.state for done in passes} == {"ok"}, [done.note for done in passes]
        publish_landing(self.home)
        self.compare_runs()
        self.compare_jobs()

    def compare_runs(self) -> None:
        """Every attempt of every run that is still there is stored as it ended; those gone are marked."""
        stored = {
            (row["run_id"], row["run_attempt"]): row
            for row in rows(
                self.home,
                "select run_id, run_attempt, status, conclusion, created_at, started_at from marts.run_attempts",
            )
        }
        truth = {(run.run_id, run.attempt): run for run in self.world.truth().runs}
        there = {key: run for key, run in truth.items() if not run.is_deleted}
        assert set(there) <= set(stored) <= set(truth)
        for key, run in there.items():
            expected = (run.status, run.conclusion, run.created_at, run.started_at)
            row = stored[key]
            found = (row["status"], row["conclusion"], _iso(row["created_at"]), _iso(row["started_at"]))
            assert found == expected, key
        query = "select run_id from marts.workflow_runs where source_deleted_at is not null"
        marked = {row["run_id"] for row in rows(self.home, query)}
        assert marked == {run.run_id for key, run in truth.items() if run.is_deleted and key in stored}

    def compare_jobs(self) -> None:
        """Every job of those runs is stored once, as it ended, and those only listed again are told apart."""
        query = "select job_id, run_id, run_attempt, job, status, conclusion, is_carried_over from marts.jobs"
        stored = {row["job_id"]: row for row in rows(self.home, query)}
        jobs = [job for job in self.world.truth().jobs if not job.is_deleted]
        ran = {job.job_id: job for job in sorted(jobs, key=lambda job: -job.attempt)}  # its first attempt counts
        for job_id, job in ran.items():
            expected = (job.run_id, job.attempt, job.name, job.status, job.conclusion)
            row = stored[job_id]
            found = (row["run_id"], row["run_attempt"], row["job"], row["status"], row["conclusion"])
            assert found == expected, job_id
            assert row["is_carried_over"] == job.is_carried_over, job_id
        assert set(stored) <= {job.job_id for job in self.world.truth().jobs}

    # -- helpers

    def clock(self) -> datetime:
        """The world's time."""
        return self.world.now

    def runs(self) -> list[Run]:
        """Runs that are still there."""
        return [run for run in self.world.runs.values() if run.gone is None]

    def open_runs(self) -> list[Run]:
        """Runs that have not ended."""
        return [run for run in self.runs() if run.latest.status != "completed"]

    def deliver(self, deliveries: list[Delivery]) -> None:
        """Land what deliveries say, as the drain does."""
        for delivery in deliveries:
            if delivery.event.startswith("workflow"):
                number = delivery.payload["repository"]["id"]
                land(self.home, number, delivered_items(delivery.event, delivery.payload), self.world.now)


def _iso(moment: Any) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


TestAnyHistory = AnyHistory.TestCase
TestAnyHistory.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # a failing history is short enough as it is
)
