"""The Workflow page: what changed, how long runs take, the jobs of one run and what would make the workflow faster."""

import json
from base64 import b64decode
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from playwright.sync_api import Browser, expect
from streamlit.testing.v1 import AppTest

from dashboards.scope import ALL_BRANCHES
from dashboards.workflow import figures
from dashboards.workflow.elsewhere import cost_sentence, flaky_sentence
from dashboards.workflow.gantt import MOST_ROWS, gantt
from dashboards.workflow.panels import pole_sentence, queue_sentence
from phoenix_metrics import words
from phoenix_metrics.warehouse.landing import Record, write_batch
from tests.dashboards.conftest import REPOSITORIES, SHOP, TOOLS, Attempt, Organisation, Run, publish
from tests.dashboards.test_browser import CHROMIUM, Visitor, browser, server  # noqa: F401  # fixtures
from tests.dashboards.test_pages import address, p95, recent, text

Visit = Callable[..., AppTest]
WIDE, RERUN = 1000, 1001  # the runs of `busy`: one of many jobs, the newest, and one that was run again
SHARDS = 120
RUNS = (
    Run(timedelta(hours=1), (Attempt("success", 60),)),
    Run(timedelta(hours=5), (Attempt("failure", 20, 30), Attempt("success", 10))),
    *(Run(timedelta(days=1, hours=index), (Attempt("success", 10 + index),)) for index in range(20)),
)


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home in which one run has many jobs, and another one was run again in part."""
    home, now = tmp_path_factory.mktemp("busy"), datetime.now(UTC)
    jobs = [*_shards(now), *_again(now)]
    records = [Record(REPOSITORIES[SHOP], job["id"], now, json.dumps(job)) for job in jobs]
    write_batch(home, "github_jobs", records)
    publish(home, Organisation(RUNS), now)
    return home


def _shards(now: datetime) -> Iterator[dict[str, Any]]:
    """Yield the members of a wide matrix, of which each waits a second longer and one fails, and a job skipped."""
    began = now - RUNS[0].age
    for number in range(SHARDS):
        conclusion = "failure" if number == 7 else "success"
        yield _job((WIDE, 1, 50_000 + number), f"shard ({number})", conclusion, began, (5 + number, 600 + number))
    yield {**_job((WIDE, 1, 51_000), "publish", "skipped", began, (0, 0)), "runner_id": None, "runner_name": None}


def _again(now: datetime) -> Iterator[dict[str, Any]]:
    """Yield a job that passed at first and is only listed again by the second attempt, 25 minutes later."""
    began = now - RUNS[1].age
    lint = _job((RERUN, 1, 60_000), "lint", "success", began, (10, 100))
    yield lint
    later = (began + timedelta(minutes=25)).strftime("%Y-%m-%dT%H:%M:%SZ")
    yield {**lint, "id": 60_001, "run_attempt": 2, "created_at": later}


def _job(
    ids: tuple[int, int, int], name: str, conclusion: str, began: datetime, spent: tuple[int, int]
) -> dict[str, Any]:
    """Return a job as GitHub tells it, by run, attempt and its own id, with the seconds that it waited and ran."""
    run, attempt, id_ = ids
    waited, ran = spent
    moments = [began, began + timedelta(seconds=waited), began + timedelta(seconds=waited + ran)]
    created, started, completed = (moment.strftime("%Y-%m-%dT%H:%M:%SZ") for moment in moments)
    return {
        "id": id_,
        "run_id": run,
        "run_attempt": attempt,
        "name": name,
        "status": "completed",
        "conclusion": conclusion,
        "created_at": created,
        "started_at": started,
        "completed_at": completed,
        "labels": ["ubuntu-latest"],
        "runner_id": 7,
        "runner_name": "GitHub Actions 7",
        "html_url": f"https://github.com/{SHOP}/actions/runs/{run}/job/{id_}",
    }


def drawn_run(app: AppTest) -> str:
    """Return the label of the run whose jobs are drawn."""
    box = app.selectbox(key="chosen_run")
    return next(str(option) for option in box.options if option.startswith(f"#{int(box.value) - 999} "))


def test_newest_ended_run_is_drawn(visit: Visit, busy: Path) -> None:
    """Without a choice the newest run that has ended is drawn; of a wide matrix the page says how it was cut."""
    app = visit(busy, "workflow", repository=SHOP, workflow="CI")
    assert drawn_run(app).startswith("#1 ✓ success, 1\xa0h, main, ")
    page = text(app)
    assert f"{SHARDS + 1} jobs in 2 rows: the members of a matrix share one" in page
    assert "Not drawn: 1 job skipped." in page
    assert "run" not in address(app)


def test_a_run_is_chosen_by_its_link(visit: Visit, busy: Path) -> None:
    """A link names a run, also an older one than the list offers; choosing another one changes the address."""
    app = visit(busy, "workflow", repository=SHOP, workflow="CI", run=str(RERUN))
    assert drawn_run(app).startswith("#2 ✓ success, 10\xa0min, 2 attempts, main, ")
    app.selectbox(key="chosen_run").set_value(WIDE).run()
    assert not app.exception
    assert address(app)["run"] == str(WIDE)
    assert drawn_run(app).startswith("#1 ✓ success")
    old = visit(busy, "workflow", repository=SHOP, workflow="CI", run="1021", range="24 h")
    assert drawn_run(old).startswith("#22 ✓ success, 29\xa0min, main")


def test_another_workflow_lets_go_of_the_run(visit: Visit, home: Path) -> None:
    """Choosing another workflow shows its newest run, without a word about the run of the one before."""
    app = visit(home, "workflow", repository=SHOP, workflow="CI", run="1001")
    app.selectbox(key="workflow").set_value("Nightly").run()
    assert not app.exception
    assert "of this workflow is known" not in text(app)
    assert "run" not in address(app)
    assert "1 h 30 min" in drawn_run(app).replace(words.NBSP, " ")


@pytest.mark.parametrize("asked", ["77", "no number", "9" * 40, "1026"])
def test_an_unknown_run_is_said_not_replaced_quietly(visit: Visit, home: Path, asked: str) -> None:
    """A link to a run that is not known, or is of another workflow, says so and shows the newest one."""
    app = visit(home, "workflow", repository=TOOLS, workflow="CI", run=asked)
    assert f"No run **{words.plain(asked)}** of this workflow is known" in text(app)
    assert app.selectbox(key="chosen_run").value is not None


def test_critical_path_sums_to_the_duration(visit: Visit, busy: Path) -> None:
    """The parts of the critical path's jobs sum to the duration of the run, and the longest job is on it."""
    app = visit(busy, "workflow", repository=SHOP, workflow="CI")
    path = next(table.value for table in app.dataframe if "margin_seconds" in table.value)
    parts = path[["execution_seconds", "queue_seconds", "handover_seconds", "unexplained_seconds"]]
    assert parts.to_numpy().sum() == 60 * 60
    assert path["job_base"].tolist() == ["test"]
    assert "**Critical path:** 1 h are 1 h of running and 5 s of waiting for runners." in text(app)


