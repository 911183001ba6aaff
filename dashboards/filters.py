"""The filter rows of the pages; every choice lives in the URL, so a link shows the same page to everyone."""

from collections.abc import Callable, Mapping
from urllib.parse import urlencode

import pandas as pd
import streamlit as st

from dashboards import data, deliveries
from dashboards.scope import (
    ALL_BRANCHES,
    ALL_EVENTS,
    ALL_REPOSITORIES,
    ALL_SERVICES,
    ALL_TEAMS,
    DEFAULT_BRANCH,
    FINAL,
    FIRST,
    RANGES,
    DeliveryScope,
    Period,
    Scope,
    last,
)
from phoenix_metrics import words

DEFAULTS = {"range": "30 days", "branch": DEFAULT_BRANCH, "event": ALL_EVENTS, "attempt": FINAL}


def overview_scope() -> Scope:
    """Draw the overview's filters and return what they choose."""
    with st.container(horizontal=True, vertical_alignment="bottom", key="filters"):
        repositories = sorted(data.workflow_names()["repository"].unique())
        repository = st.selectbox(
            "Repository", [ALL_REPOSITORIES, *repositories], key="repository", bind="query-params", width=260
        )
        scope = _scope(None if repository == ALL_REPOSITORIES else repository, None)
    _draw_reach(scope)
    return scope


def workflow_scope() -> Scope:
    """Draw the workflow page's filters and return what they choose; an address without a workflow is completed."""
    names = data.workflow_names()
    _stop_if_unknown(names)
    _go_to_busiest(names)
    with st.container(horizontal=True, vertical_alignment="bottom", key="filters"):
        repository = _choice("Repository", "repository", list(names["repository"].unique()), _follow_repository)
        workflows = list(names.loc[names["repository"] == repository, "workflow"])
        workflow = _choice("Workflow", "workflow", workflows)
        scope = _scope(repository, workflow)
    if not repository or not workflow:
        st.info("Choose a repository and a workflow.")
        st.stop()
    _draw_reach(scope)
    return scope


def delivery_scope() -> DeliveryScope:
    """Draw the filters of deliveries and return what they choose; production first, else the busiest environment."""
    environments, services, teams = deliveries.environments(), deliveries.services(), deliveries.teams()
    for name, known in (("environment", environments), ("service", services), ("team", teams)):
        _stop_if_not_among(name, known)
    first = environments.index(deliveries.first_environment())
    with st.container(horizontal=True, vertical_alignment="bottom", key="filters"):
        environment = st.selectbox(
            "Environment", environments, first, key="environment", bind="query-params", width=200
        )
        service = st.selectbox("Service", [ALL_SERVICES, *services], key="service", bind="query-params", width=240)
        team = st.selectbox("Team", [ALL_TEAMS, *teams], key="team", bind="query-params", width=180) if teams else None
        period = _period([name for name, (_, unit) in RANGES.items() if unit == "day"])
    scope = DeliveryScope(
        period,
        environment,
        service=None if service == ALL_SERVICES else service,
        team=None if team in (None, ALL_TEAMS) else team,
    )
    st.caption(
        f"Deployments that began {words.stretch(period.start, period.end)}. "
        f"Compared with {words.stretch(period.previous.start, period.previous.end)}."
    )
    return scope


def carried() -> dict[str, str]:
    """Return the filters that every page has, as query parameters for a link from one page to another."""
    chosen = {name: st.session_state.get(name) or st.query_params.get(name) or DEFAULTS[name] for name in DEFAULTS}
    return {name: value for name, value in chosen.items() if value != DEFAULTS[name]}


def workflow_address(repository: str, workflow: str, chosen: Mapping[str, str]) -> str:
    """Return the address of a workflow's page with some filters chosen, relative to any page."""
    return "workflow?" + urlencode({"repository": repository, "workflow": workflow, **chosen})


def deliveries_address(chosen: Mapping[str, str]) -> str:
    """Return the address of the Deliveries page with some filters chosen, relative to any page."""
    return "deliveries" + ("?" + urlencode(chosen) if chosen else "")


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


def _stop_if_not_among(name: str, known: list[str]) -> None:
    """Stop with words where the address asks for something that nothing was ever deployed to, of or by."""
    asked = st.query_params.get(name)
    if not asked or asked in known or st.session_state.get(name) in known:
        return
    st.info(f"No deployment is known of the {name} **{words.plain(asked)}**. Its name may have changed.")
    st.page_link("views/deliveries.py", label="Show all deliveries instead")
    st.stop()


def _choice(label: str, key: str, names: list[str], on_change: Callable[[], None] | None = None) -> str | None:
    return st.selectbox(
        label,
        sorted(names),
        None,
        key=key,
        bind="query-params",
        required=True,
        on_change=on_change or "rerun",
        width=260,
    )


def _follow_repository() -> None:
    """Choose the busiest workflow of the repository that was just chosen."""
    names = data.workflow_names()
    st.session_state["workflow"] = names.loc[names["repository"] == st.session_state["repository"], "workflow"].iloc[0]


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
    everything = Scope(period, scope.repository, scope.workflow, default_branch_only=False)
    total, counted = data.run_count(everything), data.run_count(scope)
    left_out = f"The filters leave out {words.count(total - counted)} of {words.counted(total, 'run')}. "
    st.caption(
        f"Runs created {words.stretch(period.start, period.end)}. "
        + (left_out if counted < total else "")
        + f"Compared with {words.stretch(previous.start, previous.end)}."
    )


def _scope(repository: str | None, workflow: str | None) -> Scope:
    period = _period(list(RANGES))
    branch = st.selectbox("Branch", [DEFAULT_BRANCH, ALL_BRANCHES], key="branch", bind="query-params", width=170)
    event = st.selectbox("Event", [ALL_EVENTS, *data.events()], key="event", bind="query-params", width=170)
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
        workflow=workflow,
        event=None if event == ALL_EVENTS else event,
        default_branch_only=branch == DEFAULT_BRANCH,
        attempt="final" if attempt == FINAL else "first",
    )


def _period(ranges: list[str]) -> Period:
    chosen = st.selectbox(
        "Time range", ranges, ranges.index(DEFAULTS["range"]), key="range", bind="query-params", width=130
    )
    return last(chosen, data.snapshot().published_at.replace(tzinfo=None))
