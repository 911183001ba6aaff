"""The digest's section on alerts: episodes of the days, beside what was landed of them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from phoenix_metrics.alerts.episodes import Condition, Episode
from phoenix_metrics.defs.alerts import payload_of
from phoenix_metrics.report.document import Digest
from phoenix_metrics.report.formats import ReportFormat
from phoenix_metrics.report.rendering import render
from phoenix_metrics.sources.items import as_text
from phoenix_metrics.warehouse.landing import Record, write_batch
from phoenix_metrics.words import NBSP, NOTHING
from tests.conftest import publish_landing
from tests.report.conftest import digest_of
from tests.report.markdown import prose, tables
from tests.report.story import END, NOW

BEGAN = datetime(2026, 11, 16, tzinfo=UTC)  # the first of the seven days
PAGES = "https://github.com/acme/shop/actions/runs/1 https://github.com/acme/shop/actions/runs/2"
FAILING = Condition(
    "CICDPipelineFailureRate", "acme/shop CI", True, 0.1, 0.25, 24, rests_on="github acme/shop", evidence_urls=PAGES
)
QUEUE = Condition("CICDQueueLong", "acme/shop <gpu> | *a*", True, 0.05, 0.5, 20)
STUCK = Condition("CICDDeploymentStuck", "shop production", True, 1800, 5400, 1)
BUDGET = Condition("CICDBudgetBurn", "total", True, 40, 66.125, 28)
BACK = Condition("CICDRollback", "shop production", True, 0, 1, 1)
BURN = Condition("CICDErrorBudgetBurn", "acme/shop CI", True, 6, 7.338, 24)
MISSED = Condition("CICDScheduleMissed", "acme/shop Nightly", True, 0, 1, 7)


def episode(
    seen: Condition, fired_at: datetime | None, ended_at: datetime | None = None, *, is_frozen: bool = False
) -> Episode:
    """Return an episode that began half an hour before it fired."""
    began = (fired_at or NOW) - timedelta(minutes=30)
    state = "resolved" if ended_at else "firing" if fired_at else "pending"
    return Episode(
        state, seen, began, began, ended_at or NOW, fired_at=fired_at, ended_at=ended_at, is_frozen=is_frozen
    )


EPISODES = [
    episode(FAILING, NOW - timedelta(hours=3)),
    episode(BUDGET, BEGAN - timedelta(days=3), is_frozen=True),  # fires since before
    episode(QUEUE, BEGAN - timedelta(hours=1), BEGAN),  # was over at the first moment of the days
    episode(STUCK, BEGAN + timedelta(days=1), BEGAN + timedelta(days=2)),
    episode(BACK, BEGAN + timedelta(hours=12), BEGAN + timedelta(hours=13)),
    episode(BURN, BEGAN + timedelta(hours=10), BEGAN + timedelta(hours=11)),
    episode(MISSED, BEGAN - timedelta(days=2), BEGAN - timedelta(seconds=1)),  # was over before
    episode(QUEUE, None),  # has not fired
]


@pytest.fixture(scope="module")
def alarmed(tmp_path_factory: pytest.TempPathFactory) -> Digest:
    """Return the digest of a home in which a source was read and these episodes are known."""
    home = tmp_path_factory.mktemp("alarmed")
    records = [Record(None, None, NOW, as_text(payload_of(one))) for one in EPISODES]
    write_batch(home, "alert_events", records)
    land_pass(home)
    publish_landing(home)
    return digest_of(home)


def land_pass(home: Path) -> None:
    """Write that the one repository was read in full."""
    repository = {"full_name": "acme/shop", "default_branch": "main", "private": False, "archived": False}
    write_batch(home, "github_repositories", [Record(1, None, NOW, as_text(repository))])
    finished = {"repository": "acme/shop", "repository_id": 1, "state": "ok", "finished_at": NOW.isoformat()}
    write_batch(home, "github_syncs", [Record(1, None, NOW, as_text(finished))])


def told_of(digest: Digest) -> list[str]:
    return [line.replace(NBSP, " ") for line in prose(render(digest, ReportFormat.MARKDOWN))]


def test_what_fires_comes_first_and_what_was_over_before_is_left_out(alarmed: Digest) -> None:
    """Open episodes, then those that ended in the days, each with its figure, limit, n and pages."""
    assert NOW.date() == END
    rows = [
        tuple(one.replace(NBSP, " ") for one in row) for row in tables(render(alarmed, ReportFormat.MARKDOWN))["Alerts"]
    ]
    assert rows == [
        (
            "CICDPipelineFailureRate",
            "acme/shop CI",
            "firing",
            "23 Nov 2026 03:00 UTC",
            NOTHING,
            "25.0 % (n = 24)",
            "10.0 %",
            "1, 2",
        ),
        (
            "CICDBudgetBurn",
            "total",
            "stands still",
            "13 Nov 2026 00:00 UTC",
            NOTHING,
            "66.12 USD (n = 28)",
            "40.00 USD",
            NOTHING,
        ),
        (
            "CICDDeploymentStuck",
            "shop production",
            "resolved",
            "17 Nov 2026 00:00 UTC",
            "18 Nov 2026 00:00 UTC",
            "1 h 30 min (n = 1)",
            "30 min",
            NOTHING,
        ),
        (
            "CICDRollback",
            "shop production",
            "resolved",
            "16 Nov 2026 12:00 UTC",
            "16 Nov 2026 13:00 UTC",
            "1 (n = 1)",
            "0",
            NOTHING,
        ),
        (
            "CICDErrorBudgetBurn",
            "acme/shop CI",
            "resolved",
            "16 Nov 2026 10:00 UTC",
            "16 Nov 2026 11:00 UTC",
            "7.3 (n = 24)",
            "6",
            NOTHING,
        ),
        (
            "CICDQueueLong",
            "acme/shop <gpu> | *a*",
            "resolved",
            "15 Nov 2026 23:00 UTC",
            "16 Nov 2026 00:00 UTC",
            "50.0 % (n = 20)",
            "5.0 %",
            NOTHING,
        ),
    ]
    assert "6 alerts fired since 16 Nov 2026, or before and still did then; 2 of them fire now." in told_of(alarmed)


def test_a_quiet_week_says_on_what_that_rests(tmp_path: Path) -> None:
    """Nothing fired is said only where something was judged."""
    land_pass(tmp_path)
    publish_landing(tmp_path)
    said = told_of(digest_of(tmp_path))
    assert "Nothing fired since 16 Nov 2026; at the newest pass 1 rule had a figure, of 1 subject." in said


def test_where_nothing_was_judged_nothing_is_called_quiet(tmp_path: Path) -> None:
    """An empty store has no verdict."""
    publish_landing(tmp_path)
    assert any(line.startswith("Whether anything should have fired since") for line in told_of(digest_of(tmp_path)))
