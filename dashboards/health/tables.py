"""Tables of data health: each source, its requests and webhooks, Argo CD's own count, and what cannot be told."""

from typing import Any

import pandas as pd
import streamlit as st

from dashboards import clock, data
from dashboards.health import advice, questions
from dashboards.panel import panel
from dashboards.scope import Period
from dashboards.tables import draw, number
from phoenix_metrics import words

MOST_ROWS = 200

_COUNTS = {
    "run_count": ("Runs", "data_health.run_count"),
    "detailed_count": ("With all jobs", "data_health.detailed_count"),
    "bulk_count": ("Jobs in part", "data_health.bulk_count"),
    "undetailed_count": ("Without jobs", "data_health.undetailed_count"),
    "open_count": ("Not ended", "data_health.open_count"),
    "missing_count": ("Missing", "data_health.missing_count"),
    "deleted_count": ("Gone at GitHub", "data_health.deleted_count"),
}


def draw_sources() -> None:
    """Draw how complete and how fresh each repository and server is."""
    with panel("Sources", data.definition_of("data_health")):
        health = data.health()
        sources = health[health["source"].isin(["github", "argocd"])]
        if sources.empty:
            st.caption("Nothing is read yet: set `PHOENIX_GITHUB_REPOSITORIES` or `PHOENIX_ARGOCD_URL`.")
            return
        draw(
            _with_advice(_worst_first(sources)),
            {
                "subject": _text("Source", "data_health.subject"),
                "part": _text("Of it", "data_health.source"),
                "state": _text("Newest pass", "data_health.state"),
                "last_success_at": _time("Last complete", "data_health.last_success_at"),
                "complete_since": st.column_config.Column(
                    "Complete since", help=data.definition("data_health.complete_since")
                ),
                "oldest_at": st.column_config.Column("Oldest", help=data.definition("data_health.oldest_at")),
                **{name: number(label, data.definition(column)) for name, (label, column) in _COUNTS.items()},
                "advice": st.column_config.TextColumn("What to do", help="What helps against it."),
                "note": _text("Note", "data_health.note", "large"),
            },
            {
                "last_success_at": clock.moment,
                "complete_since": words.day,
                "oldest_at": words.day,
                **dict.fromkeys(_COUNTS, words.count),
            },
            "How complete and how fresh each source is, and what to do",
        )


def draw_requests() -> None:
    """Draw how much of the request budget is left, and who needed most of it."""
    with panel(
        "Requests",
        data.definition("sources.rate_limit", "sources.rate_limit_remaining")
        + f" Below: the {questions.BUSIEST} that needed most requests in their newest pass.",
    ):
        for source in questions.sources().dropna(subset=["rate_limit_remaining"]).itertuples():
            st.markdown(budget(source))
        busiest = questions.requests()
        if busiest.empty:
            st.caption("No source says how many requests it took.")
            return
        draw(
            busiest.assign(part=busiest["source"].map(words.part)),
            {
                "subject": _text("Source", "data_health.subject"),
                "part": _text("Of it", "data_health.source"),
                "request_count": number("Requests", data.definition("data_health.request_count")),
                "rate_limit_remaining": number("Left then", data.definition("data_health.rate_limit_remaining")),
                "last_attempt_at": _time("When", "data_health.last_attempt_at"),
            },
            {"request_count": words.count, "rate_limit_remaining": words.count, "last_attempt_at": clock.moment},
            "The sources that needed most requests in their newest pass",
        )


def budget(source: Any) -> str:
    """Return how many requests of a source are left, in a sentence."""
    name = "GitHub" if source.source == "github" else words.part(source.source)
    if pd.isna(source.rate_limit):
        return f"{name}: **{words.counted(source.rate_limit_remaining, 'request')}** left after the newest pass."
    share = words.ratio(source.rate_limit_remaining / source.rate_limit)
    left = f"{words.count(source.rate_limit_remaining)} of {words.counted(source.rate_limit, 'request')}"
    return f"{name}: **{left}** an hour left after the newest pass ({share})."


def draw_webhooks() -> None:
    """Draw what came by webhook in the last days, or that nothing did."""
    with panel("Webhooks", data.definition_of("webhook_events")):
        frame, settings = questions.webhooks(), data.settings()
        if frame.empty:
            st.caption(
                f"No webhook of GitHub's has come: what happens is found by polls every "
                f"{words.counted(settings.poll_minutes, 'minute')}. README says how to add webhooks."
            )
            return
        draw(
            frame,
            {
                "event": _text("Event", "webhook_events.event"),
                "delivery_count": number("In 7 days", data.definition("webhook_events.delivery_count")),
                "day_count": number("In the last day", data.definition("webhook_events.day_count")),
                "refused_count": number("Not understood", data.definition("webhook_events.refused_count")),
                "newest_at": _time("Newest", "webhook_events.newest_at"),
                "newest_error": _text("Newest error", "webhook_events.newest_error", "large"),
            },
            {
                "delivery_count": words.count,
                "day_count": words.count,
                "refused_count": words.count,
                "newest_at": clock.moment,
            },
            "Webhook deliveries of the last seven days by event",
        )


