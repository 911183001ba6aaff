"""Delivery: episodes in landing files, real receivers with outages, passes that are killed; each is told once."""

import logging
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from phoenix_metrics.alerts import delivery
from phoenix_metrics.alerts.delivery import Attempt, targets_of
from phoenix_metrics.alerts.episodes import Condition, Episode
from phoenix_metrics.defs.alerts import payload_of
from phoenix_metrics.defs.messages import tell
from phoenix_metrics.settings import Settings, load_settings
from phoenix_metrics.sources.items import as_text
from phoenix_metrics.warehouse import landing
from phoenix_metrics.words import NBSP
from tests.alerts.published import publish_alerts
from tests.alerts.receiver import Receiver, closed_port, receiving
from tests.conftest import rows

START = datetime(2026, 3, 9, 12, tzinfo=UTC)
RULE = "CICDPipelineFailureRate"
SEEN = Condition(
    RULE,
    "acme/app CI",
    True,
    0.1,
    0.25,
    40,
    keep=timedelta(minutes=15),
    rests_on="github acme/app",
    team="payments",
    note="10 of 40 runs of the last hour failed",
    evidence_urls="https://github.example/runs/1 https://github.example/runs/2",
    labels={"repository": "acme/app", "workflow": "CI"},
)


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


class World:
    """A home with episodes, two receivers, and a clock."""

    def __init__(self, home: Path, slack: Receiver, webhook: Receiver) -> None:
        self.home, self.slack, self.webhook = home, slack, webhook
        self.now = START
        self.environ = {
            "PHOENIX_HOME": str(home),
            "PHOENIX_SLACK_WEBHOOK": slack.url,
            "PHOENIX_ALERT_WEBHOOKS": webhook.url,
            "PHOENIX_DASHBOARD_URL": "https://phoenix.example.com/",
        }

    @property
    def settings(self) -> Settings:
        return load_settings(self.environ)

    def episode(self, minutes: float, **changes: Any) -> Episode:
        """Land and publish an episode that began half an hour before it fired, as a moment leaves it."""
        fired = at(minutes)
        begun = fired - timedelta(minutes=30)
        values: dict[str, Any] = {"state": "firing", "seen": SEEN, "fired_at": fired, "due_at": fired}
        values |= {"started_at": begun, "held_since": begun, "updated_at": fired, **changes}
        return self.write(Episode(**values))

    def write(self, episode: Episode) -> Episode:
        record = landing.Record(None, None, episode.updated_at, as_text(payload_of(episode)))
        landing.write_batch(self.home, "alert_events", [record])
        publish_alerts(self.home)
        return episode

    def resolve(self, episode: Episode, minutes: float, **changes: Any) -> Episode:
        return self.write(replace(episode, state="resolved", ended_at=at(minutes), updated_at=at(minutes), **changes))

    def tell(self, minutes: float) -> list[tuple[str, str, str]]:
        """Tell what is due at a moment; return which kind of target was told what and how that went, in order."""
        self.now = at(minutes)
        done = tell(self.settings, lambda: self.now)
        return sorted((attempt.target.partition(" ")[0], attempt.kind, attempt.state) for attempt in done)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with ExitStack() as stack:
        slack, webhook = stack.enter_context(receiving()), stack.enter_context(receiving())
        world = World(tmp_path / "home", slack, webhook)
        publish_alerts(world.home)
        world.tell(-60)  # the targets are known for an hour
        yield world


BOTH = [("slack", "opened", "delivered"), ("webhook", "opened", "delivered")]


def test_an_episode_is_told_when_it_fires_daily_while_it_does_and_when_it_is_over(world: World) -> None:
    """Once each, however often a pass comes by."""
    episode = world.episode(0)
    assert world.tell(0) == BOTH
    assert world.tell(5) == world.tell(24 * 60 - 1) == []
    assert {kind for _, kind, _ in world.tell(24 * 60)} == {"reminder"}
    assert world.tell(24 * 60 + 5) == []
    assert {kind for _, kind, _ in world.tell(48 * 60 + 1)} == {"reminder"}
    world.resolve(episode, 49 * 60)
    assert {kind for _, kind, _ in world.tell(49 * 60)} == {"resolved"}
    assert world.tell(49 * 60 + 5) == world.tell(80 * 60) == []
    text = "CICDPipelineFailureRate: acme/app CI: 10 of 40 runs of the last hour failed"
    assert (
        world.slack.lines() == world.webhook.lines() == [text, f"still: {text}", f"still: {text}", f"resolved: {text}"]
    )


