"""The Alerts page: what fires first and whose it is, what is quiet only because nobody could look, and the rules."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from playwright.sync_api import Browser, expect
from streamlit.testing.v1 import AppTest

from dashboards.alerts import figures
from dashboards.alerts.limits import LIMITS, limit
from dashboards.alerts.links import page_of, runbook, runs_of
from dashboards.alerts.notices import owner
from dashboards.alerts.tables import verdict
from phoenix_metrics import words
from phoenix_metrics.settings import load_settings
from tests.conftest import rows
from tests.dashboards.alerting import DAY, FAILING, HOUR, MINUTE, QUEUE, episodes, write_alerts, write_messages
from tests.dashboards.conftest import TOOLS, Organisation, organisation, publish
from tests.dashboards.test_browser import Visitor, browser, serving  # noqa: F401  # a fixture
from tests.dashboards.test_pages import text

Visit = Callable[..., AppTest]
NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
RULES = 10


@pytest.fixture(scope="module")
def alerted_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home with one alert of each kind, and what was told of them."""
    home, now = tmp_path_factory.mktemp("alerts"), datetime.now(UTC).replace(microsecond=0)
    found = episodes(now)
    write_alerts(home, found)
    write_messages(home, now, found)
    publish(home, organisation(), now)
    return home


@pytest.fixture(scope="module")
def alerted_server(alerted_home: Path) -> Iterator[str]:
    """Start the dashboard on that home and return its address."""
    with serving(alerted_home) as address:
        yield address


def html(app: AppTest) -> str:
    """Return the HTML of the page, where alerts that fire are written."""
    return "\n".join(str(part.proto.body) for part in app.get("html")).replace(words.NBSP, " ")


def tables(app: AppTest) -> list[pd.DataFrame]:
    """Return the frames behind the tables of the page, in their order."""
    return [frame.value.replace(words.NBSP, " ", regex=True) for frame in app.dataframe]


def test_firing_comes_first_with_all_that_is_known(visit: Visit, alerted_home: Path) -> None:
    """Each alert that fires has its figure, limit, n, since when, owner, links and who was told; no other is there."""
    page = html(visit(alerted_home, "alerts"))
    first, second = page.split("<li>")[1:]
    assert "8 of 24 runs of the last day failed" in first
    assert "33.3 %, limit 10.0 %, n = 24" in first
    assert "1 h 30 min ago" in first
    assert "team payments" in first
    assert "docs/runbooks.md#cicdpipelinefailurerate" in first
    assert 'href="workflow?repository=acme%2Fshop&amp;workflow=CI&amp;branch=All+branches"' in first
    assert first.count("https://github.com/acme/shop/actions/runs/") == 2
    assert "told slack hooks.slack.com ✓ delivered, webhook alerts.example.com … failed, and tried again" in first
    assert 'href="deliveries?environment=production&amp;service=api"' in second
    assert "stands still" in second
    assert "CICDQueueLong" not in page
    assert "CICDSourceStale" not in page


def test_waiting_says_why(visit: Visit, alerted_home: Path) -> None:
    """What is pending, silenced or stands still is in one table, each with its state and the silence's reason."""
    waiting = tables(visit(alerted_home, "alerts"))[0]
    found = dict(zip(waiting["rule"], waiting["shown_state"], strict=True))
    assert found == {
        "CICDRollback": "✗ firing (stands still)",
        "CICDSourceStale": "○ silenced",
        "CICDQueueLong": "… pending",
    }
    assert waiting.set_index("rule")["silence_reason"]["CICDSourceStale"] == "moving house"


def test_history_and_filters(visit: Visit, alerted_home: Path) -> None:
    """Episodes are those that were open in the period, of the team that is chosen; the address carries both."""
    every = tables(visit(alerted_home, "alerts"))[1]
    assert len(every) == len(episodes(NOW))
    assert list(every["started_at"]) == sorted(every["started_at"], reverse=True)
    assert every[every["shown_state"] == "✓ resolved"]["lasted"].tolist() == [DAY.total_seconds()]
    assert every.set_index("rule")["shown_told"]["CICDPipelineFailureRate"] == "1 of 2 messages"
    few = visit(alerted_home, "alerts", team="payments")
    assert list(tables(few)[1]["rule"]) == ["CICDPipelineFailureRate"]
    assert "1 episode of team payments was open" in text(few)


