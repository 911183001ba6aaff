"""The story that reports are tested on, with objectives and a report that was cut off, as the dashboard shows it."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import duckdb
from streamlit.testing.v1 import AppTest

from phoenix_metrics import words
from phoenix_metrics.warehouse.landing import Record, write_batch
from phoenix_metrics.warehouse.snapshot import SnapshotReader
from tests.report.story import NOW, REPOSITORIES, RULES, SHOP, Job, Run, deliveries, publish

OBJECTIVES = {"CI": 0.9, "Nightly": 1.0}  # of acme/shop
START = datetime(2026, 10, 25, tzinfo=UTC)  # of the 30 days to the day on which the story was published
REQUIRED = ("build", "codecov/project", "ghost")  # of main of acme/shop: by a job, by a status, by nobody
COVERED = (0.8123, 0.7999, 0.8042)  # of the last pushes to main of acme/shop, as Codecov says
CUT_OFF = 9000  # the artifact whose report could not be read to its end


def publish_story(home: Path, runs: list[Run]) -> None:
    """Publish the story with objectives and a report that was cut off, as of its own last moment."""
    _land_cut_off(home, next(run for run in runs if run.branch == "topic"))
    _land_gates(home, covered(runs))
    rules = replace(
        RULES,
        objectives=[
            (rank, SHOP, workflow, success_ratio) for rank, (workflow, success_ratio) in enumerate(OBJECTIVES.items())
        ],
    )
    publish(home, runs, deliveries(runs), rules)
    date_snapshot(home)


def covered(runs: list[Run]) -> list[Run]:
    """Return the pushes to main of acme/shop whose coverage is known, in order of time."""
    pushes = [run for run in runs if (run.repository, run.workflow, run.branch) == (SHOP, "CI", "main")]
    return sorted(pushes, key=lambda run: run.created_at)[-len(COVERED) :]


def date_snapshot(home: Path) -> None:
    """Let a snapshot have been published when the story ends, so that periods are those of the story."""
    with duckdb.connect(str(SnapshotReader(home).current().path)) as connection:
        connection.execute("update meta.publication set published_at = ?", [NOW.replace(tzinfo=None)])


def current(runs: list[Run]) -> list[Run]:
    """Return the runs of the 30 days."""
    return [run for run in runs if run.created_at >= START]


def executed(runs: list[Run]) -> Iterator[tuple[Run, Job]]:
    """Yield each execution of a job with its run."""
    return ((run, job) for run in runs for job in run.attempts)


def listing(app: AppTest, head: str) -> list[list[str]]:
    """Return the cells of the listing whose first heading is given: what stands in each, and below it after a bar."""
    for part in app.get("html"):
        if part.proto.body.startswith("<table"):
            table = ElementTree.fromstring(part.proto.body)
            if _text(table.find("thead/tr/th")) == head:
                return [[_text(cell) for cell in row] for row in table.find("tbody")]
    raise AssertionError(f"no listing of {head}")


def links(app: AppTest) -> list[str]:
    """Return where all links of the page's listings lead."""
    tables = [part.proto.body for part in app.get("html") if part.proto.body.startswith("<table")]
    return [link.attrib["href"] for table in tables for link in ElementTree.fromstring(table).iter("a")]


def _text(cell: Element) -> str:
    below = cell.find("small")
    parts = ["".join(cell.itertext()), "" if below is None else "".join(below.itertext())]
    main = parts[0].removesuffix(parts[1]) if parts[1] else parts[0]
    return " | ".join(filter(None, [main, parts[1]])).replace(words.NBSP, " ")


def _land_cut_off(home: Path, run: Run) -> None:
    told = {"artifact_id": CUT_OFF, "run_id": run.number, "report": "junit.xml"}
    case = {"position": 1, "suite": "unit", "class_name": "CartTest", "name": "splits", "ordinal": 1}
    artifact = {"id": CUT_OFF, "run_id": run.number, "name": "junit-build", "state": "parsed", "report_count": 1}
    artifact["created_at"] = run.created_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    counts = {"suite_count": 1, "case_count": 1, "passed_count": 1}
    payloads = [
        ("github_artifacts", artifact),
        ("test_reports", {**told, "part": 1, "cases": [{**case, "result": "passed", "rerun_count": 1}]}),
        ("test_reports", {**told, "part": 0, "state": "malformed", "error": "it ends in the middle", **counts}),
    ]
    for source, payload in payloads:
        write_batch(home, source, [Record(REPOSITORIES[run.repository], CUT_OFF, NOW, json.dumps(payload))])


def _land_gates(home: Path, runs: list[Run]) -> None:
    checks = [{"context": context} for context in REQUIRED]
    rule = {"type": "required_status_checks", "parameters": {"required_status_checks": checks}}
    told = [("github_branch_rules", {"branch": "main", "rules": [rule], "classic": None})]
    for number, (run, ratio) in enumerate(zip(runs, COVERED, strict=True), 1):
        status = {"id": number, "context": "codecov/project", "state": "success" if ratio > 0.8 else "failure"}
        status |= {"description": f"{ratio:.2%} (target 80.00%)", "target_url": f"https://codecov.test/{number}"}
        status["created_at"] = run.created_at.strftime("%Y-%m-%dT%H:%M:%SZ")
        told.append(("github_commit_checks", {"head_sha": run.sha, "check_runs": [], "statuses": [status]}))
    for source, payload in told:
        write_batch(home, source, [Record(REPOSITORIES[SHOP], None, NOW, json.dumps(payload))])