def test_what_slack_is_sent(world: World) -> None:
    """A line, the figure with its limit and n, since when, links to dashboard, runs and runbook, and the owner."""
    world.environ["PHOENIX_CONFIG"] = str(world.home.parent / "phoenix.toml")
    (world.home.parent / "phoenix.toml").write_text(
        '[teams]\npayments = ["acme/*"]\n[owners]\npayments = "<!subteam^S1>"\n', encoding="utf-8"
    )
    world.episode(0)
    world.tell(0)
    [(_, body)] = world.slack.taken
    section, context = body["blocks"]
    assert section["text"]["text"].splitlines()[0] == f":red_circle: *{body['text']}*"
    assert [field["text"] for field in section["fields"]] == [
        f"*Value*\n25.0{NBSP}% (limit 10.0{NBSP}%)",
        "*n*\n40",
        "*Since*\n2026-03-09 11:30 UTC",
    ]
    page = "https://phoenix.example.com/workflow?repository=acme%2Fapp&amp;workflow=CI&amp;branch=All+branches"
    assert context["elements"][0]["text"].split(" · ") == [
        f"<{page}|dashboard>",
        "<https://github.example/runs/1|run 1>",
        "<https://github.example/runs/2|run 2>",
        "docs/runbooks.md#cicdpipelinefailurerate",
        "<!subteam^S1>",
    ]


def test_what_webhooks_are_sent(world: World) -> None:
    """Alertmanager's body, version 4, with one alert and a key that is the same at each try."""
    episode = world.episode(0)
    world.tell(0)
    world.resolve(episode, 60)
    world.tell(60)
    (headers, opened), (_, resolved) = world.webhook.taken
    assert headers["Idempotency-Key"] == f"{episode.alert_id}-opened"
    labels = {
        "alertname": RULE,
        "severity": "warning",
        "repository": "acme/app",
        "workflow": "CI",
        "team": "payments",
    }
    assert (opened["version"], opened["status"], opened["groupLabels"], opened["truncatedAlerts"]) == (
        "4",
        "firing",
        labels,
        0,
    )
    [alert] = opened["alerts"]
    times = (alert["startsAt"], alert["endsAt"], resolved["alerts"][0]["endsAt"])
    assert times == ("2026-03-09T12:00:00Z", "0001-01-01T00:00:00Z", "2026-03-09T13:00:00Z")
    assert alert["annotations"]["value"] == f"25.0{NBSP}%"
    assert (resolved["status"], resolved["groupKey"]) == ("resolved", opened["groupKey"])
    assert resolved["alerts"][0]["fingerprint"] == alert["fingerprint"]


OUTAGES = {
    "500": {"status": 500, "body": "oops"},
    "429": {"status": 429, "headers": {"Retry-After": "1800"}},
    "408": {"status": 408},
    "time-out": {"sleeps": 4.0, "status": 503},
    "no answer": {"hides": True, "status": 599},
    "refused": {"port": 0},
}


