"""Numbers and moments in words, the same on every page, in every report and in every alert."""

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, timedelta

NBSP = "\u00a0"  # keeps a number and its unit on one line
NOTHING = "–"  # noqa: RUF001  # what stands where there is no value
MINUS = "−"  # noqa: RUF001
FEW = 20  # with fewer samples than this, a percentile says little

OUTCOMES = {
    "success": "✓ success",
    "failure": "✗ failure",
    "cancelled": "⊘ cancelled",
    "skipped": "» skipped",
    "other": "? other",
    "open": "… running",
}

STATES = {
    "ok": "✓ read",
    "partial": "… stopped early, within the request budget",
    "failed": "✗ failed",
    "no_access": "⊘ the token lacks a permission",
    "unavailable": "⊘ not there, or not for this token",
    "gone": "⊘ gone",
    "blocked": "⊘ blocked for legal reasons",
    "set_aside": "✗ could not be read, set aside",
    "not_seen": "⊘ not in the list any more",
    "no_environment": "? nothing names its environment",
}
PARTS = {
    "github": "runs and jobs",
    "landing": "stored files",
    "argocd": "Argo CD",
    "argocd_application": "application of Argo CD",
    "argocd_audit": "Argo CD's own count",
}

STATUSES = {
    "succeeded": "✓ succeeded",
    "failed": "✗ failed",
    "error": "✗ error",
    "cancelled": "⊘ terminated",
    "open": "… running",
    "unknown": "? end not seen",
}
CHANGES = {
    "first": "first version",
    "forward": "→ forward",
    "rollback": "↩ rollback",
    "mixed": "↩ some back, some forward",
    "recreated": "application created anew",
}
HEALTHS = {
    "Healthy": "✓ healthy",
    "Progressing": "… progressing",
    "Degraded": "✗ degraded",
    "Suspended": "⏸ suspended",
    "Missing": "⊘ missing",
}
TRIGGERS = {
    "auto_sync": "automatic",
    "appset": "ApplicationSet",
    "user": "a person",
    "rollback": "a rollback",
    "github": "GitHub",
    "unknown": "not told",
}
ROLLBACKS = {
    "argocd": "Argo CD rollback",
    "revert": "revert in Git",
    "target_revision": "pointed back",
    "redeploy": "earlier commit again",
    "rollout_abort": "Rollout stopped",
    "rollout_undo": "Rollout undone",
}
CAUSES = {
    "analysis_failed": "analysis failed",
    "analysis_error": "analysis had an error",
    "deadline": "deadline passed",
    "manual": "by hand",
    "unknown": "not told",
}
LEVELS = {  # of evidence that something failed by chance
    "L1": "✓ proof: passed when it was run again",
    "L2": "✓ strong: another run of the commit passed",
    "L2x": "? hint: passed on another event only",
    "L3": "✓ proof: the test passed on the same commit",
    "L4": "? suspicion: failed alone between passes",
}
STARTS = {  # of a scheduled workflow, and how the newest one went
    "on_time": "✓ in time",
    "ok": "✓ in time",
    "late": "▲ late",
    "missed": "✗ missed",
    "disabled": "⊘ workflow disabled",
    "pending": "… can still come",
    "unknown": "? schedule not known",
    "not_found": "✗ no such workflow",
    "ended": "schedule taken away",
}
PROOFS = {  # of a test's failure by chance
    "report": "passed when its report ran it again",
    "rerun": "passed in another attempt of the run",
    "commit": "passed in another run of the commit",
}
ENVIRONMENTS = ("development", "test", "integration", "staging", "acceptance", "preproduction")  # on the way to
PRODUCTION = "production"
WASTES = {
    "timeout": "ended at a time limit",
    "flaky": "failed, and passed when run again",
    "superseded": "cancelled by a newer push",
    "fail_fast": "cancelled as another of the matrix failed",
    "cancelled": "cancelled by a person",
    "rerun": "run again to the same end",
    "outdated": "began after a newer push",
}
LEAD_TIME_GAPS = {
    "no_commit": "no image tag names a commit",
    "unknown_commit": "no workflow run of the commit is known",
    "ambiguous_commit": "the short commit id fits several",
    "no_time": "the commit's time is not known",
    "wrong_order": "there before its commit, so the times are wrong",
    "not_succeeded": "it did not succeed",
    "not_new": "the version had been there before",
    "aborted": "its Rollout was aborted",
}

