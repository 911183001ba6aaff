"""The Flakiness page on a story whose flakes are known."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from math import ceil
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd
import pytest
from scipy.stats import binomtest
from streamlit.testing.v1 import AppTest

from dashboards.flakiness import cards, figures, ranking, subjects
from phoenix_metrics import words
from tests.dashboards.conftest import Attempt, Organisation, publish
from tests.dashboards.conftest import Run as WholeRun
from tests.dashboards.stories import current, executed, links, listing
from tests.dashboards.test_pages import address, shown, text
from tests.report.story import DOCS, SHOP, Job, Run, is_shaky, is_tested, story

Visit = Callable[..., AppTest]
BUILD = f"{SHOP} · CI · build"
ADDS = f"{SHOP} · CI · build · CartTest · adds"
SPLITS = f"{SHOP} · CI · junit-build · CartTest · splits"
MINUTE_USD = 0.006  # of ubuntu-latest


@pytest.fixture(scope="module")
def runs() -> list[Run]:
    """Return the runs of the 30 days."""
    return current(story())


@pytest.fixture
def page(visit: Visit, story_home: Path) -> AppTest:
    """Return the page as it opens."""
    return visit(story_home, "flakiness")


def chance(runs: list[Run]) -> list[tuple[Run, Job]]:
    """Return the executions that failed by chance: a later attempt of their run passed."""
    return [
        (run, job) for run, job in executed(runs) if job.conclusion == "failure" and run.final.conclusion == "success"
    ]


def wilson(part: int, whole: int) -> str:
    """Return a ratio with its interval as the page writes them, worked out by SciPy."""
    found = binomtest(part, whole).proportion_ci(method="wilson")
    bounds = words.between(words.ratio(found.low), words.ratio(found.high))
    return f"{words.ratio(part / whole)} ({bounds})".replace(words.NBSP, " ")


def commits(runs: list[Run], job: str) -> int:
    """Count the commits at which a job was decided, of all runs, since the ranking's days go back further."""
    return sum(run.final.name == job and run.final.conclusion in ("success", "failure") for run in runs)


def test_headline_numbers_are_the_truth(page: AppTest, runs: list[Run]) -> None:
    """The five cards equal what follows from the runs of the story."""
    decided = [run for run in runs if run.final.conclusion in ("success", "failure")]
    failed = [job for _, job in executed(runs) if job.conclusion == "failure"]
    flakes = [job for _, job in chance(runs)]
    minutes = sum(ceil(job.seconds / 60) for job in flakes)
    assert shown(page) == {
        "Flaky runs": words.ratio(len(flakes) / len(decided)),
        "Failures by chance": words.ratio(len(flakes) / len(failed)),
        "Time lost to flakes": words.duration(sum(job.seconds for job in flakes)),
        "Money lost to flakes": words.usd(minutes * MINUTE_USD),
        "Flaky now": f"{words.counted(1, 'job')}, {words.counted(2, 'test')}",
    }
    assert f"{len(flakes)} of {len(decided)} runs" in text(page)
    assert f"{len(flakes)} of {len(failed)} failed jobs, fewer than 20" in text(page)
    assert f"{minutes} min billed" in text(page)


def test_rankings_have_intervals_and_evidence(page: AppTest, runs: list[Run]) -> None:
    """Jobs and tests have their rate with Wilson's interval and its n, the evidence in words, and what they cost."""
    decided = commits(runs, "build")
    [[name, rate, evidence, seen, lost]] = listing(page, "Job")
    assert name == f"build | {SHOP} · CI"
    assert rate == f"{wilson(2, decided)} | 2 of {decided} commits"
    assert evidence == f"{words.LEVELS['L1']} | failed, passed"
    assert lost == "6 min 40 s | 0.05 USD"
    assert seen.startswith("22 Nov 2026 10:01 UTC | first 13 Nov 2026 12:03 UTC")
    shaky, tested = sum(map(is_shaky, runs)), sum(map(is_tested, runs))
    tests = listing(page, "Test")
    assert [row[0].split(" | ")[0] for row in tests] == ["CartTest · adds", "CartTest · splits"]
    assert tests[0][1] == f"{wilson(shaky, tested)} | {shaky} of {tested} commits"
    assert tests[0][2].endswith("failed, then passed")


