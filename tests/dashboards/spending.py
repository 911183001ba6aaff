"""An organisation that spends: jobs on four kinds of runners, waste, budgets and a bill, with its truth beside it."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from math import ceil
from pathlib import Path
from typing import Any

from phoenix_metrics.warehouse.landing import Record, write_batch
from phoenix_metrics.warehouse.rules import Rules
from tests.conftest import publish_landing

APP, LIB, TOOLS = "acme/app", "acme/lib", "acme/tools"
REPOSITORIES = {APP: (1, True), LIB: (2, False), TOOLS: (3, True)}  # id, and whether it is private
TEAMS = {APP: "web", LIB: "web", TOOLS: None}
LINUX, BIG, DEPOT = "ubuntu-latest", "ubuntu-latest-8-cores", "depot-ubuntu-22.04"
SKUS = {LINUX: "linux", BIG: "linux_8_core", DEPOT: "unknown"}
# Sums of these, and half of them, never lie between two cents, so that both sides round them alike.
PRICES = {"linux": Decimal("0.008"), "linux_8_core": Decimal("0.02"), "linux_arm": Decimal("0.004")}
BUDGETS = {("total", "total"): Decimal(40), ("team", "web"): Decimal("0.5")}
RULES = Rules(
    teams=[("web", APP), ("web", LIB)],
    own_prices=[(sku, price, None) for sku, price in PRICES.items()],
    spending_limits=[
        (scope, subject, "%" if scope == "total" else subject, usd) for (scope, subject), usd in BUDGETS.items()
    ],
)
BILLED_SKUS = {"linux": "Actions Linux", "linux_8_core": "Actions Linux 8-core"}
UNMEASURED_MINUTES = 100  # a day, of a repository that is not measured
EXTRA_MINUTES = 4  # that the bill has more, on its newest day
DISCOUNT = 0.5


@dataclass(frozen=True)
class Job:
    """A job of an attempt: where and how long it ran, and why its work came to nothing, if it did."""

    name: str
    label: str
    seconds: int
    conclusion: str = "success"
    waste_class: str | None = None
    delay: timedelta = timedelta(0)


@dataclass(frozen=True)
class Run:
    """A run with the jobs of each attempt."""

    age: timedelta
    attempts: tuple[tuple[Job, ...], ...]
    repository: str = APP
    branch: str = "main"


@dataclass(frozen=True)
class Use:
    """A job as it is paid for: the truth that the page has to show."""

    created_at: datetime
    began_at: datetime
    repository: str
    sku: str
    job: Job
    minutes: int = field(init=False)
    usd: Decimal | None = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "minutes", self.minutes_at(1))
        object.__setattr__(self, "usd", self.usd_on(self.sku, self.minutes))

    def minutes_at(self, factor: float) -> int:
        """Return the whole minutes of the job if its duration changes by a factor."""
        return max(ceil(self.job.seconds * factor / 60), 1)

    def usd_on(self, sku: str, minutes: int) -> Decimal | None:
        """Return what minutes of the job's repository cost on a runner; standard ones are free if it is public."""
        if sku == "unknown":
            return None
        return (
            Decimal(0)
            if sku in ("linux", "linux_arm") and not REPOSITORIES[self.repository][1]
            else minutes * PRICES[sku]
        )


def runs() -> tuple[Run, ...]:
    """Return a run a day for 70 days with two jobs, and others beside that waste, are free or have no price."""
    build, test = "build", "test"
    daily = [
        Run(
            timedelta(days=day, minutes=70),
            ((Job(build, LINUX, 90 + 50 * (day % 7)), Job(test, BIG, 61 + 20 * (day % 5))),),
        )
        for day in range(70)
    ]
    free = [Run(timedelta(days=day, hours=2), ((Job(build, LINUX, 301),),), LIB) for day in range(0, 70, 3)]
    unpriced = [Run(timedelta(days=day, hours=3), ((Job(build, DEPOT, 200),),), TOOLS) for day in range(1, 70, 5)]
    public = [Run(timedelta(days=4, hours=5), ((Job(test, BIG, 500),),), LIB)]
    flaky = Run(
        timedelta(days=3, hours=1),
        ((Job(test, BIG, 600, "failure", "flaky"),), (Job(test, BIG, 660),)),
    )
    superseded = [
        Run(timedelta(days=2, minutes=64), ((Job(build, LINUX, 300, "cancelled", "superseded"),),), branch="fix"),
        Run(timedelta(days=2, minutes=60), ((Job(build, LINUX, 120),),), branch="fix"),
    ]
    outdated = [
        Run(
            timedelta(days=6, minutes=64),
            ((Job(build, LINUX, 420, waste_class="outdated", delay=timedelta(minutes=6)),),),
            branch="late",
        ),
        Run(timedelta(days=6, minutes=60), ((Job(build, LINUX, 120),),), branch="late"),
    ]
    return (*daily, *free, *unpriced, *public, flaky, *superseded, *outdated)


def uses(world: Iterable[Run], now: datetime) -> list[Use]:
    """Return every job of some runs as it is paid for."""
    return [
        Use(
            (now - run.age).replace(tzinfo=None, microsecond=0),
            began.replace(tzinfo=None),
            run.repository,
            SKUS[job.label],
            job,
        )
        for run in world
        for _, began, job in _executions(run, now)
    ]