ALERT_STATES = {
    "firing": "✗ firing",
    "pending": "… pending",
    "silenced": "○ silenced",
    "resolved": "✓ resolved",
}
STANDS_STILL = "stands still"  # an alert, while what it rests on is not read
NO_ALERT_EVER = "no alert is open, and none ever was"
MESSAGES = {"opened": "that it fires", "reminder": "that it still does", "resolved": "that it is over"}
MESSAGE_STATES = {
    "delivered": "✓ delivered",
    "failed": "… failed, and tried again",
    "refused": "✗ refused, and not tried again",
}
UNJUDGED = {
    "no_source": "nothing is read yet",
    "never_read": "no source has been read in full yet",
    "no_runs": "no run of the last day was read within 6 hours of its end",
    "no_jobs": "no job's wait is known from runs that ended in the last hour",
    "too_few": "too few samples for a verdict",
    "no_deployments": "no deployment is known",
    "no_schedule": "no schedule is known, from workflow files or [[schedules]]",
    "no_start": "no start of a schedule can be judged yet",
    "no_budget": "phoenix.toml sets no [budgets]",
    "no_forecast": "no cost is known to foretell from",
    "no_objective": "phoenix.toml sets no [[objectives]]",
    "no_rate_limit": "no source says how many requests are left",
}


def part(source: str) -> str:
    """Return what a row of data_health is about, such as runs and jobs, or pull requests."""
    return PARTS.get(source, source.removeprefix("github_").replace("_", " "))


def duration(seconds: float | None) -> str:
    """Return a duration such as 42 s, 4 min 12 s, 1 h 52 min or 312 h."""
    if seconds is None or _is_nan(seconds):
        return NOTHING
    sign = MINUS if seconds < 0 else ""
    whole = round(abs(seconds))
    hours, minutes = divmod(round(whole / 60), 60)
    if whole < 60:
        text = f"{whole} s"
    elif whole < 600:
        text = f"{whole // 60} min" + (f" {whole % 60} s" if whole % 60 else "")
    elif hours == 0:
        text = f"{minutes} min"
    elif hours < 24:
        text = f"{hours} h" + (f" {minutes} min" if minutes else "")
    else:
        text = f"{round(whole / 3600):,} h"
    return sign + text.replace(" ", NBSP)


def ratio(value: float | None) -> str:
    """Return a ratio between 0 and 1 as a percentage with one decimal, such as 42.6 %."""
    return NOTHING if value is None or _is_nan(value) else f"{value * 100:.1f}{NBSP}%"


def points(difference: float) -> str:
    """Return the difference of two ratios in percentage points, such as 3.1 points."""
    return f"{difference * 100:.1f}{NBSP}points"


def usd(value: float | None) -> str:
    """Return an amount such as 0.34 USD or 1,204 USD; whole from a thousand on.

    Less than a millionth is what differences of binary sums leave, no amount.
    """
    if value is None or _is_nan(value):
        return NOTHING
    if 0 < round(abs(value), 6) < 0.01:
        return f"under 0.01{NBSP}USD"
    amount = value if round(abs(value), 6) else 0.0
    return f"{amount:,.{0 if abs(amount) >= 1000 else 2}f}{NBSP}USD".replace("-", MINUS)


def minutes(value: float | None) -> str:
    """Return minutes as bills have them, such as 1,204 min."""
    return NOTHING if value is None or _is_nan(value) else f"{count(value)}{NBSP}min"


def count(value: float | None) -> str:
    """Return a whole number with its thousands separated."""
    return NOTHING if value is None or _is_nan(value) else f"{round(value):,}"


def amount(value: float | None, unit: str | None) -> str:
    """Return a figure of an alert in its unit: ratio, seconds, usd or count."""
    if unit == "count" or unit is None:
        return count(value) if value is None or value == round(value) else rate(value)
    return {"ratio": ratio, "seconds": duration, "usd": usd}[unit](value)


def alert_subject(subject: str) -> str:
    """Return of what an alert speaks, in words where it is of all pipelines."""
    return "all pipelines together" if subject == "all" else subject


def signed(value: float, written: Callable[[float], str]) -> str:
    """Return a difference with its sign, such as +3.1 points; what rounds to nothing has none."""
    text = written(abs(value))
    if text == written(0.0):
        return text
    return ("+" if value > 0 else MINUS) + text


def between(low: str, high: str) -> str:
    """Return what lies between two numbers that are written already, such as 10.1 to 14.8 %."""
    amount, _, unit = low.partition(NBSP)
    shares_unit = NBSP not in unit and high.endswith(f"{NBSP}{unit}") and high.count(NBSP) == 1
    return f"{amount if shares_unit else low} to {high}"


