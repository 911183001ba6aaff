"""Figures and words as plain functions of frames and values."""

from datetime import datetime, timedelta

import pandas as pd
import pytest

from dashboards import charts
from dashboards.cards import change
from dashboards.deliveries.figures import deployments_over_weeks
from dashboards.overview.attention import failing_notices, source_notices
from dashboards.runs import figures
from dashboards.scope import last
from phoenix_metrics import words
from phoenix_metrics.settings import CHECKOUT

DAYS = last("7 days", datetime(2026, 11, 23, 5, 36)).buckets  # noqa: DTZ001  # marts are naive UTC


def course() -> pd.DataFrame:
    """Return a week in which runs happened on the first, second and last day only."""
    columns = {
        "run_count": [20, 2, 5],
        "decided_count": [20, 2, 4],
        "success_count": [15, 0, 4],
        "failure_count": [5, 2, 0],
        "cancelled_count": [0, 0, 1],
        "other_count": [0, 0, 0],
        "duration_count": [20, 2, 4],
        "duration_p50": [60.0, 90.0, 70.0],
        "duration_p95": [3600.0, 95.0, 80.0],
        "duration_p99": [4000.0, 96.0, 81.0],
    }
    return pd.DataFrame(columns, index=[DAYS[0], DAYS[1], DAYS[6]]).reindex(DAYS)


def test_days_without_runs_break_the_line() -> None:
    """A day without runs is a gap in the line of the success ratio, not a zero."""
    line = figures.success_over_time(course(), 0.1).data[0]
    assert [None if pd.isna(value) else value for value in line.y] == [0.75, 0.0, None, None, None, None, 1.0]
    assert line.connectgaps is False


def test_hover_says_what_a_ratio_rests_on() -> None:
    """Hovering a day shows the ratio with its numerator and denominator."""
    hover = figures.success_over_time(course(), 0.1).data[0].hovertext[0].replace(words.NBSP, " ")
    assert hover == "<b>75.0 %</b> successful<br>15 of 20 runs"


def test_few_samples_are_hollow() -> None:
    """A percentile of fewer than 20 runs is a hollow point."""
    symbols = figures.duration_over_time(course()).data[1].marker.symbol
    assert (symbols[0], symbols[1]) == ("circle", "circle-open")


def test_outcomes_differ_by_pattern_too() -> None:
    """Stacked outcomes differ by pattern as well as by colour, and those that never occur are left out."""
    bars = figures.outcomes_over_time(course()).data
    assert [bar.name for bar in bars] == ["✓ success", "✗ failure", "⊘ cancelled"]
    assert len({bar.marker.pattern.shape for bar in bars}) == 3


def test_run_bars_link_and_escape() -> None:
    """Each run's sign links to GitHub; titles from outside stay text; without a duration the bar is flat."""
    runs = pd.DataFrame(
        {
            "run_number": [1, 2],
            "run_attempt": [1, 2],
            "title": ["<script>", None],
            "head_sha": ["abcdef123", None],
            "created_at": [pd.Timestamp("2026-11-23 05:36"), pd.NaT],
            "outcome": ["failure", "open"],
            "duration_seconds": [61.0, None],
            "html_url": ["https://github.com/acme/shop/actions/runs/1", None],
        }
    )
    bars = figures.run_bars(runs).data[0]
    assert bars.text[0].startswith('<a href="https://github.com/acme/shop/actions/runs/1"')
    assert (bars.text[0][-5:], bars.text[1]) == ("✗</a>", "…")
    assert list(bars.y) == [61, 0]
    assert "&lt;script&gt;" in bars.hovertext[0]
    assert "abcdef1," in bars.hovertext[0]


def test_figures_survive_empty_columns() -> None:
    """Columns that are empty throughout draw empty figures, not errors."""
    nothing = pd.DataFrame(columns=course().columns, index=DAYS, dtype="float64")
    for figure in (
        figures.success_over_time(nothing, 0.1),
        figures.duration_over_time(nothing),
        figures.outcomes_over_time(nothing),
    ):
        assert figure.to_dict()


@pytest.mark.parametrize(
    ("longest", "ticks"),
    [
        (None, ["0", "15 s", "30 s", "45 s", "1 min"]),
        (7200, ["0", "30 min", "1 h", "1 h 30 min", "2 h"]),
        (86400 * 8, ["0", "48 h", "96 h", "144 h", "192 h"]),
    ],
)
def test_duration_ticks_are_round(longest: float | None, ticks: list[str]) -> None:
    """Ticks of a duration axis are whole seconds, minutes or hours in words."""
    axis = charts.duration_axis(longest)
    assert [str(tick).replace(words.NBSP, " ") for tick in axis["ticktext"]] == ticks


def test_count_ticks_are_whole() -> None:
    """Ticks of a count axis are whole numbers, however small or large the counts."""
    assert charts.count_axis(1, ticks=2)["tickvals"] == [0, 1]
    assert charts.count_axis(12, ticks=2)["tickvals"] == [0, 5, 10]
    assert charts.count_axis(43, ticks=2)["tickvals"] == [0, 20, 40]
    assert charts.count_axis(None, ticks=5)["tickvals"] == [0, 1]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"),  # noqa: RUF001
        (0, "0 s"),
        (59.6, "1 min"),
        (252, "4 min 12 s"),
        (599.6, "10 min"),
        (3599, "1 h"),
        (6720, "1 h 52 min"),
        (86399, "24 h"),
        (4_320_000, "1,200 h"),
    ],
)
def test_durations_in_words(seconds: float | None, text: str) -> None:
    """Durations read the same everywhere, with as much precision as helps."""
    assert words.duration(seconds).replace(words.NBSP, " ") == text


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (None, "–"),  # noqa: RUF001
        (0.1 + 0.2 - 0.3, "0.00 USD"),
        (0.3 - 0.1 - 0.2, "0.00 USD"),
        (0.000001, "under 0.01 USD"),
        (0.342, "0.34 USD"),
        (-1.5, "−1.50 USD"),  # noqa: RUF001
        (1204.4, "1,204 USD"),
    ],
)
def test_amounts_in_words(amount: float | None, text: str) -> None:
    """What binary sums of prices leave is no amount; a millionth of a dollar is one."""
    assert words.usd(amount).replace(words.NBSP, " ") == text


