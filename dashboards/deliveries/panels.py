"""Panels of deliveries."""

import pandas as pd
import streamlit as st

from dashboards.deliveries import figures, questions, tables
from dashboards.deliveries.cards import meaning
from dashboards.filters import carried
from dashboards.panel import draw, draw_link, panel
from dashboards.scope import DeliveryScope
from phoenix_metrics import words

VERSIONS_DRAWN = 12


def draw_deployments(scope: DeliveryScope, *, with_link: bool = False) -> None:
    """Draw how the deployments of each week ended, with a link to the page that tells more."""
    with panel(
        "Deployments per week",
        "Syncs that brought a version or failed to, in whole weeks from Monday to Sunday, UTC, since the first that is "
        f"known; the last week is not over. At least {questions.WEEKS_SHOWN} weeks, also where the time range is "
        "shorter. One that brought several services is a change failure if any of them was. "
        + meaning("A change failure is"),
    ):
        frame = questions.weekly(scope)
        if not frame["all_count"].sum():
            st.caption("No deployment in these weeks.")
            return
        draw(
            figures.deployments_over_weeks(frame),
            "Stacked bars of deployments per week: succeeded and held, change failures, and undecided ones",
        )
        if with_link:
            time_range = {name: value for name, value in carried().items() if name == "range"}
            draw_link("What was deployed", "deliveries", environment=scope.environment, **time_range)


def draw_lead_times(scope: DeliveryScope) -> None:
    """Draw what the lead times of the period are made of, from the commit through the image to the environment."""
    with panel(
        "From commit to " + scope.environment,
        meaning("Lead time runs")
        + " The image names its commit, the commit its workflow runs. Built: the last of their jobs that was done "
        "before the deployment began. What came before the merge is in no part: a merge commit is as old as its merge. "
        "What one sync brought to several services from one commit is one version here.",
    ):
        versions = questions.lead_time_parts(scope)
        if versions.empty:
            st.caption("No new version of this period has a lead time; below it says why.")
            return
        draw(
            figures.lead_times(rows_of(versions)),
            "Stacked bars of the lead time of each version by what it was spent on, with the mean of all on top",
        )
        st.caption(said_of_parts(versions))
        tables.draw_versions(versions)


def rows_of(versions: pd.DataFrame) -> pd.DataFrame:
    """Return the rows to draw: the mean of all versions whose parts are known, if several, and the newest ones."""
    columns = [*(share.column for share in figures.PARTS), "lead_time_seconds"]
    whole = versions[versions["is_whole"]]
    newest = versions.head(VERSIONS_DRAWN).copy()
    newest["title"] = [_title(row) for row in newest.to_dict("records")]
    newest["unknown_seconds"] = newest["lead_time_seconds"].where(~newest["is_whole"])
    if len(whole) < 2:  # the mean of one version would draw it twice
        return newest
    title = f"Mean of {words.counted(len(whole), 'version')}"
    mean = pd.DataFrame([{**whole[columns].mean().to_dict(), "title": title, "unknown_seconds": float("nan")}])
    return pd.concat([mean, newest[mean.columns]], ignore_index=True)


def said_of_parts(versions: pd.DataFrame) -> str:
    """Return in sentences where the time goes, of how many versions, and what is not drawn."""
    whole = versions[versions["is_whole"]]
    parts = {share.name: whole[share.column].sum() for share in figures.PARTS}
    most = max(parts, key=lambda name: parts[name])
    total = whole["lead_time_seconds"].sum()
    said = [f"Most of it is spent {most}: {words.ratio(parts[most] / total)} of all lead time." if total else ""]
    if len(versions) > len(whole):
        said.append(f"Of {words.counted(len(versions) - len(whole), 'version')} only the whole is known.")
    if len(versions) > VERSIONS_DRAWN:
        said.append(f"The newest {VERSIONS_DRAWN} of {words.counted(len(versions), 'version')} are drawn.")
    return " ".join([*filter(None, said), f"{_sample(versions)}."])


def _sample(versions: pd.DataFrame) -> str:
    """Return of how many versions these are; also as the card counts them, where one came to several services."""
    number, services = len(versions), versions["service_count"].sum()
    few = f", fewer than {words.FEW}" if number < words.FEW else ""
    each = f", or {words.count(services)} with each service counted" if services > number else ""
    return f"n{words.NBSP}={words.NBSP}{words.counted(number, 'version')}{each}{few}"


def _title(version: dict[str, object]) -> str:
    shown = words.version(str(version["version"]))
    few = str(version["services"]) if version["service_count"] == 1 else f"{version['service_count']} services"
    return f"{shown}, {few}"
