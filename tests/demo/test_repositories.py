"""An organisation of several repositories: each with a history of its own, found and read as GitHub's are."""

from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from phoenix_metrics.defs.polling import Poll, sync_github
from phoenix_metrics.demo.organization import Organization
from phoenix_metrics.demo.repositories import MOST_REPOSITORIES, PLATFORM, repositories
from phoenix_metrics.settings import load_settings
from tests.conftest import publish_landing, rows
from tests.demo.conftest import NOW, Visitor

COUNT = 12
SECOND = int(NOW.timestamp())


def test_five_thousand_have_names_and_ids_of_their_own() -> None:
    """The platform is the first; the others get quieter, and none is like another."""
    made = repositories(MOST_REPOSITORIES)
    assert made[0] is PLATFORM
    assert len({one.id for one in made}) == len({one.full_name for one in made}) == MOST_REPOSITORIES
    assert all(one.share > other.share for one, other in pairwise(made))


@pytest.mark.parametrize("count", [0, -1, MOST_REPOSITORIES + 1])
def test_a_count_that_cannot_be_is_refused(count: int) -> None:
    """There is at least the platform, and an end."""
    with pytest.raises(ValueError, match=f"from 1 to {MOST_REPOSITORIES}, not {count}"):
        repositories(count)


def test_the_platform_is_the_same_in_company() -> None:
    """How many repositories there are beside it changes nothing that happens in it."""
    alone, among = Organization(days=10), Organization(days=10, count=COUNT)
    assert alone.platform.runs(SECOND) == among.platform.runs(SECOND)


def test_ids_are_unique_and_lead_back() -> None:
    """No two repositories share the id of a run or a job, and each finds its own by it and no other's."""
    organization = Organization(days=20, count=COUNT)
    owners: Counter[int] = Counter()
    for world in organization.worlds:
        runs = world.runs(SECOND)
        owners.update(run.id for run in runs)
        for run in runs[:5]:
            job = run.attempts[0].jobs[0] if run.attempts[0].jobs else None
            for other in organization.worlds:
                is_own = other is world
                assert other.run(run.id, SECOND) == (run if is_own else None)
                if job is not None:
                    assert (other.job(job.id, SECOND) is not None) == is_own
    jobs = Counter(
        job.id
        for world in organization.worlds
        for run in world.runs(SECOND)
        for attempt in run.attempts
        for job in attempt.jobs
    )
    assert set(owners.values()) == set(jobs.values()) == {1}
    assert max(jobs) < 2**53


def test_an_organization_is_discovered_and_read(visit: Callable[..., Visitor], tmp_path: Path) -> None:
    """Our own collector finds every repository by the organisation's name, and reads what each one did."""
    visitor = visit(days=10, repositories=COUNT, pace=0.4)
    settings = load_settings(
        {
            "PHOENIX_HOME": str(tmp_path),
            "PHOENIX_GITHUB_API_URL": visitor.address,
            "PHOENIX_GITHUB_ORGANIZATIONS": "phoenix",
            "PHOENIX_GITHUB_TOKEN": "t",
            "PHOENIX_GITHUB_SINCE": "10d",
        }
    )
    passes = sync_github(settings, Poll(everything=True), clock=lambda: visitor.now)
    assert {done.state for done in passes} == {"ok"}
    publish_landing(tmp_path)
    organization = Organization(days=10, pace=0.4, count=COUNT)
    expected = {
        world.repository.full_name: sorted(
            (run.id, len([attempt for attempt in run.attempts if attempt.started_at <= SECOND]))
            for run in world.runs(SECOND)
        )
        for world in organization.worlds
    }
    found: dict[str, list[tuple[int, int]]] = {name: [] for name in expected}
    for row in rows(tmp_path, "select repository, run_id, run_attempt from marts.workflow_runs order by run_id"):
        found[row["repository"]].append((row["run_id"], row["run_attempt"]))
    assert found == expected
    assert sum(1 for runs in expected.values() if runs) >= COUNT // 2


def test_an_address_leads_to_its_repository(visit: Callable[..., Visitor]) -> None:
    """By name in any case, or by id; what the organisation does not have is not found."""
    visitor = visit(days=5, repositories=3)
    other = repositories(3)[2]
    by_name = visitor.ask(f"/repos/PHOENIX/{other.name.upper()}").json()
    assert by_name == visitor.ask(f"/repositories/{other.id}").json()
    assert (by_name["id"], by_name["full_name"]) == (other.id, other.full_name)
    assert visitor.ask(f"/repos/phoenix/{repositories(4)[3].name}").status_code == 404
    assert visitor.ask(f"/repositories/{other.id + 1}/actions/runs").status_code == 404
    listed = visitor.ask("/orgs/phoenix/repos?per_page=2").json()
    assert [one["name"] for one in listed] == [one.name for one in repositories(2)]