def test_text_from_outside_is_no_markdown() -> None:
    """Names and notes from a source cannot format the page or place links and colours in it."""
    assert words.plain("a [link](http://x) :red[b]") == r"a \[link\]\(http\://x\) \:red\[b\]"


@pytest.mark.parametrize(
    ("now", "before", "is_firm", "is_evident", "verdict", "tone"),
    [
        (0.3, 0.2, True, True, "worse, was 20.0 %", "red"),
        (0.1, 0.2, True, True, "better, was 20.0 %", "green"),
        (0.3, 0.2, True, False, "within chance, was 20.0 %", "gray"),
        (0.3, 0.2, True, None, "was 20.0 %", "gray"),
        (0.202, 0.2, True, True, "about the same, was 20.0 %", "gray"),
        (0.3, 0.2, False, True, "few samples, was 20.0 %", "gray"),
        (0.2, 0.2, True, True, "from 20.0 %", "gray"),
        (0.2, None, True, None, "", "gray"),
        (None, 0.2, True, None, "", "gray"),
    ],
)
def test_verdicts(  # noqa: PLR0917  # a row of the table each
    now: float | None, before: float | None, is_firm: bool, is_evident: bool | None, verdict: str, tone: str
) -> None:
    """A change is judged only where there is one, enough to judge by, and more than chance."""
    judged = change(now, before, words.ratio, words.points, is_firm=is_firm, is_evident=is_evident)
    assert (judged.verdict.replace(words.NBSP, " "), judged.tone) == (verdict, tone)


def test_periods_compare_like_with_like() -> None:
    """A period of days ends now and is compared with the same days before, up to the same time of day."""
    period = last("7 days", datetime(2026, 11, 23, 5, 36))  # noqa: DTZ001
    assert (period.start.day, period.previous.start.day, period.previous.end) == (
        17,
        10,
        period.end - timedelta(days=7),
    )
    assert period.end - period.start == period.previous.end - period.previous.start
    assert len(period.buckets) == 7
    assert len(last("24 h", datetime(2026, 11, 23, 5, 36)).buckets) == 24  # noqa: DTZ001


def test_a_workflow_is_named_once() -> None:
    """A workflow that fails in both windows is named for the one in which it fails most."""
    windows = pd.DataFrame(
        {
            "repository": ["acme/shop"] * 2,
            "workflow": ["CI"] * 2,
            "time_window": ["1h", "24h"],
            "run_count": [20, 100],
            "failure_count": [10, 20],
            "failure_ratio": [0.5, 0.2],
        }
    )
    assert [notice.sentence.replace(words.NBSP, " ") for notice in failing_notices(windows)] == [
        "10 of 20 runs in the last hour failed: **50.0 %**"
    ]


def test_a_source_that_fell_behind_is_named() -> None:
    """A source is late when others were read in full half an hour after it; a stated gap needs no attention."""
    newest = pd.Timestamp("2026-11-23 05:36")
    health = pd.DataFrame(
        {
            "source": ["github", "github", "landing", "github_billing"],
            "subject": ["acme/shop", "acme/tools", "landing/x.parquet", "acme"],
            "state": ["ok", "ok", "set_aside", "no_access"],
            "last_success_at": [newest, newest - timedelta(hours=1), pd.NaT, pd.NaT],
            "last_attempt_at": [newest, newest - timedelta(hours=1), newest, newest],
            "missing_count": [0, 0, 1, 0],
            "note": [None, None, "not Parquet", "needs a permission"],
        }
    )
    assert [notice.sentence.replace(words.NBSP, " ") for notice in source_notices(health)] == [
        "**acme/tools**: last read in full 23 Nov 2026 04:36 UTC",
        r"**landing/x.parquet**: this file could not be read and was set aside (not Parquet)",
    ]


def test_deployments_are_told_apart_without_colour() -> None:
    """Outcomes of deployments have signs and patterns of their own; what did not happen is not in the legend."""
    weeks = pd.date_range("2026-11-02", periods=3, freq="7D")
    counts = {"held_count": [2, 0, 3], "change_failure_count": [1, 0, 0], "undecided_count": [0, 0, 0]}
    frame = pd.DataFrame({**counts, "all_count": [3, 0, 3]}, index=weeks)
    figure = deployments_over_weeks(frame)
    assert [bars.name for bars in figure.data] == ["✓ succeeded and held", "✗ change failure"]
    assert len({bars.marker.pattern.shape for bars in figure.data}) == 2
    assert list(figure.layout.xaxis.ticktext) == ["2<br>Nov", "9", "16"]


def test_the_style_sheet_hides_the_signs_of_success_by_their_colour() -> None:
    """On a narrow page it finds them by the colour that charts give them, which stands in both."""
    styles = (CHECKOUT / "dashboards" / "style.css").read_text(encoding="utf-8")
    assert f'.bartext a[style*="{charts.GREEN}"]' in styles
