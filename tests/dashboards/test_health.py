"""The Data health page: each trouble with what to do about it, and shares that equal what the tests wrote down."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from playwright.sync_api import Browser, expect
from streamlit.testing.v1 import AppTest

from dashboards.health import advice, figures
from dashboards.health.freshness import silent_now
from dashboards.health.tables import audit_sentence, budget
from dashboards.health.troubles import troubles
from phoenix_metrics import words
from phoenix_metrics.sources.items import as_text
from phoenix_metrics.warehouse.landing import Record, write_batch
from phoenix_metrics.warehouse.models import Column, load_models
from tests.conftest import publish_landing, rows
from tests.dashboards.conftest import REPOSITORIES, SHOP, TOOLS, Organisation, commit, organisation, publish
from tests.dashboards.test_alerts import tables
from tests.dashboards.test_browser import Visitor, browser, serving  # noqa: F401  # a fixture
from tests.dashboards.test_pages import shown, text

Visit = Callable[..., AppTest]
HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def troubled_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home in which nearly everything is wrong that can be."""
    home, now = tmp_path_factory.mktemp("troubled"), datetime.now(UTC).replace(microsecond=0)
    _write(home, now, "github_visits", [_visit("releases", now), _visit("billing", now, subject="acme")])
    _write(home, now, "github_deliveries", [_delivery(f"d{number}", now) for number in range(5)])
    _write(home, now, "github_deliveries", [_delivery("bad", now, error="no repository in it")])
    told = {"instance": "main", "namespace": "argocd", "application": "shop", "phase": "Succeeded", "dry_run": False}
    for total, at in ((3, now - 2 * HOUR), (8, now)):
        _write(home, at, "argocd_sync_totals", [{**told, "total": total}])
    done = {"instance": "main", "state": "ok", "finished_at": now.isoformat(), "request_count": 7}
    _write(home, now, "argocd_syncs", [done])
    (folder := home / "landing" / "github_releases" / f"{now:%Y-%m-%d}").mkdir(parents=True)
    (folder / "1-broken.parquet").write_bytes(b"no Parquet")
    states = {SHOP: ("ok", None, 3), TOOLS: ("no_access", "the token may not see [this]", 0)}
    publish(home, Organisation(organisation().runs, states), now)
    return home


@pytest.fixture(scope="module")
def troubled_server(troubled_home: Path) -> Iterator[str]:
    """Start the dashboard on that home and return its address."""
    with serving(troubled_home) as address:
        yield address


def _priced(home: Path, now: datetime) -> None:
    """Say that the repositories are private, so that their jobs have a price, and publish anew."""
    described = [
        {"id": id_, "full_name": name, "default_branch": "main", "visibility": "private", "private": True}
        for name, id_ in REPOSITORIES.items()
    ]
    later = now + timedelta(seconds=1)
    write_batch(home, "github_repositories", [Record(one["id"], one["id"], later, as_text(one)) for one in described])
    publish_landing(home)


def _write(home: Path, at: datetime, name: str, payloads: list[dict[str, Any]]) -> None:
    write_batch(home, name, [Record(None, None, at, as_text(payload)) for payload in payloads])


def _visit(loop: str, now: datetime, subject: str = SHOP) -> dict[str, Any]:
    end = {"state": "no_access", "note": f"needs a permission for {loop}", "finished_at": now.isoformat()}
    return {"loop": loop, "subject": subject, "request_count": 1, **end}


def _delivery(name: str, now: datetime, error: str | None = None) -> dict[str, Any]:
    told = {"delivery_id": name, "event": "workflow_run", "action": "completed", "repository": SHOP}
    return {**told, "received_at": now.isoformat(), "error": error}


def test_each_trouble_is_said_once_with_what_to_do(visit: Visit, troubled_home: Path) -> None:
    """Permissions, missing history, set-aside files, uncounted operations and strange webhooks each say what to do."""
    page = text(visit(troubled_home, "health")).replace("\\", "")
    for said in (
        "**acme/tools**: may not be read by the token (the token may not see [this])",
        advice.STATES["no_access"],
        "**3 known to be missing**: attempts of runs, or stretches of history not read yet, of acme/shop",
        advice.MISSING,
        "1-broken.parquet**, stored files: could not be loaded and was set aside",
        advice.STATES["set_aside"],
        "**acme/shop**, releases: may not be read by the token (needs a permission for releases)",
        "**acme**, billing: may not be read by the token",
        advice.GAP,
        "**5 known to be missing**: operations that Argo CD counted and that are not here, of main/argocd/shop",
        "**1 webhook delivery not understood**: workflow_run (no repository in it)",
    ):
        assert said in page
    assert ":green[✓] Every source" not in page