def test_poles_bound_what_could_be_gained(visit: Visit, busy: Path) -> None:
    """What a job could save is bound by the others: without the test, the shards of the newest run take as long."""
    app = visit(busy, "workflow", repository=SHOP, workflow="CI")
    poles = next(table.value for table in app.dataframe if "saving_seconds_mean" in table.value)
    minutes = [run.final.minutes for run in RUNS]
    assert poles["job_base"].tolist() == ["test"]
    wide_saving = 60 * 60 - (5 + SHARDS - 1 + 600 + SHARDS - 1)
    lint_is_carried = sum(minutes[1:]) * 60 - 5 * (len(RUNS) - 1)
    assert poles["saving_seconds_mean"].iloc[0] == pytest.approx((wide_saving + lint_is_carried) / len(RUNS))
    assert "**test** is worth most" in text(app)
    assert f"n = {len(RUNS)} successful runs." in text(app)


def test_distribution_holds_every_run(visit: Visit, home: Path, world: Organisation) -> None:
    """The histogram counts each successful or failed run of the period once, by how it ended."""
    app = visit(home, "workflow", repository=SHOP, workflow="CI")
    runs = [run for run in recent(world, repository=SHOP, workflow="CI") if run.final.conclusion in words.OUTCOMES]
    decided = [run for run in runs if run.final.conclusion in ("success", "failure")]
    histogram = next(
        figure for figure in _figures(app) if figure["layout"]["xaxis"].get("title") == {"text": "duration"}
    )
    counts = {trace["name"]: _numbers(trace["y"]) for trace in histogram["data"]}
    for sign, conclusion in (("✓ success", "success"), ("✗ failure", "failure")):
        assert sum(counts[sign]) == sum(run.final.conclusion == conclusion for run in decided)
    assert list(counts)[-3:][1] == f"p95 {words.duration(p95([run.final.minutes * 60 for run in decided]))}"


