"""The Quality page on a story whose failures, nights, reports and slow commit are known."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from dashboards.quality.gates import target
from phoenix_metrics import words
from phoenix_metrics.warehouse.rules import Rules
from tests.dashboards.conftest import Organisation, publish
from tests.dashboards.stories import OBJECTIVES, START, current, date_snapshot, executed, links, listing
from tests.dashboards.test_pages import shown, text
from tests.report.story import DOCS, LATE_NIGHT, MISSED_NIGHT, SHOP, SLOWER_FROM, Run, is_shaky, is_tested, story
from tests.report.story import publish as publish_runs

Visit = Callable[..., AppTest]
CLASSES = {"Run unit tests": "unit tests", "Install dependencies": "dependencies", "Frobnicate": "no rule fits"}
DECIDED = ("success", "failure")
NEWEST = date(2026, 11, 23)  # the day of the newest run


@pytest.fixture(scope="module")
def runs() -> list[Run]:
    """Return the runs of the 30 days."""
    return current(story())


@pytest.fixture
def page(visit: Visit, story_home: Path) -> AppTest:
    """Return the page as it opens."""
    return visit(story_home, "quality")


def outcomes(runs: list[Run], workflow: str) -> Counter[str]:
    """Count how the runs of a workflow ended."""
    return Counter(run.final.conclusion for run in runs if run.workflow == workflow and run.final.conclusion in DECIDED)


def causes(runs: list[Run]) -> Counter[str]:
    """Count failed jobs by the class of the step that failed."""
    return Counter(CLASSES[str(job.step)] for _, job in executed(runs) if job.conclusion == "failure")


def nights(runs: list[Run]) -> list[str]:
    """Return a sign for each of the last 28 nights: the story begins a run in each of the last 15 but one."""
    began = {run.created_at.date() for run in runs if run.workflow == "Nightly"}
    days = [date(2026, 11, 23) - timedelta(days=age) for age in range(27, -1, -1)]
    return ["▲" if day == LATE_NIGHT else "✓" if day in began else "✗" for day in days]


def test_headline_numbers_are_the_truth(page: AppTest, runs: list[Run]) -> None:
    """The five cards equal what follows from the story."""
    signs, failed, tested = Counter(nights(runs)), causes(runs), sum(map(is_tested, runs))
    kept = sum(
        outcomes(runs, workflow)["success"] >= target * outcomes(runs, workflow).total()
        for workflow, target in OBJECTIVES.items()
    )
    assert shown(page) == {
        "Objectives met": f"{kept} of {len(OBJECTIVES)}",
        "Scheduled starts in time": words.ratio(signs["✓"] / 28),
        "Failures explained": words.ratio(1 - failed["no rule fits"] / failed.total()),
        "Tests failed": f"0.00{words.NBSP}%",
        "Got slower": words.counted(2, "change"),
    }
    assert f"0 of {2 * tested} results; 0 skipped" in text(page)
    assert f"{failed['no rule fits']} of {failed.total()} failed jobs fit no rule" in text(page)


def test_objectives_have_their_budget(page: AppTest, runs: list[Run]) -> None:
    """Each objective stands beside what was reached, how many failures it allows, and how many there were."""
    ci, nightly = outcomes(runs, "CI"), outcomes(runs, "Nightly")
    allowed = 0.1 * ci.total()
    rows = listing(page, "Workflow")
    assert rows[0] == [
        f"CI | {SHOP}",
        f"✗ missed, {ratio(ci['success'] / ci.total())} | objective 90.0 %; n = {ci.total()} runs; before {ratio(1.0)}",
        f"{ratio(ci['failure'] / allowed)} spent | {ci['failure']} failed of {words.rate(allowed)} allowed, "
        f"{words.rate(ci['failure'] - allowed)} too many",
    ]
    assert rows[1] == [
        f"Nightly | {SHOP}",
        f"✓ kept, ○ {ratio(1.0)} | objective 100.0 %; n = {nightly.total()} runs; before {words.NOTHING}",
        "nothing failed | 0 failed of 0 allowed",
    ]
    assert "1 workflow with runs in this period without an objective" in text(page)


def test_each_start_is_shown(page: AppTest, runs: list[Run]) -> None:
    """A schedule has a sign for each night: in time, late or missed; and says when it was missed last."""
    [[name, strip, came]] = listing(page, "Schedule")
    signs = nights(runs)
    assert name == f"Nightly | {SHOP} · 0 2 * * *"
    assert strip.split(" | ")[0] == "".join(signs)
    assert came == (
        f"{signs.count('✓')} of 28 | 1 late, {signs.count('✗')} missed; newest ✓ in time; "
        f"last missed {MISSED_NIGHT:%-d %b %Y} 02:00 UTC"
    )


def test_causes_have_shares_and_examples(page: AppTest, runs: list[Run]) -> None:
    """Failures are counted by why, with what no rule explains stated, and the newest of each is a link."""
    failed = causes(runs)
    rows = listing(page, "Why")
    assert {row[0]: row[1] for row in rows} == {
        name: ("○ " if failed.total() < words.FEW else "")
        + f"{ratio(count / failed.total())}, {words.counted(count, 'job')}".replace(words.NBSP, " ")
        for name, count in failed.items()
    }
    unknown = failed["no rule fits"]
    assert f"**{unknown} of them ({ratio(unknown / failed.total())}) fit no rule**" in text(page)
    newest = max((run for run in runs if run.final.step == "Frobnicate"), key=lambda run: run.created_at)
    assert f"{newest.url}/job/{newest.number}1" in links(page)


def test_slower_names_the_commits(page: AppTest, runs: list[Run]) -> None:
    """What got slower has the commits before and after, the medians, and the size with its interval."""
    rows = listing(page, "What")
    pushes = [run for run in runs if run.workflow == "CI" and run.branch == "main" and is_tested(run)]
    first = min((run for run in pushes if run.created_at.date() >= SLOWER_FROM), key=lambda run: run.created_at)
    last = max((run for run in pushes if run.created_at < first.created_at), key=lambda run: run.created_at)
    assert {row[0] for row in rows} == {
        f"CI: the whole workflow | {SHOP} · on push",
        f"CI: job build | {SHOP} · on push",
    }
    assert {row[3] for row in rows} == {f"{last.sha[:7]} … {first.sha[:7]} | run before"}
    assert all(row[2].startswith("▲ slower, 1.") for row in rows)
    assert f"https://github.com/{SHOP}/compare/{last.sha}...{first.sha}" in links(page)


def test_required_checks_say_what_holds_changes_up(page: AppTest, runs: list[Run]) -> None:
    """Each required check has its reports of 28 days; one that nobody reports stands first."""
    window = [run for run in runs if run.created_at.date() > NEWEST - timedelta(days=28)]
    built = [job.conclusion for run, job in executed(window) if run.repository == SHOP and job.name == "build"]
    held_up, cancelled = len(built) - built.count("success"), built.count("cancelled")
    rows = listing(page, "Required check")
    assert [row[0] for row in rows] == [
        f"{context} | {SHOP} · main" for context in ("ghost", "codecov/project", "build")
    ]
    assert rows[0][1:] == [words.NOTHING, "✗ nobody reports it: changes wait for it"]
    assert rows[1][1] == f"{ratio(1 / 3)} | 1 of 3 reports"
    reports = f"{held_up} of {len(built)} reports, {cancelled} of them cancelled"
    assert rows[2][1] == f"{ratio(held_up / len(built))} | {reports}"
    assert rows[1][2].startswith("success | by a commit status, ")
    assert "1 required check without any report" in text(page)


def test_coverage_is_what_the_service_said(page: AppTest) -> None:
    """The newest coverage stands beside its target, how it moved, and how many commits were below."""
    moved = f"{words.MINUS}0.8 points"
    assert listing(page, "Reported by") == [
        [f"codecov/project | {SHOP}", "80.4 % | ✓ target 80.0 %", f"{moved} | 3 commits", "1 commit | of 3"]
    ]
    assert "https://codecov.test/3" in links(page)


def test_coverage_below_its_target_says_so() -> None:
    """Coverage that falls short is marked, with what its service made of that, which may let it pass."""
    report = pd.Series({"ratio": 0.798, "target_ratio": 0.8, "state": "success"})
    assert target(report).replace(words.NBSP, " ") == "▲ below its target 80.0 %, reported as success"
    assert target(report.replace(0.798, 0.8)).replace(words.NBSP, " ") == "✓ target 80.0 %"
    assert target(pd.Series({"ratio": 0.8, "target_ratio": float("nan"), "state": "success"})) == "no target told"


def test_reports_are_counted(page: AppTest, runs: list[Run]) -> None:
    """Results are counted over the reports that were read; one that was cut off is left out and named."""
    tested = sum(map(is_tested, runs))
    assert any(map(is_shaky, runs)), "a test that passed when run again counts as passed"
    assert f"**{2 * tested} results** in {tested} reports: {2 * tested} passed, **0 failed**" in text(page)
    assert "1 artifact not read (it ends in the middle)" in text(page).replace("\\", "")
    assert "No test failed since 17 Nov 2026" in text(page)


def test_filters_narrow_everything(visit: Visit, story_home: Path) -> None:
    """A repository without objectives, schedules, failures and reports says of each what can be done."""
    app = visit(story_home, "quality", repository=DOCS)
    assert shown(app)["Objectives met"] == words.NOTHING
    for sentence in (
        "No workflow has an objective",
        "No schedule is known",
        "Whether anything got slower cannot be said yet",
        "No job is known to have failed in this period",
        "No test report of this period was read",
    ):
        assert sentence in text(app)


def test_objective_without_runs_cannot_be_judged(visit: Visit, story_home: Path, tmp_path: Path) -> None:
    """An objective of a workflow that did not run in the period is listed as one that cannot be said."""
    app = visit(story_home, "quality", range="7 days")
    assert all(not row[2].startswith("cannot be said") for row in listing(app, "Workflow"))
    old = [run for run in story() if run.created_at < START]
    publish_runs(tmp_path, old, rules=Rules(objectives=[(1, SHOP, "CI", 0.9)]))
    date_snapshot(tmp_path)
    app = visit(tmp_path, "quality")
    assert listing(app, "Workflow")[0][2].startswith("cannot be said")
    assert shown(app)["Objectives met"] == words.NOTHING


def test_empty_snapshot_is_no_error(visit: Visit, tmp_path: Path) -> None:
    """Without a single run every question says why it has no answer."""
    publish(tmp_path, Organisation(()), datetime.now(UTC))
    app = visit(tmp_path, "quality")
    assert set(shown(app).values()) == {words.NOTHING}
    assert "No workflow has an objective" in text(app)


def test_no_snapshot_says_what_to_run(visit: Visit, tmp_path: Path) -> None:
    """Before the first publication the page says what to run."""
    app = visit(tmp_path, "quality")
    assert not app.metric
    assert "`phoenix sync`" in text(app)


def test_stale_data_has_a_banner(page: AppTest) -> None:
    """The story was read long ago, and the page says so above its numbers."""
    assert "This data is stale" in text(page)


def ratio(value: float) -> str:
    """Return a ratio as text() shows it."""
    return words.ratio(value).replace(words.NBSP, " ")
