"""LIVE: exporter, Prometheus, Alertmanager and a webhook as real processes, with the rules' times shortened.

It takes some twenty seconds and is left out where Prometheus or Alertmanager is not installed.
"""

import json
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from phoenix_metrics.settings import CHECKOUT
from tests.deploy.running import PROMETHEUS, exporter, process, value
from tests.exporter.landed import Attempt, land_repositories, publish
from tests.exporter.serving import free_ports, wait_for

FOLDER = CHECKOUT / "deploy" / "prometheus"
ALERTMANAGER = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")

pytestmark = pytest.mark.skipif(
    PROMETHEUS is None or ALERTMANAGER is None, reason="Prometheus and Alertmanager are not installed"
)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a home that knows its workflows for a day and holds five good runs."""
    home, now = tmp_path / "home", datetime.now(UTC)
    land_repositories(home, now - timedelta(days=1))
    publish(home, recent(range(1, 6), "success"), passed_at=now)
    return home


@pytest.fixture
def received() -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """Run a webhook; return its port and the alerts it got."""
    alerts: list[dict[str, Any]] = []

    class Webhook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            alerts.extend(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["alerts"])
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Webhook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port, alerts
    server.shutdown()
    server.server_close()


@pytest.fixture
def prometheus(home: Path, tmp_path: Path, received: tuple[int, list[Any]]) -> Iterator[str]:
    """Run the exporter, Alertmanager and Prometheus as deploy/prometheus sets them up; return Prometheus's address."""
    scraped, alertmanager, prometheus = free_ports(3)
    write_configuration(tmp_path, scraped, alertmanager, webhook=received[0])
    with ExitStack() as stack:
        stack.enter_context(exporter(tmp_path, home, scraped))
        stack.enter_context(
            process(
                tmp_path,
                str(ALERTMANAGER),
                f"--config.file={tmp_path / 'alertmanager.yml'}",
                f"--storage.path={tmp_path / 'alertmanager'}",
                f"--web.listen-address=127.0.0.1:{alertmanager}",
                "--cluster.listen-address=",
            )
        )
        stack.enter_context(
            process(
                tmp_path,
                str(PROMETHEUS),
                f"--config.file={tmp_path / 'prometheus.yml'}",
                f"--storage.tsdb.path={tmp_path / 'prometheus'}",
                f"--web.listen-address=127.0.0.1:{prometheus}",
            )
        )
        yield f"http://127.0.0.1:{prometheus}"


def test_twenty_failing_runs_reach_the_webhook_and_a_backfill_does_not(
    home: Path, prometheus: str, received: tuple[int, list[dict[str, Any]]]
) -> None:
    """A month of old failures raises nothing; 22 failures of the last hour arrive as an alert on their pipeline."""
    alerts = received[1]
    wait_for(lambda: value(prometheus, 'sum(github_actions_workflow_run_total{conclusion="success"})') == 5)
    now = datetime.now(UTC)
    old = [Attempt(100 + n, now - timedelta(days=1 + n), "failure", seen_at=now) for n in range(30)]
    publish(home, old, passed_at=now)
    wait_for(lambda: value(prometheus, 'sum(github_actions_workflow_run_late_total{conclusion="failure"})') == 30)
    time.sleep(4)  # several evaluations
    assert value(prometheus, "count(ALERTS)") is None
    publish(home, recent(range(200, 222), "failure"), passed_at=datetime.now(UTC))
    wait_for(lambda: any(alert["labels"].get("workflow") == "CI" for alert in alerts))
    alert = next(alert for alert in alerts if alert["labels"].get("workflow") == "CI")
    assert alert["status"] == "firing"
    assert alert["labels"] == {
        "alertname": "CICDPipelineFailureRate",
        "repository": "acme/shop",
        "workflow": "CI",
        "severity": "warning",
    }
    assert alert["annotations"]["summary"] == "acme/shop: CI fails in 100% of runs"
    assert value(prometheus, "sum(resets(github_actions_workflow_run_total[5m]))") == 0


def recent(run_ids: range, conclusion: str) -> list[Attempt]:
    """Return runs of the last few minutes."""
    now = datetime.now(UTC)
    return [Attempt(run_id, now - timedelta(minutes=5), conclusion, seen_at=now) for run_id in run_ids]


def write_configuration(folder: Path, scraped: int, alertmanager: int, webhook: int) -> None:
    """Write the files of deploy/prometheus with other ports, and seconds for minutes."""
    rules = yaml.safe_load((FOLDER / "rules.yml").read_text(encoding="utf-8"))
    for group in rules["groups"]:
        group["interval"] = "1s"
        for rule in group["rules"]:
            if rule.get("alert") == "CICDPipelineFailureRate":  # the others would inhibit it
                rule |= {"for": "2s", "keep_firing_for": "2s"}
    config = yaml.safe_load((FOLDER / "prometheus.yml").read_text(encoding="utf-8"))
    config["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    config["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"] = [f"127.0.0.1:{alertmanager}"]
    config["scrape_configs"][0]["static_configs"][0]["targets"] = [f"127.0.0.1:{scraped}"]
    routing = yaml.safe_load((FOLDER / "alertmanager.yml").read_text(encoding="utf-8"))
    routing["route"] |= {"group_wait": "1s", "group_interval": "1s"}
    routing["receivers"][0]["webhook_configs"][0]["url"] = f"http://127.0.0.1:{webhook}/"
    for name, content in (("rules", rules), ("prometheus", config), ("alertmanager", routing)):
        (folder / f"{name}.yml").write_text(yaml.safe_dump(content), encoding="utf-8")