def _figures(app: AppTest) -> list[dict[str, Any]]:
    return [json.loads(chart.proto.spec) for chart in app.get("plotly_chart")]


def _numbers(values: Any) -> list[float]:
    """Return a list of numbers that plotly may have written as base64."""
    if isinstance(values, dict):
        return [float(value) for value in np.frombuffer(b64decode(values["bdata"]), values["dtype"])]
    return list(values)


def test_queue_is_that_of_its_runners(visit: Visit, busy: Path) -> None:
    """The heat map has the workflow's kinds of runner, and the sentence names the hour in which jobs waited longest."""
    app = visit(busy, "workflow", repository=SHOP, workflow="CI")
    heat = next(trace for figure in _figures(app) for trace in figure["data"] if trace["type"] == "heatmap")
    assert heat["y"] == ["ubuntu-latest"]
    waits = [5, *(5 + number for number in range(SHARDS))]
    said = f"{words.duration(p95([float(wait) for wait in waits]))}, n = {len(waits)} jobs".replace(words.NBSP, " ")
    assert said in text(app)


def test_other_pages_are_one_click_away(visit: Visit, home: Path) -> None:
    """Flakiness and cost are told in a line each, with links that keep repository and time range."""
    app = visit(home, "workflow", repository=SHOP, workflow="CI", range="60 days")
    links = [element.proto.body for element in app.get("html")]
    for page in ("flakiness", "cost"):
        assert any(f'href="{page}?repository=acme%2Fshop&amp;range=60+days"' in link for link in links)
    assert "**Flaky jobs:** 1 proven in the last 30 days, first of them **test \\(3.12\\)**" in text(app)
    assert "**Cost:** " in text(app)


def test_everything_shows_its_sql(visit: Visit, busy: Path) -> None:
    """Each panel of the page has the SQL of what it shows."""
    queries = [code.value for code in visit(busy, "workflow", repository=SHOP, workflow="CI").code]
    for mart in ("critical_path_jobs", "longest_poles", "duration_changes", "queue_hourly", "steps", "run_attempts"):
        assert any(f"marts.{mart}" in query for query in queries)
    assert not any("$" in query for query in queries)


def test_a_run_without_known_jobs_is_said(visit: Visit, tmp_path: Path) -> None:
    """Where the jobs of runs are not read the page says so, panel by panel, instead of drawing nothing."""
    now = datetime.now(UTC)
    publish(tmp_path, Organisation((Run(timedelta(hours=3), (Attempt("skipped", 1),)),)), now)
    app = visit(tmp_path, "workflow", repository=SHOP, workflow="CI", branch=ALL_BRANCHES)
    page = text(app)
    assert "No run of the period that passes the filters has ended yet" in page
    assert "No run of the period has a known duration." in page
    assert "Nothing to say yet: no run of the last 28 days succeeded" in page
    assert "No job of the last 7 days tells how long it waited for a runner." in page


