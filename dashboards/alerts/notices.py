"""What fires now, and what is not known: as sentences with links, drawn first on the page."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from html import escape
from typing import Any

import pandas as pd
import streamlit as st

from dashboards import clock, data
from dashboards.alerts import questions
from dashboards.alerts.links import anchor, page_of, runbook, runs_of
from dashboards.data import STALE_AFTER
from dashboards.panel import panel
from phoenix_metrics import words
from phoenix_metrics.settings import Settings

SHOWN, STALE_SHOWN = 20, 5

_MEANING = (
    "Episodes that fire: the figure has been over its limit for as long as the rule says. What is silenced or pending "
    "stands below. Figures are of the last pass at which they were over the limit; n counts what they rest on."
)


def draw_firing() -> None:
    """Draw what fires now, each with its figure, since when, whose it is and where to look; or that nothing does."""
    with panel("What fires now", _MEANING):
        alerts, rules, stale = questions.open_alerts(), questions.rules(), questions.stale_sources()
        firing, now = alerts[alerts["state"] == "firing"], clock.now()
        if firing.empty:
            st.markdown(quiet(rules, stale, now))
        else:
            told = questions.messages_of_open()
            items = [_item(alert, told, data.settings(), now) for alert in firing.head(SHOWN).itertuples()]
            st.html(f'<ul class="alerts">{"".join(items)}</ul>')
        if len(firing) > SHOWN:
            st.caption(f"and {words.count(len(firing) - SHOWN)} more, see the episodes below")
        if not stale.empty:
            st.markdown(stale_sentence(stale, int(alerts["is_frozen"].sum())))


def quiet(rules: pd.DataFrame, stale: pd.DataFrame, now: datetime) -> str:
    """Return what it means that nothing fires: that all is well, or that nobody could tell."""
    judged = int(rules["judged_count"].sum())
    as_of = rules["as_of"].iloc[0] if len(rules) else None
    if as_of is None or pd.isna(as_of):
        return "**?** Whether anything should fire cannot be said: nothing has been read yet."
    age = now - as_of.to_pydatetime().replace(tzinfo=UTC)
    if age > STALE_AFTER:
        return (
            f":orange[▲] **Nobody has looked since {words.moment(as_of)}, {words.age(age)}.** Nothing fired then; what "
            "happened since is not known. Run `phoenix doctor` to see what is wrong."
        )
    if not judged:
        return "**?** Whether anything should fire cannot be said: no rule has a figure on enough samples, see below."
    active, known = int((rules["judged_count"] > 0).sum()), len(rules)
    said = (
        f"At the newest pass {words.count(active)} of {words.counted(known, 'rule')} had a figure, of "
        f"{words.counted(judged, 'subject')}" + ("." if active == known else "; below it says why the others had none.")
    )
    return (
        f":orange[▲] Nothing fires, but not all is known. {said}" if len(stale) else f":green[✓] Nothing fires. {said}"
    )


def stale_sentence(stale: pd.DataFrame, frozen: int) -> str:
    """Return which sources are not read, and what that does to alerts."""
    names = [
        f"{words.plain(source.subject)} ("
        + (
            "never read in full"
            if pd.isna(source.last_success_at)
            else f"last on {words.moment(source.last_success_at)}"
        )
        + ")"
        for source in stale.head(STALE_SHOWN).itertuples()
    ]
    more = [f"{words.count(len(stale) - STALE_SHOWN)} more"] if len(stale) > STALE_SHOWN else []
    still = f"{words.counted(frozen, 'open alert')} {'stands' if frozen == 1 else 'stand'} still" if frozen else ""
    return (
        f":orange[▲] **Not read in full:** {words.listed([*names, *more])}. Alerts that rest on them neither open nor "
        "close meanwhile, so quiet may only mean that nobody could look"
        + (f"; {still}." if still else ".")
        + " The page Data health says what to do."
    )


def told(alert_id: str, messages: pd.DataFrame, settings: Settings) -> str:
    """Return in words who was told of an alert, and whether it arrived."""
    mine = messages[messages["alert_id"] == alert_id]
    if mine.empty:
        return "told nobody yet" if has_targets(settings) else "told nobody"
    newest = mine.drop_duplicates("target", keep="last")
    said = [
        f"{target.rpartition(' ')[0]} {words.MESSAGE_STATES.get(state, state)}"
        for target, state in zip(newest["target"], newest["state"], strict=True)
    ]
    return f"told {', '.join(said)}"


def has_targets(settings: Settings) -> bool:
    """Whether this page knows of anybody whom alerts are told to."""
    return settings.slack_webhook is not None or settings.alert_webhooks is not None


def owner(team: object, settings: Settings) -> str:
    """Return whose an alert is."""
    if not isinstance(team, str):
        return "no team"
    mention = settings.owners.get(team)
    if not mention:
        return f"team {team}"
    return f"team {team}, " + ("mentioned in Slack" if mention.startswith("<") else mention)


def _item(alert: Any, messages: pd.DataFrame, settings: Settings, now: datetime) -> str:
    name, address = words.alert_subject(alert.subject), runbook(settings, alert.runbook)
    since: datetime = alert.fired_at.to_pydatetime().replace(tzinfo=UTC)
    facts = [
        f"<b>{escape(_figure(alert))}</b>",
        f"fires since {clock.moment_html(since)} ({escape(_ago(now - since))})",
        escape(owner(alert.team, settings)),
        escape(told(alert.alert_id, messages, settings)),
        *([words.STANDS_STILL] if alert.is_frozen else []),
    ]
    links = [
        anchor(address, "runbook", outside=True) if address else escape(str(alert.runbook)),
        *(anchor(url, f"run {number}", outside=True) for number, url in enumerate(runs_of(alert), 1)),
    ]
    meaning = escape(str(alert.meaning))
    return (
        f'<li><div><span class="sign">✗</span> {anchor(page_of(alert), name)} '
        f'<span title="{meaning}">{escape(alert.rule)}</span></div>'
        + (f"<div>{escape(alert.note)}</div>" if isinstance(alert.note, str) else f"<div>{meaning}</div>")
        + f"<div>{_dotted(facts)}</div><div>{_dotted(links)}</div></li>"
    )


def _figure(alert: Any) -> str:
    value, threshold = words.amount(alert.value, alert.unit), words.amount(alert.threshold, alert.unit)
    n = "" if pd.isna(alert.sample_count) else f", n{words.NBSP}={words.NBSP}{words.count(alert.sample_count)}"
    return f"{value}, limit {threshold}{n}"


def _ago(span: timedelta) -> str:
    return words.age(span)


def _dotted(parts: Sequence[str]) -> str:
    return " · ".join(f"<span>{part}</span>" for part in parts)
