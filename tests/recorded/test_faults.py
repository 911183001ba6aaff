"""The recording of apache/ozone behind a server that fails once in seven requests, or has a tiny budget.

The whole recording with PHOENIX_TEST_WHOLE_RECORDING=1, else its last 500 runs.
"""

import json
import os
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from phoenix_metrics.defs.polling import Pass, sync_github
from phoenix_metrics.settings import Settings, load_settings
from tests.conftest import all_marts, publish_landing
from tests.recorded.test_ozone import RECORDING, REPLAY, control, environment, lines, replaying, settings_for

pytestmark = pytest.mark.skipif(not (RECORDING.is_dir() and REPLAY.is_file()), reason="the recording is not here")

SECONDARY = {"message": "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."}
PRIMARY = {"message": "API rate limit exceeded for user ID 1."}
FAULTS: dict[str, dict[str, Any]] = {
    "502": {"every": 40, "status": 502},
    "broken off": {"every": 37, "truncate": True},
    "not JSON": {"every": 59, "status": 200, "body": "<html>unicorn</html>"},
    "403 primary": {"every": 53, "status": 403, "body": PRIMARY, "headers": {"x-ratelimit-remaining": "0"}},
    "403 secondary, with Retry-After": {"every": 91, "status": 403, "body": SECONDARY, "headers": {"retry-after": "1"}},
    "403 secondary, without": {"every": 131, "status": 403, "body": SECONDARY},
    "429 with Retry-After": {"every": 97, "status": 429, "body": SECONDARY, "headers": {"retry-after": "1"}},
    "429 without": {"every": 127, "status": 429, "body": SECONDARY},
    "slow": {"every": 67, "delay": 0.05},
}


class Patience:
    """A clock that is set ahead, instead of waiting until GitHub may be asked again."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def wait(self, span: timedelta) -> None:
        """Let time pass."""
        self.ahead += span


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recording, or its last 500 runs with their jobs."""
    if os.environ.get("PHOENIX_TEST_WHOLE_RECORDING"):
        return RECORDING
    folder = tmp_path_factory.mktemp("recording")
    runs = lines("runs")[-500:]
    kept = {run["id"] for run in runs}
    jobs = [job for job in lines("jobs") if job["run_id"] in kept]
    (folder / "runs.jsonl").write_text("\n".join(map(json.dumps, runs)))
    (folder / "jobs.jsonl").write_text("\n".join(map(json.dumps, jobs)))
    return folder


def until_whole(settings: Settings, patience: Patience, wait: timedelta) -> list[Pass]:
    """Sync again and again, as the schedule does, until a pass reads to the end; return the passes."""
    passes: list[Pass] = []
    while not passes or passes[-1].state != "ok":
        passes += sync_github(settings, clock=patience)
        assert passes[-1].state in ("ok", "partial"), passes[-1].note
        patience.wait(wait)
        assert len(passes) < 400
    return passes


def test_a_server_that_fails_once_in_seven_requests_costs_only_time(
    recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Bad gateways, broken and garbled answers, all kinds of limits: the marts are those of a faultless server."""
    with replaying(recording) as url:
        calm = settings_for(url, tmp_path / "calm")
        sync_github(calm)
        publish_landing(calm.home)
    (tmp_path / "faults.json").write_text(json.dumps([{"path": ".", **fault} for fault in FAULTS.values()]))
    options = ["--faults", str(tmp_path / "faults.json"), "--renamed", "apache/hadoop-ozone=apache/ozone"]
    with replaying(recording, *options) as url:
        named = {**environment(url, tmp_path / "stormy"), "PHOENIX_GITHUB_REPOSITORIES": "apache/hadoop-ozone"}
        stormy = load_settings(named)
        passes = until_whole(stormy, Patience(), timedelta(hours=2))
        requests = int(str(control(url, "GET")["total"]))
        publish_landing(stormy.home)
    served = {name: requests // fault["every"] for name, fault in FAULTS.items()}  # of those not met by another first
    assert all(served.values())
    assert sum(served.values()) > requests / 10
    with capsys.disabled():
        print(f"\n{requests} requests in {len(passes)} passes, about: {served}")  # noqa: T201  # the figures
    assert without_notes(all_marts(stormy.home)) == without_notes(all_marts(calm.home))


def test_a_budget_of_300_requests_in_20_seconds_is_never_overdrawn(
    recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The history arrives over several passes; each ends at the reserve, none makes a request before the refill."""
    with replaying(recording) as url:
        calm = settings_for(url, tmp_path / "calm")
        sync_github(calm)
        publish_landing(calm.home)
    with replaying(recording, "--budget", "300", "--window", "20") as url:
        poor = settings_for(url, tmp_path / "poor")
        passes, left, refused = [], [], 0
        while not passes or passes[-1].state != "ok":
            passes += sync_github(poor)
            assert passes[-1].state in ("ok", "partial"), passes[-1].note
            left.append(passes[-1].requests_left)
            refused += "refuses" in (passes[-1].note or "")
        publish_landing(poor.home)
        requests = int(str(control(url, "GET")["total"]))
    states = Counter(done.state for done in passes)
    idle = sum(done.request_count == 0 for done in passes)
    with capsys.disabled():
        print(f"\n{requests} requests in {len(passes)} passes ({dict(states)}), {idle} of them made none")  # noqa: T201
    assert states["partial"] >= 1
    assert refused == 0
    assert min(count for count in left if count is not None) >= 15  # the reserve of 5 %
    # these say how large it is
    of_the_budget = {"marts.source_freshness", "marts.sources", "marts.alert_conditions", "marts.alert_rules"}
    assert without_notes(all_marts(poor.home), *of_the_budget) == without_notes(all_marts(calm.home), *of_the_budget)


def without_notes(marts: dict[str, list[str]], *others: str) -> dict[str, list[str]]:
    """Everything but data_health, which says how the last pass went, and others."""
    return {name: found for name, found in marts.items() if name not in ("marts.data_health", *others)}