def draw_gaps() -> None:
    """Draw what goes with the runs and is not here: permissions, files, applications, files that were set aside."""
    with panel(
        "Gaps beside the runs",
        "What goes with the runs and could not be read, files that were set aside, workflow files that cannot be read, "
        "applications of Argo CD of which something is lost, and costs that are not known. None of it stops anything "
        "else.",
    ):
        health = data.health()
        gaps = health[~health["source"].isin(["github", "argocd"])]
        if gaps.empty:
            st.caption("None is known.")
            return
        draw(
            _with_advice(gaps.head(MOST_ROWS)),
            {
                "subject": _text("Of what", "data_health.subject"),
                "part": _text("Which part", "data_health.source"),
                "state": _text("State", "data_health.state"),
                "last_success_at": _time("Last complete", "data_health.last_success_at"),
                "missing_count": number("Missing", data.definition("data_health.missing_count")),
                "advice": st.column_config.TextColumn("What to do", help="What helps against it."),
                "note": _text("Note", "data_health.note", "large"),
            },
            {"last_success_at": clock.moment, "missing_count": words.count},
            "Gaps in what goes with the runs, and what to do",
        )
        if len(gaps) > MOST_ROWS:
            st.caption(f"The first {MOST_ROWS} of {words.count(len(gaps))}.")


def draw_audit() -> None:
    """Draw what Argo CD counted itself beside what is here."""
    with panel("Argo CD's own count", data.definition_of("argocd_audit")):
        frame = questions.audit()
        if frame.empty:
            st.caption(
                "Nothing is counted against Argo CD: set `PHOENIX_ARGOCD_METRICS_URL` to its application controller's "
                "metrics."
            )
            return
        st.markdown(audit_sentence(frame))
        draw(
            frame.head(MOST_ROWS),
            {
                "instance": _text("Server", "argocd_audit.instance"),
                "application": _text("Application", "argocd_audit.application"),
                "phase": _text("Ended as", "argocd_audit.phase"),
                "is_dry_run": st.column_config.CheckboxColumn(
                    "Dry run", help=data.definition("argocd_audit.is_dry_run")
                ),
                "argocd_count": number("Argo CD counted", data.definition("argocd_audit.argocd_count")),
                "operation_count": number("Here", data.definition("argocd_audit.operation_count")),
                "missing_count": number("Missing", data.definition("argocd_audit.missing_count")),
                "counted_from": _time("After", "argocd_audit.counted_from"),
                "counted_to": _time("Up to", "argocd_audit.counted_to"),
            },
            {
                "argocd_count": words.count,
                "operation_count": words.count,
                "missing_count": words.count,
                "counted_from": clock.moment,
                "counted_to": clock.moment,
            },
            "Operations that Argo CD counted, and how many of them are here",
        )


def audit_sentence(frame: pd.DataFrame) -> str:
    """Return in a sentence how many operations Argo CD counted, and how many are missing here."""
    counted, missing = frame["argocd_count"].sum(), frame["missing_count"].sum()
    since = clock.moment(frame["counted_from"].min())
    said = f"Since {since} Argo CD counted {words.counted(counted, 'operation')}"
    if not counted:
        return f"Argo CD has finished no operation since {since}, when it was first asked for its count."
    if not missing:
        return f":green[✓] {said}, and all of them are here."
    return f":orange[▲] {said}, and **{words.count(missing)}** of them are not here ({words.ratio(missing / counted)})."


def draw_unpriced(period: Period) -> None:
    """Draw which jobs have no price, and what gives them one."""
    with panel("Jobs without a price", data.definition_of("unpriced_daily")):
        frame = questions.unpriced(period)
        if frame.empty:
            st.caption("Every job of this period has one.")
            return
        draw(
            frame.head(MOST_ROWS).assign(
                reason=frame["unpriced_reason"].str.replace("_", " "),
                advice=frame["unpriced_reason"].map(advice.UNPRICED).fillna(advice.DOCTOR).str.replace("`", ""),
            ),
            {
                "repository": _text("Repository", "unpriced_daily.repository"),
                "runner": _text("Runner", "unpriced_daily.runner"),
                "job_count": number("Jobs", data.definition("unpriced_daily.job_count")),
                "billed_minutes": number("Minutes", data.definition("unpriced_daily.billed_minutes")),
                "reason": _text("Why", "unpriced_daily.unpriced_reason"),
                "advice": st.column_config.TextColumn("What to do", help="What gives them one.", width="large"),
            },
            {"job_count": words.count, "billed_minutes": words.minutes},
            "Jobs without a price by repository, runner and reason",
        )


