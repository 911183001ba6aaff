"""GitHub's filters over lists of runs."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from phoenix_metrics.demo.moment import attempt_state, visible_attempts
from phoenix_metrics.demo.payloads import check_suite_id
from phoenix_metrics.demo.runs import Run
from phoenix_metrics.demo.universe import DAY

_STATUSES = ("queued", "in_progress", "completed", "requested", "waiting", "pending")
_BEGINNING, _END = 0, 2**62

_VALUES: dict[str, Callable[[Run], object]] = {
    "actor": lambda run: run.trigger.actor.login,
    "branch": lambda run: run.trigger.branch,
    "check_suite_id": lambda run: str(check_suite_id(run)),
    "event": lambda run: run.trigger.event,
    "head_sha": lambda run: run.trigger.commit.sha,
}
FILTERS = (*_VALUES, "created", "status")


class BadFilterError(ValueError):
    """A filter whose value means nothing."""


def matching(runs: list[Run], asked: Mapping[str, str], now: int) -> list[Run]:
    """Return the runs that pass every filter asked for, in their order."""
    if "created" in asked:
        first, last = created_range(asked["created"])
        runs = [run for run in runs if first <= run.trigger.at <= last]
    for name, value_of in _VALUES.items():
        if name in asked:
            runs = [run for run in runs if value_of(run) == asked[name]]
    if "status" in asked:
        runs = [run for run in runs if _has_status(run, asked["status"], now)]
    return runs


def created_range(text: str) -> tuple[int, int]:
    """Return the first and last second that `created` means: a..b, >=a, >a, <=a, <a or a; `*` is an open end."""
    if ".." in text:
        first, last = text.split("..", 1)
        return (_BEGINNING if first == "*" else _span(first)[0]), (_END if last == "*" else _span(last)[1])
    moment = text.lstrip("<>=")
    first_second, last_second = _span(moment)
    match text.removesuffix(moment):
        case ">=":
            return first_second, _END
        case ">":
            return last_second + 1, _END
        case "<=":
            return _BEGINNING, last_second
        case "<":
            return _BEGINNING, first_second - 1
        case _:
            return first_second, last_second


def _span(text: str) -> tuple[int, int]:
    """Return the first and last second of a day or of a moment; a plus sign may have arrived as a blank."""
    try:
        moment = datetime.fromisoformat(text.strip().replace(" ", "+"))
    except ValueError:
        raise BadFilterError(f"created: {text!r} is not a date or a time") from None
    second = int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
    return second, second + (DAY - 1 if re.fullmatch(r"[\d-]+", text.strip()) else 0)


def _has_status(run: Run, wanted: str, now: int) -> bool:
    state = attempt_state(visible_attempts(run, now)[-1], now)
    return wanted == (state.status if wanted in _STATUSES else state.conclusion)
