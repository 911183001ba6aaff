"""Panels of quality, one for each question."""

from html import escape
from math import log

import pandas as pd
import streamlit as st

from dashboards import clock, data
from dashboards.days import DayScope
from dashboards.filters import address
from dashboards.listing import Cell, axis, inside, interval, known, listing, outside, share
from dashboards.panel import panel
from dashboards.quality import questions, tables
from phoenix_metrics import words

SHOWN = 10
CLASSES_SHOWN = 8
SCHEDULES_SHOWN = questions.SCHEDULES_DRAWN

_UNKNOWN = "unclassified"


def draw_objectives(scope: DayScope) -> None:
    """Draw which workflows keep their objective and how much of their error budget is spent."""
    with panel(
        "Do workflows keep their objectives?",
        data.definition_of("objectives")
        + " The error budget is the failures that the objective allows: its share of the period's runs that succeeded "
        "or failed, all branches, final attempts. ○ marks fewer than 20 runs.",
    ):
        frame = questions.objectives(scope)
        without = questions.workflow_count(scope) - int((frame["decided_count"] > 0).sum())
        if frame.empty:
            st.markdown(
                "No workflow has an objective. Set one in `phoenix.toml`, for example that 98 % of deploys succeed:"
            )
            st.code('[[objectives]]\nworkflow = "Deploy*"\nsuccess_ratio = 0.98', language=None)
            return
        heads = ("Workflow", "Succeeded", axis("Error budget spent", "0", "all of it"))
        st.html(listing(heads, [_objective(row) for _, row in frame.head(SHOWN).iterrows()]))
        told = [
            f"The first {SHOWN} of {words.counted(len(frame), 'objective')}." if len(frame) > SHOWN else "",
            f"{words.counted(without, 'workflow')} with runs in this period without an objective."
            if without > 0
            else "",
        ]
        st.caption(" ".join(filter(None, told)) or "Every workflow with runs in this period has an objective.")


def draw_schedules(scope: DayScope) -> None:
    """Draw whether scheduled workflows started, start by start."""
    with panel(
        "Did scheduled workflows start?",
        data.definition_of("schedules") + " Over the last 28 days, whatever the time range.",
    ):
        frame = questions.schedules(scope)
        if frame.empty:
            st.markdown(
                "No schedule is known: neither workflow files nor `[[schedules]]` of `phoenix.toml` tell one, and no "
                "run was started by one."
            )
            return
        starts = questions.scheduled_starts(scope)
        heads = ("Schedule", f"Newest starts, up to {questions.STARTS_DRAWN}", "In time")
        st.html(listing(heads, [_schedule(row, starts) for _, row in frame.head(SCHEDULES_SHOWN).iterrows()]))
        st.caption("✓ in time  ▲ late  ✗ missed  ⊘ workflow disabled  … can still come")
        if len(frame) > SCHEDULES_SHOWN:
            with st.expander(f"All {words.counted(len(frame), 'schedule')}"):
                tables.draw_schedules(frame)


def draw_slower(scope: DayScope) -> None:
    """Draw what got slower, and between which commits."""
    with panel("What got slower?", data.definition_of("duration_changes") + " Those that still hold."):
        frame = questions.slower(scope)
        if frame.empty:
            st.markdown(_nothing_slower(scope))
            return
        drawn = frame.head(SHOWN)
        most = max(drawn["ratio_high"].max(), 1 / drawn["ratio_low"].min(), 1.5)
        heads = (
            "What",
            "Median before → since",
            axis("Times as long, 95 % interval", f"{1 / most:.2f}", "1", f"{most:.2f}"),
            "Between commits",
            "First seen",
        )
        st.html(listing(heads, [_slower(row, most) for _, row in drawn.iterrows()]))
        st.caption(
            "A change shows two to four days after it; its cause lies between the two commits, or outside of the code."
            + (f" The first {SHOWN} of {words.counted(len(frame), 'change')}." if len(frame) > SHOWN else "")
        )


def draw_failures(scope: DayScope) -> None:
    """Draw why jobs failed, with the share that no rule explains and the newest example of each class."""
    with panel(
        "Why do jobs fail?",
        data.definition_of("failure_classes_daily")
        + " Compared with the share that the class had in as many days before. Classes: docs/definitions.md.",
    ):
        frame = questions.failure_classes(scope)
        jobs = frame[frame["job_count"].fillna(0) > 0]
        if jobs.empty:
            st.markdown(":green[✓] No job is known to have failed in this period.")
        else:
            newest = questions.newest_failures(scope).set_index("failure_class")
            st.markdown(_explained(jobs))
            heads = ("Why", axis("Share of failed jobs", "0", "most"), "Before", "Lost", "Newest example")
            most, is_shown = jobs["job_ratio"].max(), _is_shown(jobs)
            st.html(listing(heads, [_cause(row, most, newest) for _, row in jobs[is_shown].iterrows()]))
            _say_seldom(jobs[~is_shown])
        _say_without_jobs(frame)