@pytest.mark.parametrize("outage", OUTAGES)
def test_an_outage_neither_loses_nor_repeats(world: World, outage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One alert comes, goes on, and another comes and goes, while Slack is away; the webhook is told all at once."""
    if outage == "time-out":
        monkeypatch.setattr(delivery, "TIMEOUT_SECONDS", 2.0)
    for name, value in OUTAGES[outage].items():
        setattr(world.slack, name, value)
    if outage == "refused":
        world.slack.port = closed_port()
        world.environ["PHOENIX_SLACK_WEBHOOK"] = world.slack.url
        world.tell(-50)
    world.episode(0)
    assert world.tell(0) == [("slack", "opened", "failed"), ("webhook", "opened", "delivered")]
    assert world.tell(0.5) == []  # within its back-off
    world.resolve(world.episode(1, seen=replace(SEEN, subject="all")), 3)
    told = [attempt for minutes in range(5, 60, 5) for attempt in world.tell(minutes)]
    assert [one for one in told if one[0] == "webhook"] == [("webhook", "resolved", "delivered")]
    tries = [one for one in told if one[0] == "slack"]
    assert set(tries) == {("slack", "opened", "failed")}
    assert len(tries) == (1 if outage == "429" else 5)  # at 5, 10 or so: after 1, 2, 4, 8, 16 minutes
    world.slack.status, world.slack.sleeps, world.slack.hides = 200, 0.0, False
    if outage == "refused":
        with receiving(world.slack):
            world.tell(120)
    else:
        world.tell(120)
    texts = [line.partition(":")[0] for line in world.slack.lines()]
    assert sorted(texts) == ["CICDPipelineFailureRate", "resolved"]  # the second in one message
    assert world.tell(125) == []
    publish_alerts(world.home)
    counted = rows(world.home, "select state, max(attempt_count) as n from marts.alert_deliveries group by all")
    assert [row["state"] for row in counted] == ["delivered"]


@pytest.mark.parametrize("status", [301, 400, 403, 404, 410])
def test_a_refusal_is_for_good_and_gives_no_secret_away(
    world: World, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    """It is recorded with what the target said, less its address, and not tried again; nor is the end told there."""
    caplog.set_level(logging.DEBUG)
    world.slack.status, world.slack.body = status, f"no_service {world.slack.url} s3cret-token"
    episode = world.episode(0)
    assert ("slack", "opened", "refused") in world.tell(0)
    world.slack.status = 200
    assert world.tell(30) == []
    world.resolve(episode, 60)
    assert world.tell(60) == [("webhook", "resolved", "delivered")]
    publish_alerts(world.home)
    [row] = rows(world.home, "from marts.alert_deliveries where state = 'refused'")
    assert str(row["error"]).startswith(f"HTTP {status}: no_service")
    assert "s3cret" not in f"{row} {caplog.text} {targets_of(world.settings)}"


def test_an_address_that_is_new_is_told_what_fires_and_not_what_is_over(world: World) -> None:
    """Whoever names a target today gets no history."""
    world.resolve(world.episode(0), 20)
    still = world.episode(30, seen=replace(SEEN, subject="all"))
    world.tell(40)
    world.slack.path = "/services/other"
    world.environ["PHOENIX_SLACK_WEBHOOK"] = world.slack.url
    assert world.tell(50) == [("slack", "opened", "delivered")]
    assert world.slack.lines()[-1].startswith(f"{RULE}: all pipelines together")
    world.resolve(still, 60)
    assert world.tell(60) == [("slack", "resolved", "delivered"), ("webhook", "resolved", "delivered")]


def test_what_is_silenced_is_not_told_and_what_was_told_is_told_to_be_over(world: World) -> None:
    """A silence is over when it fires still: then it is due. One that came and went in a silence is told to nobody."""
    quiet = world.episode(0, due_at=None, silenced_until=at(100))
    told = world.episode(1, seen=replace(SEEN, subject="all"))
    assert world.tell(5) == BOTH
    world.resolve(quiet, 20)
    hushed = world.write(replace(told, silenced_until=at(100), updated_at=at(20)))
    assert world.tell(20) == world.tell(26 * 60) == []  # no reminder either
    world.resolve(hushed, 30)
    assert {kind for _, kind, _ in world.tell(30)} == {"resolved"}
    late = world.episode(40, seen=replace(SEEN, subject="late"), due_at=None, silenced_until=at(100))
    assert world.tell(40) == []
    world.write(replace(late, due_at=at(100), silenced_until=None, updated_at=at(100)))
    assert world.tell(100) == BOTH


def test_a_pass_killed_while_sending_sends_again_only_what_was_not_written_down(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before the record of the second message, only that one comes twice, with the same key."""
    del world.environ["PHOENIX_SLACK_WEBHOOK"]
    world.episode(0)
    world.episode(1, seen=replace(SEEN, subject="all"))
    write = landing.write_batch
    written: list[Path] = []

    def dies_at_the_second(*what: Any) -> Path:
        if len(written) == 1:
            raise KeyboardInterrupt
        written.append(write(*what))
        return written[-1]

    with monkeypatch.context() as patched:
        patched.setattr(landing, "write_batch", dies_at_the_second)
        with pytest.raises(KeyboardInterrupt):
            world.tell(5)
    assert world.tell(10) == [("webhook", "opened", "delivered")]
    keys = [headers["Idempotency-Key"] for headers, _ in world.webhook.taken]
    assert len(keys) == 3
    assert keys[1] == keys[2] != keys[0]
    assert world.tell(15) == []


def test_a_flood_is_told_in_parts(world: World) -> None:
    """Twenty messages a pass to one target, the oldest first."""
    del world.environ["PHOENIX_SLACK_WEBHOOK"]
    records = []
    for number in range(25):
        fired = at(number)
        seen = replace(SEEN, subject=f"w{number:02}")
        episode = Episode("firing", seen, fired, fired, fired, fired_at=fired, due_at=fired)
        records.append(landing.Record(None, None, fired, as_text(payload_of(episode))))
    landing.write_batch(world.home, "alert_events", records)
    publish_alerts(world.home)
    assert [len(world.tell(minutes)) for minutes in (30, 35, 40)] == [20, 5, 0]
    said = [body["commonAnnotations"]["subject"] for _, body in world.webhook.taken]
    assert said == [f"w{number:02}" for number in range(25)]


def test_one_process_at_a_time_tells(world: World) -> None:
    """A second one leaves it to the first."""
    world.episode(0)
    seen: list[list[Attempt]] = []

    def clock() -> datetime:
        if not seen:
            seen.append([])
            seen.append(tell(world.settings, lambda: at(0)))
        return at(0)

    assert len(tell(world.settings, clock)) == 2
    assert seen == [[], []]