def draw_unclassified(period: Period) -> None:
    """Draw the workflows whose failures no rule explains."""
    with panel("Failures without a reason", "Failed jobs that no rule explains. " + advice.UNCLASSIFIED + "."):
        frame = questions.unclassified(period)
        if frame.empty:
            st.caption("A rule explains every failed job of this period.")
            return
        draw(
            frame.head(MOST_ROWS).assign(share=frame["unclassified_count"] / frame["failed_count"]),
            {
                "repository": _text("Repository", "failure_classes_daily.repository"),
                "workflow": _text("Workflow", "failure_classes_daily.workflow"),
                "unclassified_count": number("Without a reason", "Failed jobs that no rule explains."),
                "failed_count": number("Failed jobs", data.definition("failure_classes_daily.job_count")),
                "share": number("Share", "Failed jobs without a reason among all failed jobs of the workflow."),
            },
            {"unclassified_count": words.count, "failed_count": words.count, "share": words.ratio},
            "Workflows with failed jobs that no rule explains",
        )


def draw_lead_times(period: Period) -> None:
    """Draw why deployments have no lead time, and of which deployments GitHub was told."""
    with panel("Deployments without a lead time", data.definition("deliveries.lead_time_gap")):
        gaps, told = questions.lead_time_gaps(period), questions.told_deployments(period)
        if told["told_count"]:
            st.markdown(told_sentence(told))
        if gaps.empty:
            st.caption("None in this period.")
            return
        draw(
            gaps.assign(
                kind=gaps["is_unattributed"].map({True: "▲ not attributed", False: "nothing to time"}),
                reason=gaps["lead_time_gap"].map(words.LEAD_TIME_GAPS),
                advice=gaps["lead_time_gap"].map(advice.LEAD_TIME).fillna(words.NOTHING),
            ),
            {
                "reason": st.column_config.TextColumn("Why", help=data.definition("deliveries.lead_time_gap")),
                "delivery_count": number("Deployments", "Deployments of services of the period for which this is why."),
                "kind": _text("Which is", "deliveries.is_unattributed"),
                "service_count": number("Services", "Services that they were of."),
                "environment_count": number("Environments", "Environments that they were to."),
                "advice": st.column_config.TextColumn("What to do", help="What gives them one.", width="large"),
            },
            {"delivery_count": words.count, "service_count": words.count, "environment_count": words.count},
            "Why deployments have no lead time, how many, and what to do",
        )


def told_sentence(told: pd.Series) -> str:
    """Return of how many deployments GitHub was told, and what is known of them."""
    return (
        f"GitHub was told of {words.counted(told['told_count'], 'deployment')} in this period: "
        f"{words.count(told['matched_count'])} are the same as an operation of Argo CD and count once, of "
        f"{words.count(told['unknown_count'])} the end is not known, {words.count(told['unplaced_count'])} name no "
        "environment."
    )


def _with_advice(rows: pd.DataFrame) -> pd.DataFrame:
    pairs = list(zip(rows["source"], rows["state"], rows["missing_count"], strict=True))
    return rows.assign(
        part=rows["source"].map(words.part),
        state=[_state(source, state) for source, state, _ in pairs],
        advice=[_advice(*pair).replace("`", "") for pair in pairs],
    )


def _state(source: str, state: str) -> str:
    is_pass = source in ("github", "argocd") or (source.startswith("github_") and source != "github_workflow_file")
    return words.STATES.get(state, state) if is_pass or state != "partial" else "▲ known in part"


def _advice(source: str, state: str, missing: int) -> str:
    if state != "ok":
        return advice.of_row(source, state)
    if missing:
        return advice.LOST if source.startswith("argocd") else advice.MISSING
    return words.NOTHING


def _worst_first(sources: pd.DataFrame) -> pd.DataFrame:
    ranked = sources.assign(is_ok=sources["state"] == "ok")
    return ranked.sort_values(["is_ok", "missing_count", "subject"], ascending=[True, False, True], ignore_index=True)


def _text(label: str, column: str, width: Any = None) -> object:
    return st.column_config.TextColumn(label, help=data.definition(column), width=width)


def _time(label: str, column: str) -> object:
    meaning = data.definition(column).replace(", UTC", "")
    return st.column_config.Column(label, help=f"{meaning} {clock.note()}", width=165)
