"""Tables of deliveries: what runs where, what went back, what came last, and how much of all that is known."""

from typing import Any

import pandas as pd
import streamlit as st

from dashboards import clock, data
from dashboards.deliveries import questions
from dashboards.deliveries.cards import summed
from dashboards.panel import panel
from dashboards.scope import DeliveryScope
from dashboards.tables import draw, number
from phoenix_metrics import words

RECENT_DEPLOYMENTS = 50


def draw_live(scope: DeliveryScope) -> None:
    """Draw which version of each service runs in which environment, and each application a click away."""
    meaning = data.definition_of("environments") + f" All environments. Times: {clock.note()}"
    with panel("What runs where now", meaning):
        frame = questions.live(scope)
        if frame.empty:
            st.caption("No version is known to run anywhere.")
            return
        environments = words.in_order_of_delivery(frame["environment"])
        draw(
            matrix(frame),
            {
                "service": st.column_config.TextColumn(
                    "Service", help=data.definition("environments.service"), pinned=True
                ),
                **{name: st.column_config.TextColumn(name.capitalize(), width="medium") for name in environments},
                "behind": st.column_config.TextColumn(
                    "Production is behind",
                    help=data.definition(
                        "environments.production_behind_commits", "environments.production_behind_days"
                    )
                    + " Against the environment that is furthest ahead.",
                    width="medium",
                ),
            },
            {},
            "Services by environments: the version that runs, since when, and what is wrong with it",
        )
        with st.expander("Each application"):
            _draw_applications(frame)


def matrix(frame: pd.DataFrame) -> pd.DataFrame:
    """Return services by environments: version, since when and what is wrong; and how far production is behind."""
    shown = frame.assign(cell=[cell(row) for row in frame.itertuples()])
    cells = shown.pivot_table(index="service", columns="environment", values="cell", aggfunc=" | ".join)
    return cells.assign(behind=pd.Series(_behind(frame), dtype="object")).reset_index()


def cell(row: Any) -> str:
    """Return what runs in one place: its version, since when, and what is not as it should be."""
    wrong = faults(row)
    is_healthy = row.health_status == "Healthy"
    sign = "▲" if wrong else "✓" if is_healthy else "?"
    return ", ".join([f"{sign} {words.version(row.version)} since {clock.instant(row.since)}", *wrong])


def faults(row: Any) -> list[str]:
    """Return what is not as it should be where something runs."""
    found = {
        words.STATES.get(row.state, row.state): row.state != "seen",
        "↩ Rollout aborted": row.rollout_status == "aborted",
        "≠ set outside Argo CD": row.is_drifted,
        "✗ last sync failed": row.last_status in ("failed", "error"),
        words.HEALTHS.get(row.health_status, row.health_status): isinstance(row.health_status, str)
        and row.health_status != "Healthy",
    }
    return [str(fault) for fault, is_so in found.items() if is_so]


def draw_rollbacks(scope: DeliveryScope) -> None:
    """Draw what went back in the period, with the evidence for it."""
    with panel("Rollbacks", data.definition_of("rollbacks")):
        frame = questions.rollbacks(scope)
        if frame.empty:
            st.caption(f"Nothing went back in {words.plain(scope.environment)} in this period.")
            return
        changes = zip(frame["from_revision"], frame["to_revision"], strict=True)
        draw(
            frame.assign(went=[f"{words.version(gone)} → {words.version(back)}" for gone, back in changes]),
            {
                "started_at": st.column_config.Column(
                    "When", help=f"{data.definition('rollbacks.started_at')} {clock.note()}", width=165
                ),
                "service": _text("Service", "rollbacks.service"),
                "kind": _text("What went back", "rollbacks.kind"),
                "cause": _text("Why", "rollbacks.cause"),
                "went": st.column_config.TextColumn(
                    "From → to",
                    help=data.definition("rollbacks.from_revision", "rollbacks.to_revision"),
                ),
                "time_to_restore_seconds": number(
                    "Time to restore", data.definition("rollbacks.time_to_restore_seconds")
                ),
                "confidence": _text("Confidence", "rollbacks.confidence"),
                "initiated_by": _text("Who", "rollbacks.initiated_by"),
                "evidence": st.column_config.TextColumn(
                    "Evidence", help=data.definition("rollbacks.evidence"), width="large"
                ),
            },
            {
                "started_at": clock.moment,
                "kind": _named(words.ROLLBACKS),
                "cause": _named(words.CAUSES),
                "time_to_restore_seconds": words.duration,
                "evidence": lambda told: words.version(told).replace("->", "→"),
            },
            "Rollbacks with their kind, cause, versions, evidence and time to restore",
        )