def test_reports_of_failures_only_have_no_rate(page: AppTest, visit: Visit, story_home: Path) -> None:
    """A test whose passes are not known says so in the place of a rate, and again where it is chosen."""
    assert listing(page, "Test")[1][1] == "no rate: its reports do not tell every pass | 1 failure by chance"
    chosen = text(visit(story_home, "flakiness", subject=SPLITS))
    assert "how often it passed is not known, so it has no rate" in chosen


def test_intervals_are_drawn_to_scale(page: AppTest, runs: list[Run]) -> None:
    """The drawn interval of the flakiest job lies where SciPy puts it, on a scale that the heading tells."""
    table = next(part.proto.body for part in page.get("html") if ">Job<" in part.proto.body)
    bar = ElementTree.fromstring(table).find(".//i")
    decided = commits(runs, "build")
    found = binomtest(2, decided).proportion_ci(method="wilson")
    assert f"<span>10{words.NBSP}%</span>" in table
    assert bar.attrib["style"].startswith(
        f"left: {100 * found.low / 0.1:.2f}%; width: calc({100 * found.high / 0.1:.2f}%"
    )


def test_choice_is_in_the_address(visit: Visit, story_home: Path, runs: list[Run]) -> None:
    """A link of the ranking opens the job or test with its evidence: each failure with the pass that proves it."""
    app = visit(story_home, "flakiness", subject=BUILD)
    evidence = app.dataframe[-2].value
    proven = evidence[evidence["why"] == words.LEVELS["L1"]]
    told = sorted(zip(proven["failed_url"], proven["passed_url"], strict=True))
    assert told == sorted((f"{run.url}/job/{run.number}1", f"{run.url}/job/{run.number}2") for run, _ in chance(runs))
    assert address(app) == {"subject": BUILD}, "a link must choose the same, whatever is flakiest by then"
    opened = visit(story_home, "flakiness")
    assert opened.dataframe[-2].value.equals(app.dataframe[-2].value), "what is flakiest is shown without a choice"
    assert address(opened) == {}
    assert "flakiness?subject=acme%2Fshop+%C2%B7+CI+%C2%B7+build#evidence" in links(app)


def test_tests_have_their_own_evidence(visit: Visit, story_home: Path) -> None:
    """A chosen test shows each result of its history that failed at first, newest first, with how that is known."""
    app = visit(story_home, "flakiness")
    app.selectbox(key="subject").set_value(ADDS).run()
    evidence = app.dataframe[-2].value
    history = sorted(filter(is_shaky, story()), key=lambda run: run.created_at)
    expected = [f"{run.url}/job/{run.number}1" for run in history]
    assert list(evidence["failed_url"]) == expected[::-1]
    assert set(evidence["why"]) == {words.PROOFS["report"]}


def test_filters_narrow_everything(visit: Visit, story_home: Path) -> None:
    """A repository without flakes and reports is calm about jobs, and says that nothing is known of its tests."""
    app = visit(story_home, "flakiness", repository=DOCS)
    assert shown(app)["Flaky now"] == f"{words.counted(0, 'job')}, {words.counted(0, 'test')}"
    assert "No job failed and passed on one commit" in text(app)
    assert "Which tests are flaky cannot be said" in text(app)
    assert not app.dataframe


def test_flaky_runs_without_a_flaky_job_are_no_calm(visit: Visit, tmp_path: Path) -> None:
    """Where a run was flaky but none of its jobs is known to have failed and passed, the page says so, and no calm."""
    renamed = (Attempt("failure", job="test (old)"), Attempt("success", job="test (new)"))
    publish(tmp_path, Organisation((WholeRun(timedelta(hours=5), renamed),)), datetime.now(UTC))
    app = visit(tmp_path, "flakiness")
    said = text(app)
    assert "? 1 run of the last 30 days of data failed and passed when run again, but of none of their jobs" in said
    assert "No job failed and passed" not in said
    unknown = ("Failures by chance", "Time lost to flakes", "Money lost to flakes")
    assert [shown(app)[name] for name in unknown] == [words.NOTHING] * 3