def test_parts_that_are_lacking_alike_are_said_together() -> None:
    """Of a repository whose token sees no part the parts are listed once; what the others lack stays apart."""
    lacking = [
        ("github_rules", "acme/shop", "unavailable", "/branches: does not exist or this token may not see it"),
        ("github_pull_requests", "acme/shop", "unavailable", "/pulls: does not exist or this token may not see it"),
        ("github_releases", "acme/tools", "unavailable", None),
        ("github_billing", "acme", "no_access", "needs Administration"),
        ("github_workflow_file", "acme/shop ci.yml", "failed", "no YAML"),
    ]
    health = pd.DataFrame(lacking, columns=["source", "subject", "state", "note"]).assign(missing_count=0)
    silent = pd.DataFrame({"is_stale": [False], "is_refused": [False], "last_success_at": [pd.Timestamp.now()]})
    sources = pd.DataFrame({"rate_limit": [], "rate_limit_remaining": []})
    found = troubles(health, silent, sources, pd.DataFrame({"refused_count": [0]}))
    assert [(trouble.what.replace("\\", ""), trouble.advice) for trouble in found] == [
        ("**acme/shop ci.yml**, workflow file: could not be read at the newest pass (no YAML)", advice.WORKFLOW_FILE),
        ("**acme/shop**, rules and pull requests: not there, or not for this token", advice.GAP),
        ("**acme/tools**, releases: not there, or not for this token", advice.GAP),
        ("**acme**, billing: may not be read by the token (needs Administration)", advice.GAP),
    ]


def test_every_source_is_a_row_with_its_advice(visit: Visit, troubled_home: Path) -> None:
    """The table of sources holds every repository and server of data_health, those in trouble first."""
    sources = tables(visit(troubled_home, "health"))[0]
    known = rows(troubled_home, "select subject from marts.data_health where source in ('github', 'argocd')")
    assert sorted(sources["subject"]) == sorted(row["subject"] for row in known)
    assert sources["subject"][0] == TOOLS
    shop = sources.set_index("subject").loc[SHOP]
    assert (shop["missing_count"], shop["open_count"]) == (3, 0)
    assert shop["run_count"] == sum(run.repository == SHOP for run in organisation().runs)
    assert shop["advice"] == advice.MISSING.replace("`", "")


def test_webhooks_and_audit_are_counted(visit: Visit, troubled_home: Path) -> None:
    """Deliveries of the last days, and operations that Argo CD counted, are those that were written down."""
    app = visit(troubled_home, "health")
    _, _, webhooks, gaps, audit = tables(app)[:5]
    counts = webhooks.set_index("event").loc["workflow_run", ["delivery_count", "day_count", "refused_count"]]
    assert list(counts) == [6, 6, 1]
    assert set(gaps.loc[gaps["part"].isin(["cost", "Argo CD's own count"]), "state"]) == {"▲ known in part"}
    assert set(gaps["part"]) == {"releases", "billing", "stored files", "Argo CD's own count", "cost"}
    assert audit[["argocd_count", "operation_count", "missing_count"]].to_numpy().tolist() == [[5, 0, 5]]
    assert "**5** of them are not here (100.0 %)" in text(app)


