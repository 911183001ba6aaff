"""How often a repository is polled: often while it is busy, seldom while it is quiet."""

from datetime import datetime, timedelta

TIERS = (  # time since its last activity, and the pause between two polls
    (timedelta(days=2), timedelta(0)),
    (timedelta(days=14), timedelta(hours=1)),
)
QUIETEST = timedelta(hours=6)
SLACK = timedelta(minutes=1)  # a schedule's tick may come a little early


REFUSED_EVERY = timedelta(hours=1)  # a repository that is gone or closed to us is asked for again after this
REFUSED = ("gone", "no_access", "blocked", "unavailable")


def pause_after(state: str, active_at: datetime | None, now: datetime) -> timedelta:
    """Return the pause before the next poll, given how the last one ended and when the repository's runs last moved.

    A push is no sign of activity, for schedules, dispatches and re-runs come without one; runs are. Zero is every tick.
    """
    if state in REFUSED:
        return REFUSED_EVERY
    if state != "ok":
        return timedelta(0)
    quiet = now - active_at if active_at is not None else None
    return next((pause for limit, pause in TIERS if quiet is not None and quiet < limit), QUIETEST)


def is_visit_due(
    now: datetime, every: timedelta, tried_at: datetime | None, state: str | None, active_at: datetime | None
) -> bool:
    """Whether a side loop that comes `every` so often to a busy repository is to visit one again."""
    if tried_at is None or state == "partial":  # the budget ended it
        return True
    closed = REFUSED_EVERY if state in REFUSED else timedelta(0)
    return now - tried_at + SLACK >= max(every, closed, pause_after("ok", active_at, now))


def is_due(now: datetime, tried_at: datetime, state: str, active_at: datetime | None) -> bool:
    """Whether it is time to poll a repository again."""
    return now - tried_at + SLACK >= pause_after(state, active_at, now)
