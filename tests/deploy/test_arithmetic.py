"""LIVE: what Prometheus makes of our counters, held against SQL on the same home.

Exporter and Prometheus are real and a scrape takes place each second. It takes about a minute, and is left out where
Prometheus is not installed.
"""

import math
import re
import time
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import NormalDist

import pytest

from phoenix_metrics.settings import CHECKOUT
from phoenix_metrics.warehouse.store import writing
from tests.conftest import rows
from tests.deploy.running import PROMETHEUS, ask, exporter, prometheus, value
from tests.exporter.delivered import EUROPE, LOOKS, collect
from tests.exporter.landed import (
    NOW,
    REPOSITORIES,
    Attempt,
    ago,
    land,
    land_pass,
    land_repositories,
    land_workflow,
    publish,
)
from tests.exporter.serving import free_ports, wait_for
from tests.exporter.truth import bounds

pytestmark = pytest.mark.skipif(PROMETHEUS is None, reason="Prometheus is not installed")

FROM, TO = ago(minutes=45), NOW  # the window by our clock; nothing is under way at its edges
QUIET_SECONDS = 3  # in which scrapes see what stands now, so that the window's edges lie where nothing changes
SETTLED = 'sum(github_actions_workflow_run_total) + sum(github_actions_workflow_run_late_total{status="completed"})'
OLD = [Attempt(1, ago(hours=2)), Attempt(2, ago(hours=2), "failure"), Attempt(3, ago(hours=2), repository="acme/api")]
NEWS = (  # in the order in which they are published
    [
        *(Attempt(10 + n, ago(minutes=40), duration_seconds=61 * n) for n in range(1, 6)),
        Attempt(20, ago(minutes=42), "failure"),
        Attempt(21, ago(minutes=41), workflow="Deploy", duration_seconds=30),
    ],
    [
        Attempt(30, ago(minutes=30), "timed_out", duration_seconds=600),
        Attempt(31, ago(minutes=30), "failure", workflow="Deploy"),
        Attempt(32, ago(minutes=29), "cancelled", repository="acme/api"),
    ],
    [Attempt(100 + n, ago(days=1 + n), "failure", duration_seconds=200, seen_at=NOW) for n in range(7)],  # a backfill
    [Attempt(40, ago(minutes=15)), Attempt(41, ago(minutes=14), "failure", repository="acme/api")],
)
SEEN = f"> timestamp '{FROM:%Y-%m-%d %H:%M:%S}'"


@dataclass(frozen=True)
class Told:
    """A Prometheus that has seen it all, the window by its clock, and the home that it was told of."""

    prometheus: str
    since: float
    until: float
    home: Path

    @property
    def window(self) -> str:
        """The window as Prometheus writes it."""
        return f"{(self.until - self.since) * 1000:.0f}ms"

    def increase(self, counter: str, *labels: str) -> dict[tuple[str, ...], float]:
        """Return what Prometheus says a counter has grown by in the window, where it has grown."""
        query = f"increase({counter}[{self.window}]) > 0"
        found = ask(self.prometheus, "query", query=query, time=self.until)["result"]
        return {tuple(one["metric"][label] for label in labels): float(one["value"][1]) for one in found}

    def stretch(self) -> float:
        """Return by what `increase()` may at most exceed: the window, over the time between its outermost samples."""
        samples = ask(self.prometheus, "query", query=f"phoenix_snapshot_readable[{self.window}]", time=self.until)
        times = [at for one in samples["result"] for at, _ in one["values"]]
        return (self.until - self.since) / (max(times) - min(times))


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """Live through publications between scrapes, a restart, a backfill and a store made anew."""
    folder = tmp_path_factory.mktemp("arithmetic")
    home, (scraped, port) = folder / "home", free_ports(2)
    land_repositories(home, ago(days=30))
    add(home, OLD)
    collect(home, [look for look in LOOKS if look <= FROM])
    with ExitStack() as stack, ExitStack() as first:
        first.enter_context(exporter(folder, home, scraped))
        address = stack.enter_context(prometheus(folder, port, scraped, rules=False))
        wait_for(lambda: value(address, SETTLED) == len(OLD))
        since = after_a_rest()
        publish(home, NEWS[0])
        wait_for(lambda: value(address, SETTLED) == len(OLD) + len(NEWS[0]))
        first.close()
        publish(home, NEWS[1])
        stack.enter_context(exporter(folder, home, scraped))
        wait_for(lambda: value(address, SETTLED) == len(OLD) + sum(map(len, NEWS[:2])))
        add(home, NEWS[2])
        collect(home, [look for look in LOOKS if look > FROM], projects=f"default,{EUROPE}")
        wait_for(lambda: value(address, SETTLED) == len(OLD) + sum(map(len, NEWS[:3])))
        for file in home.glob("store.duckdb*"):
            file.unlink()
        publish(home, NEWS[3])
        wait_for(lambda: value(address, SETTLED) == len(OLD) + sum(map(len, NEWS)))
        yield Told(address, since, after_a_rest(), home)


