"""LIVE: the story of an alert on the demo organisation, told by Prometheus and Alertmanager, and by our own rules.

The pipeline breaks, and the alert fires; the pipeline is mended, and the alert is resolved. Exporter, Prometheus and
Alertmanager are real and are each started anew while it fires. It takes some three minutes and is left out where
Prometheus or Alertmanager is not installed.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.alerts.receiver import Receiver, receiving
from tests.conftest import rows
from tests.deploy.demo_story import (
    ALL,
    BROKEN,
    EVERY,
    HOLD,
    KEEP,
    LAST,
    MENDED,
    PASSES,
    PIPELINE,
    TODAY,
    Episode,
    Recorded,
    breached,
    decided,
    live_through,
    planned,
)
from tests.deploy.replay import ALERTMANAGER, PATIENCE, Replay, replaying
from tests.deploy.running import PROMETHEUS
from tests.exporter.serving import wait_for

pytestmark = pytest.mark.skipif(
    PROMETHEUS is None or ALERTMANAGER is None, reason="Prometheus and Alertmanager are not installed"
)

RULE = "CICDPipelineFailureRate"
LABELS = {
    PIPELINE: {"alertname": RULE, "repository": "phoenix/platform", "workflow": "CI Pipeline", "severity": "warning"},
    ALL: {"alertname": RULE, "severity": "warning"},
}
FIRES = f'ALERTS{{alertname="{RULE}",repository="phoenix/platform",alertstate="firing"}}'
RESTARTS = {  # while it fires
    TODAY + timedelta(hours=10, minutes=30): "exporter",
    TODAY + timedelta(hours=10, minutes=45): "prometheus",
    TODAY + timedelta(hours=11): "alertmanager",
}
QUIET = timedelta(minutes=10)  # two group intervals, after which Alertmanager would have told whatever it had to tell


Episodes = dict[str, Episode]  # by what they are about


@dataclass(frozen=True)
class Told:
    """The story as our passes left it, what Slack and the webhook heard, and the processes, which still run."""

    recorded: Recorded
    slack: Receiver
    alerts: list[dict[str, Any]]  # that the webhook got, in order
    before: int  # how many of them before Alertmanager was started anew
    replay: Replay

    def statuses(self, subject: str) -> list[str]:
        """Return what the webhook heard of a pipeline."""
        return statuses(self.alerts, subject)

    def stored(self) -> Episodes:
        """Return the alerts in marts.alerts, all of which must have ended."""
        found = rows(self.recorded.home, "select rule, subject, fired_at, ended_at from marts.alerts")
        assert {row["rule"] for row in found} == {RULE}
        assert len({row["subject"] for row in found}) == len(found)
        return {str(row["subject"]): Episode(_utc(row["fired_at"]), _utc(row["ended_at"])) for row in found}

    def fired(self) -> Episodes:
        """Return the alerts that fired in Prometheus, all of which must have ended."""
        names = {frozenset(labels.items()): subject for subject, labels in LABELS.items()}
        return {names[labels]: Episode(_utc(at), _utc(until)) for labels, (at, until) in self.replay.fired().items()}


@pytest.fixture(scope="module")
def truth() -> Episodes:
    """Return what should come of the plan: the pipelines for which an alert should fire, once each, and when."""
    stretches = {subject: list(breached(ends)) for subject, ends in decided(planned()).items()}
    assert {subject: len(its) for subject, its in stretches.items() if its} == {ALL: 1, PIPELINE: 1}
    return {subject: Episode(since + HOLD, until + KEEP) for subject, its in stretches.items() for since, until in its}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """Live through the morning, then replay it and start everything anew while the alert fires."""
    folder = tmp_path_factory.mktemp("story")
    with receiving() as slack, receiving() as webhook:
        recorded = live_through(folder, slack.url)
        with replaying(folder, recorded.snapshots, webhook.url) as replay:
            before = 0
            for moment, program in RESTARTS.items():
                replay.wait_until(moment)
                wait_for(lambda: replay.value(FIRES) == 1, PATIENCE)
                before = len(heard(webhook))
                replay.restart(program)
            wait_for(lambda: "resolved" in statuses(heard(webhook), PIPELINE), PATIENCE)
            replay.wait_until(replay.now() + QUIET)
            yield Told(recorded, slack, heard(webhook), before, replay)
    shutil.rmtree(folder)  # a snapshot of each pass takes much room


def heard(webhook: Receiver) -> list[dict[str, Any]]:
    """Return the alerts that a webhook took, in order."""
    return [alert for _, body in list(webhook.taken) for alert in body["alerts"]]


def statuses(alerts: list[dict[str, Any]], subject: str) -> list[str]:
    """Return what alerts say of a pipeline, in order."""
    return [alert["status"] for alert in alerts if alert["labels"] == LABELS[subject]]


def _utc(moment: Any) -> datetime:
    assert isinstance(moment, datetime)
    return moment.replace(tzinfo=UTC)


def test_it_fires_before_the_pipeline_is_mended_and_is_resolved_after_that(truth: Episodes) -> None:
    """By the plan, for the pipeline and for all together."""
    for its in truth.values():
        assert BROKEN + HOLD < its.fired_at < MENDED < its.ended_at < LAST


def test_our_alerts_are_those_of_the_plan_within_an_interval(told: Told, truth: Episodes) -> None:
    """One episode each, and nothing else: never before it should be, and at the next pass."""
    stored = told.stored()
    assert stored.keys() == truth.keys()
    for subject, its in truth.items():
        assert its.fired_at <= stored[subject].fired_at < its.fired_at + EVERY
        assert its.ended_at <= stored[subject].ended_at < its.ended_at + EVERY


def test_slack_is_told_once_of_each_that_it_fires_and_once_that_it_is_over(told: Told) -> None:
    """In the pass in which it fires or is resolved."""
    lines = [line.rpartition(": ")[0] for line in told.slack.lines()]
    names = [f"{RULE}: {PIPELINE}", f"{RULE}: all pipelines together"]
    assert sorted(lines[:2]) == sorted(names)
    assert sorted(lines[2:]) == sorted(f"resolved: {name}" for name in names)
    stored = told.stored().values()
    moments = sorted([*(one.fired_at for one in stored), *(one.ended_at for one in stored)])
    assert [one.attempted_at for one in told.recorded.told] == moments
    assert {one.state for one in told.recorded.told} == {"delivered"}


def test_the_webhook_is_told_once_that_it_fires_and_once_that_it_is_resolved(told: Told) -> None:
    """Of the pipeline, though exporter, Prometheus and Alertmanager were each started anew in between.

    The total is inhibited by the pipeline. Alertmanager keeps no alerts over its start, only what it told: until
    Prometheus repeats the pipeline's alert it does not know what inhibits the total, and may tell of that once.
    """
    assert told.statuses(PIPELINE) == ["firing", "resolved"]
    assert statuses(told.alerts[: told.before], ALL) == []
    assert told.statuses(ALL) in ([], ["firing"], ["firing", "resolved"])
    assert len(told.alerts) == len(told.statuses(PIPELINE)) + len(told.statuses(ALL))
    assert told.alerts[0]["annotations"]["summary"].startswith("phoenix/platform: CI Pipeline fails in ")


def test_everything_was_started_anew_while_it_fired(told: Told) -> None:
    """No counter began anew, and Prometheus has held the alert since the same moment in the end as in the beginning."""
    its = told.fired()[PIPELINE]
    for at in told.replay.restarted.values():
        assert its.fired_at < told.replay.time.moment(at) < its.ended_at - KEEP
    assert told.replay.restarted.keys() == set(RESTARTS.values())
    assert told.replay.value("sum(resets(github_actions_workflow_run_total[1h]))") == 0
    held_since = [since for _, since in told.replay.samples('ALERTS_FOR_STATE{repository="phoenix/platform"}')]
    assert held_since[0] == held_since[-1]


def test_prometheus_has_the_same_episodes_at_the_same_times(told: Told, truth: Episodes) -> None:
    """Never before the plan has them, and within an interval of it and of ours, plus what the replay was late.

    That is measured: from a pass to the first evaluation that knew of it, and two evaluations on to see and to hold.
    """
    replay, stored, fired = told.replay, told.stored(), told.fired()
    assert fired.keys() == truth.keys()
    alerts = {one["status"]: one for one in told.alerts if one["labels"] == LABELS[PIPELINE]}
    webhooks = Episode(replay.told_at(alerts["firing"]["startsAt"]), replay.told_at(alerts["resolved"]["endsAt"]))
    last_failure = max(ended for ended, has_failed in decided(planned())[PIPELINE] if has_failed)
    for subject, its in truth.items():
        found = webhooks if subject == PIPELINE else fired[subject]
        for moment, should, mine, pass_at in (
            (found.fired_at, its.fired_at, stored[subject].fired_at, next_pass(its.fired_at - HOLD)),
            (found.ended_at, its.ended_at, stored[subject].ended_at, next_pass(last_failure)),
        ):
            late = replay.judged(pass_at) - pass_at + 2 * replay.longest_pause()
            assert should <= moment < should + EVERY + late
            assert abs(moment - mine) < EVERY + late


def next_pass(moment: datetime) -> datetime:
    """Return when the first pass after a moment is made."""
    return min(one for one in PASSES if one >= moment)