def draw_versions(versions: pd.DataFrame) -> None:
    """Draw the versions that a lead time is known of, with their images and what each part took."""
    with st.expander("The version" if len(versions) == 1 else f"Each of the {words.counted(len(versions), 'version')}"):
        draw(
            versions.assign(
                image=[
                    words.images(row.images) if isinstance(row.images, str) else words.version(row.version)
                    for row in versions.itertuples()
                ]
            ),
            {
                "image": st.column_config.TextColumn(
                    "Image", help=data.definition("deployment_images.image"), width="medium"
                ),
                "services": _text("Services", "deliveries.service"),
                "pull_request": number("Pull request", data.definition("deliveries.pull_request")),
                "ready_at": st.column_config.Column(
                    "Merged or committed",
                    help=f"{data.definition('deliveries.merged_at', 'deliveries.committed_at')} {clock.note()}",
                    width="medium",
                ),
                "pipeline_seconds": number("Until its pipeline", data.definition("deliveries.run_started_at")),
                "build_seconds": number("Built in", data.definition("deliveries.built_at")),
                "wait_seconds": number("Waited", "From built to " + data.definition("deliveries.started_at")),
                "rollout_seconds": number("Rolled out in", data.definition("deliveries.healthy_at")),
                "lead_time_seconds": number("Lead time", data.definition("deliveries.lead_time_seconds")),
                "live_at": st.column_config.Column(
                    "There since", help=f"{data.definition('deliveries.healthy_at')} {clock.note()}", width="medium"
                ),
            },
            {
                "pull_request": lambda number: f"#{number:.0f}",
                "ready_at": clock.moment,
                "live_at": clock.moment,
                **dict.fromkeys(
                    ("pipeline_seconds", "build_seconds", "wait_seconds", "rollout_seconds", "lead_time_seconds"),
                    words.duration,
                ),
            },
            "Versions with their image, commit, and what each part of the lead time took",
        )


def draw_recent(scope: DeliveryScope) -> None:
    """Draw the newest deployments of the period, each operation once."""
    meaning = f"The newest {RECENT_DEPLOYMENTS} of the period. " + data.definition_of("deployments")
    with panel("Recent deployments", meaning):
        frame = questions.recent(scope, RECENT_DEPLOYMENTS)
        draw(
            frame.assign(
                brought=[
                    words.images(row.images) if isinstance(row.images, str) else words.version(row.revision)
                    for row in frame.itertuples()
                ],
                by=[
                    row.initiated_by
                    if isinstance(row.initiated_by, str)
                    else words.TRIGGERS.get(row.trigger, row.trigger)
                    for row in frame.itertuples()
                ],
                healthy=[_health_afterwards(row) for row in frame.itertuples()],
            ),
            {
                "started_at": st.column_config.Column(
                    "Began", help=f"{data.definition('deployments.started_at')} {clock.note()}", width=165
                ),
                "status": _text("Status", "deployments.status"),
                "service": st.column_config.TextColumn(
                    "Services", help=data.definition("deployments.service"), width=160
                ),
                "brought": st.column_config.TextColumn(
                    "Version", help=data.definition("deployments.images", "deployments.revision")
                ),
                "change": _text("Change", "deployments.change"),
                "by": st.column_config.TextColumn(
                    "By", help=data.definition("deployments.initiated_by", "deployments.trigger")
                ),
                "duration_seconds": number("Duration", data.definition("deployments.duration_seconds")),
                "healthy": st.column_config.TextColumn(
                    "Afterwards",
                    help=data.definition("deployments.healthy_at", "deployments.degraded_at", "deployments.aborted_at"),
                    width="medium",
                ),
                "application": _text("Application", "deployments.application"),
            },
            {
                "started_at": clock.moment,
                "status": _named(words.STATUSES),
                "change": _named(words.CHANGES),
                "duration_seconds": words.duration,
            },
            "Recent deployments with their status, change, version, who asked for them, duration and health afterwards",
        )


