"""The weekly report on its way to Slack: real requests, outages, and passes that go on where it was left."""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from phoenix_metrics.alerts.delivery import targets_of
from phoenix_metrics.alerts.episodes import Condition, Episode
from phoenix_metrics.defs import weekly_report
from phoenix_metrics.defs.alerts import payload_of
from phoenix_metrics.defs.messages import tell
from phoenix_metrics.defs.weekly_report import write_report
from phoenix_metrics.report.document import Digest, Paragraph, Section, said
from phoenix_metrics.report.slack import slack_body
from phoenix_metrics.settings import Settings, load_settings
from phoenix_metrics.sources.items import as_text
from phoenix_metrics.warehouse import landing
from tests.alerts.published import publish_alerts
from tests.alerts.receiver import Receiver, receiving
from tests.conftest import rows
from tests.report.story import NOW

WEEKS = ("2026-W47", "2026-W48")


class World:
    """A home, Slack and a webhook, and a clock that stands at Monday at six."""

    def __init__(self, home: Path, slack: Receiver, webhook: Receiver) -> None:
        self.home, self.slack, self.now = home, slack, NOW
        self.environ = {
            "PHOENIX_HOME": str(home),
            "PHOENIX_SLACK_WEBHOOK": slack.url,
            "PHOENIX_ALERT_WEBHOOKS": webhook.url,
        }

    @property
    def settings(self) -> Settings:
        return load_settings(self.environ)

    def write(self, week: str = WEEKS[0], text: str = "All is well.") -> None:
        """Write the report of a week, as the schedule does."""
        summary = Section("summary", "In short", (Paragraph(said(text)),))
        write_report(self.settings, Digest(f"CI/CD of {week}", "7 days", week, "", (summary,), said("End.")))

    def tell(self, **later: float) -> list[tuple[str, str, str]]:
        """Let a pass tell what is due after some time; return to whom, what and how that went."""
        self.now += timedelta(**later)
        done = tell(self.settings, lambda: self.now)
        return [(attempt.target.partition(" ")[0], attempt.alert_id, attempt.state) for attempt in done]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with ExitStack() as stack:
        slack, webhook = stack.enter_context(receiving()), stack.enter_context(receiving())
        world = World(tmp_path / "home", slack, webhook)
        monkeypatch.setattr(weekly_report, "utc_now", lambda: world.now)
        publish_alerts(world.home)
        world.tell(seconds=-1)  # the targets are known
        world.now = NOW
        yield world
        assert webhook.asked == []  # it knows no reports


def delivered(week: str = WEEKS[0]) -> list[tuple[str, str, str]]:
    return [("slack", week, "delivered")]


def test_each_week_is_posted_once(world: World) -> None:
    """However often a pass comes by, or the report of the week is written anew; and each attempt is on record."""
    world.write()
    assert world.tell(seconds=1) == delivered()
    world.write(text="It was written again.")
    assert world.tell(minutes=5) == world.tell(days=6) == []
    world.now = NOW + timedelta(days=7)
    world.write(WEEKS[1])
    assert world.tell(seconds=1) == delivered(WEEKS[1])
    assert [headers["Idempotency-Key"] for headers, _ in world.slack.taken] == [f"report-{week}" for week in WEEKS]
    assert [body["text"] for _, body in world.slack.taken] == [f"CI/CD of {week}, 7 days" for week in WEEKS]
    assert "All is well." in str(world.slack.taken[0][1]["blocks"])
    publish_alerts(world.home)
    told = rows(world.home, "select alert_id, rule, kind, state, attempt_count from marts.alert_deliveries order by 1")
    assert told == [
        {"alert_id": week, "rule": None, "kind": "report", "state": "delivered", "attempt_count": 1} for week in WEEKS
    ]


OUTAGES = {
    "500": {"status": 500},
    "429": {"status": 429, "headers": {"Retry-After": "600"}},
    "no answer": {"hides": True, "status": 599},
}