def test_shares_are_the_truth(visit: Visit, tmp_path: Path) -> None:
    """Runs without jobs, jobs without a price and failures without a reason are counted as they were written."""
    now, world = datetime.now(UTC).replace(microsecond=0), organisation()
    runs = [run for run in world.runs if run.age < timedelta(days=20)]
    publish(tmp_path, Organisation(tuple(runs)), now)
    _strip(tmp_path, now, runs[0])
    app = visit(tmp_path, "health")
    attempts = [attempt for run in runs for attempt in run.attempts if attempt.conclusion != "skipped"]
    failed = sum(attempt.conclusion == "failure" for attempt in attempts)
    captions = [str(caption.value).replace(words.NBSP, " ") for caption in app.caption]
    classes = "select sum(job_count) as n from marts.failure_classes_daily"
    assert rows(tmp_path, classes) == [{"n": failed}]
    assert f"1 of {len(attempts)} jobs" in captions
    assert shown(app)["Jobs without a price"] == words.ratio(1 / len(attempts))
    assert any(caption.endswith(f"of {failed} failed jobs") for caption in captions)
    unpriced = next(table for table in tables(app) if "billed_minutes" in table)
    assert unpriced[["runner", "job_count"]].to_numpy().tolist() == [["our-own-box", 1]]
    assert unpriced["advice"][0] == "name the runner in [[runners]]"


def _strip(home: Path, now: datetime, run: Any) -> None:
    """Let the job of a run have come from a runner that no rule names, all others having a price; publish anew."""
    started = now - run.age
    job = {
        "id": 10001,
        "run_id": 1000,
        "run_attempt": 1,
        "name": "test (3.12)",
        "status": "completed",
        "conclusion": run.final.conclusion,
        "created_at": f"{started:%Y-%m-%dT%H:%M:%SZ}",
        "started_at": f"{started + timedelta(seconds=5):%Y-%m-%dT%H:%M:%SZ}",
        "completed_at": f"{started + timedelta(minutes=run.final.minutes):%Y-%m-%dT%H:%M:%SZ}",
        "labels": ["our-own-box"],
        "runner_id": 7,
        "runner_name": "box",
        "head_sha": commit(1000),
    }
    write_batch(home, "github_jobs", [Record(1, 10001, now + timedelta(seconds=1), json.dumps(job))])
    _priced(home, now)


def test_lead_time_gaps_say_what_to_do(visit: Visit, delivering_home: Path) -> None:
    """Each reason for a missing lead time is there with its count and what gives one; the share is the mart's."""
    app = visit(delivering_home, "health", range="90 days")
    gaps = next(table for table in tables(app) if "delivery_count" in table)
    asked = (
        "select lead_time_gap as gap, count(*) as n from marts.deliveries where lead_time_gap is not null group by 1"
    )
    truth = {words.LEAD_TIME_GAPS[str(row["gap"])]: row["n"] for row in rows(delivering_home, asked)}
    assert dict(zip(gaps["reason"], gaps["delivery_count"], strict=True)) == truth
    assert (
        gaps.set_index("reason")["advice"][words.LEAD_TIME_GAPS["unknown_commit"]] == advice.LEAD_TIME["unknown_commit"]
    )
    assert "set `PHOENIX_ARGOCD_METRICS_URL`" in text(app)


def test_all_well_is_said(visit: Visit, tmp_path: Path) -> None:
    """Where nothing is late or missing the page says so, and where nothing came by webhook how runs are found."""
    now = datetime.now(UTC).replace(microsecond=0)
    publish(tmp_path, organisation(), now)
    _priced(tmp_path, now)
    page = text(visit(tmp_path, "health"))
    assert ":green[✓] Every source is read in full and in time, and nothing is known to be missing." in page
    assert "what happens is found by polls every 5 minutes" in page
    assert "None is known." in page


