"""Deployments and rollbacks: collected from a simulated Argo CD, published, and read off the page."""

import shutil
import subprocess
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from phoenix_metrics.exporter.page import Page
from phoenix_metrics.warehouse.snapshot import SnapshotReader
from phoenix_metrics.warehouse.snapshot import publish as publish_store
from phoenix_metrics.warehouse.store import writing
from tests.argocd_server import Fault
from tests.conftest import MODELS, rows
from tests.exporter import truth
from tests.exporter.delivered import DELIVERIES, EUROPE, LATER, LOOKS, collect
from tests.exporter.landed import NOW
from tests.exporter.truth import Samples, parsed, sample

FAMILIES = ("phoenix_deployment_", "phoenix_rollback_")
LATER_LOOK = NOW + timedelta(minutes=2)


@pytest.fixture(scope="module")
def delivered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home that holds all deliveries; it is not changed by tests."""
    home = tmp_path_factory.mktemp("delivered")
    assert collect(home).state == "ok"
    return home


@pytest.fixture(scope="module")
def later(delivered: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return that home two minutes later, when another project may be read, too; it is not changed by tests."""
    home = copied(delivered, tmp_path_factory.mktemp("later"))
    assert collect(home, [LATER_LOOK], projects=f"default,{EUROPE}").state == "ok"
    return home


def copied(home: Path, folder: Path) -> Path:
    """Return a copy of a home."""
    return shutil.copytree(home, folder / "home")


def deliveries_on(page: Page) -> Samples:
    """Return the samples of deployments and rollbacks."""
    samples = parsed(page.render()[0])
    return {series: value for series, value in samples.items() if series[0].startswith(FAMILIES)}


def test_deployments_and_rollbacks_are_what_happened(delivered: Path, page_of: Callable[..., Page]) -> None:
    """Counts by status and kind with their zeros, late ones apart, and durations: no more and no fewer samples.

    A re-sync is no deployment, a rollback is one and a rollback besides, an abort is a rollback of a kind of its own.
    """
    expected = truth.deployments(DELIVERIES, LOOKS) | truth.rollbacks(DELIVERIES, LOOKS)
    assert deliveries_on(page_of(delivered)) == pytest.approx(expected)
    assert {value for (name, _), value in expected.items() if name == "phoenix_deployment_late_total"} == {0, 2}


def test_a_rollback_and_an_abort_are_counted_by_kind(delivered: Path, page_of: Callable[..., Page]) -> None:
    """Each counts once, where it happened, and nowhere else."""
    happened = {
        series for series, value in deliveries_on(page_of(delivered)).items() if "rollback" in series[0] and value
    }
    assert happened == {
        sample("phoenix_rollback_total", service="shop", environment="production", kind="argocd"),
        sample("phoenix_rollback_total", service="pay", environment="staging", kind="rollout_abort"),
    }


def test_labels_are_service_environment_and_what_happened(delivered: Path, page_of: Callable[..., Page]) -> None:
    """No version, commit, person or application is a label."""
    labels = {frozenset(dict(its)) - {"le"} for _, its in deliveries_on(page_of(delivered))}
    assert labels == {frozenset({"service", "environment", *more}) for more in ((), ("status",), ("kind",))}


def test_help_is_what_the_sql_files_say(delivered: Path, page_of: Callable[..., Page]) -> None:
    """Each family carries the sentence written beside its column, or its mart."""
    families = {
        f.name: f.documentation for f in text_string_to_metric_families(page_of(delivered).render()[0].decode())
    }
    for name, table, column in (
        ("phoenix_deployment", "deployment_totals", "deployment_count"),
        ("phoenix_deployment_late", "deployment_totals", "late_deployment_count"),
        ("phoenix_rollback", "rollback_totals", "rollback_count"),
        ("phoenix_rollback_late", "rollback_totals", "late_rollback_count"),
        ("phoenix_deployment_duration_seconds", "deployment_duration_buckets", None),
    ):
        model = MODELS[f"marts.{table}"]
        comments = [one.comment for one in model.columns if one.name == column]
        assert families[name].startswith(" ".join([*comments, model.description]))


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_promtool_finds_nothing_to_say(delivered: Path, page_of: Callable[..., Page]) -> None:
    """`promtool check metrics` accepts names, types and help."""
    page, _ = page_of(delivered).render()
    checked = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True, check=False)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


