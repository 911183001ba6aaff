"""Lines that say what other pages know of this workflow, each with the way there."""

import pandas as pd
import streamlit as st

from dashboards import data
from dashboards.filters import carried
from dashboards.panel import draw_link
from dashboards.scope import Scope
from dashboards.workflow import questions
from phoenix_metrics import words

PROOFS = ("L1", "L2")


def draw_elsewhere(scope: Scope) -> None:
    """Say how flaky the workflow's jobs are and what they cost, with links to the pages that tell more."""
    carrying = {name: value for name, value in carried().items() if name == "range"}
    lines = (
        (flaky_sentence(questions.flaky_jobs(scope)), "Flakiness", "flakiness", data.definition_of("flaky_jobs")),
        (cost_sentence(questions.cost(scope)), "Cost", "cost", data.definition_of("costs_daily")),
    )
    with st.container(gap="xsmall"):
        for sentence, name, page, meaning in lines:
            with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
                st.markdown(sentence, width="content", help=meaning)
                draw_link(name, page, repository=scope.repository or "", **carrying)


def flaky_sentence(frame: pd.DataFrame) -> str:
    """Return in a sentence which jobs fail by chance; healed ones and mere suspicions are counted apart."""
    proven = frame[frame["level"].isin(PROOFS) & ~frame["is_healed"]]
    others = len(frame) - len(proven)
    if proven.empty:
        rest = f" {words.counted(others, 'job')} healed or only suspected." if others else ""
        return f"**Flaky jobs:** none proven in the last 30 days.{rest}"
    rest = f" {words.counted(others, 'more job')} healed or only suspected." if others else ""
    worst = proven.iloc[0]
    span = words.between(words.ratio(worst["ratio_low"]), words.ratio(worst["ratio_high"]))
    few = f", fewer than {words.FEW}" if worst["observation_count"] < words.FEW else ""
    return (
        f"**Flaky jobs:** {words.count(len(proven))} proven in the last 30 days, first of them "
        f"**{words.plain(worst['job'])}** at {words.ratio(worst['flaky_ratio'])} ({span}) of "
        f"{words.counted(worst['observation_count'], 'commit')}{few}.{rest}"
    )


def cost_sentence(cost: pd.Series) -> str:
    """Return in a sentence what the workflow cost, what of that came to nothing, and what is not priced."""
    if not cost["row_count"]:
        return "**Cost:** no job of this time range has run to an end."
    if pd.isna(cost["cost_usd"]):
        return f"**Cost:** not known: none of {words.counted(cost['job_count'], 'job')} has a known price."
    unpriced = cost["unpriced_count"]
    if not cost["cost_usd"] and not unpriced:
        return "**Cost:** nothing in this time range: every job, of all branches and events, was free of charge."
    missing = f" {words.counted(unpriced, 'job')} without a known price not included." if unpriced else ""
    share = f" ({words.ratio(float(cost['waste_usd'] / cost['cost_usd']))})" if cost["cost_usd"] > 0 else ""
    return (
        f"**Cost:** {words.usd(float(cost['cost_usd']))} at list prices in this time range, all branches and events; "
        f"{words.usd(float(cost['waste_usd']))}{share} of it for work that came to nothing.{missing}"
    )
