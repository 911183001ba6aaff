"""Random executions of a few jobs at a few commits, and what is flaky in them in plain Python from the definitions."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from math import sqrt
from typing import Any

from hypothesis import strategies as st

Row = dict[str, Any]
START = date(2026, 3, 1)
Z = 1.959963984540054  # of a standard normal distribution, 95 % lie within


@dataclass(frozen=True)
class Run:
    """A run of a workflow at a commit."""

    run_id: int
    workflow_id: int
    event: str
    head_sha: str
    day: date
    is_default_branch: bool

    @property
    def created_at(self) -> datetime:
        """When it was created: runs of a day come one after the other."""
        return datetime.combine(self.day, time()) + timedelta(minutes=self.run_id)

    @property
    def commit(self) -> tuple[str, str]:
        """What counts as one observation of a job."""
        return self.head_sha, self.event


@dataclass(frozen=True)
class Try:
    """An attempt of a run, as a whole or of one of its jobs, and how it ended."""

    run: Run
    attempt: int
    outcome: str
    job: str = ""
    job_id: int = 0
    is_executed: bool = True
    conclusion: str = ""

    @property
    def completed_at(self) -> datetime:
        """When it ended."""
        return self.run.created_at + timedelta(hours=self.attempt)

    @property
    def lost_seconds(self) -> int:
        """How long it took."""
        return 60 * self.attempt + self.job_id % 7

    @property
    def page(self) -> str:
        """Where it can be seen."""
        return f"{self.run.run_id}/{self.job_id}" if self.job else f"{self.run.run_id}/attempts/{self.attempt}"


@dataclass(frozen=True)
class Story:
    """Attempts of runs and the jobs in them."""

    attempts: tuple[Try, ...]
    jobs: tuple[Try, ...]

    def of(self, runs: Iterable[int]) -> "Story":
        """Return what of it is about some runs."""
        wanted = set(runs)
        return Story(
            tuple(one for one in self.attempts if one.run.run_id in wanted),
            tuple(one for one in self.jobs if one.run.run_id in wanted),
        )

    @property
    def run_ids(self) -> list[int]:
        """Its runs."""
        return sorted({one.run.run_id for one in self.attempts})


@st.composite
def stories(draw: st.DrawFn, max_runs: int = 14) -> Story:
    """Draw runs that often share a commit, some of them weeks apart."""
    attempts: list[Try] = []
    jobs: list[Try] = []
    for run_id in range(1, draw(st.integers(1, max_runs)) + 1):
        run = Run(
            run_id,
            workflow_id=draw(st.sampled_from([1, 1, 2])),
            event=draw(st.sampled_from(["push", "push", "pull_request"])),
            head_sha=draw(st.sampled_from("abc")),
            day=START + timedelta(days=draw(st.sampled_from([0, 0, 1, 16, 30, 44]))),
            is_default_branch=draw(st.booleans()),
        )
        for attempt in range(1, draw(st.sampled_from([1, 1, 1, 2, 3])) + 1):
            conclusion = draw(st.sampled_from(["success", "failure", "timed_out", "cancelled", "startup_failure"]))
            settled = conclusion if conclusion in ("success", "cancelled") else "failure"
            attempts.append(Try(run, attempt, settled, conclusion=conclusion))
            names = draw(st.lists(st.sampled_from(["lint", "test"]), max_size=3))
            jobs += [_job(draw, run, attempt, place, name) for place, name in enumerate(names)]
    return Story(tuple(attempts), tuple(jobs))


def _job(draw: st.DrawFn, run: Run, attempt: int, place: int, name: str) -> Try:
    outcome = draw(st.sampled_from(["success", "success", "failure", "failure", "cancelled", "skipped"]))
    is_executed = outcome != "skipped" and draw(st.sampled_from([True, True, True, False]))
    return Try(run, attempt, outcome, name, run.run_id * 100 + attempt * 10 + place, is_executed)


def run_flakes(story: Story) -> list[Row]:
    """Return `marts.run_flakes`."""
    counted = [one for one in story.attempts if one.conclusion != "startup_failure"]
    found = _contradicted(counted, [one for one in counted if one.outcome == "success"])
    return [
        {
            "run_id": failed.run.run_id,
            "run_attempt": failed.attempt,
            "level": level,
            "failed_url": failed.page,
            "passed_run_id": passed.run.run_id,
            "passed_run_attempt": passed.attempt,
            "passed_url": passed.page,
        }
        for failed, level, passed in found
    ]


def job_flakes(story: Story) -> list[Row]:
    """Return `marts.job_flakes`."""
    return [
        {
            "job_id": failed.job_id,
            "level": level,
            "failed_at": failed.completed_at,
            "failed_url": failed.page,
            "passed_job_id": passed.job_id,
            "passed_url": passed.page,
            "lost_seconds": failed.lost_seconds,
        }
        for failed, level, passed in flaky_failures(story)
    ]


def flaky_failures(story: Story) -> list[tuple[Try, str, Try]]:
    """Return each execution that something contradicts, how strongly, and what does."""
    executed = [one for one in story.jobs if one.is_executed]
    by_attempt: dict[tuple[int, int, str], list[Try]] = defaultdict(list)
    for one in executed:
        by_attempt[one.run.run_id, one.attempt, one.job].append(one)
    passed = [group[-1] for group in by_attempt.values() if {one.outcome for one in group} == {"success"}]
    return _contradicted(executed, passed)


def _contradicted(tries: Sequence[Try], passed: Sequence[Try]) -> list[tuple[Try, str, Try]]:
    found = []
    for failed in (one for one in tries if one.outcome == "failure"):
        same = [
            one
            for one in passed
            if (one.job, one.run.workflow_id, one.run.head_sha)
            == (failed.job, failed.run.workflow_id, failed.run.head_sha)
        ]
        classes: dict[str, Callable[[Try], bool]] = {
            "L1": lambda one, run=failed.run: one.run == run,  # type: ignore[misc]
            "L2": lambda one, run=failed.run: one.run.event == run.event,  # type: ignore[misc]
            "L2x": lambda one: True,
        }
        for level, proves in classes.items():
            proofs = [one for one in same if proves(one)]
            if proofs:
                found.append((failed, level, proofs[-1]))
                break
    return found


def flaky_jobs(story: Story) -> list[Row]:
    """Return `marts.flaky_jobs`."""
    newest = max(one.run.day for one in story.attempts)
    begun = newest - timedelta(days=30)
    proofs = {failed.job_id: level for failed, level, _ in flaky_failures(story)}
    rows = []
    for (workflow_id, name), tries in _by_job(story).items():
        recent = [one for one in tries if one.run.day > begun]
        suspected = [one for one in isolated(story) if (one.run.workflow_id, one.job) == (workflow_id, name)]
        evidence = [(one, proofs[one.job_id]) for one in recent if one.job_id in proofs]
        evidence += [(one, "L4") for one in suspected if len(suspected) > 1]
        if evidence:
            first = min((one.completed_at for one in tries if one.job_id in proofs), default=None)
            row = _flaky_job(recent, evidence, newest)
            rows.append({"workflow_id": workflow_id, "job": name, "first_seen_at": first, **row})
    return rows


def _flaky_job(recent: list[Try], evidence: list[tuple[Try, str]], newest: date) -> Row:
    proven = [one for one, level in evidence if level in ("L1", "L2")]
    decided = [one for one in recent if one.outcome in ("success", "failure")]
    passed = [one for one in decided if one.outcome == "success"]
    flaky, observed = len({one.run.commit for one in proven}), len({one.run.commit for one in decided})
    last = max(one.completed_at for one, _ in evidence)
    since = sum(one.run.day > last.date() for one in passed)
    low, high = wilson(flaky, observed)
    levels = [level for _, level in evidence]
    return {
        "level": min(levels),
        "flaky_count": flaky,
        "observation_count": observed,
        "flaky_ratio": flaky / observed,
        "ratio_low": low,
        "ratio_high": high,
        "is_ranked": observed >= 20,
        "score": (len(proven) + 1) / (len(passed) + len(proven) + 21),
        "flaky_failure_count": len(proven),
        "execution_count": len(decided),
        "success_count": len(passed),
        "hint_count": levels.count("L2x"),
        "suspicion_count": levels.count("L4"),
        "last_seen_at": last,
        "success_count_since": since,
        "is_healed": since >= 5 and newest - last.date() >= timedelta(days=14),
        "lost_seconds": sum(one.lost_seconds for one in proven),
    }


def isolated(story: Story) -> list[Try]:
    """Return the last failed execution of each job that stands between two passes of other commits on the mainline."""
    begun = max(one.run.day for one in story.attempts) - timedelta(days=30)
    proofs = {failed.job_id for failed, level, _ in flaky_failures(story) if level in ("L1", "L2")}
    found = []
    for before, middle, after in _in_threes(one.run for one in story.attempts if one.run.day > begun):
        for name in ("lint", "test"):
            ran = {run: [one for one in story.jobs if one.run == run and one.job == name and one.is_executed]
                   for run in (before, middle, after)}  # fmt: skip
            failed = [one for one in ran[middle] if one.outcome == "failure" and one.job_id not in proofs]
            if failed and all({one.outcome for one in ran[run]} == {"success"} for run in (before, after)):
                found.append(failed[-1])
    return found


def _in_threes(runs: Iterable[Run]) -> Iterator[tuple[Run, Run, Run]]:
    rows: dict[tuple[int, str], list[Run]] = defaultdict(list)
    for run in sorted({run for run in runs if run.is_default_branch}, key=lambda run: run.created_at):
        rows[run.workflow_id, run.event].append(run)
    for row in rows.values():
        for before, middle, after in zip(row, row[1:], row[2:], strict=False):
            if middle.head_sha not in (before.head_sha, after.head_sha):
                yield before, middle, after


def wilson(count: int, total: int) -> tuple[float, float]:
    """Return the 95 % interval of a share, as Wilson gave it in 1927."""
    share = count / total
    middle = (share + Z * Z / (2 * total)) / (1 + Z * Z / total)
    half = Z / (1 + Z * Z / total) * sqrt(share * (1 - share) / total + Z * Z / (4 * total * total))
    return max(middle - half, 0), min(middle + half, 1)


def _by_job(story: Story) -> dict[tuple[int, str], list[Try]]:
    grouped: dict[tuple[int, str], list[Try]] = defaultdict(list)
    for one in story.jobs:
        if one.is_executed:
            grouped[one.run.workflow_id, one.job].append(one)
    return grouped