def add(home: Path, attempts: Sequence[Attempt]) -> None:
    """Land attempts and a pass over each repository."""
    land(home, *attempts)
    for repository in REPOSITORIES:
        land_pass(home, repository, NOW)


def after_a_rest() -> float:
    """Let scrapes see what stands, and return a moment amid them."""
    time.sleep(QUIET_SECONDS)
    now = time.time()
    time.sleep(QUIET_SECONDS)
    return round(now, 3)  # Prometheus counts in milliseconds


def in_sql(home: Path, query: str) -> dict[tuple[str, ...], float]:
    """Return what the store says, by all columns but the last."""
    with writing(home) as connection:
        return {row[:-1]: float(row[-1]) for row in connection.execute(query).fetchall()}


ATTEMPTS = """
    from marts.run_attempts as attempts
    inner join staging.github_run_attempts as seen using (run_id, run_attempt)
"""
COUNTED = {  # counter, its labels, and the same in SQL
    "runs": (
        "github_actions_workflow_run_total",
        ("repository", "workflow", "conclusion"),
        f"""
            select attempts.repository, attempts.workflow, attempts.settled_conclusion, count(*) {ATTEMPTS}
            where not attempts.is_late and seen.settled_seen_at {SEEN}
            group by all
        """,
    ),
    "runs, late": (
        "github_actions_workflow_run_late_total",
        ("repository", "workflow", "conclusion"),
        f"""
            select attempts.repository, attempts.workflow, attempts.settled_conclusion, count(*) {ATTEMPTS}
            where attempts.is_late and seen.settled_seen_at {SEEN}
            group by all
        """,
    ),
    "deployments": (
        "phoenix_deployment_total",
        ("service", "environment", "status"),
        f"""
            select services.service, services.environment, services.status, count(*)
            from marts.service_deployments as services
            inner join marts.deployments as deployments using (deployment_id)
            where services.is_deployment and deployments.first_seen_at {SEEN}
                and deployments.first_seen_at <= services.finished_at + interval 6 hours
            group by all
        """,
    ),
    "rollbacks": (
        "phoenix_rollback_total",
        ("service", "environment", "kind"),
        f"""
            select service, environment, kind, count(*)
            from marts.rollbacks
            where first_seen_at {SEEN} and first_seen_at <= started_at + interval 6 hours
            group by all
        """,
    ),
    "rollbacks, late": (
        "phoenix_rollback_late_total",
        ("service", "environment", "kind"),
        f"""
            select service, environment, kind, count(*)
            from marts.rollbacks
            where first_seen_at {SEEN} and first_seen_at > started_at + interval 6 hours
            group by all
        """,
    ),
}
SUMMED = {
    "cost": (
        "github_actions_cost_usd_total",
        ("repository", "workflow"),
        f"""
            select attempts.repository, attempts.workflow, sum(attempts.cost_usd) {ATTEMPTS}
            where not attempts.is_late and seen.settled_seen_at {SEEN}
            group by all
            having sum(attempts.cost_usd) > 0
        """,
    ),
    "cost, late": (
        "github_actions_cost_usd_late_total",
        ("repository", "workflow"),
        f"""
            select attempts.repository, attempts.workflow, sum(attempts.cost_usd) {ATTEMPTS}
            where attempts.is_late and seen.settled_seen_at {SEEN}
            group by all
            having sum(attempts.cost_usd) > 0
        """,
    ),
}


@pytest.mark.parametrize("what", COUNTED)
def test_increases_are_what_sql_counts(told: Told, what: str) -> None:
    """Rounded, each series has grown by as many as SQL finds in the window, no more and no fewer series."""
    counter, labels, query = COUNTED[what]
    expected = in_sql(told.home, query)
    assert expected
    assert {series: round(grown) for series, grown in told.increase(counter, *labels).items()} == expected


@pytest.mark.parametrize("what", {**COUNTED, **SUMMED})
def test_increases_are_stretched_by_a_scrape_at_each_edge_at_most(told: Told, what: str) -> None:
    """Unrounded, they are never less than SQL's figure, nor more than the window's edges explain."""
    counter, labels, query = {**COUNTED, **SUMMED}[what]
    expected, found = in_sql(told.home, query), told.increase(counter, *labels)
    assert found.keys() == expected.keys()
    for series, grown in found.items():
        assert 1 - 1e-9 <= grown / expected[series] <= told.stretch() + 1e-6


def test_no_counter_fell(told: Told) -> None:
    """In all that time Prometheus has seen no reset, so nothing was counted twice."""
    names = [
        name for name in ask(told.prometheus, "label/__name__/values") if re.search("_(total|bucket|sum|count)$", name)
    ]
    assert len(names) > len(COUNTED) + len(SUMMED)
    assert {value(told.prometheus, f"sum(resets({name}[{told.window}]))", time=told.until) for name in names} == {0}


COUNT = 400  # runs of each kind
NORMAL = NormalDist()
SHARES = [(n + 0.5) / COUNT for n in range(COUNT)]


def around(median: float, spread: float, share: float) -> int:
    """Return the seconds below which a share of a log-normal distribution lies."""
    return round(median * math.exp(spread * NORMAL.inv_cdf(share)))