def draw_completeness(scope: DeliveryScope) -> None:
    """Say how much of the deliveries is known, why lead times are missing, and what of Argo CD is lost."""
    with panel("How complete this is", data.definition_of("data_health")):
        st.markdown("\n".join(f"- {sentence}" for sentence in completeness(scope)))
        gaps, sources = questions.lead_time_gaps(scope), questions.sources()
        with st.expander(f"{words.counted(gaps['delivery_count'].sum(), scope.noun)} without a lead time, and why"):
            _draw_gaps(gaps)
        if not sources.empty:
            with st.expander("What each server of Argo CD tells"):
                _draw_sources(sources)


def completeness(scope: DeliveryScope) -> list[str]:
    """Return in sentences how much of the period's deliveries and of Argo CD is known."""
    now, sources = summed(scope), questions.sources()
    all_count, timed = now["delivery_count"], now["lead_time_count"]
    unattributed, by_revision = now["unattributed_count"], now["revision_basis_count"]
    said = []
    if unattributed + timed:
        share = f"{words.count(unattributed)} ({words.ratio(unattributed / (unattributed + timed))})"
        said.append(
            f"Lead time is known of {words.count(timed)} of {words.counted(unattributed + timed, 'new version')}"
            + (f"; {share} cannot be attributed to a commit." if unattributed else ".")
        )
    if now["unconfirmed_count"]:
        said.append(
            f"{words.counted(now['unconfirmed_count'], 'lead time')} measured to the end of the sync only, since "
            "nobody saw the application healthy after it."
        )
    if by_revision:
        said.append(
            f"Of {words.count(by_revision)} of {words.counted(all_count, scope.noun)} only the configuration's "
            "revision is known: Argo CD's history names no images, and nothing was watching when they came."
        )
    return [*said, *_said_of_servers(sources)]


def _said_of_servers(sources: pd.DataFrame) -> list[str]:
    said = []
    for server in sources[sources["source"] == "argocd"].itertuples():
        state = "is read" if server.state == "ok" else f"was not read well ({words.plain(server.state)})"
        note = f" {words.plain(server.note)}." if isinstance(server.note, str) else ""
        missing = f"{words.counted(server.missing_count, 'deployment')} known to be lost"
        name = words.plain(server.subject)
        said.append(
            f"Argo CD **{name}** {state}, last in full on {clock.moment(server.last_success_at)}; "
            f"operations since {words.day(server.oldest_at)}, {words.count(server.open_count)} not ended, "
            f"{missing if server.missing_count else 'none known to be lost'}.{note}"
        )
    applications = sources[sources["source"] == "argocd_application"]
    if not applications.empty:
        said.append(f"Something is lost or not known of {words.counted(len(applications), 'application')}, see below.")
    audited = sources[sources["source"] == "argocd_audit"]
    if not audited.empty:
        said.append(
            f"Argo CD counted {words.counted(audited['missing_count'].sum(), 'operation')} more than are here, of "
            f"{words.counted(len(audited), 'application')}."
        )
    return said


