"""The whole graph, from HTTP payloads to a published snapshot, through Dagster in this process."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from phoenix_metrics.definitions import defs
from phoenix_metrics.errors import NoSnapshotError, PhoenixError, WarehouseError
from phoenix_metrics.pipeline import run_sync
from phoenix_metrics.settings import CHECKOUT, Settings, load_settings
from phoenix_metrics.warehouse.models import load_checks, load_models
from phoenix_metrics.warehouse.snapshot import SnapshotReader
from phoenix_metrics.warehouse.store import writing
from tests.alerts.receiver import receiving
from tests.conftest import all_marts, publish_landing, rows, settings_for
from tests.github_server import GitHub


@pytest.fixture
def environment(github: GitHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """The process's environment pointed at the small GitHub, as a user's shell would."""
    for name in list(os.environ):
        if name.startswith(("PHOENIX_", "DAGSTER_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PHOENIX_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PHOENIX_GITHUB_API_URL", github.url)
    monkeypatch.setenv("PHOENIX_GITHUB_REPOSITORIES", github.full_name)
    monkeypatch.setenv("PHOENIX_GITHUB_SINCE", "2026-01-01")
    yield load_settings(os.environ)
    os.environ.pop("DAGSTER_HOME", None)


def test_the_graph_is_the_sql(github: GitHub) -> None:
    """Every model is an asset whose upstream assets are the tables its query reads, described by its header."""
    graph = defs().resolve_asset_graph()
    for table, model in load_models().items():
        node = graph.get(dg.AssetKey(table.split(".")))
        assert {key.to_user_string().replace("/", ".") for key in node.parent_keys} == set(model.upstream)
        assert (node.description or "").startswith(model.description)
    checks = {key.name for key in graph.asset_check_keys}
    assert {"grain_is_unique", "not_null", "accepted_values", "every_source_answered", *load_checks()} <= checks


def test_one_run_publishes_what_the_payloads_say(github: GitHub, environment: Settings, tmp_path: Path) -> None:
    """A run through Dagster gives the same marts as the same steps without it, and reports what it did."""
    github.add_run(1, "2026-01-02T08:00:00Z", "failure")
    github.rerun(1, "2026-01-02T10:00:00Z", "success")
    github.add_run(2, "2026-01-03T08:00:00Z")
    report = run_sync(environment)
    assert (report.run_count, report.job_count, report.snapshot_sequence) == (2, 3, 1)
    assert report.failed_sources == {}
    by_hand = settings_for(github, tmp_path / "by-hand")
    (by_hand.home / "landing").parent.mkdir(parents=True)
    (environment.home / "landing").rename(by_hand.home / "landing")
    publish_landing(by_hand.home)
    assert all_marts(environment.home) == all_marts(by_hand.home)


def test_a_source_that_fails_is_reported_and_the_rest_is_published(
    github: GitHub, environment: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pass ends with the reason by repository; a snapshot with the state of the source is published."""
    github.add_run(1, "2026-01-02T08:00:00Z")
    monkeypatch.setenv("PHOENIX_GITHUB_REPOSITORIES", "acme/shop,acme/nope")
    report = run_sync(load_settings(os.environ))
    assert list(report.failed_sources) == ["acme/nope"]
    assert rows(environment.home, "select count(*) as n from marts.workflow_runs") == [{"n": 1}]


def test_a_broken_promise_keeps_the_old_snapshot(github: GitHub, environment: Settings) -> None:
    """When a blocking check fails readers keep what they have; mended data is published again."""
    github.add_run(1, "2026-01-02T08:00:00Z")
    run_sync(environment)
    with writing(environment.home) as connection:
        connection.execute(
            "insert into staging.github_run_attempts "
            "select * replace (999 as run_id, null as day) from staging.github_run_attempts"
        )
    with pytest.raises(WarehouseError, match=r"not published: the check staging\.github_run_attempts not_null failed"):
        run_sync(environment)
    assert SnapshotReader(environment.home).current().sequence == 1
    with writing(environment.home) as connection:
        connection.execute("delete from staging.github_run_attempts where run_id = 999")
    assert run_sync(environment).snapshot_sequence == 2


