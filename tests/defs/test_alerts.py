"""Alerts through the real asset graph, with a clock that is set: from runs at GitHub to one row for each episode."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from phoenix_metrics.pipeline import run_sync
from phoenix_metrics.settings import Settings, load_settings
from phoenix_metrics.warehouse.store import store_path
from tests.alerts.receiver import Receiver, receiving
from tests.conftest import rows
from tests.defs.moving_clock import MovingClock, moving
from tests.github_server import Answer, GitHub

START = datetime(2026, 1, 5, 12, tzinfo=UTC)
RATE = "CICDPipelineFailureRate"
TOTAL = "all pipelines together"
FIGURES = {
    "value": 1.0,
    "threshold": 0.1,
    "sample_count": 4,
    "note": "4 of 4 runs of the last hour failed",
    "repository": "acme/shop",
    "workflow": "CI",
    "started_at": START.replace(tzinfo=None),
    "fired_at": START.replace(tzinfo=None, minute=10),
    "ended_at": None,
}


@pytest.fixture
def environment(github: GitHub, slack: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """The process's environment pointed at the small GitHub, with a rule that needs four runs and ten minutes."""
    for name in list(os.environ):
        if name.startswith(("PHOENIX_", "DAGSTER_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PHOENIX_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PHOENIX_GITHUB_API_URL", github.url)
    monkeypatch.setenv("PHOENIX_GITHUB_REPOSITORIES", github.full_name)
    monkeypatch.setenv("PHOENIX_GITHUB_SINCE", "2026-01-01")
    monkeypatch.setenv("PHOENIX_GITHUB_CONTEXT", "none")
    monkeypatch.setenv("PHOENIX_FAILURE_MIN_RUNS", "4")
    monkeypatch.setenv("PHOENIX_FAILURE_FOR", "10m")
    monkeypatch.setenv("PHOENIX_SLACK_WEBHOOK", slack.url)
    yield load_settings(os.environ)
    os.environ.pop("DAGSTER_HOME", None)


@pytest.fixture
def slack() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def clock() -> Iterator[MovingClock]:
    with moving(MovingClock(START)) as moved:
        yield moved


def add_runs(github: GitHub, clock: MovingClock, count: int, conclusion: str) -> None:
    """Let runs begin a quarter of an hour ago, which takes them to end five minutes ago."""
    first = len(github.attempts) + 1
    for run_id in range(first, first + count):
        begun = clock.ago(15)
        github.add_run(run_id, begun, conclusion, updated_at=clock.ago(5))


def episodes(settings: Settings) -> list[dict[str, object]]:
    """Return the rows of marts.alerts of the failure rate's rule, oldest first."""
    return rows(settings.home, f"from marts.alerts where rule = '{RATE}' order by subject, started_at")


def states(settings: Settings) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for row in episodes(settings):
        found.setdefault(str(row["subject"]), []).append(str(row["state"]))
    return found


def test_a_pipeline_breaks_and_is_mended(
    github: GitHub, slack: Receiver, environment: Settings, clock: MovingClock
) -> None:
    """It fires once, stands still while nothing is read, and resolves once, though the store is lost and Slack away."""
    add_runs(github, clock, 4, "failure")
    run_sync(environment)
    assert states(environment) == {"acme/shop CI": ["pending"], "all": ["pending"]}
    store_path(environment.home).unlink()  # what is known of the episodes is in landing
    clock.go_on(10)
    run_sync(environment)
    assert states(environment) == {"acme/shop CI": ["firing"], "all": ["firing"]}
    [row, _] = episodes(environment)
    assert {name: row[name] for name in FIGURES} == FIGURES
    assert str(row["evidence_urls"]).split() == [f"https://github.com/acme/shop/actions/runs/{n}" for n in (4, 3, 2)]
    said = [f"{RATE}: {subject}: 4 of 4 runs of the last hour failed" for subject in ("acme/shop CI", TOTAL)]
    assert sorted(slack.lines()) == said

    add_runs(github, clock, 60, "success")  # mended, which nobody hears of for 80 minutes
    github.extra[r".*/actions/runs"] = Answer(200, {"what": "is this"})
    clock.go_on(80)
    run_sync(environment)
    assert states(environment) == {"acme/shop CI": ["firing"], "all": ["firing"]}
    assert [row["is_frozen"] for row in episodes(environment)] == [True, True]
    stale = "select subject, state from marts.alerts where rule = 'CICDSourceStale'"
    assert rows(environment.home, stale) == [{"subject": "github", "state": "pending"}]

    github.extra.clear()
    slack.status = 500
    for state in ("firing", "resolved"):
        clock.go_on(16)
        run_sync(environment)
        assert states(environment) == {"acme/shop CI": [state], "all": [state]}
    assert rows(environment.home, stale) == []  # it was over before it was an alert
    assert sorted(slack.lines()) == said
    slack.status = 200
    store_path(environment.home).unlink()
    for _ in range(2):  # Slack is back, and is told what it missed, once
        clock.go_on(60)
        run_sync(environment)
    assert states(environment) == {"acme/shop CI": ["resolved"], "all": ["resolved"]}
    assert sorted(slack.lines()) == sorted([*said, *(f"resolved: {line}" for line in said)])
