"""Tables of alerts: what waits, what was, what was told, and by which rules."""

from typing import Any

import pandas as pd
import streamlit as st

from dashboards import clock, data
from dashboards.alerts import questions
from dashboards.alerts.limits import limit
from dashboards.alerts.links import page_of, runbook
from dashboards.alerts.notices import has_targets, owner
from dashboards.alerts.scope import AlertScope
from dashboards.panel import panel
from dashboards.tables import draw, number
from phoenix_metrics import words

MESSAGES = 50


def draw_waiting() -> None:
    """Draw the episodes that are pending, silenced or stand still, and the silences of phoenix.toml."""
    with panel(
        "Pending, silenced, standing still",
        "Pending: over the limit, but not for as long as the rule asks for. Silenced: it fires and phoenix.toml keeps "
        "it quiet; it is told when the silence ends. Standing still: what it rests on is not read.",
    ):
        alerts = questions.open_alerts()
        waiting = alerts[(alerts["state"] != "firing") | alerts["is_frozen"]]
        if waiting.empty:
            st.caption("No alert is pending, silenced or stands still.")
        else:
            _draw_episodes(waiting, "silenced_until", "Alerts that are pending, silenced or stand still")
        for sentence in silences():
            st.markdown(sentence)


def silences() -> list[str]:
    """Return in a sentence each silence that holds, and each that is over."""
    said = []
    for one in data.settings().silences:
        what = words.plain(f"{one.rule} {one.subject}" + (f" ({one.reason})" if one.reason else ""))
        if one.until > clock.now():
            said.append(f"○ silenced until {clock.moment(one.until)}: {what}")
        else:
            said.append(f":orange[▲] a silence ended {clock.moment(one.until)}; take it out of phoenix.toml: {what}")
    return said


def draw_history(scope: AlertScope) -> None:
    """Draw the episodes of the period, newest first."""
    with panel("Episodes", data.definition_of("alerts") + " Newest first."):
        episodes, count = questions.episodes(scope), questions.episode_count(scope)
        if episodes.empty:
            st.caption(f"None in this period{'' if _is_any() else ': ' + words.NO_ALERT_EVER}.")
            return
        _draw_episodes(episodes, "ended_at", "Episodes of alerts with their figure, limit, beginning and end")
        if count > len(episodes):
            st.caption(f"The newest {words.count(len(episodes))} of {words.count(count)} episodes.")


def draw_messages(scope: AlertScope) -> None:
    """Draw how telling each target went in the period, and the newest messages."""
    with panel(
        "What was told, and whether it arrived",
        data.definition_of("alert_deliveries")
        + " Messages are sent once a page like this is published, so the next one "
        "shows how they went. A target is named by its kind, its host and a fingerprint of its address.",
    ):
        targets, messages = questions.targets(scope), questions.messages(scope, MESSAGES)
        if not has_targets(data.settings()):
            st.markdown(
                ":orange[▲] This page knows of no Slack or webhook that alerts are told to: set "
                "`PHOENIX_SLACK_WEBHOOK` or `PHOENIX_ALERT_WEBHOOKS`; `phoenix alerts --test` then tries them."
            )
        if targets.empty:
            st.caption("Nothing was told in this period.")
            return
        _draw_targets(targets)
        _draw_messages(messages)