def test_age_counts_from_now(visit: Visit, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sources that were fresh at the newest pass are late once that is long ago, and the page says what to do."""
    later = datetime.now(UTC) + 3 * HOUR
    monkeypatch.setattr("dashboards.clock.now", lambda: later)
    page = text(visit(home, "health"))
    assert "**2 sources not read in time**" in page
    assert "see that `phoenix up` is running" in page


def test_nothing_published_or_read_is_said(visit: Visit, tmp_path: Path) -> None:
    """A published organisation without a run gets words for shares that have no whole."""
    publish(tmp_path, Organisation(()), datetime.now(UTC))
    app = visit(tmp_path, "health")
    assert set(shown(app).values()) == {words.NOTHING}
    assert "Every job of this period has one." in text(app)


def test_overview_leads_to_data_health(visit: Visit, troubled_home: Path) -> None:
    """The overview keeps one line on completeness, with a link to the page."""
    app = visit(troubled_home)
    assert "3 things known to be missing, 2 gaps in what goes with the runs." not in text(app)
    assert "4 things known to be missing, 2 gaps in what goes with the runs." in text(app)  # and the file
    assert any('href="health"' in str(part.proto.body) for part in app.get("html"))


def test_silence_is_drawn_with_its_limit() -> None:
    """A source is as silent as it is now, less the pause it has by design; one never read fills its row, on top."""
    now = datetime(2026, 11, 26, 12, tzinfo=UTC)
    naive = pd.Timestamp(now.replace(tzinfo=None))
    frame = pd.DataFrame(
        {
            "source": ["github"] * 3,
            "subject": ["fresh", "quiet", "never"],
            "last_success_at": [naive - pd.Timedelta("10min"), naive - pd.Timedelta("100min"), pd.NaT],
            "pause_seconds": [0, 3600, 0],
            "is_stale": [False, False, True],
            "limit_seconds": [1800.0] * 3,
        }
    )
    silent = silent_now(frame, now)
    assert silent[["subject", "is_stale"]].to_numpy().tolist() == [["never", True], ["quiet", True], ["fresh", False]]
    assert silent["silent_seconds"].tolist()[1:] == [2400, 600]
    bars = figures.silence(silent, 1800).data[0]
    assert list(bars.x) == pytest.approx([2400 * 1.12, 2400, 600])
    assert list(bars.marker.pattern.shape) == ["x", "/", ""]


def test_sentences_of_budget_and_audit() -> None:
    """What is left of an hour's requests, and an audit that finds nothing, are told in a sentence."""
    source = pd.Series({"source": "github", "rate_limit": 5000, "rate_limit_remaining": 250})
    assert budget(source).replace(words.NBSP, " ") == (
        "GitHub: **250 of 5,000 requests** an hour left after the newest pass (5.0 %)."
    )
    source["rate_limit"] = None
    assert "**250 requests** left" in budget(source).replace(words.NBSP, " ")
    audit = pd.DataFrame({"argocd_count": [4], "missing_count": [0], "counted_from": [pd.Timestamp("2026-11-01")]})
    assert audit_sentence(audit).endswith("and all of them are here.")
    assert audit_sentence(audit.assign(argocd_count=0)).startswith("Argo CD has finished no operation since")


def test_every_state_and_reason_has_advice() -> None:
    """Whatever state a source can be in, and whatever reason a price or a lead time is missing for, has advice."""
    columns = {(model.table, column.name): column for model in load_models().values() for column in model.columns}
    assert set(advice.STATES) | {"ok"} == set(words.STATES)
    priced = _values(columns["marts.jobs", "unpriced_reason"]) - {"open"}
    assert priced == set(advice.UNPRICED)
    assert set(advice.LEAD_TIME) == set(words.LEAD_TIME_GAPS) - {"not_succeeded", "not_new", "aborted"}
    judged = _values(columns["marts.alert_rules", "unjudged_reason"])
    assert judged == set(words.UNJUDGED)


def _values(column: Column) -> set[str]:
    return {value for tag in column.tags if tag.name == "in" for value in tag.values}


def test_data_health_in_a_browser(browser: Browser, troubled_server: str) -> None:  # noqa: F811
    """The page draws without a complaint; its time range is in the address, and the overview leads there."""
    visitor = Visitor(browser, troubled_server)
    page = visitor.page
    page.goto(f"{troubled_server}/health?range=7+days")
    expect(page.get_by_test_id("stMetricValue")).to_have_count(4, timeout=60_000)
    for panel in ("What needs doing", "How fresh each source is", "Sources", "Webhooks", "Argo CD's own count"):
        expect(page.get_by_role("heading", name=panel)).to_be_visible()
    expect(page.locator(".js-plotly-plot .main-svg").first).to_be_visible(timeout=20_000)
    expect(page.get_by_role("combobox", name="Time range")).to_have_value("7 days")
    page.goto(troubled_server)
    expect(page.get_by_test_id("stMetricValue")).to_have_count(4, timeout=60_000)
    page.get_by_role("main").get_by_role("link", name="Data health").click()
    expect(page.get_by_role("heading", name="What needs doing")).to_be_visible(timeout=20_000)
    assert visitor.complaints == []
    page.context.close()