def test_messages_have_their_state(visit: Visit, alerted_home: Path) -> None:
    """Each target has how many messages arrived, fail and were refused, and the newest error; bad news come first."""
    app = visit(alerted_home, "alerts")
    targets, messages = tables(app)[2:4]
    counts = targets[["delivered_count", "failed_count", "refused_count"]].to_numpy().tolist()
    assert dict(zip(targets["target"].str.split().str[0], counts, strict=True)) == {
        "slack": [3, 0, 0],
        "webhook": [0, 1, 1],
    }
    assert targets.set_index("target")["newest_error"].dropna().tolist() == ["HTTP 503: later"]
    assert list(messages["state"]) == [words.MESSAGE_STATES[name] for name in ("failed", "refused", *["delivered"] * 3)]
    assert "set `PHOENIX_SLACK_WEBHOOK`" in text(app)


def test_rules_say_what_they_judge_by(visit: Visit, alerted_home: Path) -> None:
    """Every rule is there with its limit; one without anything to judge by says why."""
    app = visit(alerted_home, "alerts")
    rules = tables(app)[-1].set_index("rule")
    assert len(rules) == RULES
    assert set(rules.index) == set(LIMITS)
    assert rules["verdict"]["CICDBudgetBurn"] == "? phoenix.toml sets no [budgets]"
    assert rules["verdict"]["CICDErrorBudgetBurn"] == "? phoenix.toml sets no [[objectives]]"
    assert rules["verdict"]["CICDRollback"] == "? no deployment is known"
    assert rules["verdict"]["CICDPipelineFailureRate"].startswith("✗ 2 of ")
    assert rules["limit"]["CICDPipelineFailureRate"] == "over 10.0 % of the runs fail"
    asked = "select rule, for_seconds from marts.alert_rules"
    assert {row["rule"]: row["for_seconds"] for row in rows(alerted_home, asked)} == dict(rules["for_seconds"])


def test_quiet_is_said_with_what_it_rests_on(visit: Visit, home: Path) -> None:
    """Without an alert the page says that nothing fires, on how many figures, and that none ever did."""
    app = visit(home, "alerts")
    page = text(app)
    assert ":green[✓] Nothing fires. At the newest pass" in page
    assert f"None in this period: {words.NO_ALERT_EVER}." in page
    assert "No alert is pending, silenced or stands still." in page
    assert "Nothing was told in this period." in page


def test_quiet_for_want_of_news_is_no_calm(visit: Visit, tmp_path: Path) -> None:
    """Where a repository is not read, that nothing fires is qualified, and the repository is named."""
    states = {TOOLS: ("failed", "HTTP 500", 0)}
    publish(tmp_path, Organisation(organisation().runs, states), datetime.now(UTC))
    page = text(visit(tmp_path, "alerts"))
    assert ":orange[▲] Nothing fires, but not all is known." in page
    assert "**Not read in full:** acme/tools (never read in full)" in page
    assert ":green[✓]" not in page


