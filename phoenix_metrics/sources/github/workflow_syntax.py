"""What a workflow file says of its schedule and its jobs, as far as it can be read; files are written by anybody."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from phoenix_metrics.settings.values import checked_cron, checked_timezone

MOST_CRONS = 20
MOST_JOBS = 256  # as many as GitHub makes of one matrix

_LONGEST = 300  # letters of a title or a cron expression; both are a tenth of it
_KEY = re.compile(r"[A-Za-z_][\w-]{0,99}")
_EXPRESSION = re.compile(r"\$\{\{.*?\}\}", re.DOTALL)
_WILD = re.compile(r"([\\%_])")  # what LIKE takes for more than a letter


def read_workflow(text: str) -> dict[str, Any]:
    """Return a workflow's name, its schedule and its jobs, and a note on what of it cannot be read; never raises.

    Each job says as which names it can be shown (patterns of LIKE, escaped by a backslash) and for which others it
    waits, directly or through others.
    """
    try:
        # It makes texts of all scalars and nothing of tags: safer than safe, `on` stays a word and 1.10 a name. An
        # alias is a reference to what is there already, so however often a file repeats itself, nothing multiplies.
        file = yaml.load(text, yaml.BaseLoader)  # noqa: S506
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        return _told(note=f"it is not YAML that can be read ({_reason(error)})")
    if not isinstance(file, dict) or not isinstance(file.get("jobs"), dict):
        return _told(note="it has no jobs")
    notes: list[str] = []
    schedule = list(_schedule(file.get("on"), notes))
    jobs = list(_jobs(file["jobs"], notes))
    return _told(_text(file.get("name")) or None, schedule, jobs, "; ".join(notes) or None)


def _told(
    name: str | None = None,
    schedule: Sequence[Mapping[str, str]] = (),
    jobs: Sequence[Mapping[str, Any]] = (),
    note: str | None = None,
) -> dict[str, Any]:
    return {"name": name, "schedule": schedule, "jobs": jobs, "note": note}


def _schedule(events: object, notes: list[str]) -> Iterator[dict[str, str]]:
    """Yield the cron expressions of a file, with their time zones; note those that GitHub would not take either."""
    entries = events.get("schedule") if isinstance(events, dict) else None
    told = [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    if len(told) > MOST_CRONS:
        notes.append(f"of its {len(told)} schedules the first {MOST_CRONS} are read")
    for entry in told[:MOST_CRONS]:
        cron, timezone = _text(entry.get("cron")), _text(entry.get("timezone"), "UTC")
        try:
            yield {"cron": checked_cron(cron), "timezone": checked_timezone(timezone)}
        except ValueError as error:
            notes.append(f"its schedule {cron[:50]!r} in {timezone[:50]!r} is not understood: expected {error}")


def _jobs(jobs: Mapping[str, object], notes: list[str]) -> Iterator[dict[str, Any]]:
    known = {key: job for key, job in jobs.items() if _KEY.fullmatch(key) and isinstance(job, dict)}
    if len(known) < len(jobs) or len(known) > MOST_JOBS:
        reason = f"are more than the {MOST_JOBS} that are read" if len(known) > MOST_JOBS else "are not all jobs"
        notes.append(f"its {len(jobs)} jobs {reason}")
        return
    needs = {key: _needs(job.get("needs"), known) for key, job in known.items()}
    for key, job in known.items():
        yield {
            "key": key,
            "shown_as": _shown_as(key, job),
            "calls": _text(job.get("uses")) or None,
            "needs": needs[key],
            "waits_for": sorted(_waits_for(key, needs)),
        }


def _needs(told: object, known: Mapping[str, object]) -> list[str]:
    names = told if isinstance(told, list) else [told]
    return list(dict.fromkeys(name for name in names if isinstance(name, str) and name in known))


def _waits_for(key: str, needs: Mapping[str, Sequence[str]]) -> set[str]:
    """Return what must be done before a job, near and far: where a need is skipped, its own needs are what is left."""
    found: set[str] = set()
    pending = list(needs[key])
    while pending:
        name = pending.pop()
        if name not in found:
            found.add(name)
            pending += needs[name]
    return found - {key}


def _shown_as(key: str, job: Mapping[str, Any]) -> list[str]:
    """Return the names that GitHub may show for a job: its title or key, matrix values, the job of a called workflow.

    What an expression in a title comes to is not known here, so it stands for anything.
    """
    literals = _EXPRESSION.split(_text(job.get("name"), key))
    shown = "%".join(_WILD.sub(r"\\\1", literal) for literal in literals)
    strategy = job.get("strategy")
    has_matrix = isinstance(strategy, dict) and bool(strategy.get("matrix"))
    names = [shown, f"{shown} (%)"] if has_matrix else [shown]
    return [f"{name} / %" for name in names] if job.get("uses") else names


def _text(value: object, default: str = "") -> str:
    return value.strip()[:_LONGEST] or default if isinstance(value, str) else default


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    mark = getattr(error, "problem_mark", None)
    place = f"line {mark.line + 1}: " if mark else ""
    return place + str(getattr(error, "problem", None) or error).splitlines()[0]