def jobs_frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Return jobs of a run as the page asks for them, times given in seconds since the first attempt began."""
    start = pd.Timestamp("2026-11-23 05:00")
    frame = pd.DataFrame(rows)
    for name in ("created_at", "started_at", "completed_at"):
        frame[name] = start + pd.to_timedelta(frame[name], unit="s")
    return frame.assign(runner="ubuntu-latest", html_url=None)


def attempts_frame(*starts: int) -> pd.DataFrame:
    """Return attempts that began so many seconds after the first one."""
    start = pd.Timestamp("2026-11-23 05:00")
    return pd.DataFrame(
        {
            "run_attempt": range(1, len(starts) + 1),
            "outcome": "success",
            "started_at": [start + timedelta(seconds=seconds) for seconds in starts],
            "duration_seconds": 100.0,
        }
    )


def one_job(number: int, **values: Any) -> dict[str, Any]:
    """Return a job that waited five seconds and ran for ten, with other values where they are given."""
    usual = {
        "job_id": number,
        "run_attempt": 1,
        "job": f"job {number}",
        "job_base": f"job {number}",
        "outcome": "success",
        "created_at": 0,
        "started_at": 5,
        "completed_at": 15,
        "duration_seconds": 10.0,
        "is_executed": True,
        "is_carried_over": False,
    }
    return {**usual, **values}


def path_of(*job_ids: int) -> pd.DataFrame:
    """Return a critical path of some jobs."""
    return pd.DataFrame({"job_id": list(job_ids)})


def test_each_attempt_counts_from_its_own_start() -> None:
    """A job's times are those since its own attempt began; carried-over jobs have none and are named apart."""
    jobs = jobs_frame(
        [
            one_job(1, outcome="failure"),
            one_job(2),
            one_job(3, run_attempt=2, created_at=1000, started_at=1004, completed_at=1050),
            one_job(4, run_attempt=2, job="job 2", is_carried_over=True, is_executed=False, started_at=None),
            one_job(5, run_attempt=2, outcome="cancelled", is_executed=False, created_at=1000, completed_at=1030),
        ]
    )
    drawn = gantt(jobs, attempts_frame(0, 1000), path_of(3))
    times = drawn.rows.set_index("job_id")[["ready", "begun", "ended", "is_on_path"]]
    assert times.loc[3].tolist() == [0, 4, 50, True]
    assert times.loc[1].tolist() == [0, 5, 15, False]
    assert times.loc[5, ["ready", "ended"]].tolist() == [0, 30]
    assert pd.isna(times.loc[5, "begun"])
    assert drawn.carried_over == {2: ["job 2"]}
    assert drawn.left_out == []


def test_a_wide_matrix_shares_rows() -> None:
    """Members of a matrix share a row with the worst outcome, their number and their whole stretch."""
    shards = [
        one_job(
            number,
            job=f"test ({number})",
            job_base="test",
            outcome="failure" if number == 3 else "success",
            completed_at=20 + number,
            duration_seconds=15.0 + number,
        )
        for number in range(100)
    ]
    drawn = gantt(jobs_frame([*shards, one_job(200)]), attempts_frame(0), path_of(99))
    row = drawn.rows.set_index("job_base").loc["test"]
    assert (row["members"], row["failed"], row["outcome"], row["is_on_path"]) == (100, 1, "failure", True)
    assert (row["ready"], row["begun"], row["ended"], row["longest"]) == (0, 5, 119, 114)
    assert drawn.rows.set_index("job_base").loc["job 200", "job"] == "job 200"
    assert "101\xa0jobs in 2\xa0rows" in drawn.left_out[0]


