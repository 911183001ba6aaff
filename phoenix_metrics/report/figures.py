"""Headline figures: what each is called, how it is written, and how it compares with the period before."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from phoenix_metrics import words
from phoenix_metrics.report.book import Book, Row
from phoenix_metrics.report.document import Cell, Range, Sentence, Tone, cell, said, strong

Written = Callable[[float], str]


@dataclass(frozen=True)
class Figure:
    """A figure of marts.period_comparisons: its name there, ours, what moves with it, and how it is written."""

    key: str
    label: str
    subject: str  # figures of one subject tell the same story
    written: Written
    difference: Written
    noun: str  # what it is counted over

    @property
    def is_usd(self) -> bool:
        """Whether it is money."""
        return self.written is words.usd


FIGURES = (
    Figure("failure_ratio", "Failure ratio", "failures", words.ratio, words.points, "run"),
    Figure("flaky_ratio", "Flaky runs", "flakes", words.ratio, words.points, "run"),
    Figure("duration_p50", "Median duration", "duration", words.duration, words.duration, "run"),
    Figure("duration_p95", "p95 duration", "duration", words.duration, words.duration, "run"),
    Figure("queue_p95", "p95 wait for a runner", "queue", words.duration, words.duration, "run"),
    Figure("lost_seconds", "Job time lost", "failures", words.duration, words.duration, "day"),
    Figure("billed_minutes", "Billed minutes", "amount", words.minutes, words.minutes, "day"),
    Figure("cost_usd", "Cost", "amount", words.usd, words.usd, "day"),
    Figure("waste_usd", "Waste", "waste", words.usd, words.usd, "day"),
    Figure("deployments_per_week", "Deployments a week", "pace", words.rate, words.rate, "deployment"),
    Figure("change_failure_ratio", "Change failure ratio", "holding", words.ratio, words.points, "deployment"),
    Figure("rollback_ratio", "Deployments that went back", "holding", words.ratio, words.points, "deployment"),
)

_TOTALS = """
    select
        *,
        least(abs(difference_low), abs(difference_high)) / nullif(abs(previous_value), 0) as certain_ratio
    from marts.period_comparisons
    where scope = 'total' and days = $days
"""

VERDICTS: dict[str, tuple[str, Tone]] = {
    "better": ("better", "better"),
    "worse": ("worse", "worse"),
    "no_evidence": ("no evidence", ""),
    "too_few": ("too few to say", ""),
}


@dataclass(frozen=True)
class Comparison:
    """A figure, and its row of the mart."""

    figure: Figure
    row: Row

    @property
    def is_known(self) -> bool:
        """Whether it has a value over the period."""
        return self.row["value"] is not None

    @property
    def is_change(self) -> bool:
        """Whether the interval of the difference leaves zero out."""
        return self.row["verdict"] in ("better", "worse")

    @property
    def certain_ratio(self) -> float:
        """Of a change: how much it is at the least, as a share of what was before."""
        share = self.row["certain_ratio"]
        return math.inf if share is None else float(share)

    @property
    def value(self) -> Sentence:
        """The figure over the period."""
        return said(self._written(self.row["value"]))

    @property
    def interval(self) -> Sentence:
        """Its own interval, as far as there is one."""
        return interval(self.row["value_low"], self.row["value_high"], self.figure.written)

    @property
    def previous(self) -> Sentence:
        """The figure over the period before."""
        return said(self._written(self.row["previous_value"]))

    @property
    def difference(self) -> Sentence:
        """The one less the other, with its sign."""
        moved = self.row["difference"]
        return said(words.NOTHING if moved is None else words.signed(moved, self.figure.difference))

    @property
    def difference_interval(self) -> Sentence:
        """The interval of that."""
        low, high = self.row["difference_low"], self.row["difference_high"]
        return interval(low, high, lambda value: words.signed(value, self.figure.difference))

    @property
    def difference_range(self) -> Range | None:
        """Where that lies around no change."""
        low, high = self.row["difference_low"], self.row["difference_high"]
        if low is None or high is None:
            return None
        middle, reach = 0.5, 2 * (max(abs(low), abs(high)) or 1)
        return Range(middle + low / reach, middle + self.row["difference"] / reach, middle + high / reach, middle)

    @property
    def sample(self) -> str:
        """What both rest on, such as 1,204 runs after 1,180."""
        now, before = self.row["sample_count"], self.row["previous_sample_count"]
        return f"{words.counted(now, self.figure.noun)} after {words.count(before)}"

    @property
    def verdict(self) -> Cell:
        """What the interval says, with the way it went."""
        text, tone = VERDICTS[self.row["verdict"]]
        arrow = ("▲ " if self.row["difference"] > 0 else "▼ ") if self.is_change else ""
        return cell(f"{arrow}{text}", tone=tone)

    def told(self) -> Sentence:
        """Say what changed, with its size, interval and n."""
        way = "rose" if self.row["difference"] > 0 else "fell"
        return said(
            strong(f"{self.figure.label} {way}"),
            " from ",
            self.previous,
            " to ",
            self.value,
            ": ",
            self.difference,
            " (",
            self.difference_interval,
            f"), n{words.NBSP}={words.NBSP}{self.sample}, {VERDICTS[self.row['verdict']][0]}",
        )

    def _written(self, value: float | None) -> str:
        return words.NOTHING if value is None else self.figure.written(value)


def interval(low: float | None, high: float | None, written: Written) -> Sentence:
    """Return an interval of 95 % in words, nothing where there is none."""
    if low is None and high is None:
        return ()
    if low is None or high is None:
        return said(f"at most {written(high)}" if high is not None else f"at least {written(low or 0.0)}")
    return said(words.between(written(low), written(high)))


def totals(book: Book) -> dict[str, Comparison]:
    """Return the figures of everything that either period has, in the order of FIGURES."""
    rows = book.ask(_TOTALS)
    found = {row["figure"]: row for row in rows}
    return {figure.key: Comparison(figure, found[figure.key]) for figure in FIGURES if figure.key in found}