def draw_rules() -> None:
    """Draw the rules with their limits as they stand, what each judges, and why one has nothing to judge by."""
    with panel("Rules", data.definition_of("alert_rules") + " A multiple or share is of what its words name."):
        rules, settings = questions.rules(), data.settings()
        draw(
            rules.assign(
                verdict=[verdict(rule) for rule in rules.itertuples()],
                limit=[limit(rule.rule, rule.threshold, rule.unit) for rule in rules.itertuples()],
                book=[runbook(settings, name) for name in rules["runbook"]],
            ),
            {
                "rule": _text("Rule", "alert_rules.rule"),
                "verdict": st.column_config.TextColumn(
                    "At the newest pass",
                    help=data.definition("alert_rules.judged_count", "alert_rules.unjudged_reason"),
                ),
                "limit": _text("Fires when", "alert_rules.threshold"),
                "min_samples": number("On at least", data.definition("alert_rules.min_samples")),
                "for_seconds": number("After", data.definition("alert_rules.for_seconds")),
                "keep_seconds": number("Ends after", data.definition("alert_rules.keep_seconds")),
                "is_own": st.column_config.CheckboxColumn("Set by you", help=data.definition("alert_rules.is_own")),
                **({"book": _runbook_column()} if settings.runbooks_url else {}),
                "meaning": _text("Means", "alert_rules.meaning", "large"),
            },
            {
                "min_samples": lambda number: words.counted(number, "sample") if number else words.NOTHING,
                "for_seconds": _span,
                "keep_seconds": _span,
                **({"book": _named_runbook} if settings.runbooks_url else {}),
            },
            "Alerting rules with their limits, how much each has to judge by, and why one has nothing",
        )
        if not settings.runbooks_url:
            st.caption("What to do about each stands in `docs/runbooks.md`; set `PHOENIX_RUNBOOKS_URL` for links.")


def verdict(rule: Any) -> str:
    """Return what a rule says now: how many subjects are over the limit, or why it has nothing to judge by."""
    frozen = f", {words.count(rule.frozen_count)} stand still" if rule.frozen_count else ""
    if isinstance(rule.unjudged_reason, str) and not rule.breached_count:
        return f"? {words.UNJUDGED.get(rule.unjudged_reason, rule.unjudged_reason)}"
    if rule.breached_count:
        return f"✗ {words.count(rule.breached_count)} of {words.counted(rule.subject_count, 'subject')} over{frozen}"
    if not rule.judged_count:
        return "✓ none at the moment"
    few = rule.subject_count - rule.judged_count
    rest = f", {words.count(few)} more with too few samples" if few else ""
    return f"✓ {words.counted(rule.judged_count, 'subject')} within{rest}{frozen}"


def _draw_episodes(episodes: pd.DataFrame, until: str, alt: str) -> None:
    pages = [page_of(alert) for alert in episodes.itertuples()]
    names = dict(zip(pages, map(words.alert_subject, episodes["subject"]), strict=True))
    columns = {
        "shown_state": _text("State", "alerts.state"),
        "rule": _text("Rule", "alerts.rule"),
        "page": st.column_config.LinkColumn("Subject", help=data.definition("alerts.subject"), width=250),
        "shown_value": number("Value", data.definition("alerts.value")),
        "shown_limit": number("Limit", data.definition("alerts.threshold")),
        "sample_count": number("n", data.definition("alerts.sample_count")),
        "started_at": st.column_config.Column("Since", help=_timed("alerts.started_at"), width=165),
        until: st.column_config.Column(
            "Until" if until == "ended_at" else "Silenced until", help=_timed(f"alerts.{until}"), width=165
        ),
        "lasted": st.column_config.Column(
            "Lasted", help="From since to until, or to the newest evaluation.", width=105, alignment="right"
        ),
        "shown_owner": st.column_config.TextColumn("Owner", help=data.definition("alerts.team")),
        "note": _text("Note", "alerts.note", "large"),
    }
    if until == "silenced_until":
        columns["silence_reason"] = _text("Why silenced", "alerts.silence_reason", "medium")
    else:
        columns["shown_told"] = st.column_config.TextColumn("Told", help="Messages that arrived, of those to be sent.")
    draw(
        _in_words(episodes).assign(page=pages),
        columns,
        {
            "page": names.get,
            "sample_count": words.count,
            "started_at": clock.moment,
            until: clock.moment,
            "lasted": words.duration,
        },
        alt,
    )