def test_unknown_choice_is_said(visit: Visit, story_home: Path) -> None:
    """A link to something that is flaky no more says so, instead of showing something else."""
    assert "**gone** has no evidence of failing by chance" in text(visit(story_home, "flakiness", subject="gone"))


def test_workflows_say_what_flakes_cost_them(page: AppTest, runs: list[Run]) -> None:
    """The workflows that flakes struck have their share of runs and the time of the attempts that failed by chance."""
    table = page.dataframe[-1].value
    of_it = [run for run in runs if run.workflow == "CI" and run.final.conclusion in ("success", "failure")]
    assert list(table["page"]) == ["workflow?repository=acme%2Fshop&workflow=CI"]
    assert (table["flaky_ratio"][0], table["decided_count"][0]) == (len(chance(runs)) / len(of_it), len(of_it))
    assert table["lost_seconds"][0] == sum(job.seconds for _, job in chance(runs))


def test_empty_snapshot_is_no_error(visit: Visit, tmp_path: Path) -> None:
    """Without a single run the page says what cannot be said, and shows no number."""
    publish(tmp_path, Organisation(()), datetime.now(UTC))
    app = visit(tmp_path, "flakiness")
    assert not app.metric
    assert "succeeded or failed, so nothing can be said" in text(app)
    assert "Nothing can be said of jobs" in text(app)
    assert "Which tests are flaky cannot be said" in text(app)


def test_no_snapshot_says_what_to_run(visit: Visit, tmp_path: Path) -> None:
    """Before the first publication the page says what to run."""
    app = visit(tmp_path, "flakiness")
    assert not app.metric
    assert "`phoenix sync`" in text(app)


def test_stale_data_has_a_banner(page: AppTest) -> None:
    """The story was read long ago, and the page says so above its numbers."""
    assert "This data is stale" in text(page)


def test_states_are_told_in_words() -> None:
    """Healed, suspected and still flaky are three words, and a healed suspicion is healed."""
    row = pd.Series({"is_healed": False, "level": "L4", "success_count_since": 12})
    assert subjects.state(row) == "? suspected"
    assert subjects.state(row.replace("L4", "L2")) == "✗ still flaky"
    assert subjects.state(pd.Series({**row, "is_healed": True})).replace(words.NBSP, " ") == (
        "✓ healed: passed 12 times since"
    )


def test_scale_holds_every_interval() -> None:
    """The scale of a ranking ends at a round ratio that no interval passes; without rates it is whole."""
    assert ranking.scale(pd.DataFrame({"ratio_high": [0.02, 0.049]})) == 0.05
    assert ranking.scale(pd.DataFrame({"ratio_high": [0.3, None]})) == 0.5
    assert ranking.scale(pd.DataFrame({"ratio_high": [0.51]})) == 1.0
    assert ranking.scale(pd.DataFrame({"ratio_high": [None]}, dtype=float)) == 1.0


def test_failures_of_a_day_are_split_without_a_rest() -> None:
    """The stacked bars of a day add up to its failed jobs, and a kind that there is none of is not drawn."""
    days = pd.DataFrame(
        {"failure_count": [5.0, float("nan")], "chance_count": [2.0, float("nan")], "hint_count": [0.0, float("nan")]},
        index=pd.date_range("2026-11-01", periods=2, name="bucket"),
    )
    drawn = {bar.name: next(iter(bar.y)) for bar in figures.failures_over_time(days).data}
    assert drawn == {"⟳ by chance, proven": 2, "✗ nothing contradicts it": 3}


def test_days_without_runs_are_no_days_without_losses() -> None:
    """What flakes cost is 0 on a day whose runs lost nothing, and no value where no run ended, or none is known yet."""
    nan = float("nan")
    days = pd.DataFrame({"decided_count": [9.0, 4.0, 0.0, nan], "lost_usd": [1.5, nan, nan, nan]})
    drawn = cards.losses(days, "lost_usd")
    assert drawn[:2] == [1.5, 0.0]
    assert pd.isna(drawn[2:]).all()