def test_a_store_that_lost_rows_lowers_no_counter(
    delivered: Path, tmp_path: Path, page_of: Callable[..., Page]
) -> None:
    """Whatever a store holds less than before, this process and the next show what was published once."""
    home = copied(delivered, tmp_path)
    page = page_of(home)
    before = deliveries_on(page)
    with writing(home) as connection:
        connection.execute("update marts.deployment_totals set deployment_count = 0, late_deployment_count = 0")
        connection.execute("update marts.rollback_totals set rollback_count = 0, late_rollback_count = 0")
        connection.execute(
            "update marts.deployment_duration_buckets set deployment_count = 0, duration_seconds_sum = 0"
        )
        publish_store(connection, home)
    assert deliveries_on(page) == before
    assert deliveries_on(page_of(home)) == before


def test_old_deployments_found_later_are_late(delivered: Path, later: Path, page_of: Callable[..., Page]) -> None:
    """What another project did days ago moves the late counters of the service and nothing else of it."""
    before, after = (deliveries_on(page_of(home)) for home in (delivered, later))
    moved = {series: value - before[series] for series, value in after.items() if series in before}
    where = {"service": "shop", "environment": "production"}
    assert {series: value for series, value in moved.items() if value} == {
        sample("phoenix_deployment_late_total", **where, status="succeeded"): 3,
        sample("phoenix_rollback_late_total", **where, kind="argocd"): 1,
    }
    new = {dict(labels)["service"] for series, labels in after if (series, labels) not in before}
    assert new == {"cart"}


def test_a_new_service_shows_zeros_for_two_minutes(later: Path, page_of: Callable[..., Page]) -> None:
    """Its first deployment counts from the third minute on, by the clock alone; other services are not held."""
    everything = [*DELIVERIES, *LATER]
    looks = [*LOOKS, LATER_LOOK]
    expected = truth.deployments(everything, looks) | truth.rollbacks(everything, looks)
    published_at = SnapshotReader(later).current().published_at
    now = [published_at + timedelta(seconds=30)]

    def clock() -> datetime:
        return now[0]

    page = page_of(later, clock)
    held = {series: 0 if ("service", "cart") in series[1] else value for series, value in expected.items()}
    for shown in (deliveries_on(page), deliveries_on(page_of(later, clock))):
        assert shown == pytest.approx(held)
    now[0] = published_at + timedelta(minutes=2)
    for shown in (deliveries_on(page), deliveries_on(page_of(later, clock))):
        assert shown == pytest.approx(expected)


def test_gaps_of_single_applications_make_no_stale_source(
    delivered: Path, tmp_path: Path, page_of: Callable[..., Page]
) -> None:
    """One application that is refused leaves its server fresh, and what applications lost counts at the server only."""
    home = copied(delivered, tmp_path)
    refusal = Fault("/applications/pay-staging/resource-tree", status=403, count=99)
    assert collect(home, [LATER_LOOK], [refusal]).state == "partial"
    gaps = rows(home, "select distinct source from marts.data_health where starts_with(source, 'argocd_')")
    assert gaps == [{"source": "argocd_application"}]
    sources = {series: value for series, value in parsed(page_of(home).render()[0]).items() if "source" in series[0]}
    assert sources == {
        sample("phoenix_source_last_success_timestamp_seconds", source="argocd"): LATER_LOOK.timestamp(),
        sample("phoenix_source_missing", source="argocd"): sum(one.is_lost for one in DELIVERIES),
    }
