"""What only the overview has: commits as bars, and alerts as sentences."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from dashboards.overview import figures, questions
from dashboards.overview.attention import alert_notices
from dashboards.scope import Scope, last
from phoenix_metrics import words
from tests.dashboards.conftest import SHOP, TOOLS, Organisation, commit

MONTH = timedelta(days=20)  # all recent runs of the organisation are younger, all earlier ones older


@pytest.fixture
def scope(home: Path, monkeypatch: pytest.MonkeyPatch) -> Scope:
    """Return the last 30 days of the organisation."""
    monkeypatch.setenv("PHOENIX_HOME", str(home))
    return Scope(last("30 days", datetime.now(UTC).replace(tzinfo=None)))


def test_commits_of_the_default_branch(scope: Scope, world: Organisation) -> None:
    """Each commit that was pushed to the default branch in the period, newest first, as its run ended."""
    pushed = [
        (run, run_id)
        for run_id, run in enumerate(world.runs, start=1000)
        if run.branch == "main" and run.event == "push" and run.age < MONTH
    ]
    pushed.sort(key=lambda found: (found[0].age, found[0].repository, found[1]))
    frame = questions.commits(scope, 100)
    known = {"success": "success", "failure": "failure", "cancelled": "cancelled", "skipped": "other"}
    assert list(zip(frame["repository"], frame["head_sha"], frame["outcome"], strict=True)) == [
        (run.repository, commit(run_id), known[run.final.conclusion]) for run, run_id in pushed
    ]
    assert list(frame["duration_seconds"].iloc[:2]) == [run.final.minutes * 60 for run, _ in pushed[:2]]
    assert list(questions.commits(scope, 3)["head_sha"]) == list(frame["head_sha"].iloc[:3])


def test_commits_follow_the_filters(scope: Scope) -> None:
    """Another repository has its own commits; a chosen event replaces the push."""
    tools = questions.commits(Scope(scope.period, repository=TOOLS), 100)
    assert set(tools["repository"]) == {TOOLS}
    scheduled = questions.commits(Scope(scope.period, event="schedule"), 100)
    assert len(scheduled) == 2


def test_bars_have_signs_that_lead_to_the_run() -> None:
    """A failed commit has a cross over a hatched bar, and the sign is a link; what came from outside is escaped."""
    frame = pd.DataFrame(
        {
            "repository": [SHOP],
            "head_sha": ["a" * 40],
            "title": ["<b>Mend</b>"],
            "outcome": ["failure"],
            "run_count": [3],
            "failure_count": [1],
            "open_count": [1],
            "duration_seconds": [600.0],
            "created_at": [pd.Timestamp("2026-11-26 05:00")],
            "html_url": ["https://github.com/acme/shop/actions/runs/1"],
        }
    )
    [bars] = figures.commit_bars(frame).data
    assert bars.marker.pattern.shape == ("/",)
    assert '<a href="https://github.com/acme/shop/actions/runs/1"' in bars.text[0]
    assert words.OUTCOMES["failure"][0] in bars.text[0]
    hover = bars.hovertext[0].replace(words.NBSP, " ")
    assert "&lt;b&gt;Mend" in hover
    assert "3 runs, 1 failed, 1 running<br>longest 10 min<br>26 Nov 2026 05:00 UTC" in hover


def test_days_stand_below_their_first_commit() -> None:
    """Below the bars each day stands once, below its first commit that is not too near to the day before."""
    days = [19] * 4 + [20] + [23] * 9
    frame = pd.DataFrame(
        {
            "repository": SHOP,
            "head_sha": [f"{number:040x}" for number in range(len(days))],
            "title": "Mend",
            "outcome": "success",
            "run_count": 1,
            "failure_count": 0,
            "open_count": 0,
            "duration_seconds": 600.0,
            "created_at": [pd.Timestamp(2026, 11, day, 5) for day in days],
            "html_url": None,
        }
    )
    axis = figures.commit_bars(frame).layout.xaxis
    assert dict(zip(axis.tickvals, axis.ticktext, strict=True)) == {0: "19 Nov", 4: "20 Nov", 6: "23 Nov"}


def test_alerts_lead_to_their_pages() -> None:
    """An alert is its own words; a link leads to the page of its workflow, service or budget, or to all alerts."""
    nothing = dict.fromkeys(("repository", "workflow", "service", "environment", "budget"))
    told = {"rule": "CICDx", "note": "worse *now*", "started_at": pd.Timestamp("2026-11-26 05:00")}
    rows = [
        {**nothing, **told, "subject": "acme/shop · CI", "repository": "acme/shop", "workflow": "CI"},
        {**nothing, **told, "subject": "api, production", "service": "api", "environment": "production"},
        {**nothing, **told, "subject": "total", "budget": "total"},
        {**nothing, **told, "subject": "all", "note": None},
    ]
    notices = alert_notices(pd.DataFrame(rows))
    assert [notice.link for notice in notices] == [
        "workflow?repository=acme%2Fshop&workflow=CI&branch=All+branches",
        "deliveries?service=api&environment=production",
        "cost",
        "alerts",
    ]
    assert notices[0].sentence.replace(words.NBSP, " ") == r"worse \*now\*, since 26 Nov 2026 05:00 UTC"
    assert (notices[3].label, notices[3].sentence[:5]) == ("all pipelines", "CICDx")