def test_old_calm_is_no_calm(visit: Visit, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the newest evaluation is hours old, the page says that nobody has looked since, not that nothing fires."""
    later = datetime.now(UTC) + timedelta(hours=3)
    monkeypatch.setattr("dashboards.clock.now", lambda: later)
    page = text(visit(home, "alerts"))
    assert "Nobody has looked since" in page
    assert "Nothing fires." not in page


def test_nothing_read_is_said(visit: Visit, tmp_path: Path) -> None:
    """With repositories but no run, the page does not call silence calm for rules that have no figure."""
    publish(tmp_path, Organisation(()), datetime.now(UTC))
    app = visit(tmp_path, "alerts")
    verdicts = tables(app)[-1].set_index("rule")["verdict"]
    assert verdicts["CICDPipelineFailureRate"] == "? no run of the last day was read within 6 hours of its end"
    assert verdicts["CICDRateLimitLow"] == "? no source says how many requests are left"


def test_silences_of_the_settings_are_told(visit: Visit, home: Path, tmp_path: Path, monkeypatch: Any) -> None:
    """A silence that holds is shown with its end and reason; one that is over asks to be taken out."""
    (tmp_path / "phoenix.toml").write_text(
        '[[silences]]\nrule = "CICDQueueLong"\nuntil = 2099-01-01T08:00:00Z\nreason = "new runners"\n'
        '[[silences]]\nrule = "CICDRollback"\nuntil = 2020-01-01T08:00:00Z\n'
    )
    monkeypatch.chdir(tmp_path)
    page = text(visit(home, "alerts")).replace("\\", "")
    assert "○ silenced until 1 Jan 2099 08:00 UTC: CICDQueueLong * (new runners)" in page
    assert "a silence ended 1 Jan 2020 08:00 UTC; take it out of phoenix.toml: CICDRollback *" in page


def test_stretches_are_the_parts_of_an_episode() -> None:
    """An episode is drawn as pending until it fired, then as fired, up to its end or to when it was last looked at."""
    naive = NOW.replace(tzinfo=None)
    seen = {"rule": "R", "unit": "ratio", "value": 0.5, "threshold": 0.1, "note": None, "is_frozen": False}
    fired = {**seen, "subject": "a", "state": "firing", "started_at": naive - HOUR, "fired_at": naive - MINUTE}
    silenced = {**fired, "subject": "b", "state": "silenced", "due_at": None, "ended_at": None}
    pending = {**silenced, "subject": "c", "state": "pending", "fired_at": None, "started_at": naive}
    found = [{**fired, "due_at": naive - MINUTE, "ended_at": None}, silenced, pending]
    frame = pd.DataFrame([{**episode, "updated_at": naive} for episode in found])
    frame[["ended_at", "fired_at", "due_at"]] = frame[["ended_at", "fired_at", "due_at"]].astype("datetime64[us]")
    drawn = figures.stretches(frame, 10)
    assert drawn[["label", "kind", "began_at", "ended_at"]].to_numpy().tolist() == [
        ["R · a", "pending", naive - HOUR, naive - MINUTE],
        ["R · a", "fired", naive - MINUTE, naive],
        ["R · b", "pending", naive - HOUR, naive - MINUTE],
        ["R · b", "silenced", naive - MINUTE, naive],
        ["R · c", "pending", naive, naive],
    ]
    assert figures.stretches(frame, 2)["label"].nunique() == 2
    bars = [trace for trace in figures.timeline(drawn, naive - DAY, naive).data if trace.type == "bar"]
    assert [bar.name for bar in bars] == ["… pending", "✗ fired", "○ silenced"]
    shortest = DAY.total_seconds() * 1000 * figures.NARROWEST
    assert list(bars[0].x) == pytest.approx([59 * 60_000, 59 * 60_000, shortest])
    assert all(
        pd.Timestamp(base) + pd.Timedelta(ms, "ms") <= naive for base, ms in zip(bars[0].base, bars[0].x, strict=True)
    )


def test_links_lead_to_what_an_alert_is_about() -> None:
    """What an alert can be about has its page: a workflow, service, source, budget; what is no address is no link."""
    names = ("repository", "workflow", "service", "environment", "source", "budget", "scope", "team", "evidence_urls")
    none = dict.fromkeys(names)
    alert = SimpleNamespace(**none, subject="all")
    assert page_of(alert) == "./#all"
    assert page_of(SimpleNamespace(**{**vars(alert), "source": "github", "subject": "github"})) == "health#github"
    budget = {**vars(alert), "budget": "payments", "scope": "team", "team": "payments", "subject": "team payments"}
    assert page_of(SimpleNamespace(**budget)) == "cost?team=payments#team%20payments"
    queue = {**vars(alert), **QUEUE.labels, "subject": QUEUE.subject}
    assert page_of(SimpleNamespace(**queue)) == "./?repository=acme%2Ftools#acme/tools%20ubuntu-latest"
    alert.evidence_urls = f"javascript:alert(1) {FAILING.evidence_urls}"
    assert runs_of(alert) == str(FAILING.evidence_urls).split()


def test_runbooks_are_links_where_they_have_an_address() -> None:
    """With PHOENIX_RUNBOOKS_URL the rule's section is linked; without, only its name is known."""
    name = "docs/runbooks.md#cicdqueuelong"
    set_ = load_settings({"PHOENIX_RUNBOOKS_URL": "https://git.example.com/phoenix/blob/main/docs/runbooks.md"})
    assert runbook(set_, name) == "https://git.example.com/phoenix/blob/main/docs/runbooks.md#cicdqueuelong"
    assert runbook(load_settings({}), name) is None


def test_owners_are_named_as_far_as_a_person_can_read_them() -> None:
    """An alert is of a team; whom [owners] names is written, unless it is Slack's own spelling of somebody."""
    settings = load_settings({}, teams={"a": ("x",), "b": ("y",)}, owners={"a": "Ada Lovelace", "b": "<@U1>"})
    assert owner("a", settings) == "team a, Ada Lovelace"
    assert owner("b", settings) == "team b, mentioned in Slack"
    assert owner("c", settings) == "team c"
    assert owner(None, settings) == "no team"


def test_verdicts_tell_calm_from_ignorance() -> None:
    """Over, within, too few, standing still and nothing to judge by are told apart in words."""
    rule = SimpleNamespace(subject_count=3, judged_count=2, breached_count=1, frozen_count=1, unjudged_reason=None)
    assert verdict(rule).replace(words.NBSP, " ") == "✗ 1 of 3 subjects over, 1 stand still"
    rule.breached_count, rule.frozen_count = 0, 0
    assert verdict(rule).replace(words.NBSP, " ") == "✓ 2 subjects within, 1 more with too few samples"
    rule.subject_count = rule.judged_count = 0
    assert verdict(rule) == "✓ none at the moment"
    rule.unjudged_reason = "no_budget"
    assert verdict(rule) == "? phoenix.toml sets no [budgets]"


def test_unknown_rules_have_a_limit_too() -> None:
    """A rule of a later version is told in its unit."""
    assert limit("CICDNew", 90, "seconds") == f"over {words.duration(90)}"


def test_names_of_others_are_no_markup(visit: Visit, tmp_path: Path) -> None:
    """A note or a subject from elsewhere is shown as it is, and runs no script."""
    now = datetime.now(UTC)
    evil = replace(FAILING, note="<script>alert(1)</script>", team="<b>x</b>")
    write_alerts(tmp_path, [replace(episodes(now)[0], seen=evil)])
    publish(tmp_path, organisation(), now)
    page = html(visit(tmp_path, "alerts"))
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "team &lt;b&gt;x&lt;/b&gt;" in page
    assert "<script" not in page


def test_alerts_in_a_browser(browser: Browser, alerted_server: str) -> None:  # noqa: F811
    """The page draws without a complaint, its team is in the address, and an alert leads to its workflow."""
    visitor = Visitor(browser, alerted_server)
    page = visitor.page
    page.goto(f"{alerted_server}/alerts")
    for panel in (
        "What fires now",
        "When alerts were open",
        "Episodes",
        "What was told, and whether it arrived",
        "Rules",
    ):
        expect(page.get_by_role("heading", name=panel)).to_be_visible(timeout=60_000)
    expect(page.locator(".js-plotly-plot .main-svg").first).to_be_visible(timeout=60_000)
    page.get_by_role("combobox", name="Team").click()
    page.get_by_role("option", name="payments", exact=True).click()
    page.wait_for_url(lambda url: "team=payments" in url)
    expect(page.get_by_text("episode of team payments")).to_be_visible()
    page.get_by_role("link", name="acme/shop CI").first.click()
    expect(page.get_by_role("heading", name="Last runs on the default branch")).to_be_visible(timeout=60_000)
    assert "branch=All+branches" in page.url
    assert visitor.complaints == []
    page.context.close()