def _objective(row: pd.Series) -> list[Cell]:
    link = address("workflow", repository=row["repository"], workflow=row["workflow"])
    target = f"objective {words.ratio(row['target'])}"
    if not row["decided_count"]:
        return [
            Cell(inside(row["workflow"], link), escape(row["repository"])),
            Cell(words.NOTHING, target),
            Cell("cannot be said", "no run succeeded or failed"),
        ]
    state = "✓ kept" if row["is_met"] else "✗ missed"
    few = "○ " if row["decided_count"] < words.FEW else ""
    return [
        Cell(inside(row["workflow"], link), escape(row["repository"])),
        Cell(
            f"{state}, {few}{words.ratio(row['success_ratio'])}",
            f"{target}; n = {words.counted(row['decided_count'], 'run')}; "
            f"before {words.ratio(row['success_ratio_before'])}",
        ),
        Cell(*_budget(row)),
    ]


def _budget(row: pd.Series) -> tuple[str, str]:
    failed, allowed = words.count(row["failure_count"]), row["allowed_count"]
    told = f"{failed} failed of {words.amount(allowed, 'count')} allowed"
    if pd.isna(row["spent_ratio"]):
        return ("spent" if row["failure_count"] else "nothing failed"), told
    spent = f"{words.ratio(row['spent_ratio'])} spent"
    kind = "" if row["is_met"] else "bad"
    left = allowed - row["failure_count"]
    return (
        share(row["spent_ratio"], spent, kind=kind) + spent,
        f"{told}, {words.amount(abs(left), 'count')} {'left' if left >= 0 else 'too many'}",
    )


def _schedule(row: pd.Series, starts: pd.DataFrame) -> list[Cell]:
    link = address("workflow", repository=row["repository"], workflow=row["workflow"])
    of_it = starts[(starts["repository"] == row["repository"]) & (starts["workflow"] == row["workflow"])]
    counts = f"{words.count(row['on_time_count'])} of {words.count(row['expected_count'])}"
    trouble = [
        f"{words.count(row[f'{state}_count'])} {state}"
        for state in ("late", "missed", "disabled", "pending")
        if row[f"{state}_count"] > 0
    ]
    slowest = (
        "" if pd.isna(row["delay_p95_seconds"]) else f"95 of 100 within {words.duration(row['delay_p95_seconds'])}"
    )
    cron = known(row["cron"], "schedule not told").replace(" ", words.NBSP)
    return [
        Cell(inside(row["workflow"], link), escape(f"{row['repository']} · {cron}")),
        Cell(_strip(of_it), slowest),
        Cell(
            words.NOTHING if pd.isna(row["expected_count"]) else counts,
            "; ".join(filter(None, [", ".join(trouble), f"newest {words.STARTS[row['state']]}", _last_missed(row)])),
        ),
    ]


def _strip(starts: pd.DataFrame) -> str:
    """Return a sign for each start, each with its time on hover."""
    signs = [
        f'<span title="{escape(words.STARTS[row.state])}: due {escape(clock.moment(row.expected_at))}">'
        f"{words.STARTS[row.state][0]}</span>"
        for row in starts.itertuples()
    ]
    return f'<span class="strip">{"".join(signs)}</span>' if signs else words.NOTHING


def _last_missed(row: pd.Series) -> str:
    return "" if pd.isna(row["last_missed_at"]) else f"last missed {clock.moment_html(row['last_missed_at'])}"


