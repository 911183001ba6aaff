"""What people see: `phoenix alerts`, its test message, and the doctor's lines."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from phoenix_metrics.alerts.episodes import Condition, Episode
from phoenix_metrics.alerts.listing import show_alerts, show_silences, show_test
from phoenix_metrics.defs.alerts import payload_of
from phoenix_metrics.defs.messages import tell
from phoenix_metrics.doctor import examine
from phoenix_metrics.errors import NoSnapshotError, SettingsError
from phoenix_metrics.settings import load_settings
from phoenix_metrics.sources.items import as_text
from phoenix_metrics.warehouse import landing
from tests.alerts.published import publish_alerts
from tests.alerts.receiver import closed_port, receiving
from tests.conftest import publish_landing

NOW = datetime(2026, 3, 9, 12, tzinfo=UTC)


def land(home: Path, rule: str, subject: str, state: str, hours: float, **changes: object) -> None:
    """Land an episode that began some hours ago; what is over ended half an hour ago."""
    begun = NOW - timedelta(hours=hours)
    seen = Condition(
        rule, subject, True, 0.1, 0.25, 40, note="10 of 40 [runs] failed", labels={"repository": "acme/app"}
    )
    values = {
        "started_at": begun,
        "held_since": begun,
        "updated_at": NOW,
        "fired_at": None if state == "pending" else begun,
        "due_at": None if state == "pending" else begun,
        "ended_at": NOW - timedelta(minutes=30) if state == "resolved" else None,
        **changes,
    }
    episode = Episode(state, seen, **values)  # type: ignore[arg-type]  # as Episode
    landing.write_batch(home, "alert_events", [landing.Record(None, None, NOW, as_text(payload_of(episode)))])


def test_open_alerts_come_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What fires, then what may, then what is over; each with figure, limit and n."""
    monkeypatch.setenv("COLUMNS", "200")
    land(tmp_path, "CICDPipelineFailureRate", "over", "resolved", 1)
    land(tmp_path, "CICDPipelineFailureRate", "may be", "pending", 0.1)
    land(tmp_path, "CICDPipelineFailureRate", "fires", "firing", 5)
    land(tmp_path, "CICDPipelineFailureRate", "stands", "firing", 6, is_frozen=True)
    land(tmp_path, "CICDQueueLong", "quiet", "firing", 7, silenced_until=NOW + timedelta(days=1))
    publish_alerts(tmp_path)
    show_alerts(tmp_path, 30)
    lines = [line.replace("│", "").split() for line in capsys.readouterr().out.splitlines()[2:-1]]
    assert [line[0] for line in lines] == ["firing", "firing", "silenced", "pending", "resolved"]
    words = "firing CICDPipelineFailureRate fires 25.0 % 10.0 % 40 03-09 07:00 10 of 40 [runs] failed"
    assert " ".join(lines[0]) == words
    assert lines[1][:4] == ["firing", "(stands", "still)", "CICDPipelineFailureRate"]
    assert " ".join(lines[4]).endswith("40 03-09 11:00 03-09 11:30 10 of 40 [runs] failed")
    show_alerts(tmp_path, 1)
    assert len(capsys.readouterr().out.splitlines()) == 4


def test_without_alerts_or_a_snapshot_that_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In words, not as an empty table."""
    with pytest.raises(NoSnapshotError):
        show_alerts(tmp_path, 30)
    publish_alerts(tmp_path)
    show_alerts(tmp_path, 30)
    assert capsys.readouterr().out.startswith("no alert is open, and none ever was")


def test_a_test_message_says_which_target_it_reached(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each target is tried, whatever the others do; nothing is written down, and no address shown."""
    with receiving() as slack, receiving() as refusing:
        refusing.status, refusing.body = 404, "no such hook"
        urls = f"{refusing.url},http://127.0.0.1:{closed_port()}/s3cret-hook"
        environ = {"PHOENIX_HOME": str(tmp_path), "PHOENIX_SLACK_WEBHOOK": slack.url}
        assert show_test(load_settings(environ), lambda: NOW) == 0
        assert show_test(load_settings({**environ, "PHOENIX_ALERT_WEBHOOKS": urls}), lambda: NOW) == 1
        assert slack.lines()[0].startswith("test: PhoenixTest: a test: a test of `phoenix alerts --test`")
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert [line.split()[0] for line in lines] == ["arrived", "arrived", "refused", "failed"]
    assert lines[2].endswith("HTTP 404: no such hook")
    assert "s3cret" not in out
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(SettingsError, match="PHOENIX_SLACK_WEBHOOK: not set"):
        show_test(load_settings({"PHOENIX_HOME": str(tmp_path)}), lambda: NOW)


def test_the_doctor_names_targets_that_were_not_told_and_silences_that_are_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One that has had nothing to hear is fine; so is one that was told."""
    config = tmp_path / "phoenix.toml"
    config.write_text(
        '[[silences]]\nrule = "CICDQueue*"\nuntil = 2026-03-01\n[[silences]]\nuntil = 9999-01-01\nreason = "for ever"\n'
    )
    home = tmp_path / "home"
    publish_landing(home)
    with receiving() as slack, receiving() as refusing:
        environ = {
            "PHOENIX_HOME": str(home),
            "PHOENIX_CONFIG": str(config),
            "PHOENIX_SLACK_WEBHOOK": slack.url,
            "PHOENIX_ALERT_WEBHOOKS": refusing.url,
        }
        refusing.status, refusing.body = 410, "gone"
        settings = load_settings(environ)

        def said() -> list[tuple[str, str]]:
            found = [one for one in examine(settings) if one.subject == "alerts"]
            return [(one.state, one.found.partition(" ")[0] + one.found.partition(":")[2]) for one in found]

        assert said()[:2] == [("ok", "slack nothing was to be told yet"), ("ok", "webhook nothing was to be told yet")]
        land(home, "CICDPipelineFailureRate", "fires", "firing", 1)
        publish_landing(home)
        tell(settings, lambda: NOW)
        publish_landing(home)
        assert said() == [
            ("ok", "slack delivered 2026-03-09 12:00 UTC"),
            ("warning", "webhook refused 2026-03-09 12:00 UTC: HTTP 410: gone"),
            ("warning", "silence00 UTC"),
        ]
    show_silences(settings, NOW)
    first, second = capsys.readouterr().out.splitlines()
    assert first == "a silence ended 2026-03-01 00:00 UTC; take it out of phoenix.toml: CICDQueue* *"
    assert second == "silenced until 9999-01-01 00:00 UTC: * * (for ever)"