def test_a_broken_rule_keeps_the_old_snapshot(github: GitHub, environment: Settings) -> None:
    """The cross-table rules of sql/checks/ stand between the marts and the readers."""
    github.add_run(1, "2026-01-02T08:00:00Z")
    run_sync(environment)
    with writing(environment.home) as connection:
        connection.execute(
            "insert into marts.workflow_daily by name "
            "select * replace (date '2020-01-01' as day) from marts.workflow_daily"
        )
    with pytest.raises(WarehouseError, match="not published: the check snapshot daily_counts_match_runs failed"):
        run_sync(environment)
    assert SnapshotReader(environment.home).current().sequence == 1


def test_without_anything_to_measure_the_run_says_what_to_set(
    environment: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first failed step's own line reaches the user."""
    monkeypatch.delenv("PHOENIX_GITHUB_REPOSITORIES")
    with pytest.raises(PhoenixError, match="PHOENIX_GITHUB_REPOSITORIES"):
        run_sync(environment)


def test_the_schedules_run_by_themselves() -> None:
    """All schedules are on from the start; the daily one looks for re-runs, and reports are written on Mondays."""
    loaded = defs()
    schedules = {s.name: s for s in loaded.schedules or []}
    assert schedules["every_few_minutes"].cron_schedule == "*/5 * * * *"
    assert (schedules["every_monday"].cron_schedule, schedules["every_monday"].execution_timezone) == (
        "0 6 * * 1",
        "UTC",
    )
    assert schedules["every_monday"].job_name == "weekly_report"
    tick = schedules["daily_reconcile"].evaluate_tick(dg.build_schedule_context())
    assert tick.run_requests is not None
    config = {"everything": True, "reconcile": True}
    assert tick.run_requests[0].run_config == {"ops": {"github": {"config": config}}}
    assert {s.default_status for s in schedules.values()} == {dg.DefaultScheduleStatus.RUNNING}


def test_a_report_is_a_run_of_its_own(github: GitHub, environment: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pass writes none; its own run says what it lacks, or writes both formats for the week and keeps older ones.

    Slack is sent a short form once, though it is away at first: the next run, as any pass would, goes on with it.
    """
    graph, folder = defs(), environment.home / "reports"
    assert dg.AssetKey("report") not in graph.resolve_job_def("sync").asset_layer.executable_asset_keys
    job = graph.resolve_job_def("weekly_report")
    with dg.DagsterInstance.ephemeral() as instance, pytest.raises(NoSnapshotError, match="run `phoenix sync` first"):
        job.execute_in_process(instance=instance)
    github.add_run(1, "2026-01-02T08:00:00Z")
    assert run_sync(environment).snapshot_sequence == 1
    assert not folder.exists()
    folder.mkdir()
    (folder / "2020-W01.md").write_text("older")
    with dg.DagsterInstance.ephemeral() as instance:
        done = job.execute_in_process(instance=instance)
    last = datetime.now(UTC).date() - timedelta(days=1)
    names = {f"{last:%G-W%V}.md", f"{last:%G-W%V}.html"}
    assert {path.name for path in folder.iterdir()} == {"2020-W01.md", *names}
    assert (folder / f"{last:%G-W%V}.md").read_text().startswith("# CI/CD from ")
    [materialized] = done.asset_materializations_for_node("report")
    assert {str(value.value) for value in materialized.metadata.values()} == {str(folder / name) for name in names}
    with receiving() as slack, dg.DagsterInstance.ephemeral() as instance:
        slack.status, slack.headers = 503, {"Retry-After": "0"}
        monkeypatch.setenv("PHOENIX_SLACK_WEBHOOK", slack.url)
        for slack.status in (503, 200, 200):
            assert job.execute_in_process(instance=instance).success
        assert [len(slack.asked), len(slack.taken)] == [2, 1]
        assert slack.taken[0][1]["text"].startswith("CI/CD from ")
    assert (folder / f"{last:%G-W%V}.slack.json").exists()


def test_dagster_is_set_to_one_writer_without_telemetry() -> None:
    """dagster.yaml says what the design asks for."""
    text = (CHECKOUT / "dagster_home" / "dagster.yaml").read_text(encoding="utf-8")
    for line in (
        "enabled: false",
        "granularity: run",
        "default_limit: 1",
        "run_monitoring:",
        "run_retries:",
        "retention:",
    ):
        assert line in text
