"""The pages as their visitors see them, on a small organisation whose numbers are known."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from math import ceil
from pathlib import Path
from statistics import quantiles

import pytest
from streamlit.testing.v1 import AppTest

from dashboards.scope import ALL_BRANCHES, FIRST
from phoenix_metrics import words
from tests.dashboards.conftest import (
    PAGES,
    SHOP,
    TOOLS,
    USD_PER_MINUTE,
    Attempt,
    Organisation,
    Run,
    organisation,
    publish,
)

Visit = Callable[..., AppTest]
MONTH = timedelta(days=20)  # all recent runs of the organisation are younger, all earlier ones older
DECIDED = ("success", "failure")


def recent(world: Organisation, **wanted: str) -> list[Run]:
    """Return the runs of the current 30 days on main that have the wanted attributes."""
    runs = [run for run in world.runs if run.age < MONTH and run.branch == "main"]
    return [run for run in runs if all(getattr(run, name) == value for name, value in wanted.items())]


def p95(values: list[float]) -> float:
    """Return the 95th percentile, interpolated like SQL's quantile_cont."""
    return quantiles(values, n=20, method="inclusive")[18]


def shown(app: AppTest) -> dict[str, str]:
    """Return the headline numbers by their labels."""
    return {metric.label: metric.value for metric in app.metric}


def text(app: AppTest) -> str:
    """Return every sentence on the page."""
    parts = [*app.title, *app.markdown, *app.caption, *app.info, *app.warning, *app.header]
    return "\n".join(str(part.value) for part in parts).replace(words.NBSP, " ")


def address(app: AppTest) -> dict[str, str]:
    """Return the query parameters of the page's address."""
    return {name: value if isinstance(value, str) else value[0] for name, value in app.query_params.items()}


def costs(runs: list[Run]) -> float:
    """Return what GitHub lists for some runs' jobs: each execution in whole minutes; skipped ones are free."""
    executed = [(run, a) for run in runs if run.repository == SHOP for a in run.attempts if a.conclusion != "skipped"]
    return sum(USD_PER_MINUTE * ceil((a.minutes * 60 - a.queue_seconds) / 60) for _, a in executed)


def overview(runs: list[Run]) -> dict[str, str]:
    """Return the overview's headline numbers of some runs; nothing is deployed in this organisation."""
    shared = ("Failure ratio", "Duration, p95", "Flaky runs")
    return {name: expected(runs)[name] for name in shared} | {"Cost": words.usd(costs(runs))}


def expected(runs: list[Run]) -> dict[str, str]:
    """Return a workflow's five headline numbers of some runs, computed from what the test wrote down."""
    decided = [run for run in runs if run.final.conclusion in DECIDED]
    attempts = [attempt for run in runs for attempt in run.attempts if attempt.conclusion != "skipped"]
    lost = [attempt for attempt in attempts if attempt.conclusion in ("failure", "cancelled")]
    flaky = [run for run in decided if len(run.attempts) > 1]
    return {
        "Failure ratio": words.ratio(sum(run.final.conclusion == "failure" for run in decided) / len(decided)),
        "Duration, p95": words.duration(p95([run.final.minutes * 60 for run in decided])),
        "Queue time, p95": words.duration(p95([attempt.queue_seconds for attempt in attempts])),
        "Flaky runs": words.ratio(len(flaky) / len(decided)),
        "Compute time lost": words.duration(sum(a.minutes * 60 - a.queue_seconds for a in lost)),
    }


def test_headline_numbers_are_the_truth(visit: Visit, home: Path, world: Organisation) -> None:
    """The cards of overview and workflow equal what follows from the runs that were written down."""
    app = visit(home)
    assert shown(app) == overview(recent(world))
    assert "1 job without a price" in text(app)
    of_workflow = visit(home, "workflow", repository=SHOP, workflow="CI")
    assert shown(of_workflow) == expected(recent(world, repository=SHOP, workflow="CI"))


def test_filters_come_from_the_address(visit: Visit, home: Path, world: Organisation) -> None:
    """A link with filters shows the numbers of exactly the runs that pass them."""
    assert shown(visit(home, repository=TOOLS))["Failure ratio"] == words.ratio(1.0)
    assert shown(visit(home, event="push")) == overview(recent(world, event="push"))
    everywhere = [run for run in world.runs if run.age < MONTH]
    assert shown(visit(home, branch=ALL_BRANCHES)) == overview(everywhere)


def test_first_attempts_count_what_was_run_again(visit: Visit, home: Path, world: Organisation) -> None:
    """The view of first attempts counts the run that passed only when it was run again as a failure."""
    decided = [run for run in recent(world) if run.final.conclusion in DECIDED]
    failed = sum(run.attempts[0].conclusion == "failure" for run in decided)
    app = visit(home, attempt=FIRST)
    assert shown(app)["Failure ratio"] == words.ratio(failed / len(decided))
    assert f"final attempts {shown(visit(home))['Failure ratio']}" in "\n".join(str(c.value) for c in app.caption)