def _in_words(episodes: pd.DataFrame) -> pd.DataFrame:
    settings, rows = data.settings(), list(episodes.itertuples())
    ended = episodes["ended_at"].fillna(episodes["updated_at"])
    return episodes.assign(
        shown_state=[state(row) for row in rows],
        shown_value=[words.amount(None if pd.isna(row.value) else row.value, row.unit) for row in rows],
        shown_limit=[words.amount(None if pd.isna(row.threshold) else row.threshold, row.unit) for row in rows],
        lasted=(ended - episodes["started_at"]).dt.total_seconds(),
        shown_owner=[owner(team, settings) for team in episodes["team"]],
        shown_told=[_told(row) for row in rows],
    )


def state(alert: Any) -> str:
    """Return where an alert is, and whether it stands still."""
    still = f" ({words.STANDS_STILL})" if alert.is_frozen else ""
    return f"{words.ALERT_STATES.get(alert.state, alert.state)}{still}"


def _told(row: Any) -> str:
    count = getattr(row, "message_count", 0)
    return f"{words.count(row.delivered_count)} of {words.counted(count, 'message')}" if count else "nobody"


def _draw_targets(targets: pd.DataFrame) -> None:
    draw(
        targets.assign(newest=targets["newest_state"].map(words.MESSAGE_STATES)),
        {
            "target": _text("Target", "alert_deliveries.target"),
            "newest": st.column_config.TextColumn("Newest message", help=data.definition("alert_deliveries.state")),
            "newest_at": st.column_config.Column("When", help=_timed("alert_deliveries.attempted_at"), width=165),
            "delivered_count": number("Delivered", "Messages of the period that arrived."),
            "failed_count": number("Failing", "Messages that did not arrive yet and are tried again."),
            "refused_count": number("Refused", "Messages that the target refused for good."),
            "newest_error": _text("Newest error", "alert_deliveries.error", "large"),
        },
        {
            "newest_at": clock.moment,
            "delivered_count": words.count,
            "failed_count": words.count,
            "refused_count": words.count,
        },
        "Targets of alerts, how the newest message to each went and how many did",
    )


def _draw_messages(messages: pd.DataFrame) -> None:
    with st.expander(f"The newest messages, what did not arrive first ({words.count(len(messages))})"):
        draw(
            messages.assign(
                kind=messages["kind"].map(words.MESSAGES),
                state=messages["state"].map(words.MESSAGE_STATES),
                subject=messages["subject"].fillna("").map(words.alert_subject),
            ),
            {
                "attempted_at": st.column_config.Column(
                    "When", help=_timed("alert_deliveries.attempted_at"), width=165
                ),
                "state": _text("State", "alert_deliveries.state", 190),
                "kind": _text("What was told", "alert_deliveries.kind"),
                "rule": _text("Rule", "alert_deliveries.rule", "medium"),
                "subject": _text("Subject", "alert_deliveries.subject", "medium"),
                "target": _text("To", "alert_deliveries.target", "medium"),
                "attempt_count": number("Attempts", data.definition("alert_deliveries.attempt_count")),
                "next_at": st.column_config.Column("Not before", help=_timed("alert_deliveries.next_at"), width=165),
                "error": _text("Error", "alert_deliveries.error", "large"),
            },
            {"attempted_at": clock.moment, "next_at": clock.moment, "attempt_count": words.count},
            "Messages of alerts with what was told, to whom, and how that went",
        )


def _runbook_column() -> object:
    return st.column_config.LinkColumn("What to do", help=data.definition("alert_rules.runbook"), width=110)


def _named_runbook(_: str) -> str:
    return "runbook"


def _is_any() -> bool:
    return bool(data.ask("select count(*) as n from marts.alerts")["n"].iloc[0])


def _text(label: str, column: str, width: Any = None) -> object:
    return st.column_config.TextColumn(label, help=data.definition(column), width=width)


def _timed(column: str) -> str:
    return f"{data.definition(column).replace(', UTC', '')} {clock.note()}"


def _span(seconds: float) -> str:
    return words.duration(seconds) if seconds else "at once"
