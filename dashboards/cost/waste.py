"""What was wasted: the classes with what each means, and the dearest jobs of one with what shows it."""

import pandas as pd
import streamlit as st

from dashboards import clock, data
from dashboards.cost import questions
from dashboards.cost.filters import choice
from dashboards.panel import panel
from dashboards.scope import Scope
from dashboards.tables import draw, number
from phoenix_metrics import words

EXAMPLES = 10

EVIDENCE = {
    "flaky": "the job that passed",
    "superseded": "the newer run",
    "fail_fast": "the job that failed first",
    "rerun": "the job that ended the same",
    "outdated": "the newer run",
}


def draw_waste(scope: Scope) -> None:
    """Draw the classes of waste, and examples of one of them."""
    with panel(
        "Wasted, and why", "List price of jobs whose work came to nothing. " + data.definition_of("wasted_jobs")
    ):
        frame = classes(questions.waste_classes(scope))
        if frame.empty:
            st.caption("No job's work came to nothing in this period.")
            return
        _draw_classes(frame)
        _draw_unsettled(scope, frame)
    with panel("Wasted jobs, with the evidence", f"The {EXAMPLES} dearest jobs of a class, and what shows that."):
        names = {f"{words.WASTES[name].capitalize()}": name for name in frame["waste_class"]}
        chosen = choice("What became of them", "class", list(names), next(iter(names)), width=340)
        _draw_examples(questions.wasted_jobs(scope, names[chosen], EXAMPLES), names[chosen])


def classes(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the classes of waste with their names and their shares of the list price and of the waste."""
    wasted = frame[frame["waste_class"] != "none"].reset_index(drop=True)
    return wasted.assign(
        name=wasted["waste_class"].map(words.WASTES),
        cost_share=wasted["cost_usd"] / (frame["cost_usd"].sum() or float("nan")),
        waste_share=wasted["cost_usd"] / (wasted["cost_usd"].sum() or float("nan")),
    )


def meaning(waste_class: str) -> str:
    """Return what the mart's definition says of a class of waste."""
    sentences = data.definition_of("wasted_jobs").split(". ")
    found = [sentence.partition(": ")[2] for sentence in sentences if sentence.startswith(f"{waste_class}: ")]
    return "".join(found).removesuffix(".")


def _draw_classes(frame: pd.DataFrame) -> None:
    draw(
        frame,
        {
            "name": st.column_config.TextColumn("What became of the work", width=270),
            "cost_usd": number("List price", data.definition("waste_classes_daily.cost_usd")),
            "cost_share": number("Of all cost", "Its part of the list price of all jobs of attempts that ended."),
            "waste_share": number("Of all waste", "Its part of the list price of all wasted jobs."),
            "billed_minutes": number("Minutes", data.definition("waste_classes_daily.billed_minutes")),
            "job_count": number("Jobs", data.definition("waste_classes_daily.job_count")),
            "unpriced_count": number("Not priced", data.definition("waste_classes_daily.unpriced_count")),
        },
        {
            "cost_usd": words.usd,
            "cost_share": words.ratio,
            "waste_share": words.ratio,
            "billed_minutes": words.minutes,
            "job_count": words.count,
            "unpriced_count": words.count,
        },
        "Classes of waste with their list price, shares, minutes and jobs",
    )
    with st.expander("What each of them means"):
        told = (f"- **{words.WASTES[name]}** (`{name}`): {meaning(name)}." for name in frame["waste_class"])
        st.markdown("\n".join(told))


def _draw_unsettled(scope: Scope, frame: pd.DataFrame) -> None:
    totals = questions.totals(scope).set_index("period")
    missing = totals.loc["current", "waste_usd"] - frame["cost_usd"].sum()
    if pd.notna(missing) and words.usd(abs(missing)) != words.usd(0):
        st.caption(f"Without {words.usd(missing)} of attempts that have not ended yet, which the card above has.")


def _draw_examples(frame: pd.DataFrame, waste_class: str) -> None:
    shown = EVIDENCE.get(waste_class)
    draw(
        frame.assign(where=frame["repository"] + " · " + frame["workflow"]),
        {
            "html_url": st.column_config.LinkColumn("Job", width="medium", alignment="left"),
            "cost_usd": number("List price", data.definition("jobs.cost_usd")),
            "billed_minutes": number("Minutes", data.definition("jobs.billed_minutes")),
            **(
                {
                    "because_url": st.column_config.LinkColumn(
                        "Shown by",
                        help=data.definition("wasted_jobs.because_run_id", "wasted_jobs.because_job_id"),
                        display_text=shown,
                        width="medium",
                        alignment="left",
                    ),
                    "because_at": st.column_config.Column(
                        "Which was at", help=data.definition("wasted_jobs.because_at"), width=180
                    ),
                }
                if shown
                else {}
            ),
            "where": st.column_config.TextColumn("Workflow", width=290),
            "completed_at": st.column_config.Column("Ended", help=clock.note(), width=180),
        },
        {
            "html_url": dict(zip(frame["html_url"], frame["job"], strict=True)).get,
            "completed_at": clock.moment,
            "billed_minutes": words.minutes,
            "cost_usd": words.usd,
            **({"because_at": clock.moment} if shown else {}),
        },
        "The dearest wasted jobs of the class, with links to each and to what shows that it was wasted",
    )
