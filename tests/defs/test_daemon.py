"""The real daemon: a tick of the schedule makes a run that publishes a snapshot."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from phoenix_metrics.settings import CHECKOUT
from phoenix_metrics.warehouse.snapshot import SnapshotReader
from tests.conftest import rows
from tests.github_server import GitHub

TICK_SECONDS = 60
PATIENCE_SECONDS = TICK_SECONDS + 90


def test_a_tick_publishes_a_snapshot(github: GitHub, tmp_path: Path) -> None:
    """With a pass every minute, the daemon alone brings payloads from HTTP to a snapshot within a minute and a bit."""
    github.add_run(1, "2026-01-02T08:00:00Z")
    home = tmp_path / "home"
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("PHOENIX_", "DAGSTER_"))},
        "PHOENIX_HOME": str(home),
        "PHOENIX_GITHUB_API_URL": github.url,
        "PHOENIX_GITHUB_REPOSITORIES": github.full_name,
        "PHOENIX_GITHUB_SINCE": "2026-01-01",
        "PHOENIX_POLL_MINUTES": "1",
        "DAGSTER_HOME": str(home / "dagster"),
    }
    prepare = "import os; from phoenix_metrics.pipeline import *; prepare_dagster_home(load_settings(os.environ))"
    prepare = prepare.replace(
        "import *", "import prepare_dagster_home; from phoenix_metrics.settings import load_settings"
    )
    subprocess.run([sys.executable, "-c", prepare], env=environment, cwd=CHECKOUT, check=True)
    daemon = [str(Path(sys.executable).with_name("dagster-daemon")), "run", "-m", "phoenix_metrics.definitions"]
    with (tmp_path / "daemon.log").open("wb") as log:
        process = subprocess.Popen(
            daemon, env=environment, cwd=CHECKOUT, stdout=log, stderr=log, start_new_session=True
        )
        try:
            deadline = time.monotonic() + PATIENCE_SECONDS
            while not SnapshotReader(home).version() and time.monotonic() < deadline and process.poll() is None:
                time.sleep(0.5)
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(30)
    assert SnapshotReader(home).version(), (tmp_path / "daemon.log").read_text()[-3000:]
    assert rows(home, "select run_id, outcome from marts.workflow_runs") == [{"run_id": 1, "outcome": "success"}]