@pytest.mark.parametrize("outage", OUTAGES)
def test_an_outage_loses_no_report(world: World, outage: str) -> None:
    """Passes try again, with growing pauses, until Slack takes it: once, and as it was written on Monday."""
    for name, value in OUTAGES[outage].items():
        setattr(world.slack, name, value)
    world.write()
    assert world.tell(seconds=1) == [("slack", WEEKS[0], "failed")]
    assert world.tell(seconds=30) == []
    tries = [attempt for _ in range(36) for attempt in world.tell(minutes=5)]
    assert set(tries) == {("slack", WEEKS[0], "failed")}
    assert 5 <= len(tries) <= 18
    world.slack.status, world.slack.hides = 200, False
    assert world.tell(minutes=70) == delivered()
    assert world.tell(minutes=70) == []
    assert len(world.slack.taken) == 1
    publish_alerts(world.home)
    [row] = rows(world.home, "select state, attempt_count from marts.alert_deliveries")
    assert row == {"state": "delivered", "attempt_count": len(tries) + 2}


def test_what_is_over_a_week_old_or_was_refused_is_not_posted_any_more(world: World) -> None:
    """After a week of silence the next report is near; a 4xx answer is for good."""
    world.slack.status = 500
    world.write()
    world.tell(seconds=1)
    assert world.tell(days=7) == []
    world.write(WEEKS[1])
    world.slack.status, world.slack.body = 404, "no_service"
    assert world.tell(hours=2) == [("slack", WEEKS[1], "refused")]
    world.slack.status = 200
    assert world.tell(hours=2) == []


def test_it_is_for_those_who_were_set_when_it_was_written(world: World) -> None:
    """An address that is set later gets none of old; without Slack nothing is kept to be posted."""
    world.write()
    world.slack.path = "/services/T0/B0/another-token"
    world.environ["PHOENIX_SLACK_WEBHOOK"] = world.slack.url
    assert world.tell(minutes=1) == []
    del world.environ["PHOENIX_SLACK_WEBHOOK"]
    world.write(WEEKS[1])
    names = {path.name for path in (world.home / "reports").iterdir()}
    assert names == {"2026-W47.md", "2026-W47.html", "2026-W47.slack.json", "2026-W48.md", "2026-W48.html"}
    assert "token" not in (world.home / "reports" / "2026-W47.slack.json").read_text(encoding="utf-8")


def test_alerts_go_first_and_do_without_a_report_that_is_broken(world: World) -> None:
    """What fires is told before what was; a posting that somebody has changed harms no alert."""
    world.tell(seconds=1)
    del world.environ["PHOENIX_ALERT_WEBHOOKS"]
    seen = Condition("CICDQueueLong", "acme/app linux", True, 0.05, 0.5, 20)
    fired = episode(seen, world.now)
    land(world.home, fired)
    world.write()
    assert world.tell(minutes=1) == [("slack", fired.alert_id, "delivered"), *delivered()]
    [path] = (world.home / "reports").glob("*.slack.json")
    for broken in ("{", "[]", '{"week": "2026-W47"}'):
        path.write_text(broken, encoding="utf-8")
        later = episode(seen, world.now)
        land(world.home, later)
        assert world.tell(minutes=1) == [("slack", later.alert_id, "delivered")]


def episode(seen: Condition, at: datetime) -> Episode:
    return Episode("firing", seen, started_at=at, held_since=at, updated_at=at, fired_at=at, due_at=at)


def land(home: Path, fired: Episode) -> None:
    landing.write_batch(
        home, "alert_events", [landing.Record(None, None, fired.updated_at, as_text(payload_of(fired)))]
    )
    publish_alerts(home)


def test_the_story_arrives_as_it_was_rendered(home: Path, digest: Digest, world: World) -> None:
    """The real digest: what Slack got is the short form, letter by letter."""
    assert home != world.home
    write_report(world.settings, digest)
    assert world.tell(seconds=1) == delivered()
    [(_, body)] = world.slack.taken
    assert body == slack_body(digest, world.settings.dashboard_address)
    assert [target.kind for target in targets_of(world.settings)] == ["slack", "webhook"]
