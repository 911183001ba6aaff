"""What the queries of docs/definitions.md say of recordings: three years of apache/ozone, two weeks of a suite.

The recordings are not part of the project; where they are absent these tests are skipped.
"""

import csv
import gzip
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import pytest

from phoenix_metrics.settings import CHECKOUT, Settings
from phoenix_metrics.sources.items import as_text
from phoenix_metrics.warehouse.landing import Record, write_batch
from tests.conftest import publish_landing, rows
from tests.github_server import GitHub
from tests.recorded.test_ozone import RECORDING as OZONE
from tests.recorded.test_ozone import lines
from tests.recorded.test_reports import read_reports
from tests.storage_server import Storage, serving
from tests.uploads import Uploads

AOE = OZONE.parent / "aoe_e2e"
READ_AT = datetime(2026, 8, 1, tzinfo=UTC)
Outcome = dict[str, str]

pytestmark = pytest.mark.skipif(not (OZONE.is_dir() and AOE.is_dir()), reason="the recordings are not here")


@pytest.fixture
def uploads(github: GitHub) -> Iterator[Uploads]:
    """A repository whose artifacts are stored on another host."""
    with serving(Storage()) as storage:
        yield Uploads(github, storage)


def documented(title: str) -> str:
    """Return a query of the docs by the comment that it begins with."""
    text = (CHECKOUT / "docs" / "definitions.md").read_text(encoding="utf-8")
    queries = re.findall(r"```sql\n-- (.+?)\n(.+?);\n```", text, re.DOTALL)
    return dict(queries)[title]


def test_half_of_the_commits_that_ozone_built_again_show_both_outcomes(tmp_path: Path) -> None:
    """548 of 976 commits and 829 of 1,858 failures; within one event 202 of 325 and 365, as pandas counts them."""
    repository = {"id": 1, "full_name": "apache/ozone", "default_branch": "master"}
    write_batch(tmp_path, "github_repositories", [Record(1, 1, READ_AT, as_text(repository))])
    runs = [Record(1, int(str(run["id"])), READ_AT, as_text(run)) for run in lines("runs")]
    write_batch(tmp_path, "github_runs", runs)
    publish_landing(tmp_path)
    assert rows(tmp_path, documented("flakiness of commits")) == [
        {"commits": 976, "flaky_commits": 548, "failures_there": 829, "all_failures": 1858}
    ]
    assert rows(tmp_path, documented("flakiness of commits within an event")) == [
        {"commits": 325, "flaky_commits": 202, "failures_there": 365, "proven_commits": 202, "proven_failures": 365}
    ]
    evidence = "count(distinct (workflow_id, head_sha)) as commits, count(*) as failures from marts.run_flakes"
    assert rows(tmp_path, f"select {evidence}") == [{"commits": 548, "failures": 829}]


def test_tests_on_platforms_that_were_flaky(
    uploads: Uploads, settings: Settings, one_pass: Callable[..., object]
) -> None:
    """70 of 2,132 tests on platforms were flaky in a report: 153 of 48,917 results, of which re-runs repeat 2,069."""
    outcomes = complete_outcomes()
    told = {(row["run_id"], row["run_attempt"]): row for row in table("runs")}
    for run_id in {key[0] for key in outcomes}:
        attempts = [run_of(row) for key, row in told.items() if key[0] == run_id]
        uploads.github.attempts[int(run_id)] = attempts
        uploads.github.jobs[int(run_id)] = []
    for number, ((run_id, attempt, platform), cases) in enumerate(outcomes.items(), 1):
        uploads.add(
            number,
            {"e2e.xml": "".join(junit(cases))},
            run_id=int(run_id),
            name=f"junit-{platform}",
            created_at=told[run_id, attempt]["completed_at"],
        )
    read_reports(settings, one_pass)
    texts = ["".join(junit(cases)) for cases in outcomes.values()]
    assert (_count(texts, "<testcase"), _count(texts, "<flakyFailure")) == (48917, 153)
    once = {
        (key[0], text): text for key, text in zip(outcomes, texts, strict=True)
    }.values()  # not run again in a re-run
    assert (_count(once, "<testcase"), _count(once, "<flakyFailure")) == (46848, 145)
    assert rows(settings.home, documented("tests that were flaky in a report")) == [
        {"tests": 2132, "flaky_tests": 70, "results": 46848, "flaky_results": 145}
    ]
    counts = "count(*) as n, count(distinct (test_id, platform)) as tests"
    query = f"select {counts} from marts.test_flakes where proof = 'report'"
    assert rows(settings.home, query) == [{"n": 145, "tests": 70}]
    query = "select count(*) as n from marts.flaky_tests where flaky_count > observation_count or flaky_ratio is null"
    assert rows(settings.home, query) == [{"n": 0}]


def _count(texts: Iterable[str], part: str) -> int:
    return sum(text.count(part) for text in texts)


def table(name: str) -> list[Outcome]:
    """Return a table of the recording."""
    with gzip.open(AOE / f"{name}.csv.gz", "rt", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def complete_outcomes() -> dict[tuple[str, str, str], list[Outcome]]:
    """Return the outcomes of each attempt on each platform whose report tells passes, too."""
    found: dict[tuple[str, str, str], list[Outcome]] = defaultdict(list)
    for row in table("test_results"):
        if row["data_source"] == "job_log_route_metric":
            found[row["run_id"], row["run_attempt"], row["platform"]].append(row)
    return found


def run_of(row: Outcome) -> dict[str, Any]:
    """Return an attempt as GitHub tells it."""
    return {
        "id": int(row["run_id"]),
        "run_attempt": int(row["run_attempt"]),
        "name": row["workflow"],
        "path": ".github/workflows/ci.yml",
        "workflow_id": 1,
        "event": row["event"],
        "head_branch": row["branch"],
        "head_sha": row["sha"],
        "status": "completed",
        "conclusion": row["conclusion"],
        "created_at": row["started_at"],
        "run_started_at": row["started_at"],
        "updated_at": row["completed_at"],
    }


def junit(cases: list[Outcome]) -> Iterator[str]:
    """Write outcomes as Playwright's reporter does: a flaky test passed and says how it failed at first."""
    inside = {"failed": "<failure message='no'/>", "flaky": "<flakyFailure message='once'/>", "skipped": "<skipped/>"}
    yield "<testsuites><testsuite name='e2e'>"
    for case in cases:
        seconds = int(case["duration_ms"] or 0) / 1000
        yield f"<testcase name={quoteattr(case['route_id'])} classname='{case['project']}' time='{seconds}'>"
        yield f"{inside.get(case['outcome'], '')}</testcase>"
    yield "</testsuite></testsuites>"
