"""The filter rows of pages about runs."""

import pandas as pd
import streamlit as st

from dashboards import data
from dashboards.filters import carried, choose_period, choose_repository, choose_team, row
from dashboards.runs import questions
from dashboards.scope import ALL_BRANCHES, ALL_EVENTS, DEFAULT_BRANCH, FINAL, FIRST, RANGES, Scope
from phoenix_metrics import words


def run_scope() -> Scope:
    """Draw the filters of runs and return what they choose."""
    with row():
        scope = _scope(choose_repository(), None)
    _draw_reach(scope)
    return scope


def workflow_scope() -> Scope:
    """Draw the workflow page's filters and return what they choose; an address without a workflow is completed."""
    names = questions.workflow_names()
    _follow_repository(names)
    _stop_if_unknown(names)
    _go_to_busiest(names)
    with row():
        repository = _choice("Repository", "repository", list(names["repository"].unique()))
        workflows = list(names.loc[names["repository"] == repository, "workflow"])
        workflow = _choice("Workflow", "workflow", workflows)
        scope = _scope(repository, workflow)
    if not repository or not workflow:
        st.info("Choose a repository and a workflow.")
        st.stop()
    _draw_reach(scope)
    return scope


def _stop_if_unknown(names: pd.DataFrame) -> None:
    """Stop with words where there are no workflows, or where the address asks for one that is not known."""
    if names.empty:
        st.info("No workflow is known yet. It appears here with its first run.")
        st.stop()
    if st.session_state.get("workflow"):
        return  # chosen on the page; the address follows a moment later
    repository, workflow = st.query_params.get("repository"), st.query_params.get("workflow")
    known = names if not repository else names[names["repository"] == repository]
    if known.empty or (workflow and workflow not in set(known["workflow"])):
        st.info(
            f"No workflow **{words.plain(workflow or 'of any name')}** is known in "
            f"**{words.plain(repository or 'any repository')}**. It may have been renamed, or is not measured any more."
        )
        st.page_link("views/workflow.py", label="Show the busiest workflow instead")
        st.stop()


def _choice(label: str, key: str, names: list[str]) -> str | None:
    return st.selectbox(label, sorted(names), None, key=key, bind="query-params", required=True, width=260)


def _follow_repository(names: pd.DataFrame) -> None:
    """Choose the busiest workflow of a repository chosen on the page, unless it has one of the same name.

    Each time, not once when it is chosen: a choice made before the page is drawn anew comes with the old workflow.
    """
    repository = st.session_state.get("repository")
    workflows = list(names.loc[names["repository"] == repository, "workflow"])
    if workflows and "workflow" in st.session_state and st.session_state["workflow"] not in workflows:
        st.session_state["workflow"] = workflows[0]


def _go_to_busiest(names: pd.DataFrame) -> None:
    """Complete an address that leaves workflow or repository open with the busiest, so that it can be shared."""
    asked = {key: st.query_params[key] for key in ("repository", "workflow") if key in st.query_params}
    if len(asked) == 2 or st.session_state.get("workflow"):
        return
    for column, name in asked.items():
        names = names[names[column] == name]
    busiest = names.iloc[0]
    chosen = {"repository": busiest["repository"], "workflow": busiest["workflow"]}
    st.switch_page("views/workflow.py", query_params={**chosen, **carried()})


def _draw_reach(scope: Scope) -> None:
    """Say which runs the page counts and how many the filters leave out."""
    period, previous = scope.period, scope.period.previous
    everything = Scope(period, scope.repository, scope.team, scope.workflow, default_branch_only=False)
    total, counted = questions.run_count(everything), questions.run_count(scope)
    left_out = f"The filters leave out {words.count(total - counted)} of {words.counted(total, 'run')}. "
    st.caption(
        f"Runs created {words.stretch(period.start, period.end)}. "
        + (left_out if counted < total else "")
        + f"Compared with {words.stretch(previous.start, previous.end)}."
    )


def _scope(repository: str | None, workflow: str | None) -> Scope:
    team = None if repository else choose_team(data.teams())
    period = choose_period(list(RANGES))
    branch = st.selectbox("Branch", [DEFAULT_BRANCH, ALL_BRANCHES], key="branch", bind="query-params", width=170)
    event = st.selectbox("Event", [ALL_EVENTS, *questions.events()], key="event", bind="query-params", width=170)
    attempt = st.selectbox(
        "Outcome of",
        [FINAL, FIRST],
        key="attempt",
        bind="query-params",
        width=170,
        help="A run that is run again has several attempts. The final one is what the team ended with; the first one "
        "says whether the change or the pipeline failed.",
    )
    return Scope(
        period,
        repository=repository,
        team=team,
        workflow=workflow,
        event=None if event == ALL_EVENTS else event,
        default_branch_only=branch == DEFAULT_BRANCH,
        attempt="final" if attempt == FINAL else "first",
    )