def _draw_applications(frame: pd.DataFrame) -> None:
    draw(
        frame,
        {
            "service": _text("Service", "environments.service"),
            "environment": _text("Environment", "environments.environment"),
            "application": _text("Application", "environments.application"),
            "destination_namespace": _text("Namespace", "environments.destination_namespace"),
            "version": _text("Version", "environments.version"),
            "since": st.column_config.Column("Since", help=data.definition("environments.since"), width="medium"),
            "health_status": _text("Health", "environments.health_status"),
            "sync_status": _text("Sync", "environments.sync_status"),
            "last_deployed_at": st.column_config.Column(
                "Last sync", help=data.definition("environments.last_deployed_at"), width="medium"
            ),
            "last_status": _text("Ended", "environments.last_status"),
            "rollout_status": _text("Rollout", "environments.rollout_status"),
            "is_drifted": st.column_config.CheckboxColumn("Drift", help=data.definition("environments.is_drifted")),
            "production_behind_commits": number(
                "Production behind, commits", data.definition("environments.production_behind_commits")
            ),
            "production_behind_days": number("Days", data.definition("environments.production_behind_days")),
            "version_basis": _text("Told by", "environments.version_basis"),
            "state": _text("Seen", "environments.state"),
        },
        {
            "version": words.version,
            "since": clock.moment,
            "last_deployed_at": clock.moment,
            "health_status": _named(words.HEALTHS),
            "last_status": _named(words.STATUSES),
            "production_behind_commits": words.count,
            "production_behind_days": "{:.1f}".format,
        },
        "Each application's services with version, health, last sync and how far production is behind",
    )


def _draw_gaps(gaps: pd.DataFrame) -> None:
    if gaps.empty:
        st.caption("Every deployment of the period has one.")
        return
    draw(
        gaps.assign(kind=gaps["is_unattributed"].map({True: "not attributed", False: "nothing to time"})),
        {
            "lead_time_gap": st.column_config.TextColumn(
                "Why", help=data.definition("deliveries.lead_time_gap"), width="large"
            ),
            "delivery_count": number("Deployments", "Deployments of the period for which this is why."),
            "kind": st.column_config.TextColumn("Which is", width="medium"),
        },
        {"lead_time_gap": _named(words.LEAD_TIME_GAPS), "delivery_count": words.count},
        "Why deployments have no lead time, and how many",
    )


def _draw_sources(sources: pd.DataFrame) -> None:
    draw(
        sources,
        {
            "subject": st.column_config.TextColumn(
                "Server or application", help=data.definition("data_health.subject"), width="medium"
            ),
            "source": st.column_config.TextColumn("Of it", help=data.definition("data_health.source"), width="medium"),
            "state": _text("State", "data_health.state"),
            "last_success_at": st.column_config.Column(
                "Last complete", help=data.definition("data_health.last_success_at"), width="medium"
            ),
            "oldest_at": st.column_config.Column("Oldest", help=data.definition("data_health.oldest_at")),
            "open_count": number("Not ended", data.definition("data_health.open_count")),
            "missing_count": number("Missing", data.definition("data_health.missing_count")),
            "note": st.column_config.TextColumn("Note", help=data.definition("data_health.note"), width="large"),
        },
        {
            "source": words.part,
            "state": _named(words.STATES),
            "last_success_at": clock.moment,
            "oldest_at": words.day,
            "open_count": words.count,
            "missing_count": words.count,
        },
        "How complete what each server of Argo CD tells is",
    )


def _behind(frame: pd.DataFrame) -> dict[str, str]:
    """Say how far production is behind the environment that is furthest ahead, of the services that are in both."""
    told = {}
    for service, rows in frame.groupby("service"):
        others = rows[rows["environment"] != words.PRODUCTION]
        if len(others) == len(rows) or others.empty:
            told[service] = words.NOTHING
            continue
        known = others.dropna(subset="production_behind_commits").sort_values("production_behind_commits")
        furthest = known.iloc[-1] if len(known) else None
        told[service] = (
            words.behind(None, None)
            if furthest is None
            else words.behind(furthest["production_behind_commits"], furthest["production_behind_days"])
        )
    return told


def _health_afterwards(row: Any) -> str:
    if pd.notna(row.aborted_at):
        return f"↩ Rollout aborted {clock.instant(row.aborted_at)}"
    if pd.notna(row.degraded_at):
        return f"✗ degraded {clock.instant(row.degraded_at)}"
    if pd.notna(row.healthy_at):
        return f"✓ healthy after {words.duration((row.healthy_at - row.started_at).total_seconds())}"
    return "not observed" if row.status == "succeeded" else words.NOTHING


def _text(label: str, column: str) -> object:
    return st.column_config.TextColumn(label, help=data.definition(column))


def _named(names: dict[str, str]) -> Any:
    return lambda value: words.NOTHING if pd.isna(value) else names.get(value, value)
