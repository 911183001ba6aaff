"""What can be flaky: jobs and tests with one name each, by which an address chooses one of them."""

import pandas as pd

from dashboards.days import DayScope
from dashboards.filters import address
from dashboards.flakiness import questions
from phoenix_metrics import words

PROVEN = ("L1", "L2", "L3")


def jobs(scope: DayScope) -> pd.DataFrame:
    """Return the flaky jobs with their names."""
    frame = questions.flaky_jobs(scope)
    return _named(frame, frame["job"])


def tests(scope: DayScope) -> pd.DataFrame:
    """Return the flaky tests with their names."""
    frame = questions.flaky_tests(scope)
    title = frame["class"].where(frame["class"].isna(), frame["class"] + " · ").fillna("") + frame["test"]
    return _named(frame, title)


def state(row: pd.Series) -> str:
    """Say in words whether it is still flaky."""
    if row["is_healed"]:
        return f"✓ healed: passed {words.counted(row['success_count_since'], 'time')} since"
    return "✗ still flaky" if row["level"] in PROVEN else "? suspected"


def rate(row: pd.Series) -> str:
    """Return the flaky ratio with its interval, or that there is none."""
    if pd.isna(row["flaky_ratio"]):
        return "no rate: its reports do not tell every pass"
    few = "" if row["is_ranked"] else "○ "
    return f"{few}{words.ratio(row['flaky_ratio'])} ({interval(row)})"


def interval(row: pd.Series) -> str:
    """Return the interval of the flaky ratio."""
    return words.between(words.ratio(row["ratio_low"]), words.ratio(row["ratio_high"]))


def sample(row: pd.Series) -> str:
    """Return the commits that the ratio rests on."""
    if pd.isna(row["flaky_ratio"]):
        return words.counted(row["flaky_failure_count"], "failure") + " by chance"
    few = "" if row["is_ranked"] else f", fewer than {words.FEW}"
    return f"{words.count(row['flaky_count'])} of {words.counted(row['observation_count'], 'commit')}{few}"


def address_of(name: str, scope: DayScope) -> str:
    """Return the address that chooses a job or test."""
    return address("flakiness", subject=name, **scope.choices) + "#evidence"


def _named(frame: pd.DataFrame, title: pd.Series) -> pd.DataFrame:
    where = frame["repository"] + " · " + frame["workflow"]
    where = where + " · " + frame["platform"] if "platform" in frame else where
    return frame.assign(title=title, where=where, name=where + " · " + title)
