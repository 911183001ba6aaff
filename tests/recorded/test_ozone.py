"""Three years of apache/ozone, recorded, through the real command: counts, durations, kills, and moments in between.

The recording is not part of the project; where it is absent these tests are skipped.
"""

import gzip
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from phoenix_metrics.defs.polling import sync_github
from phoenix_metrics.settings import CHECKOUT, Settings, load_settings
from tests.conftest import all_marts, publish_landing, rows

SHARED = CHECKOUT.parent / "shared"
RECORDING = SHARED / "data" / "github_actions" / "apache_ozone"
REPLAY = SHARED / "tools" / "github_replay.py"


@dataclass(frozen=True)
class Collected:
    """A recording's server, the settings that collected from it, and how many requests that took."""

    url: str
    settings: Settings
    request_count: int


pytestmark = pytest.mark.skipif(not (RECORDING.is_dir() and REPLAY.is_file()), reason="the recording is not here")


@contextmanager
def replaying(folder: Path, *options: str) -> Iterator[str]:
    """Serve a recording over HTTP and return its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, str(REPLAY), str(folder), "--port", str(port), "--budget", "100000", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert "replaying" in process.stdout.readline()
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()


def settings_for(url: str, home: Path) -> Settings:
    return load_settings(environment(url, home))


def environment(url: str, home: Path) -> dict[str, str]:
    return {
        "PHOENIX_HOME": str(home),
        "PHOENIX_GITHUB_API_URL": url,
        "PHOENIX_GITHUB_REPOSITORIES": "apache/ozone",
        "PHOENIX_GITHUB_SINCE": "2019-12-01",
    }


def lines(name: str) -> list[dict[str, object]]:
    with gzip.open(RECORDING / f"{name}.jsonl.gz", "rt") as file:
        return [json.loads(line) for line in file]


@pytest.fixture(scope="module")
def trimmed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recording's last 500 runs with their jobs: re-runs, runs recorded open, odd times."""
    folder = tmp_path_factory.mktemp("recording")
    runs = lines("runs")[-500:]
    kept = {run["id"] for run in runs}
    jobs = [job for job in lines("jobs") if job["run_id"] in kept]
    (folder / "runs.jsonl").write_text("\n".join(map(json.dumps, runs)))
    (folder / "jobs.jsonl").write_text("\n".join(map(json.dumps, jobs)))
    return folder


def control(url: str, method: str, **body: object) -> dict[str, object]:
    request = urllib.request.Request(f"{url}/_control", method=method, data=json.dumps(body).encode() if body else None)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.loads(answer.read())


# Start to end of each job rounded up, skipped and open ones left out, comes to 2,433,960 minutes. Billed are fewer: 103
# jobs only stand in the list of a re-run again (2,963). Of the others 25 ended in the second they began, and so count a
# minute (the replay says that a runner took them), and a few cross a minute as they count from their first step (71).
# A public repository pays 0.
MINUTES = """
    select is_carried_over, sum(listed_minutes) as listed_minutes, sum(billed_minutes) as billed_minutes,
        sum(cost_usd) as usd
    from marts.jobs group by is_carried_over order by is_carried_over
"""


def true_durations() -> pd.Series:
    """Duration of each decided run, straight from the recording with pandas."""
    runs, jobs = pd.DataFrame(lines("runs")), pd.DataFrame(lines("jobs"))
    runs["attempt"] = runs.run_attempt.fillna(1).astype(int)
    runs["begun"] = pd.to_datetime(runs.run_started_at.fillna(runs.created_at))
    jobs["attempt"] = jobs.run_attempt.fillna(1).astype(int)
    jobs["started_at"], jobs["completed_at"] = pd.to_datetime(jobs.started_at), pd.to_datetime(jobs.completed_at)
    ran = jobs[(jobs.status == "completed") & (jobs.conclusion != "skipped")]
    own = ran.merge(runs, left_on=["run_id", "attempt"], right_on=["id", "attempt"], suffixes=("", "_run"))
    own = own[(own.attempt == 1) | (own.started_at >= own.begun)]
    ended = runs.id.map(own.groupby("run_id").completed_at.max()).fillna(pd.to_datetime(runs.updated_at))
    decided = runs.conclusion.isin(["success", "failure", "timed_out", "startup_failure"])
    return (ended - runs.begun).dt.total_seconds()[decided]