def chance(p_value: float) -> str:
    """Return a small probability, such as p = 0.0004."""
    return f"p{NBSP}<{NBSP}0.0001" if p_value < 0.0001 else f"p{NBSP}={NBSP}{p_value:.4f}"


def counted(value: float | None, noun: str) -> str:
    """Return a number and its noun, such as 1 run, 4,440 runs or 2 repositories."""
    many = f"{noun[:-1]}ies" if noun.endswith("ry") else f"{noun}s"
    return f"{count(value)}{NBSP}{noun if value == 1 else many}"


def sample(value: float, noun: str) -> str:
    """Return how much a number rests on, with a warning where that is little."""
    return f"n{NBSP}={NBSP}{counted(value, noun)}" + (f", fewer than {FEW}" if value < FEW else "")


def moment(at: datetime | None) -> str:
    """Return a moment such as 23 Nov 2026 05:36 UTC."""
    return NOTHING if at is None or _is_nan(at) else f"{at.day} {at:%b %Y %H:%M} UTC".replace(" ", NBSP)


def day(at: date | None) -> str:
    """Return a day such as 23 Nov 2026."""
    return NOTHING if at is None or _is_nan(at) else f"{at.day} {at:%b %Y}".replace(" ", NBSP)


def instant(at: datetime | None) -> str:
    """Return a recent moment without its year, such as 23 Nov 05:36; for tables that say they are in UTC."""
    return NOTHING if at is None or _is_nan(at) else f"{at.day} {at:%b %H:%M}".replace(" ", NBSP)


def stretch(start: datetime, end: datetime) -> str:
    """Return a stretch of time such as 25 Oct to 23 Nov 2026 05:36 UTC."""
    first = f"{start.day} {start:%b}" + (f" {start:%Y}" if start.year != end.year else "")
    return f"{first} {start:%H:%M}".replace(" ", NBSP) + f" to {moment(end)}"


def age(span: timedelta) -> str:
    """Return how long ago something was, such as just now, 26 min ago or 3 days ago."""
    if span < timedelta(minutes=1):
        return "just now"
    if span < timedelta(hours=48):
        return f"{duration(span.total_seconds() // 60 * 60)} ago"
    return f"{span.days} days ago"


def listed(items: Sequence[str]) -> str:
    """Return items as a list in a sentence, such as a, b and c."""
    return " and ".join([", ".join(items[:-1]), items[-1]]) if len(items) > 1 else "".join(items)


def version(text: str | None) -> str:
    """Return a version as short as people know it: commits and digests cut, the sources' fingerprint left out."""
    if text is None or _is_nan(text):
        return NOTHING
    return re.sub(r"(?<![0-9a-f])([0-9a-f]{7})[0-9a-f]{33,}(?![0-9a-f])", r"\1", re.sub(r"\|[0-9a-f]+", "", str(text)))


def images(names: str) -> str:
    """Return images without their registries, such as api:main-3f9c2d1; of a tag that all share only the tag."""
    short = [version(name.rpartition("/")[2]) for name in names.split()]
    tags = {name.partition(":")[2] for name in short}
    return tags.pop() if len(tags) == 1 else ", ".join(short)


def behind(commits: float | None, days: float | None) -> str:
    """Return how far something is behind, such as 7 commits, 0.9 days."""
    if commits is None or _is_nan(commits):
        return "not known"
    if commits == 0:
        return "nothing"
    span = "" if days is None or _is_nan(days) else f", {abs(days):.1f}{NBSP}days"
    return f"{'ahead ' if commits < 0 else ''}{counted(abs(commits), 'commit')}{span}"


def in_order_of_delivery(environments: Iterable[str]) -> list[str]:
    """Return environments in the order in which versions commonly reach them, unknown names between."""
    ranks = {name: rank for rank, name in enumerate(ENVIRONMENTS)} | {PRODUCTION: len(ENVIRONMENTS) + 1}
    return sorted(set(environments), key=lambda name: (ranks.get(name, len(ENVIRONMENTS)), name))


def rate(value: float | None) -> str:
    """Return how often something happens in some time, such as 3.4 or 27."""
    return NOTHING if value is None or _is_nan(value) else f"{value:,.1f}" if value < 10 else count(value)


def plain(markdown: str) -> str:
    """Return text that came from elsewhere so that Markdown shows it as it is."""
    return "".join(f"\\{character}" if character in "\\`*_{}[]()<>#+-!|~$:" else character for character in markdown)


def _is_nan(value: object) -> bool:
    """Whether a value of a frame is none: NaN and NaT do not equal themselves."""
    return value != value  # noqa: PLR0124
