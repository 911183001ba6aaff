"""The rows of a Gantt of one run, as plain frames: which jobs are drawn, which share a row, which are only counted.

Times are seconds since the job's own attempt began. A run of many jobs must stay legible: where they do not fit, the
members of a matrix share a row; where those are still too many, the critical path and the longest ones are drawn.
"""

from dataclasses import dataclass

import pandas as pd

from phoenix_metrics import words

MOST_ROWS = 36
_MOMENTS = ("created_at", "started_at", "completed_at")
_WITHOUT = {"skipped": "skipped", "cancelled": "cancelled before it began", "open": "not ended"}
_WORST_FIRST = ("failure", "cancelled", "other", "open", "success", "skipped")


@dataclass(frozen=True)
class Gantt:
    """The rows to draw, attempt by attempt, the jobs that only re-appear, and what is not drawn in words."""

    rows: pd.DataFrame
    carried_over: dict[int, list[str]]
    left_out: list[str]


def gantt(jobs: pd.DataFrame, attempts: pd.DataFrame, path: pd.DataFrame, most: int = MOST_ROWS) -> Gantt:
    """Lay out the jobs of a run in at most so many rows."""
    carried = jobs[jobs["is_carried_over"]]
    drawn = _timed(jobs[~jobs["is_carried_over"]], attempts, set(path["job_id"]))
    left_out = _not_begun(jobs[~jobs["is_carried_over"] & ~jobs["job_id"].isin(drawn["job_id"])])
    rows, notes = _fitting(drawn, most)
    names = {int(attempt): list(rows["job"]) for attempt, rows in carried.groupby("run_attempt")}
    return Gantt(rows, names, [*notes, *left_out])


def _timed(jobs: pd.DataFrame, attempts: pd.DataFrame, path: set[int]) -> pd.DataFrame:
    """Return the jobs that waited or ran, with times since their attempt began; the rest have nothing to draw."""
    jobs = jobs.merge(attempts[["run_attempt", "started_at"]], on="run_attempt", suffixes=("", "_attempt"))
    ran = jobs["is_executed"] & jobs["started_at"].notna() & jobs["completed_at"].notna()
    waited = jobs["created_at"].notna() & jobs["completed_at"].notna() & (jobs["outcome"] == "cancelled")
    jobs = jobs[ran | waited]
    since = {column: (jobs[column] - jobs["started_at_attempt"]).dt.total_seconds() for column in _MOMENTS}
    begun = since["started_at"].where(ran)
    return jobs.assign(
        ready=since["created_at"].fillna(begun).clip(lower=0),
        begun=begun.clip(lower=0),
        ended=since["completed_at"].clip(lower=0),
        members=1,
        failed=(jobs["outcome"] == "failure").astype(int),
        is_on_path=jobs["job_id"].isin(path),
        longest=jobs["duration_seconds"],
    )


def _not_begun(jobs: pd.DataFrame) -> list[str]:
    counts = jobs["outcome"].value_counts()
    said = [f"{words.counted(n, 'job')} {_WITHOUT.get(outcome, 'without times')}" for outcome, n in counts.items()]
    return [f"Not drawn: {words.listed(said)}."] if said else []


def _fitting(jobs: pd.DataFrame, most: int) -> tuple[pd.DataFrame, list[str]]:
    if len(jobs) <= most:
        return jobs, []
    rows = _by_base(jobs)
    notes = [
        f"{words.counted(len(jobs), 'job')} in {words.counted(len(rows), 'row')}: the members of a matrix share one, "
        "from when the first was ready to when the last ended; its sign is the worst of them."
    ]
    if len(rows) > most:
        kept = rows.sort_values(["is_on_path", "ended"], ascending=False, kind="stable").head(most).index
        notes.append(
            f"{words.counted(len(rows) - most, 'row')} that ended sooner and are not on the critical path are left out."
        )
        rows = rows.loc[rows.index.isin(kept)]
    return rows, notes


def _by_base(jobs: pd.DataFrame) -> pd.DataFrame:
    ranks = {outcome: rank for rank, outcome in enumerate(_WORST_FIRST)}
    grouped = jobs.assign(rank=jobs["outcome"].map(ranks).fillna(len(ranks))).groupby(["run_attempt", "job_base"])
    rows = grouped.agg(
        job=("job", "first"),
        rank=("rank", "min"),
        ready=("ready", "min"),
        begun=("begun", "min"),
        ended=("ended", "max"),
        members=("members", "sum"),
        failed=("failed", "sum"),
        is_on_path=("is_on_path", "any"),
        longest=("longest", "max"),
        runner=("runner", "first"),
        html_url=("html_url", "first"),
    ).reset_index()
    outcome = rows["rank"].map(dict(enumerate(_WORST_FIRST))).fillna("other")
    rows = rows.assign(outcome=outcome, job=rows["job"].where(rows["members"] == 1, rows["job_base"]))
    return rows.sort_values(["run_attempt", "ready", "begun"], kind="stable", ignore_index=True)
