"""What if: the same jobs on another runner, and what of the waste could have been spared."""

from dataclasses import dataclass

import pandas as pd
import streamlit as st

from dashboards import data
from dashboards.cost import questions
from dashboards.cost.filters import choice
from dashboards.panel import panel
from dashboards.scope import Scope
from dashboards.tables import draw, number
from phoenix_metrics import words

SPEEDS = {  # sums of powers of two, so that no rounding up hangs on a last digit
    "as long as now": 1.0,
    "a quarter less time": 0.75,
    "half the time": 0.5,
    "a quarter more time": 1.25,
    "twice the time": 2.0,
}
KINDS = {
    "standard": "GitHub's standard",
    "larger": "GitHub's larger",
    "self_hosted": "your own, free at GitHub",
    "own": "your own price",
}


@dataclass(frozen=True)
class Measure:
    """Something that would have spared a class of waste, and how far that is known."""

    waste_class: str
    name: str
    bound: str
    why: str


MEASURES = (
    Measure(
        "outdated",
        "Cancel superseded runs: a concurrency group with cancel-in-progress",
        "at least",
        "These jobs began when a newer run was there already. What was at work when the newer run came, and went on to "
        "its end, would be spared from then on, and is not in it.",
    ),
    Measure(
        "superseded",
        "The same, where a newer push cancels already",
        "at most",
        "What was spent until the newer push came. Cancelling has spared the rest; only pushing less often saves this.",
    ),
    Measure(
        "fail_fast",
        "Fail-fast, where a failure cancels its matrix already",
        "at most",
        "What was spent until another job of the matrix failed. What fail-fast would spare where it is switched off is "
        "not known from the waste.",
    ),
    Measure("flaky", "No flaky failures", "about", "The failed executions alone; the job would have passed at once."),
    Measure(
        "timeout",
        "Shorter time limits",
        "at most",
        "All that the jobs spent until they reached their limit; a shorter limit spares a part of it.",
    ),
    Measure(
        "rerun",
        "No re-runs that change nothing",
        "at most",
        "Jobs that ended as they had before. Running only the failed jobs again spares those that had passed.",
    ),
)


def draw_what_if(scope: Scope) -> None:
    """Draw what other runners would have cost, and what could have been spared."""
    _draw_runner(scope)
    _draw_spared(scope)


def usual_replacement(book: pd.DataFrame, runner: str) -> str:
    """Return the next cheaper runner of the same system, else the next dearer one, else the runner itself."""
    here = book[book["sku"] == runner]
    system = runner.partition("_")[0]
    others = book[(book["sku"] != runner) & (book["sku"].str.partition("_")[0] == system)]
    if here.empty or others.empty:
        return runner if len(here) else str(book["sku"].iloc[0])
    price = here["usd_per_minute"].iloc[0]
    cheaper = others[others["usd_per_minute"] < price].sort_values(["usd_per_minute", "sku"])
    dearer = others[others["usd_per_minute"] >= price].sort_values(["usd_per_minute", "sku"])
    return str(cheaper["sku"].iloc[-1] if len(cheaper) else dearer["sku"].iloc[0])


def sentence(row: pd.Series, runner: str, speed: str) -> str:
    """Say what the jobs of a runner would have cost on another one."""
    now, changed = row["cost_usd"], row["changed_usd"]
    minutes = words.minutes(row["changed_minutes"])
    jobs = f"The {words.counted(row['job_count'], 'job')} on {words.plain(runner)} cost **{words.usd(now)}** for "
    said = f"{jobs}{words.minutes(row['billed_minutes'])}. "
    if pd.isna(changed):
        return f"{said}On {words.plain(row['sku'])} it is not known: a price is missing on some day of the period."
    moved = round(now, 2) - round(changed, 2)  # of what is shown
    difference = words.usd(abs(moved))
    share = f" ({words.ratio(abs(moved) / now)})" if now else ""
    verdict = "the same" if difference == words.usd(0) else f"{difference} {'less' if moved > 0 else 'more'}{share}"
    return (
        f"{said}On **{words.plain(row['sku'])}**, with every job taking {speed}, it would have been "
        f"**{words.usd(changed)}** for {minutes}: **{verdict}**."
    )


