"""Real processes beside each other, and questions to a Prometheus among them."""

import json
import os
import shutil
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from phoenix_metrics.settings import CHECKOUT
from tests.exporter.serving import SERVE

RULES = CHECKOUT / "deploy" / "prometheus" / "rules.yml"
PROMETHEUS = shutil.which("prometheus")


@contextmanager
def process(folder: Path, *command: str, **environ: str) -> Iterator[None]:
    """Run a program for as long as the block runs."""
    with (folder / f"{Path(command[0]).name}.log").open("ab") as log:
        running = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env={**os.environ, **environ})
        try:
            yield
        finally:
            running.terminate()
            try:
                running.wait(timeout=10)
            finally:
                running.kill()


@contextmanager
def exporter(folder: Path, home: Path, port: int) -> Iterator[None]:
    """Run the exporter over a home for as long as the block runs."""
    where = {"PHOENIX_HOME": str(home), "PHOENIX_EXPORTER_PORT": str(port)}
    with process(folder, sys.executable, "-c", SERVE, **where):
        yield


@contextmanager
def prometheus(folder: Path, port: int, scraped: int, *, rules: bool = True) -> Iterator[str]:
    """Run a Prometheus that scrapes a port each second, keeps exemplars and, if wanted, evaluates our rules."""
    config: dict[str, Any] = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "scrape_configs": [{"job_name": "phoenix", "static_configs": [{"targets": [f"127.0.0.1:{scraped}"]}]}],
    }
    if rules:
        config["rule_files"] = ["rules.yml"]
        (folder / "rules.yml").write_text(yaml.safe_dump(quick_rules()), encoding="utf-8")
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
    with process(
        folder,
        str(PROMETHEUS),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'prometheus'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--enable-feature=exemplar-storage",
    ):
        yield f"http://127.0.0.1:{port}"


def quick_rules() -> dict[str, Any]:
    """Return our rules with seconds for minutes."""
    rules: dict[str, Any] = yaml.safe_load(RULES.read_text(encoding="utf-8"))
    for group in rules["groups"]:
        group["interval"] = "1s"
        for rule in group["rules"]:
            if "for" in rule:
                rule["for"] = "1s"
    return rules


def ask(prometheus: str, path: str, **parameters: Any) -> Any:
    """Return the data with which Prometheus answers; raises HTTPError for a query that it cannot read."""
    url = f"{prometheus}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)["data"]


def value(prometheus: str, query: str, **parameters: Any) -> float | None:
    """Return the one number that a query yields, None if it yields nothing or Prometheus does not answer yet."""
    try:
        result = ask(prometheus, "query", query=query, **parameters)["result"]
    except OSError:
        return None
    return float(result[0]["value"][1]) if result else None
