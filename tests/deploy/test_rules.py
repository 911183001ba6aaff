"""The files in deploy/prometheus, put to the tools that load them."""

import re
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from phoenix_metrics.exporter.page import Page
from phoenix_metrics.settings import CHECKOUT, Settings
from phoenix_metrics.warehouse.snapshot import SnapshotReader
from tests.exporter.landed import Attempt, ago, land_repositories, publish

FOLDER = CHECKOUT / "deploy" / "prometheus"

needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
needs_amtool = pytest.mark.skipif(shutil.which("amtool") is None, reason="amtool is not installed")


def run(*command: str) -> subprocess.CompletedProcess[str]:
    """Run a tool in the folder that it checks."""
    return subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, check=False)


def rules() -> list[dict[str, Any]]:
    """Return every rule of rules.yml."""
    groups = yaml.safe_load((FOLDER / "rules.yml").read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


@needs_promtool
@pytest.mark.parametrize(
    "command",
    [("check", "rules", "rules.yml"), ("test", "rules", "rules_test.yml"), ("check", "config", "prometheus.yml")],
    ids=" ".join,
)
def test_promtool_is_content(command: tuple[str, ...]) -> None:
    """The rules are well-formed, behave in every case as written down, and the sample configuration loads them."""
    checked = run("promtool", *command)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "FAILED" not in checked.stdout


@needs_amtool
def test_alertmanager_takes_its_sample() -> None:
    """The sample configuration of Alertmanager is valid."""
    checked = run("amtool", "check-config", "alertmanager.yml")
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_rules_read_what_the_exporter_serves(tmp_path: Path) -> None:
    """Every metric that a rule names is a family of the exporter's page, or a part of a histogram there."""
    land_repositories(tmp_path, ago(days=30))
    publish(tmp_path, [Attempt(1, ago(minutes=10))])
    reader = SnapshotReader(tmp_path)
    page = Page(reader, lambda: datetime.now(UTC)).render()[0].decode()
    reader.close()
    families = dict(re.findall(r"^# TYPE (\w+) (\w+)$", page, re.MULTILINE))
    histograms = [name for name, kind in families.items() if kind == "histogram"]
    served = {*families, *(f"{name}{part}" for name in histograms for part in ("_bucket", "_count", "_sum"))}
    named = {name for rule in rules() for name in re.findall(r"\b(?:github_actions|phoenix)_\w+", rule["expr"])}
    assert named
    assert named <= served


def test_the_failure_alert_has_the_defaults_of_the_settings() -> None:
    """Ratio, number of runs and duration in rules.yml are those that the dashboard takes."""
    ratio, runs, lasting = (Settings.model_fields[f"failure_{name}"].default for name in ("ratio", "min_runs", "for"))
    rate = next(rule for rule in rules() if rule.get("record") == "cicd:pipeline_success_rate")
    alert = next(rule for rule in rules() if rule.get("alert") == "CICDPipelineFailureRate")
    assert re.findall(r">= (\S+)\)", rate["expr"]) == [str(runs), str(runs)]
    assert alert["expr"].endswith(f"> {ratio}")
    assert alert["for"] == f"{lasting.total_seconds() / 60:.0f}m"


def test_each_alert_speaks_and_stands_in_the_readme() -> None:
    """Summary, description and severity are there, and the README beside the rules lists the alert."""
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    for rule in rules():
        if "alert" in rule:
            assert rule["annotations"].keys() >= {"summary", "description"}
            assert rule["labels"]["severity"] in ("warning", "critical")
            assert f"`{rule['alert']}`" in readme