@settings(deadline=None)
@given(
    ends=st.lists(st.integers(6, 5000), min_size=1, max_size=120),
    bases=st.integers(1, 90),
    on_path=st.sets(st.integers(0, 119), max_size=8),
    most=st.integers(9, MOST_ROWS),
)
def test_a_gantt_always_fits(ends: list[int], bases: int, on_path: set[int], most: int) -> None:
    """Never more rows than fit; the critical path is always drawn; each job is in a row or in the count left out."""
    jobs = [
        one_job(number, job=f"j{number % bases} ({number})", job_base=f"j{number % bases}", completed_at=end)
        for number, end in enumerate(ends)
    ]
    wanted = {number for number in on_path if number < len(ends)}
    drawn = gantt(jobs_frame(jobs), attempts_frame(0), path_of(*wanted), most)
    assert len(drawn.rows) <= most
    drawn_bases = set(drawn.rows.loc[drawn.rows["is_on_path"], "job_base"])
    assert drawn_bases == {f"j{number % bases}" for number in wanted}
    all_bases = {f"j{number % bases}" for number in range(len(ends))}
    missing = len(all_bases) - drawn.rows["job_base"].nunique()
    assert (missing > 0) == any("are left out" in note for note in drawn.left_out)
    assert drawn.rows["members"].sum() == len(ends) or missing > 0


def test_gantt_tells_parts_apart_without_colour() -> None:
    """Waiting and running differ in height, outcomes in pattern and sign, the path by a frame; names stay text."""
    jobs = jobs_frame([one_job(1, outcome="failure", job="<b>x</b>"), one_job(2), one_job(3, outcome="cancelled")])
    figure = figures.run_gantt(gantt(jobs, attempts_frame(0), path_of(2)), attempts_frame(0))
    bars = {bar.name: bar for bar in figure.data if bar.type == "bar"}
    assert bars["waiting for a runner"].width < bars["✓ success"].width
    patterns = [bars[name].marker.pattern.shape for name in ("✓ success", "✗ failure", "⊘ cancelled")]
    assert len(set(patterns)) == 3
    lines = [trace for trace in figure.data if trace.type == "scatter" and trace.mode == "lines"]
    assert [line.name for line in lines if line.showlegend] == ["◆ critical path"]
    texts = figure.data[-1].text
    assert texts[0].startswith("<b>&lt;b&gt;x&lt;/b&gt;</b> ✗")
    assert texts[1].startswith("◆ <b>job 2</b> ✓")


def test_bands_break_where_nothing_ran() -> None:
    """A day without runs breaks the bands too: each stretch of days is an area of its own."""
    days = pd.date_range("2026-11-17", periods=7)
    levels = {"duration_p50": 60.0, "duration_p95": 90.0, "duration_p99": 99.0, "duration_count": 30}
    frame = pd.DataFrame(levels, index=days).astype("float64")
    frame.loc[days[3]] = None
    changes = pd.DataFrame(
        {
            "changed_at": [days[5]],
            "direction": ["slower"],
            "ratio": [1.217],
            "event": ["push"],
            "before_p50_seconds": [60.0],
            "after_p50_seconds": [73.0],
        }
    )
    figure = figures.duration_bands(frame, changes)
    areas = [trace for trace in figure.data if trace.fill == "toself"]
    assert [len(area.x) for area in areas] == [6, 6, 6, 6]
    assert [area.showlegend for area in areas] == [True, False, True, False]
    mark = next(trace for trace in figure.data if trace.name == "change of level")
    assert mark.text[0].replace(words.NBSP, " ") == " slower by 21.7 % "
    assert mark.textposition == ("middle left",), "late in the period there is room to the left only"
    assert mark.marker.symbol == ("triangle-up",)


