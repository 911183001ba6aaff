"""Headline cards: a number, how it changed, what it rests on and what it means."""

from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd
import streamlit as st

from dashboards.charts import BLUE
from phoenix_metrics import words

Tone = Literal["red", "green", "gray"]
STEADY = 0.05  # a change below this share of the earlier value is no news

_BETTER: tuple[str, Tone] = ("better", "green")
_WORSE: tuple[str, Tone] = ("worse", "red")


@dataclass(frozen=True)
class Change:
    """How a number moved against the previous period, and whether that is worse."""

    text: str
    verdict: str
    tone: Tone
    arrow: Literal["up", "down", "off"]


@dataclass(frozen=True)
class Card:
    """One headline number as it is shown."""

    label: str
    value: str
    change: Change
    sample: str
    course: list[float]
    meaning: str
    remark: str = ""  # a comparison with what others published


def draw_cards(cards: list[Card]) -> None:
    """Draw the cards side by side, wrapping where the page is narrow."""
    with st.container(key="cards"):
        for column, card in zip(st.columns(len(cards), gap="small"), cards, strict=True):
            with column.container(border=True, height="stretch", gap="xsmall"):
                _draw(card)


def change(
    now: float | None,
    before: float | None,
    written: Callable[[float], str],
    difference: Callable[[float], str],
    *,
    is_firm: bool,
    is_evident: bool | None = None,
    is_more_better: bool | None = False,
) -> Change:
    """Say how a number moved, better or worse; without a verdict where a period holds too little or chance may do it.

    `is_evident` says whether more than chance moved it, None where nothing tells; only then is a move better or worse.
    `is_more_better` is None where neither is.
    """
    if pd.isna(now):
        return Change("no value in this period", "", "gray", "off")
    if pd.isna(before):
        return Change("nothing to compare with", "", "gray", "off")
    moved = difference(abs(now - before))
    if moved == difference(0):
        return Change("no change", f"from {written(before)}", "gray", "off")
    arrow: Literal["up", "down"] = "up" if now > before else "down"
    if is_more_better is None:
        return Change(moved, f"was {written(before)}", "gray", arrow)
    doubt = _doubt(now, before, is_firm=is_firm, is_evident=is_evident)
    if doubt or is_evident is None:
        return Change(moved, f"{doubt}{', ' if doubt else ''}was {written(before)}", "gray", arrow)
    verdict, tone = _BETTER if (arrow == "up") == is_more_better else _WORSE
    return Change(moved, f"{verdict}, was {written(before)}", tone, arrow)


def _doubt(now: float, before: float, *, is_firm: bool, is_evident: bool | None) -> str:
    """Say why a move is neither better nor worse, "" where nothing speaks against it."""
    if not is_firm:
        return "few samples"
    if abs(now - before) < STEADY * before:
        return "about the same"
    return "" if is_evident is None or is_evident else "within chance"


def ratio_in(row: pd.Series, part: str, whole: str) -> float | None:
    """Return the part of a whole, None where there is no whole."""
    return row[part] / row[whole] if number_in(row, whole) > 0 else None


def number_in(row: pd.Series, column: str) -> float:
    """Return a number, 0 where there is none."""
    return 0 if pd.isna(row[column]) else row[column]


def sample_in(row: pd.Series, column: str, noun: str) -> str:
    """Return how much a number rests on, in words."""
    return words.sample(number_in(row, column), noun)


def is_enough(now: pd.Series, before: pd.Series, column: str) -> bool:
    """Whether both periods hold enough to judge a change by."""
    return min(number_in(now, column), number_in(before, column)) >= words.FEW


def course_of(values: pd.Series) -> list[float]:
    """Return the values of each hour, day or week as a card draws them."""
    return [float(value) for value in values]


def spark_line(course: Sequence[float]) -> str:
    """Return the course through the period as a small picture without axes; what has no value breaks the line.

    It is an image, which readers of the screen pass over: its label and value stand beside it.
    """
    known = [value for value in course if value == value]  # noqa: PLR0124  # not NaN
    if len(known) < 2:
        return ""
    low, high = min(known), max(known)
    width, span = len(course) - 1, (high - low) or 1
    lines: list[list[str]] = [[]]
    for place, value in enumerate(course):
        if value == value:  # noqa: PLR0124
            lines[-1].append(f"{place / width * 100:.2f},{22 - (value - low) / span * 20:.2f}")
        elif lines[-1]:
            lines.append([])
    drawn = "".join(
        f'<polyline points="{" ".join(line)}"/>'
        if len(line) > 1
        else f'<polyline class="lone" points="{line[0]} {line[0]}"/>'
        for line in lines
        if line
    )
    picture = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 24" preserveAspectRatio="none">'
        f"<style>polyline{{fill:none;stroke:{BLUE};stroke-width:2;stroke-linecap:round;stroke-linejoin:round;"
        f"vector-effect:non-scaling-stroke}}.lone{{stroke-width:5}}</style>{drawn}</svg>"
    )
    return f'<img class="spark" alt="" src="data:image/svg+xml;base64,{b64encode(picture.encode()).decode()}">'


def _draw(card: Card) -> None:
    st.metric(
        card.label,
        card.value,
        card.change.text,
        card.change.tone,
        delta_arrow=card.change.arrow,
        delta_description=card.change.verdict or None,
        help=card.meaning,
    )
    if line := spark_line(card.course):
        st.html(line)
    st.caption(card.sample)
    if card.remark:
        st.caption(card.remark)