def _draw_runner(scope: Scope) -> None:
    with panel(
        "What if: another runner",
        "List price of the period's jobs of one runner, had they run on another. "
        + data.definition_of("runner_prices")
        + " Every job is rounded up by itself to whole minutes. Standard runners stay free where GitHub does not "
        "charge for them. Jobs without a price are on neither side.",
    ):
        runners, book = list(questions.runners(scope)["runner_sku"]), questions.price_book(scope)
        if not runners:
            st.caption("Of no runner of this period it is known what it is billed as.")
            return
        with st.container(horizontal=True, vertical_alignment="bottom"):
            runner = choice("Jobs that ran on", "runner", runners, runners[0])
            usual = usual_replacement(book, runner)
            replacement = choice("Had run on", "replacement", list(book["sku"]), usual)
            speed = choice("Each taking", "speed", list(SPEEDS), next(iter(SPEEDS)), width=180)
        frame = questions.replacements(scope, runner, SPEEDS[speed])
        chosen = frame[frame["sku"] == replacement]
        if chosen.empty:
            st.caption(f"No job on {words.plain(runner)} has a known cost, so there is nothing to compare.")
            return
        st.markdown(sentence(chosen.iloc[0], runner, speed))
        st.caption(_assumption(book, chosen.iloc[0], runner, SPEEDS[speed]))
        with st.expander("Every runner of the price book"):
            _draw_replacements(frame.merge(book, on=["sku", "kind"]))


def _assumption(book: pd.DataFrame, row: pd.Series, runner: str, factor: float) -> str:
    """Say what the comparison rests on, and how long jobs may take for it to pay; what is free cannot be cheaper."""
    prices = book.set_index("sku")["usd_per_minute"]
    now, then = prices.get(runner), prices.get(row["sku"])
    said = (
        "This assumes that a job takes as long on the other runner, which is exact only if it does."
        if factor == 1
        else "This assumes that every job's duration changes by the same factor, before it is rounded up."
    )
    said += " Nothing here measures whether the jobs would run there at all."
    if now and then and runner != row["sku"] and row["cost_usd"] > 0:
        said += (
            f" At today's prices, {now:g} and {then:g}{words.NBSP}USD a minute, it pays while jobs take less than "
            f"{words.ratio(now / then)} of the time they take now, rounding aside."
        )
    return said


def _draw_replacements(frame: pd.DataFrame) -> None:
    draw(
        frame.assign(
            moved=frame["changed_usd"] - frame["cost_usd"],
            share=(frame["changed_usd"] - frame["cost_usd"]) / frame["cost_usd"].where(frame["cost_usd"] > 0),
            whose=frame["kind"].map(KINDS),
        ),
        {
            "sku": st.column_config.TextColumn("Runner", help=data.definition("runner_prices.sku"), pinned=True),
            "whose": st.column_config.TextColumn("Whose", help=data.definition("runner_prices.kind"), width="medium"),
            "usd_per_minute": number("USD a minute now", data.definition("runner_prices.usd_per_minute")),
            "changed_minutes": number("Minutes", "Whole minutes, each job rounded up by itself."),
            "changed_usd": number("Would have cost", "At the prices of the days on which the jobs began."),
            "moved": number("Against now", "That less what the jobs cost."),
            "share": number("Of their cost", "The difference as a part of what the jobs cost."),
            "source": st.column_config.TextColumn("Price from", help=data.definition("runner_prices.source")),
        },
        {
            "usd_per_minute": "{:g}".format,
            "changed_minutes": words.minutes,
            "changed_usd": words.usd,
            "moved": lambda moved: words.signed(moved, words.usd),
            "share": lambda share: words.signed(share, words.ratio),
        },
        "Runners of the price book with what the jobs would have cost on each",
    )


def _draw_spared(scope: Scope) -> None:
    with panel(
        "What if: less waste",
        "List price of the classes of waste that a measure is about. Not to be added up: one measure changes what is "
        "left for another. " + data.definition_of("waste_classes_daily"),
    ):
        said = spared(questions.waste_classes(scope))
        if said:
            st.markdown("\n".join(f"- {sentence}" for sentence in said))
        else:
            st.caption("Nothing was wasted in this period that a measure would have spared.")


def spared(frame: pd.DataFrame) -> list[str]:
    """Say of each measure whose class of waste has jobs what it would have spared, and how far that is known."""
    known, whole = frame.set_index("waste_class"), frame["cost_usd"].sum()
    return [
        _spared(measure, known.loc[measure.waste_class], whole)
        for measure in MEASURES
        if measure.waste_class in known.index
    ]


def _spared(measure: Measure, row: pd.Series, whole: float) -> str:
    share = f"{words.ratio(row['cost_usd'] / whole)}, " if whole and pd.notna(row["cost_usd"]) else ""
    spent = f"{words.minutes(row['billed_minutes'])} of {words.counted(row['job_count'], 'job')}"
    lacking = (
        f", {words.count(row['unpriced_count'])} of them not priced and not in it" if row["unpriced_count"] else ""
    )
    return (
        f"**{measure.name}**: {measure.bound} **{words.usd(row['cost_usd'])}** ({share}{spent}{lacking}). {measure.why}"
    )