def publish(
    home: Path, world: tuple[Run, ...], now: datetime, bill: Iterable[dict[str, Any]] = (), rules: Rules = RULES
) -> None:
    """Write what GitHub says of the runs, and its bill, to landing, and publish it through the real path."""
    described, syncs = [], []
    for name, (id_, is_private) in REPOSITORIES.items():
        payload = {"full_name": name, "default_branch": "main", "private": is_private}
        described.append(Record(id_, id_, now, json.dumps(payload)))
        sync = {
            "repository": name,
            "repository_id": id_,
            "state": "ok",
            "finished_at": now.isoformat(),
            "complete_since": "2020-01-01T00:00:00Z",
            "missing_window_count": 0,
        }
        syncs.append(Record(id_, None, now, json.dumps(sync)))
    write_batch(home, "github_repositories", described)
    write_batch(home, "github_syncs", syncs)
    payloads = [found for number, run in enumerate(world) for found in _payloads(1000 + number, run, now)]
    for kind in ("github_runs", "github_jobs"):
        records = [
            Record(
                REPOSITORIES[payload["repository"]][0],
                payload["id"],
                now,
                json.dumps(payload),
            )
            for found, payload in payloads
            if found == kind
        ]
        if records:
            write_batch(home, kind, records)
    lines = [Record(None, None, now, json.dumps(line)) for line in bill]
    if lines:
        write_batch(home, "github_billing_usage", lines)
    publish_landing(home, rules)


def bill_by_day(found: list[Use], last: date) -> list[dict[str, Any]]:
    """Return the lines of a bill to a last day: our minutes, a few more at its end, and what we do not measure."""
    charged = [use for use in found if use.usd and use.began_at.date() <= last]
    keys = sorted({(use.began_at.date(), use.repository, use.sku) for use in charged})
    lines = []
    for day, repository, sku in keys:
        minutes = sum(
            use.minutes for use in charged if (use.began_at.date(), use.repository, use.sku) == (day, repository, sku)
        )
        extra = EXTRA_MINUTES if (day, repository, sku) == (last, APP, "linux") else 0
        lines.append(line(day, repository, sku, minutes + extra, DISCOUNT))
    return lines + [line(day, "acme/old", "linux", UNMEASURED_MINUTES, 0) for day in sorted({day for day, *_ in keys})]


def line(day: date, repository: str, sku: str, minutes: int, discount: float) -> dict[str, Any]:
    """Return a line of GitHub's bill by day."""
    price = float(PRICES[sku])
    gross = minutes * price
    return {
        "shape": "usage",
        "organization": "acme",
        "year": day.year,
        "month": day.month,
        "date": f"{day}T00:00:00Z",
        "product": "Actions",
        "sku": BILLED_SKUS[sku],
        "unitType": "Minutes",
        "quantity": minutes,
        "pricePerUnit": price,
        "grossAmount": gross,
        "discountAmount": gross * discount,
        "netAmount": gross * (1 - discount),
        "repositoryName": repository,
    }


def line_of_month(day: date, minutes: int) -> dict[str, Any]:
    """Return an item of GitHub's bill by month, which names no repository."""
    return {
        "shape": "summary",
        "organization": "acme",
        "year": day.year,
        "month": day.month,
        "product": "Actions",
        "sku": "actions_linux",
        "unitType": "minutes",
        "grossQuantity": minutes,
        "pricePerUnit": 0.005,
        "grossAmount": minutes * 0.005,
        "discountAmount": 0,
        "netAmount": minutes * 0.005,
    }


def _executions(run: Run, now: datetime) -> Iterator[tuple[int, datetime, Job]]:
    started = (now - run.age).replace(microsecond=0)
    for number, jobs in enumerate(run.attempts, start=1):
        for job in jobs:
            yield number, started + job.delay + timedelta(seconds=2), job
        started += timedelta(minutes=30)


def _payloads(run_id: int, run: Run, now: datetime) -> Iterator[tuple[str, dict[str, Any]]]:
    created = now - run.age
    url = f"https://github.com/{run.repository}/actions/runs/{run_id}"
    executions = list(_executions(run, now))
    for number, jobs in enumerate(run.attempts, start=1):
        began = [at for attempt, at, _ in executions if attempt == number]
        ended = max(at + timedelta(seconds=job.seconds) for attempt, at, job in executions if attempt == number)
        yield (
            "github_runs",
            {
                "id": run_id,
                "repository": run.repository,
                "run_attempt": number,
                "run_number": run_id - 999,
                "workflow_id": 10 * REPOSITORIES[run.repository][0],
                "name": "CI",
                "path": ".github/workflows/ci.yml",
                "event": "push",
                "head_branch": run.branch,
                "head_sha": f"{run_id:040x}",
                "head_repository": {"id": REPOSITORIES[run.repository][0]},
                "status": "completed",
                "conclusion": next((job.conclusion for job in jobs if job.conclusion != "success"), "success"),
                "created_at": _text(created),
                "run_started_at": _text(min(began) - timedelta(seconds=2)),
                "updated_at": _text(ended),
                "html_url": url,
            },
        )
    for ordinal, (number, at, job) in enumerate(executions):
        job_id = run_id * 10 + ordinal
        yield (
            "github_jobs",
            {
                "id": job_id,
                "repository": run.repository,
                "run_id": run_id,
                "run_attempt": number,
                "name": job.name,
                "status": "completed",
                "conclusion": job.conclusion,
                "created_at": _text(at - timedelta(seconds=2)),
                "started_at": _text(at),
                "completed_at": _text(at + timedelta(seconds=job.seconds)),
                "labels": [job.label],
                "runner_id": 7,
                "runner_name": "runner-7",
                "runner_group_name": "GitHub Actions" if job.label == LINUX else "larger",
                "html_url": f"{url}/job/{job_id}",
            },
        )


def _text(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