def test_sentences_say_what_they_rest_on() -> None:
    """Lines about flakiness, cost, poles and queues carry their samples, intervals and what is not known."""
    flaky = {"job": "test", "level": "L1", "flaky_ratio": 0.25, "ratio_low": 0.1, "ratio_high": 0.5}
    rows = pd.DataFrame(
        [
            {**flaky, "observation_count": 12, "is_healed": False},
            {**flaky, "job": "old", "observation_count": 50, "is_healed": True},
            {**flaky, "job": "odd", "level": "L4", "observation_count": 50, "is_healed": False},
        ]
    )
    assert flaky_sentence(rows).replace(words.NBSP, " ") == (
        "**Flaky jobs:** 1 proven in the last 30 days, first of them **test** at 25.0 % (10.0 to 50.0 %) of "
        "12 commits, fewer than 20. 2 more jobs healed or only suspected."
    )
    assert flaky_sentence(rows[1:]) == (
        f"**Flaky jobs:** none proven in the last 30 days. 2{words.NBSP}jobs healed or only suspected."
    )
    assert flaky_sentence(rows[0:0]) == "**Flaky jobs:** none proven in the last 30 days."
    cost = {"row_count": 3, "cost_usd": 10.0, "waste_usd": 2.5, "job_count": 40, "unpriced_count": 4}
    assert "2.50 USD (25.0 %) of it for work that came to nothing. 4 jobs without a known price" in cost_sentence(
        pd.Series(cost)
    ).replace(words.NBSP, " ")
    assert cost_sentence(pd.Series({**cost, "cost_usd": None})).startswith("**Cost:** not known: none of 40")
    assert "no job" in cost_sentence(pd.Series({**cost, "row_count": 0}))
    free = pd.Series({**cost, "cost_usd": 0.0, "waste_usd": 0.0, "unpriced_count": 0})
    assert cost_sentence(free).startswith("**Cost:** nothing in this time range")


def test_poles_without_gain_say_so() -> None:
    """Where other jobs take as long as the longest, no single job would make a run shorter."""
    pole = {"job_base": "a", "duration_seconds_mean": 100.0, "queue_seconds_mean": 5.0, "run_count": 3}
    said = pole_sentence(pd.DataFrame([{**pole, "saving_seconds_mean": 0.0}])).replace(words.NBSP, " ")
    assert said.startswith("No single job would make a run shorter than its 1 min 40 s")
    assert said.endswith("Enough runners would save at most 5 s (5.0 %). n = 3 successful runs (fewer than 20).")


def test_the_worst_hour_has_enough_jobs() -> None:
    """An hour with a handful of jobs is no worst hour as long as others have enough."""
    hours = pd.DataFrame(
        {
            "hour": pd.to_datetime(["2026-11-23 05:00", "2026-11-23 06:00"]),
            "runner": ["a", "b"],
            "job_count": [2, 30],
            "excluded_count": [1, 0],
            "queue_p95_seconds": [900.0, 60.0],
        }
    )
    said = queue_sentence(hours).replace(words.NBSP, " ")
    assert "highest at 23 Nov 2026 06:00 UTC on b: 1 min, n = 30 jobs. 1 job without a queue time" in said
    assert "p95 was highest at 23 Nov 2026 05:00 UTC on a: 15 min, n = 2 jobs, fewer than 20" in queue_sentence(
        hours[:1]
    ).replace(words.NBSP, " ")


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")
def test_choosing_a_run_in_the_browser(browser: Browser, server: str) -> None:  # noqa: F811  # fixtures
    """A run that is chosen is in the address and still chosen after a reload; nothing complains."""
    visitor = Visitor(browser, server)
    page = visitor.open("workflow?repository=acme/shop&workflow=CI", numbers=5)
    page.get_by_role("combobox", name="Run", exact=True).click()
    page.keyboard.type("2 attempts")  # the list draws only what is in view
    page.get_by_role("option", name="2 attempts").click()
    page.wait_for_url(lambda url: "run=" in url)
    expect(page.locator(".js-plotly-plot").get_by_text("Attempt 2: ✓ success").first).to_be_visible(timeout=20_000)
    visitor.open(page.url.removeprefix(f"{server}/"), numbers=5)
    expect(page.locator(".js-plotly-plot").get_by_text("Attempt 2: ✓ success").first).to_be_visible(timeout=20_000)
    assert visitor.complaints == []
    page.context.close()