KINDS: dict[str, list[int]] = {  # seconds of COUNT runs, spread evenly over the distribution's shares
    "always 6 minutes": [360] * COUNT,
    "around 5 minutes": [around(300, 0.2, share) for share in SHARES],
    "2 to 20 minutes alike": [round(120 + 1080 * share) for share in SHARES],
    "from seconds to hours": [around(300, 1, share) for share in SHARES],
    "a minute if cached, else a quarter of an hour": [
        around(60, 0.1, share / 0.7) if share < 0.7 else around(900, 0.1, (share - 0.7) / 0.3) for share in SHARES
    ],
    "one in ten beyond 6 hours": [round(600 + 1800 * share) if share < 0.9 else 30000 for share in SHARES],
}
QUANTILES = ("0.5", "0.95", "0.99")


@dataclass(frozen=True)
class Estimate:
    """A quantile from the histogram, the exact one, and the bounds of the buckets that the exact one lies in."""

    estimated: float
    exact: float
    lower: float
    upper: float

    @property
    def error(self) -> float:
        """By which share of the exact one the other is above it."""
        return self.estimated / self.exact - 1

    def told(self) -> str:
        """Say it in whole percent."""
        return f"{round(100 * self.error):+d} %".replace("+0", "0")


@pytest.fixture(scope="module")
def estimates(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[tuple[str, str], Estimate]]:
    """Return the quantiles of each kind of workflow as Prometheus and as SQL have them."""
    folder = tmp_path_factory.mktemp("quantiles")
    home, (scraped, port) = folder / "home", free_ports(2)
    land_repositories(home, ago(days=30))
    for number, kind in enumerate(KINDS, 50):
        land_workflow(home, "acme/shop", kind, ago(days=30), workflow_id=number)
    publish(home)
    with exporter(folder, home, scraped), prometheus(folder, port, scraped, rules=False) as address:
        wait_for(lambda: value(address, SETTLED) == 0)
        land(home, *(attempt for number, kind in enumerate(KINDS, 50) for attempt in attempts_of(kind, number)))
        publish(home)
        wait_for(lambda: value(address, SETTLED) == COUNT * len(KINDS))
        yield {(kind, quantile): estimate(address, home, kind, quantile) for kind in KINDS for quantile in QUANTILES}


def attempts_of(kind: str, number: int) -> list[Attempt]:
    """Return the runs of a kind, which ended within the last day."""
    return [
        Attempt(
            1000 * number + n,
            ago(seconds=seconds + 60 * (n % 60)),
            duration_seconds=seconds,
            workflow=kind,
            workflow_id=number,
        )
        for n, seconds in enumerate(KINDS[kind])
    ]


def estimate(address: str, home: Path, kind: str, quantile: str) -> Estimate:
    """Ask Prometheus for both, and SQL for the exact one again."""
    series = f'{{workflow="{kind}"}}'
    buckets = f"increase(github_actions_workflow_run_duration_seconds_bucket{series}[5m])"
    estimated = value(address, f"histogram_quantile({quantile}, {buckets})")
    exact = value(address, f'phoenix_pipeline_duration_seconds{{workflow="{kind}",window="24h",quantile="{quantile}"}}')
    [row] = rows(
        home,
        f"select quantile_cont(duration_seconds, {quantile}) as exact from marts.run_attempts "
        f"where workflow = '{kind}'",
    )
    assert estimated is not None
    assert exact == row["exact"]
    below = math.floor((COUNT - 1) * float(quantile))
    ends = [-math.inf, *bounds("workflow_run_duration")]
    lower, upper = (bisect_left(ends, sorted(KINDS[kind])[rank]) for rank in (below, below + 1))
    return Estimate(estimated, exact, max(0, ends[lower - 1]), ends[upper])


def test_an_estimated_percentile_lies_in_the_bucket_of_the_exact_one(
    estimates: dict[tuple[str, str], Estimate],
) -> None:
    """Both lie between the bounds around the two runs that the exact one stands between; beyond 6 hours it is 6."""
    for its in estimates.values():
        assert its.lower <= its.exact <= its.upper
        assert its.lower - 1e-6 <= its.estimated <= its.upper + 1e-6
        if math.isinf(its.upper):
            assert its.estimated == bounds("workflow_run_duration")[-2]


def test_the_docs_say_how_far_estimates_are_off(estimates: dict[tuple[str, str], Estimate]) -> None:
    """The errors in the table of docs/definitions.md are those measured here, the worst is what the bounds allow."""
    text = (CHECKOUT / "docs" / "definitions.md").read_text(encoding="utf-8")
    written = dict(re.findall(r"^\| ([^|]+) \| ([+-]?\d+ % \| [+-]?\d+ % \| [+-]?\d+ %) \|$", text, re.MULTILINE))
    assert written == {kind: " | ".join(estimates[kind, quantile].told() for quantile in QUANTILES) for kind in KINDS}
    finite = bounds("workflow_run_duration")[:-1]
    worst = max(upper / lower for lower, upper in pairwise(finite))
    assert f"at worst {1 - 1 / worst:.0%} below or {worst - 1:.0%} above".replace("%", " %") in text
