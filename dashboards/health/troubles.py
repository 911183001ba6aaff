"""What is late, missing or cannot be told, and what to do about each: drawn first on the page."""

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd
import streamlit as st

from dashboards import clock, data
from dashboards.health import advice, questions
from dashboards.health.freshness import silent_now
from dashboards.panel import panel
from phoenix_metrics import words

NAMED = 3
BAD, ODD = ":red[✗]", ":orange[▲]"
LITTLE_LEFT = 0.1  # of the requests that a source grants, as CICDRateLimitLow has it

_WHAT = {
    "partial": "not read to the end within the request budget",
    "failed": "could not be read at the newest pass",
    "no_access": "may not be read by the token",
    "unavailable": "not there, or not for this token",
    "gone": "gone",
    "blocked": "blocked for legal reasons",
    "set_aside": "could not be loaded and was set aside",
    "not_seen": "not in Argo CD's list any more",
    "no_environment": "without an environment, since nothing names one",
}


@dataclass(frozen=True)
class Trouble:
    """Something that keeps a number from being whole: its sign, what it is, and what to do about it."""

    sign: str
    what: str
    advice: str


def draw_troubles() -> None:
    """Draw each trouble once, however many sources have it, the worst first; or that there is none."""
    with panel(
        "What needs doing",
        "What is late, missing or unknown of the data that every page rests on. " + data.definition_of("data_health"),
    ):
        freshness = silent_now(questions.freshness(), clock.now())
        found = troubles(data.health(), freshness, questions.sources(), questions.webhooks())
        if not found:
            st.markdown(
                ":green[✓] Every source is read in full and in time, and nothing is known to be missing. "
                "What cannot be told from that is counted below."
            )
        for trouble in found:
            st.markdown(f"{trouble.sign} {trouble.what}  \n→ {trouble.advice}.")


def troubles(
    health: pd.DataFrame, freshness: pd.DataFrame, sources: pd.DataFrame, webhooks: pd.DataFrame
) -> list[Trouble]:
    """Return every trouble, the worst first."""
    found = [*_late(freshness), *_states(health), *_missing(health), *_budgets(sources), *_strange(webhooks)]
    return sorted(found, key=lambda trouble: trouble.sign != BAD)


def _late(freshness: pd.DataFrame) -> Iterator[Trouble]:
    late = freshness[freshness["is_stale"] & ~freshness["is_refused"]]
    never, known = late[late["last_success_at"].isna()], late[late["last_success_at"].notna()]
    if len(known):
        oldest = clock.moment(known["last_success_at"].min())
        yield Trouble(
            BAD,
            f"**{words.counted(len(known), 'source')} not read in time**, one not since {oldest}: {_named(known)}. "
            "What happened there since is on no page, and alerts that rest on it stand still",
            f"see that `phoenix up` is running; {advice.DOCTOR}",
        )
    if len(never):
        what = f"**{words.counted(len(never), 'source')} never read in full**: {_named(never)}"
        yield Trouble(BAD, what, "nothing, while the first pass is under way; else " + advice.DOCTOR)


def _states(health: pd.DataFrame) -> Iterator[Trouble]:
    wrong = health[(health["state"] != "ok") & ~(health["source"] == "argocd_audit")]
    is_beside = wrong["source"].str.startswith("github_") & (wrong["source"] != "github_workflow_file")
    for (source, state), rows in wrong[~is_beside].groupby(["source", "state"], sort=False):
        if source == "cost":
            jobs = words.counted(rows["unpriced_count"].sum(), "job")
            what = f"**{jobs} without a price**, so sums of cost lack them: {_named(rows)}"
        elif source == "argocd_application" and state == "partial":
            what = f"**Something is lost of {words.counted(len(rows), 'application')}**: {_named(rows)}"
        else:
            part = "" if source in ("github", "argocd") else f", {words.part(source)}"
            what = f"**{_named(rows)}**{part}: {_WHAT.get(state, words.plain(state))}{_note(rows)}"
        is_bad = source in ("github", "argocd", "landing") and state != "partial"
        yield Trouble(BAD if is_bad else ODD, what, advice.of_row(source, state))
    for state, rows in wrong[is_beside].groupby("state", sort=False):
        yield from _beside(str(state), rows)


def _beside(state: str, rows: pd.DataFrame) -> Iterator[Trouble]:
    """Tell of what goes with the runs and is in some state: parts that the same repositories lack are told together."""
    lacking: dict[tuple[str, ...], list[str]] = {}
    for source, of_it in rows.groupby("source", sort=False):
        lacking.setdefault(tuple(of_it["subject"]), []).append(str(source))
    for sources in lacking.values():
        these = rows[rows["source"].isin(sources)]
        named, parts = (
            _named(these.drop_duplicates("subject")),
            words.listed([words.part(source) for source in sources]),
        )
        note = "" if state == "unavailable" else _note(these)  # which would say that again
        what = f"**{named}**, {parts}: {_WHAT.get(state, words.plain(state))}{note}"
        yield Trouble(ODD, what, advice.of_row(sources[0], state))


def _missing(health: pd.DataFrame) -> Iterator[Trouble]:
    for source, what, todo in (
        ("github", "attempts of runs, or stretches of history not read yet", advice.MISSING),
        ("argocd", "deployments that Argo CD forgot before they were seen", advice.LOST),
        ("argocd_audit", "operations that Argo CD counted and that are not here", advice.LOST),
    ):
        rows = health[(health["source"] == source) & (health["missing_count"] > 0)]
        if len(rows):
            count = words.count(rows["missing_count"].sum())
            yield Trouble(ODD, f"**{count} known to be missing**: {what}, of {_named(rows)}", todo)


def _budgets(sources: pd.DataFrame) -> Iterator[Trouble]:
    for source in sources.dropna(subset=["rate_limit", "rate_limit_remaining"]).itertuples():
        if source.rate_limit_remaining < LITTLE_LEFT * source.rate_limit:
            left = f"{words.count(source.rate_limit_remaining)} of {words.counted(source.rate_limit, 'request')}"
            what = f"**{left} left** of an hour at {words.part(source.source)}; passes end early"
            yield Trouble(ODD, what, advice.STATES["partial"])


def _strange(webhooks: pd.DataFrame) -> Iterator[Trouble]:
    refused = webhooks[webhooks["refused_count"] > 0]
    if len(refused):
        what = f"**{words.counted(refused['refused_count'].sum(), 'webhook delivery')} not understood**: "
        named = words.listed([f"{row.event} ({row.newest_error})" for row in refused.head(NAMED).itertuples()])
        yield Trouble(
            ":orange[▲]", what + words.plain(named), "the polls find what they told of; check what sends them"
        )


def _named(rows: pd.DataFrame) -> str:
    names = [words.plain(str(name)) for name in rows["subject"].head(NAMED)]
    more = [f"{words.count(len(rows) - NAMED)} more"] if len(rows) > NAMED else []
    return words.listed([*names, *more])


def _note(rows: pd.DataFrame) -> str:
    notes = dict.fromkeys(note for note in rows["note"].head(NAMED) if isinstance(note, str) and note)
    return f" ({words.plain('; '.join(notes))})" if notes else ""
