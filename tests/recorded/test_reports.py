"""The recorded JUnit reports the whole way, from artifacts to the marts: every file a row, every case a result.

The recordings are not part of the project; where they are absent these tests are skipped.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from phoenix_metrics.defs.intake import connect
from phoenix_metrics.defs.reports import visit_reports
from phoenix_metrics.settings import CHECKOUT, Settings
from phoenix_metrics.sources.junit import parse_report
from tests.conftest import publish_landing, rows, settings_for
from tests.github_server import GitHub
from tests.storage_server import Storage, serving
from tests.uploads import Uploads

DATA = CHECKOUT.parent / "shared" / "data"
RECORDINGS = DATA / "junit"
FILES = {path.relative_to(RECORDINGS).as_posix(): path.read_bytes() for path in sorted(RECORDINGS.rglob("*.xml"))}
JOBS = {  # runs of tenstorrent that were recorded with a report: the job whose id is in the report's name
    11236784732: 31237673766,
    12007373278: 33467916002,
    12083382635: 33696401643,
    12084081698: 33706643326,
}

pytestmark = pytest.mark.skipif(not FILES, reason="the recorded reports are not here")

# Every file that is no sound report: its state, and how many cases stand before the break.
BROKEN = {
    "apache_ozone/MALFORMED_13825__it-ozone__TEST-TestOzoneManagerHAWithData.xml": ("malformed", 3),
    "jenkins_flaky_test_handler/junit__junitResult.xml": ("not_junit", 0),
    "jenkins_junit_plugin/junit-report-huge.xml": ("malformed", 1),
    "jenkins_junit_plugin/junitResult.xml": ("not_junit", 0),
    "jenkins_junit_plugin/testXxe-oob.xml": ("malformed", 0),
    "jenkins_junit_plugin/testXxe-xxe.xml": ("refused", 0),
    "maven_surefire/fixture__testsuitexmlparser__failsafe-summary-old.xml": ("not_junit", 0),
    "maven_surefire/fixture__testsuitexmlparser__failsafe-summary.xml": ("not_junit", 0),
    "publish_unit_test_result/non-junit.xml": ("not_junit", 0),
    "publish_unit_test_result/pytest__corrupt-xml.xml": ("malformed", 1),
}


def true_results(content: bytes) -> Counter[str]:
    """Count the outcomes of a sound report with a tree and one rule, independently of the reader."""
    found: Counter[str] = Counter()
    root = ElementTree.fromstring(content)
    for case in root.iter("testcase"):
        elements = {element.tag for element in case}
        if elements & {"error", "failure"}:
            found["failure"] += 1
        else:
            found["skipped" if "skipped" in elements or case.get("status") == "disabled" else "success"] += 1
    for suite in root.iter("testsuite"):  # suites that failed before their first case
        found["failure"] += len(suite.findall("error"))
    return +found


@pytest.fixture
def uploads(github: GitHub) -> Iterator[Uploads]:
    """A repository whose artifacts are stored on another host."""
    with serving(Storage()) as storage:
        yield Uploads(github, storage)


def read_reports(settings: Settings, one_pass: Callable[..., object]) -> None:
    """Fetch runs, then reports, and publish."""
    one_pass(settings)
    [visit] = visit_reports(settings, connect(settings).client_for)
    assert (visit.state, visit.note) == ("ok", None)
    publish_landing(settings.home)


def test_every_file_is_a_row_and_every_case_a_result(
    uploads: Uploads, settings: Settings, one_pass: Callable[..., object]
) -> None:
    """Each source as an artifact of a run: outcomes as a tree finds them, broken files as far as they go."""
    for run_id, source in enumerate(sorted({name.partition("/")[0] for name in FILES}), 1):
        uploads.github.add_run(run_id, f"2026-01-{run_id:02d}T08:00:00Z")
        files = {name: content for name, content in FILES.items() if name.startswith(f"{source}/")}
        created_at = f"2026-01-{run_id:02d}T08:09:00Z"
        uploads.add(run_id, files, run_id=run_id, name=f"junit-{source}", created_at=created_at)
    read_reports(settings, one_pass)
    reports = rows(settings.home, "select report, state, error, case_count, is_copy from marts.test_reports")
    assert sorted(str(row["report"]) for row in reports) == sorted(FILES)
    broken = {row["report"]: (row["state"], row["case_count"]) for row in reports if row["error"]}
    assert broken == BROKEN
    copies = {str(row["report"]) for row in reports if row["is_copy"]}
    originals = {content for name, content in FILES.items() if name not in copies}
    assert copies
    assert all(FILES[name] in originals for name in copies)
    found: dict[str, Counter[str]] = {}
    query = "select report, outcome, count(*) as n, count(job_id) as placed from marts.test_results group by all"
    for row in rows(settings.home, query):
        found.setdefault(str(row["report"]), Counter())[str(row["outcome"])] = int(str(row["n"]))
        assert row["n"] == row["placed"]
    sound = {name: true_results(FILES[name]) for name in FILES if name not in BROKEN and name not in copies}
    assert {name: results for name, results in found.items() if name not in BROKEN} == {
        name: results for name, results in sound.items() if results
    }


def test_counts_by_source() -> None:
    """Files, cases by result, flakes that reports mark themselves, and variants, of each source."""
    counts: dict[str, Counter[str]] = {}
    for name, content in FILES.items():
        found = counts.setdefault(name.partition("/")[0], Counter(files=0))
        *cases, _ = parse_report([content])
        found["files"] += 1
        found.update(case.result for case in cases)  # type: ignore[union-attr]  # the summary came last
        found["flaky"] += sum(case.result == "passed" and case.rerun_count > 0 for case in cases)  # type: ignore[union-attr]
        found["variants"] += sum(case.ordinal > 1 for case in cases)  # type: ignore[union-attr]
    keys = ("files", "passed", "failed", "error", "skipped", "flaky", "variants")
    assert {source: tuple(found[key] for key in keys) for source, found in counts.items()} == {
        "apache_ozone": (121, 2644, 73, 70, 145, 0, 1189),
        "jenkins_flaky_test_handler": (17, 2824, 1, 3, 0, 1, 0),
        "jenkins_junit_plugin": (52, 2901, 9, 14, 4, 1, 1),
        "maven_surefire": (17, 22, 7, 6, 0, 1, 0),
        "publish_unit_test_result": (29, 476, 26, 8, 53, 0, 11),
        "tenstorrent": (8, 1820, 1, 1, 425, 0, 4),
    }


def test_a_report_leads_to_the_recorded_job_it_names(
    uploads: Uploads, tmp_path: Path, one_pass: Callable[..., object]
) -> None:
    """Four recorded runs of tenstorrent with all their jobs: each report belongs to the job whose id it carries."""
    settings = settings_for(uploads.github, tmp_path / "home", PHOENIX_GITHUB_SINCE="2024-10-01")
    for run_id in sorted(JOBS):
        run, jobs = recorded_run(run_id)
        uploads.github.attempts[run_id], uploads.github.jobs[run_id] = [run], jobs
        files = {name: content for name, content in FILES.items() if f"/{run_id}/" in name}
        uploads.add(run_id, files, run_id=run_id, name="test-reports", created_at=run["updated_at"])
    read_reports(settings, one_pass)
    query = "select run_id, job_id, run_attempt from marts.test_reports"
    expected = {(run_id, job_id, recorded_run(run_id)[0]["run_attempt"]) for run_id, job_id in JOBS.items()}
    assert {tuple(row.values()) for row in rows(settings.home, query)} == expected


def recorded_run(run_id: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return a recorded run, as one of the small GitHub's repository, and its jobs."""
    folder = DATA / "github_actions" / "tenstorrent" / str(run_id)
    run = json.loads((folder / "workflow.json").read_text(encoding="utf-8"))
    jobs = json.loads((folder / "workflow_jobs.json").read_text(encoding="utf-8"))["jobs"]
    return run, jobs


def test_the_recorded_attacks_read_nothing(github: GitHub, tmp_path: Path) -> None:
    """With their placeholders filled in, no file is read and no server asked."""
    canary = tmp_path / "canary.txt"
    canary.write_text("TWEET")
    for name in ("jenkins_junit_plugin/testXxe-xxe.xml", "jenkins_junit_plugin/testXxe-oob.xml"):
        for target in (f"file://{canary}", f"{github.url}/oob"):
            text = FILES[name].decode()
            filled = text.replace("$OOB_LINK$", target).replace("$TARGET_URL$", target)
            assert filled != text
            found = list(parse_report([filled.encode()]))
            assert len(found) == 1
            assert "TWEET" not in repr(found)
    assert github.requests == []