def test_choosing_is_the_same_as_linking(visit: Visit, home: Path) -> None:
    """Filters that are chosen on the page show the same numbers as a link that carries them."""
    app = visit(home)
    app.selectbox(key="range").set_value("24 h").run()
    app.selectbox(key="repository").set_value(SHOP).run()
    assert shown(app) == shown(visit(home, range="24 h", repository=SHOP))
    assert shown(app) != shown(visit(home))


def test_changes_compare_with_the_period_before(visit: Visit, home: Path) -> None:
    """A change names the earlier value and whether it is worse, and points up or down beside the colour."""
    failure = visit(home).metric[0]
    assert failure.proto.color == failure.proto.MetricColor.RED
    assert failure.proto.direction == failure.proto.MetricDirection.UP
    assert failure.proto.delta_description == f"worse, was {words.ratio(1 / 25)}"


def test_what_chance_may_do_is_no_verdict(visit: Visit, tmp_path: Path) -> None:
    """Five failures of thirty runs after three of thirty are neither better nor worse."""
    ends = {10: 5, 40: 3}  # failures among the runs so many days ago
    runs = [
        Run(timedelta(days=age, minutes=number), (Attempt("failure" if number < failures else "success"),))
        for age, failures in ends.items()
        for number in range(30)
    ]
    publish(tmp_path, Organisation(tuple(runs)), datetime.now(UTC))
    failure = visit(tmp_path).metric[0]
    assert failure.proto.color == failure.proto.MetricColor.GRAY
    assert failure.proto.delta_description == f"within chance, was {words.ratio(3 / 30)}"


def test_few_samples_are_marked(visit: Visit, home: Path) -> None:
    """Percentiles of fewer than 20 runs say so, and their change carries no verdict."""
    app = visit(home, repository=TOOLS)
    assert "n = 1 run, fewer than 20" in text(app)
    assert app.metric[1].proto.color == app.metric[1].proto.MetricColor.GRAY
    assert "○".encode() in app.dataframe[0].proto.arrow_data.styler.display_values


def test_attention_names_failing_workflows(visit: Visit, home: Path) -> None:
    """A workflow that fails too often over the last day is named with its numbers."""
    page = text(visit(home))
    assert "8 of 24 runs in the last 24 hours failed" in page
    assert "No workflow failed" not in page


def test_attention_names_sources_in_trouble(visit: Visit, tmp_path: Path) -> None:
    """A source that failed says so with its note, one with missing history says how much."""
    states = {SHOP: ("ok", None, 3), TOOLS: ("failed", "the token may not see [this]", 0)}
    publish(tmp_path, Organisation(organisation().runs, states), datetime.now(UTC))
    page = text(visit(tmp_path))
    assert "the last pass failed (the token may not see \\[this\\]); never read in full" in page
    assert "3 things known to be missing" in page


def test_calm_page_says_so(visit: Visit, tmp_path: Path) -> None:
    """With nothing wrong the page says that nothing is, in one sentence."""
    runs = tuple(Run(timedelta(hours=number), (Attempt("success"),)) for number in range(1, 21))
    publish(tmp_path, Organisation(runs), datetime.now(UTC))
    page = text(visit(tmp_path))
    assert "✓] No workflow failed in more than 10.0 % of its runs" in page
    assert "where it had at least 20: 1 workflow had." in page


def test_too_few_runs_are_no_calm(visit: Visit, tmp_path: Path) -> None:
    """Where no workflow ran often enough to be judged, nothing says that all is well, however many runs failed."""
    runs = tuple(Run(timedelta(hours=number), (Attempt("failure"),)) for number in range(1, 20))
    publish(tmp_path, Organisation(runs), datetime.now(UTC))
    page = text(visit(tmp_path))
    assert "? No workflow had 20 runs in the last hour or day that succeeded or failed" in page
    assert "No workflow failed" not in page


def test_no_snapshot_says_what_to_run(visit: Visit, tmp_path: Path) -> None:
    """Before the first publication every page says what to run instead of showing zeros."""
    for page in PAGES:
        app = visit(tmp_path, page)
        assert not app.metric
        assert "`phoenix sync`" in text(app)


def test_empty_snapshot_is_no_error(visit: Visit, tmp_path: Path) -> None:
    """A published organisation without a single run gets words on both pages."""
    publish(tmp_path, Organisation(()), datetime.now(UTC))
    assert "No run at any other time does either" in text(visit(tmp_path))
    assert "No workflow is known yet" in text(visit(tmp_path, "workflow"))


def test_empty_period_points_to_the_newest_run(visit: Visit, home: Path) -> None:
    """A period without runs says when the newest one was instead of drawing empty charts."""
    app = visit(home, range="24 h", repository=TOOLS)
    assert not app.metric
    assert "The newest run that does was created on" in text(app)


