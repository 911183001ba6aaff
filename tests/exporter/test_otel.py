"""OpenTelemetry's names on the page: the same figures, as the conventions divide them."""

import shutil
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from phoenix_metrics.exporter.page import Page
from phoenix_metrics.warehouse.snapshot import SnapshotReader
from tests.exporter import truth
from tests.exporter.delivered import DELIVERIES, LOOKS, collect
from tests.exporter.landed import NOW, WORKFLOWS, Attempt, ago, publish
from tests.exporter.test_output import ATTEMPTS
from tests.exporter.truth import Samples, parsed, sample

FAMILIES = ("cicd_", "phoenix_otel_")


def otel_on(page: Page) -> Samples:
    """Return the samples by OpenTelemetry's names."""
    return {series: value for series, value in parsed(page.render()[0]).items() if series[0].startswith(FAMILIES)}


def test_runs_are_told_by_state_and_result(home: Path, page_of: Callable[..., Page]) -> None:
    """Every sample has the value worked out from the attempts, and the page's other samples stay what they are."""
    publish(home, ATTEMPTS)
    page = page_of(home, otel_names=True)
    assert otel_on(page) == pytest.approx(truth.otel_runs(ATTEMPTS))
    others = {series: value for series, value in parsed(page.render()[0]).items() if not series[0].startswith(FAMILIES)}
    plain = parsed(page_of(home).render()[0])
    read = sample("phoenix_snapshot_read_seconds")
    assert {**others, read: 0} == {**plain, read: 0}


def test_deployments_are_told_by_their_attributes(tmp_path: Path, page_of: Callable[..., Page]) -> None:
    """What an operation ended in an error failed, by the conventions' words; durations have no status."""
    assert collect(tmp_path).state == "ok"
    expected = truth.otel_deployments(DELIVERIES, LOOKS)
    assert otel_on(page_of(tmp_path, otel_names=True)) == pytest.approx(expected)


def test_a_result_that_is_new_shows_zeros_first(home: Path, page_of: Callable[..., Page]) -> None:
    """The first failure of an old workflow is held for two minutes, so that `increase()` sees it; nothing else is."""
    publish(home, [Attempt(1, ago(minutes=30))])
    publish(home, [Attempt(2, ago(minutes=20), "failure", queue_seconds=7)])
    published = SnapshotReader(home).current().published_at
    labels = {"vcs_owner_name": "acme", "vcs_repository_name": "shop", "cicd_pipeline_name": "CI"}
    seconds = "cicd_pipeline_run_duration_seconds_sum"
    waited = sample(seconds, cicd_pipeline_run_state="pending", cicd_pipeline_result="", error_type="", **labels)
    failed = sample(
        seconds, cicd_pipeline_run_state="executing", cicd_pipeline_result="failure", error_type="failure", **labels
    )
    seen = [
        otel_on(page_of(home, lambda now=published + timedelta(seconds=wait): now, otel_names=True))
        for wait in (1, 121)
    ]
    assert [(page[failed], page[waited]) for page in seen] == [(0, 12), (93, 12)]


def test_beyond_the_limit_they_are_added_up_too(home: Path, page_of: Callable[..., Page]) -> None:
    """Owner, repository and name are other, states and results stay, and each sum is that of the single series."""
    publish(home, [*ATTEMPTS, Attempt(31, ago(minutes=3), None, workflow="Deploy")])
    whole = otel_on(page_of(home, otel_names=True))
    folded = otel_on(page_of(home, limit=1, otel_names=True))
    shared: Samples = {}
    for (name, labels), value in whole.items():
        its = dict(labels)
        if its["vcs_repository_name"] != "api":
            its |= dict.fromkeys(("vcs_owner_name", "vcs_repository_name", "cicd_pipeline_name"), "other")
        shared[sample(name, **its)] = shared.get(sample(name, **its), 0) + value
    assert len(WORKFLOWS) > 2
    assert folded == pytest.approx(shared)


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_promtool_accepts_the_names(tmp_path: Path, home: Path, page_of: Callable[..., Page]) -> None:
    """`promtool check metrics` finds nothing to say about runs, nor about deployments."""
    publish(home, ATTEMPTS)
    assert collect(tmp_path / "delivered").state == "ok"
    for where, family in ((home, b"cicd_pipeline_run_active"), (tmp_path / "delivered", b"phoenix_otel_deployment")):
        page, _ = page_of(where, otel_names=True).render()
        checked = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True, check=False)
        assert family in page
        assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


def test_no_run_is_under_way_for_ever(home: Path, page_of: Callable[..., Page]) -> None:
    """One that GitHub never ended counts for 35 days, longer than which no run lives."""
    publish(home, [Attempt(1, ago(days=34), None), Attempt(2, ago(days=36), None)], passed_at=NOW)
    page = otel_on(page_of(home, otel_names=True))
    active = {
        dict(labels)["cicd_pipeline_name"]: value
        for (name, labels), value in page.items()
        if value and "active" in name
    }
    assert active == {"CI": 1}