def test_the_whole_recording_arrives_and_a_second_pass_changes_nothing(ozone: Collected) -> None:
    """4,440 runs and 87,104 jobs as recorded, the p95 that pandas finds, and eight requests the next time."""
    home = ozone.settings.home
    runs = {
        row["outcome"]: row["n"]
        for row in rows(home, "select outcome, count(*) as n from marts.workflow_runs group by 1")
    }
    jobs = {row["outcome"]: row["n"] for row in rows(home, "select outcome, count(*) as n from marts.jobs group by 1")}
    assert runs == {"success": 2510, "failure": 1861, "cancelled": 3, "open": 66}
    assert jobs == {"success": 82870, "failure": 2302, "cancelled": 138, "skipped": 1780, "open": 14}
    truth = true_durations()
    query = (
        "select count(duration_seconds) as n, quantile_cont(duration_seconds, 0.95) as p95 "
        "from marts.workflow_runs where outcome in ('success', 'failure')"
    )
    assert rows(home, query) == [{"n": len(truth), "p95": pytest.approx(truth.quantile(0.95), abs=1)}]
    assert ozone.request_count <= 1.03 * 4440
    assert rows(home, MINUTES) == [
        {"is_carried_over": False, "listed_minutes": 2_433_960 - 2_963, "billed_minutes": 2_431_093, "usd": 0},
        {"is_carried_over": True, "listed_minutes": 2_963, "billed_minutes": 0, "usd": 0},
    ]
    before = all_marts(home)
    control(ozone.url, "DELETE")
    sync_github(ozone.settings)
    publish_landing(home)
    assert control(ozone.url, "GET")["total"] == 8
    assert all_marts(home) == before


def test_kills_at_random_moments_leave_the_tables_of_one_calm_pass(trimmed: Path, tmp_path: Path) -> None:
    """The command is killed with -9 five times on its way; the run that gets through gives identical tables."""
    with replaying(trimmed) as url:
        calm, killed = settings_for(url, tmp_path / "calm"), settings_for(url, tmp_path / "killed")
        sync_github(calm)
        publish_landing(calm.home)
        environ = {**os.environ, **environment(url, killed.home)}
        command = [sys.executable, "-c", "from tests.recorded.test_ozone import pass_in_child; pass_in_child()"]
        for _ in range(5):
            process = subprocess.Popen(command, env=environ, cwd=CHECKOUT)
            time.sleep(random.uniform(1.5, 3.0))
            process.send_signal(signal.SIGKILL)
            process.wait()
        assert subprocess.run(command, env=environ, cwd=CHECKOUT, check=False).returncode == 0
        assert all_marts(killed.home) == all_marts(calm.home)


def pass_in_child() -> None:
    """Ingest and publish once, with settings from the environment."""
    settings = load_settings(os.environ)
    assert [done.state for done in sync_github(settings)] == ["ok"]
    publish_landing(settings.home)


def test_a_server_that_dies_in_the_middle_costs_nothing(trimmed: Path, tmp_path: Path) -> None:
    """The pass that meets the dead server fails by name; the next one, with the server back, gives identical tables."""
    with replaying(trimmed) as url:
        calm = settings_for(url, tmp_path / "calm")
        sync_github(calm)
        publish_landing(calm.home)
        expected = all_marts(calm.home)
    with replaying(trimmed) as url:
        control(url, "GET")
        environ = {**os.environ, **environment(url, tmp_path / "cut")}
        process = subprocess.Popen(
            [sys.executable, "-c", "from tests.recorded.test_ozone import pass_in_child; pass_in_child()"],
            env=environ,
            cwd=CHECKOUT,
            stderr=subprocess.DEVNULL,
        )
        while int(str(control(url, "GET")["total"])) < 150:
            time.sleep(0.02)
    assert process.wait(60) != 0
    with replaying(trimmed) as url:
        settings = settings_for(url, tmp_path / "cut")
        assert [done.state for done in sync_github(settings)] == ["ok"]
        publish_landing(settings.home)
        assert all_marts(settings.home) == expected


def test_ten_moments_on_the_way_end_where_one_pass_ends(trimmed: Path, tmp_path: Path) -> None:
    """Runs seen queued, running, ended and run again, pass by pass, end in the state of a single pass at the end."""
    with replaying(trimmed) as url:
        once, often = settings_for(url, tmp_path / "once"), settings_for(url, tmp_path / "often")
        sync_github(once)
        publish_landing(once.home)
        created = sorted(run["created_at"] for run in lines("runs")[-500:])
        for moment in [*(created[i] for i in range(20, 500, 53)), None]:
            control(url, "PUT", now=moment)
            assert [done.state for done in sync_github(often)] == ["ok"]
            publish_landing(often.home)
        assert all_marts(often.home) == all_marts(once.home)