def _slower(row: pd.Series, most: float) -> list[Cell]:
    link = address("workflow", repository=row["repository"], workflow=row["workflow"])
    what = f"job {row['job']}" if isinstance(row["job"], str) else "the whole workflow"
    measure = ", queue time" if row["measure"] == "queue" else ""
    sign = "▲ slower" if row["direction"] == "slower" else "▼ faster"
    bounds = f"{row['ratio_low']:.2f} to {row['ratio_high']:.2f}"
    return [
        Cell(
            inside(f"{row['workflow']}: {what}{measure}", link),
            escape(f"{row['repository']} · on {known(row['event'], 'any event')}"),
        ),
        Cell(
            f"{words.duration(row['before_p50_seconds'])} → {words.duration(row['after_p50_seconds'])}",
            f"{words.count(row['before_count'])} before, {words.count(row['after_count'])} since",
        ),
        Cell(
            interval(
                *(_placed(row[end], most) for end in ("ratio_low", "ratio", "ratio_high")), bounds, is_centred=True
            )
            + f"{sign}, {row['ratio']:.2f} ({bounds})",
            f"{escape(words.chance(row['p_value']))} that noise does this",
        ),
        Cell(_commits(row), outside("run before", row["last_html_url"])),
        Cell(clock.moment_html(row["changed_at"]), outside("first run since", row["first_html_url"])),
    ]


def _placed(ratio: float, most: float) -> float:
    """Return where a ratio lies between 1 / most and most, such that 1 is in the middle."""
    return (log(ratio) / log(most) + 1) / 2


def _commits(row: pd.Series) -> str:
    last, first = row["last_head_sha"], row["first_head_sha"]
    if not isinstance(last, str) or not isinstance(first, str):
        return "commits not known"
    return outside(f"{last[:7]} … {first[:7]}", row["compare_url"])


def _nothing_slower(scope: DayScope) -> str:
    if not questions.series_count(scope):
        return (
            "Whether anything got slower cannot be said yet: no workflow has 20 runs of one event in 90 days that "
            "succeeded at the first attempt on the default branch."
        )
    return ":green[✓] No change of this period still holds that noise between days does not explain."


def _explained(jobs: pd.DataFrame) -> str:
    total = jobs["job_count"].sum()
    unknown = jobs.loc[jobs["failure_class"] == _UNKNOWN, "job_count"].sum()
    rest = (
        f"**{words.count(unknown)} of them ({words.ratio(unknown / total)}) fit no rule**"
        if unknown
        else "a rule explains each of them"
    )
    return f"{words.counted(total, 'execution')} of jobs failed or ended at a time-out; {rest}."


def _is_shown(jobs: pd.DataFrame) -> pd.Series:
    """Say which classes have a row: the most frequent, and what no rule explains, however rare."""
    return (jobs["job_count"].rank(method="first", ascending=False) <= CLASSES_SHOWN) | (
        jobs["failure_class"] == _UNKNOWN
    )


def _say_seldom(jobs: pd.DataFrame) -> None:
    told = [f"{_named(row.failure_class)} {words.ratio(row.job_ratio)}" for row in jobs.itertuples()]
    if told:
        st.caption(f"More seldom: {words.plain(words.listed(told))}.")


def _cause(row: pd.Series, most: float, newest: pd.DataFrame) -> list[Cell]:
    is_unknown = row["failure_class"] == _UNKNOWN
    said = f"{words.ratio(row['job_ratio'])}, {words.counted(row['job_count'], 'job')}"
    few = "○ " if row["job_count"] / row["job_ratio"] < words.FEW else ""
    before = words.counted(0 if pd.isna(row["job_count_before"]) else row["job_count_before"], "job")
    return [
        Cell(f"<b>{escape(_named(row['failure_class']))}</b>"),
        Cell(share(row["job_ratio"] / most, said, kind="unknown" if is_unknown else "") + few + said),
        Cell(words.ratio(row["job_ratio_before"]), before),
        Cell(
            words.duration(row["lost_seconds"]),
            words.usd(row["lost_usd"]) if row["lost_usd"] == row["lost_usd"] else "not priced",
        ),
        _example(newest.loc[row["failure_class"]]) if row["failure_class"] in newest.index else Cell(words.NOTHING),
    ]


def _named(failure_class: str) -> str:
    return "no rule fits" if failure_class == _UNKNOWN else failure_class.replace("_", " ")


def _example(job: pd.Series) -> Cell:
    step = f" at {job['failed_step']}" if isinstance(job["failed_step"], str) else ""
    return Cell(
        outside(f"{known(job['job'], 'job')}{step}", job["html_url"]),
        escape(str(job["repository"])) + ", " + clock.moment_html(job["completed_at"]),
    )


def _say_without_jobs(frame: pd.DataFrame) -> None:
    jobless = frame[frame["job_count"].fillna(0) == 0]
    jobless = jobless[jobless["attempt_count"].fillna(0) > 0]
    if not jobless.empty:
        told = [f"{_named(row.failure_class)}, {words.count(row.attempt_count)}" for row in jobless.itertuples()]
        st.caption(f"Attempts of runs that failed without a job: {words.plain(words.listed(told))}.")