def test_stale_data_has_a_banner(visit: Visit, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Data older than half an hour is called stale on every page, with its age; fresh data is not."""
    assert not visit(home).warning
    later = datetime.now(UTC) + timedelta(hours=2)
    monkeypatch.setattr("dashboards.clock.now", lambda: later)
    for page in PAGES:
        assert "This data is stale.** A source was last read in full 2 h" in text(visit(home, page))


def test_new_snapshot_is_shown(visit: Visit, tmp_path: Path) -> None:
    """What is published while a page is open replaces every number on it at its next run."""
    now, run = datetime.now(UTC), Run(timedelta(days=2), (Attempt("success"),))
    publish(tmp_path, Organisation((run,)), now)
    app = visit(tmp_path)
    assert shown(app)["Failure ratio"] == words.ratio(0.0)
    publish(tmp_path, Organisation((run, Run(timedelta(days=1), (Attempt("failure"),)))), now)
    assert shown(app.run())["Failure ratio"] == words.ratio(0.5)


def test_worst_workflows_lead_to_their_pages(visit: Visit, home: Path, world: Organisation) -> None:
    """The table is sorted by time lost, and a link opens the workflow with the filters of the page."""
    table = visit(home, range="60 days").dataframe[0].value
    assert list(table["lost_seconds"]) == sorted(table["lost_seconds"], reverse=True)
    assert table["page"][0] == "workflow?repository=acme%2Fshop&workflow=CI&range=60+days"
    assert len(table) == len({(run.repository, run.workflow) for run in recent(world)})


def test_workflow_page_shows_one_workflow(visit: Visit, home: Path, world: Organisation) -> None:
    """The workflow page's cards, jobs and runs are those of its workflow alone."""
    app = visit(home, "workflow", repository=SHOP, workflow="CI")
    runs = recent(world, repository=SHOP, workflow="CI")
    assert shown(app) == expected(runs)
    jobs = next(table.value for table in app.dataframe if "job_seconds" in table.value)
    newest = next(table.value for table in app.dataframe if "first_attempt" in table.value)
    executions = [a for run in runs for a in run.attempts if a.conclusion in DECIDED]
    assert (jobs["job"][0], jobs["decided_count"][0]) == ("test", len(executions))
    assert len(newest) == len(runs)
    rerun = newest[newest["run_attempt"] == 2].iloc[0]
    assert rerun["first_attempt"] == rerun["html_url"] + "/attempts/1"


def test_workflow_page_completes_its_address(visit: Visit, home: Path) -> None:
    """An address that leaves something open is completed with the busiest that fits, so it can be shared."""
    assert address(visit(home, "workflow")) == {"repository": SHOP, "workflow": "CI"}
    assert address(visit(home, "workflow", workflow="Nightly")) == {"repository": SHOP, "workflow": "Nightly"}
    assert address(visit(home, "workflow", repository=TOOLS)) == {"repository": TOOLS, "workflow": "CI"}


def test_workflow_follows_the_repository(visit: Visit, home: Path) -> None:
    """Choosing another repository shows a workflow of that repository."""
    app = visit(home, "workflow", repository=SHOP, workflow="Nightly")
    app.selectbox(key="repository").set_value(TOOLS).run()
    assert app.selectbox(key="workflow").value == "CI"
    assert shown(app)["Failure ratio"] == words.ratio(1.0)


def test_a_workflow_of_the_same_name_is_kept(visit: Visit, tmp_path: Path) -> None:
    """Choosing another repository keeps to the workflow of the same name, though another one of it is busier."""
    nightly = [Run(timedelta(days=age), (Attempt("success"),), workflow="Nightly") for age in (1, 2, 3)]
    builds = [Run(timedelta(days=1), (Attempt("failure"),), repository=name) for name in (SHOP, TOOLS)]
    publish(tmp_path, Organisation((*nightly, *builds)), datetime.now(UTC))
    assert address(visit(tmp_path, "workflow", repository=SHOP)) == {"repository": SHOP, "workflow": "Nightly"}
    app = visit(tmp_path, "workflow", repository=TOOLS, workflow="CI")
    app.selectbox(key="repository").set_value(SHOP).run()
    assert app.selectbox(key="workflow").value == "CI"
    assert shown(app)["Failure ratio"] == words.ratio(1.0)


def test_a_choice_made_meanwhile_follows_the_repository_too(visit: Visit, home: Path) -> None:
    """The browser sends the old workflow again with a choice that is made before it was told the new one."""
    app = visit(home, "workflow", repository=SHOP, workflow="Nightly")
    app.selectbox(key="repository").set_value(TOOLS).run()
    app.selectbox(key="workflow").options.append("Nightly")  # as it was offered where the choice was made
    app.selectbox(key="workflow").set_value("Nightly")
    app.selectbox(key="range").set_value("7 days").run()
    assert [app.selectbox(key=key).value for key in ("repository", "workflow", "range")] == [TOOLS, "CI", "7 days"]
    assert shown(app) == shown(visit(home, "workflow", repository=TOOLS, workflow="CI", range="7 days"))


def test_unknown_workflow_is_said_not_replaced(visit: Visit, home: Path) -> None:
    """A link to a workflow that is gone says so instead of showing another one."""
    app = visit(home, "workflow", repository=SHOP, workflow="Gone")
    assert not app.metric
    assert "No workflow **Gone** is known in **acme/shop**" in text(app)
