"""Scenes: what each does to the figures, that the past stays as it was, and the switches that set and end them."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import pytest
import requests

from phoenix_metrics.demo.scenes import SceneName
from tests.demo.conftest import NOW, Visitor

BEGIN = datetime(2026, 11, 16, 9, 0, tzinfo=UTC)  # the Monday morning before NOW, in the middle of a busy day
DAYS = 5
APPLICATIONS = "/argo-cd/api/v1/applications"
PRODUCTION = f"{APPLICATIONS}/phoenix-production"
DECIDED = ("success", "failure", "timed_out", "startup_failure")
USD_PER_MINUTE = {"ubuntu-latest": 0.006, "ubuntu-latest-8-cores": 0.022}  # GitHub's prices of 2026

Json = dict[str, Any]
Visit = Callable[..., Visitor]


def wish(visitor: Visitor, **wished: object) -> requests.Response:
    """Ask for something and return the whole answer."""
    return visitor.session.post(f"{visitor.address}/_control", json=wished)


def state(visitor: Visitor) -> Json:
    """Return what the server says of itself."""
    return dict(visitor.ask("/_control").json())


def set_at(visit: Visit, scene: str, **settings: Any) -> Visitor:
    """Start a server in its usual life, have it looked at, set a scene at BEGIN, and return it as of NOW."""
    visitor = visit(now=BEGIN, days=DAYS, **settings)
    assert visitor.runs()
    assert applications(visitor)
    assert wish(visitor, scene=scene).status_code == 200
    visitor.now = NOW
    return visitor


def applications(visitor: Visitor) -> Any:
    return visitor.ask(APPLICATIONS).json()["items"]


def seconds(began: str, ended: str) -> float:
    return (datetime.fromisoformat(ended) - datetime.fromisoformat(began)).total_seconds()


def split(runs: list[Json]) -> tuple[list[Json], list[Json]]:
    """Return the runs that were triggered before BEGIN, and those of the scene."""
    since = f"{BEGIN:%Y-%m-%dT%H:%M:%SZ}"
    return [run for run in runs if run["created_at"] <= since], [run for run in runs if run["created_at"] > since]


def executed(visitor: Visitor, run: Json) -> list[Json]:
    """Return the completed jobs of all attempts of a run that a runner had, each once."""
    jobs = visitor.all(f"/actions/runs/{run['id']}/jobs", "jobs", filter="all")
    found = {(job["name"], job["started_at"]): job for job in reversed(jobs) if job["runner_id"]}
    return [job for job in found.values() if job["status"] == "completed"]


def jobs_of(visitor: Visitor, runs: list[Json], *names: str) -> list[Json]:
    """Return the executed jobs of some runs, of all names or of some."""
    return [job for run in runs for job in executed(visitor, run) if not names or job["name"] in names]


def failure_ratio(found: list[Json]) -> float:
    """Return the share of failures among what was decided."""
    decided = [one["conclusion"] for one in found if one["conclusion"] in DECIDED]
    return 1 - decided.count("success") / len(decided)


@pytest.fixture(scope="module")
def usual() -> Any:
    """The same organisation in its usual life, as of NOW."""
    with ExitStack() as stack:
        yield Visitor(stack, days=DAYS)


@pytest.mark.parametrize("scene", SceneName)
def test_the_past_stays_and_a_restart_tells_the_same(visit: Visit, tmp_path: Path, usual: Visitor, scene: str) -> None:
    """What was triggered before a scene is as without it, what comes after is not, and both outlive a restart."""
    file = tmp_path / "demo.json"
    visitor = set_at(visit, scene, state_file=file)
    visitor.now = BEGIN + timedelta(minutes=20) if scene == "outage" else NOW
    restarted = visit(now=visitor.now, days=DAYS, state_file=file)
    before, during = split(visitor.runs())
    assert len(before) > 25
    assert restarted.runs() == during + before
    assert applications(restarted) == applications(visitor)
    for run in (*during[:3], *before[:3]):
        path = f"/actions/runs/{run['id']}/jobs"
        assert visitor.get(path, filter="all") == restarted.get(path, filter="all")
    plain = usual if visitor.now == NOW else visit(now=visitor.now, days=DAYS)
    plain_before, plain_during = split(plain.runs())
    assert before == plain_before
    differs = applications(visitor) != applications(plain) if scene == "rollback" else during != plain_during
    assert differs


def test_many_scenes_make_one_history(visit: Visit, tmp_path: Path) -> None:
    """Through several scenes no run or job has another's id, runs are counted without gaps, and all is remembered."""
    file = tmp_path / "demo.json"
    visitor = visit(now=BEGIN, days=DAYS, state_file=file)
    for scene in ("rollback", "expensive", "outage", "rollback", "calm", "expensive"):
        assert applications(visitor)
        wish(visitor, scene=scene)
        visitor.wait(hours=0.5 if scene == "outage" else 4.2)
    restarted = visit(now=visitor.now, days=DAYS, state_file=file)
    assert applications(restarted) == applications(visitor)
    runs = visitor.runs()[::-1]
    assert restarted.runs() == runs[::-1]
    ids = [run["id"] for run in runs]
    assert ids == sorted(set(ids))
    numbers = [run["run_number"] for run in runs if run["path"].endswith("/ci.yml")]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    jobs = [
        job["id"] for run in runs[-150:] for job in visitor.all(f"/actions/runs/{run['id']}/jobs", "jobs", filter="all")
    ]
    assert len(jobs) == len(set(jobs)) > 500


def test_flaky_jobs_fail_by_chance_and_are_run_again(visit: Visit, usual: Visitor) -> None:
    """The integration and frontend tests fail many times as often as usual, others do not; most pass when re-run."""
    visitor = set_at(visit, "flaky")
    runs, plain = split(visitor.runs())[1], split(usual.runs())[1]
    spoilt = ("test (integration)", "test (frontend)")
    jobs = jobs_of(visitor, runs)
    ratio = failure_ratio([job for job in jobs if job["name"] in spoilt])
    assert ratio > 0.08
    assert ratio > 4 * failure_ratio(jobs_of(usual, plain, *spoilt))
    assert failure_ratio([job for job in jobs if job["name"] not in spoilt]) < 0.04
    again, usually = ([run for run in found if run["run_attempt"] > 1] for found in (runs, plain))
    assert len(again) >= 3 * max(1, len(usually))
    assert [run["conclusion"] for run in again].count("success") > len(again) / 2


def test_slow_is_a_step_at_a_commit(visit: Visit, usual: Visitor) -> None:
    """From the commit that /_control names on, two jobs take 1.6 times as long as they would have; before, as long."""
    visitor = set_at(visit, "slow")
    commit = state(visitor)["scene"]["commit"]
    during = split(visitor.runs())[1][::-1]
    (first,) = [run for run in during if run["head_sha"] == commit and run["event"] == "push"]
    assert first["head_branch"] == "main"
    main = [run for run in during if run["head_branch"] == "main" and run["path"].endswith("/ci.yml")]
    assert main[0] == first
    lengths: dict[tuple[bool, bool], list[float]] = {}
    for run in split(visitor.runs())[0][:30] + during:
        usually = {job["id"]: seconds(job["started_at"], job["completed_at"]) for job in executed(usual, run)}
        for job in executed(visitor, run):
            if job["conclusion"] == "success" and job["id"] in usually:
                is_slowed = job["name"] in ("test (integration)", "build (api)") and run["id"] >= first["id"]
                taken = seconds(job["started_at"], job["completed_at"])
                assert taken == pytest.approx(usually[job["id"]] * (1.6 if is_slowed else 1.0), abs=1.4), job["name"]
                if job["name"] == "test (integration)":
                    lengths.setdefault((run["id"] >= first["id"], run["id"] >= during[0]["id"]), []).append(taken)
    before, after = lengths[False, False], lengths[True, True]
    assert min(len(before), len(after)) >= 10
    assert 1.4 < median(after) / median(before) < 1.8


def test_expensive_runs_cost_more_and_are_more(visit: Visit, usual: Visitor) -> None:
    """Larger runners are a quarter faster and cost nearly four times as much; more is pushed, and more superseded."""
    visitor = set_at(visit, "expensive")
    (before, runs), plain = split(visitor.runs()), split(usual.runs())[1]
    assert len(runs) > 1.4 * len(plain)
    cancelled, usually = ([run["conclusion"] for run in found].count("cancelled") for found in (runs, plain))
    assert cancelled >= 5 + usually
    dear, cheap = jobs_of(visitor, runs), jobs_of(usual, plain)
    assert {(*job["labels"], job["runner_group_name"]) for job in dear} == {
        ("ubuntu-latest-8-cores", "Default Larger Runners")
    }
    assert {(*job["labels"],) for job in jobs_of(visitor, before[:10])} == {("ubuntu-latest",)}
    assert usd(dear) > 3 * usd(cheap)
    unit = [
        median(
            seconds(job["started_at"], job["completed_at"])
            for job in jobs
            if job["name"] == "test (unit)" and job["conclusion"] == "success"
        )
        for jobs in (dear, cheap)
    ]
    assert 0.65 < unit[0] / unit[1] < 0.85


def test_larger_runners_stand_on_the_bill_with_their_price(visit: Visit) -> None:
    """Their minutes are those of the jobs, and none of them is included in the plan."""
    visitor = set_at(visit, "expensive")
    usage = visitor.ask("/organizations/phoenix/settings/billing/usage?year=2026&month=11").json()["usageItems"]
    larger = [line for line in usage if line["sku"] == "Actions Linux 8-core"]
    ended = [
        job
        for job in jobs_of(visitor, split(visitor.runs())[1])
        if job["runner_name"] and job["completed_at"] and job["completed_at"] > job["started_at"]
    ]
    minutes = [-(-seconds(job["started_at"], job["completed_at"]) // 60) for job in ended]
    assert 0 < sum(line["quantity"] for line in larger) == sum(minutes)
    assert {(line["pricePerUnit"], line["discountAmount"]) for line in larger} == {(0.022, 0)}
    summary = visitor.ask("/organizations/phoenix/settings/billing/usage/summary?year=2026&month=11").json()
    assert {item["sku"] for item in summary["usageItems"]} == {"actions_linux", "actions_linux_8_core"}


def usd(jobs: list[Json]) -> float:
    """Return what jobs cost: whole minutes begun, at the price of the runner."""
    return sum(
        -(-seconds(job["started_at"], job["completed_at"]) // 60) * USD_PER_MINUTE[job["labels"][0]] for job in jobs
    )


def test_in_the_rollback_scene_production_goes_back_within_hours(visit: Visit, usual: Visitor) -> None:
    """Canaries are stopped, entries of the history gone back to, and commits reverted, every few hours."""
    visitor = set_at(visit, "rollback")
    history, usually = back_steps(visitor), back_steps(usual)
    assert len(history["rollback"]) >= 4 + len(usually["rollback"])
    assert len(history["revert"]) >= 8 + len(usually["revert"])
    recent = sorted(at for found in history.values() for at in found if at > BEGIN)
    gaps = [later - earlier for earlier, later in zip([BEGIN, *recent], recent, strict=False)]
    assert max(gaps) < timedelta(hours=5)


def back_steps(visitor: Visitor) -> dict[str, list[datetime]]:
    """Return when production went back, by how: to an entry it had, or by a commit that reverts another."""
    found: dict[str, list[datetime]] = {"rollback": [], "revert": []}
    seen: set[str] = set()
    for entry in visitor.ask(PRODUCTION).json()["status"]["history"]:
        revision, at = entry["revision"], datetime.fromisoformat(entry["deployedAt"])
        message = visitor.ask(f"{PRODUCTION}/revisions/{revision}/metadata").json()["message"]
        if revision in seen:
            found["rollback"].append(at)
        elif message.startswith("Revert"):
            found["revert"].append(at)
        seen.add(revision)
    return found


def test_deliveries_of_the_same_day_follow_a_scene(visit: Visit) -> None:
    """Soon after the scene is set a canary is stopped; what is mended stays quiet until the usual hour of delivery."""
    visitor = visit(now=BEGIN, days=DAYS)
    assert visitor.ask(PRODUCTION).json()["status"]["health"]["status"] == "Healthy"
    wish(visitor, scene="rollback")
    visitor.wait(minutes=31)
    health = visitor.ask(PRODUCTION).json()["status"]["health"]
    assert health["status"] == "Degraded"
    assert health["message"].startswith("RolloutAborted")
    wish(visitor, mend=True)
    visitor.now = BEGIN.replace(hour=12, minute=59)
    application = visitor.ask(PRODUCTION).json()
    assert application["status"]["health"]["status"] == "Healthy"
    message = visitor.ask(f"{PRODUCTION}/revisions/{application['status']['sync']['revision']}/metadata").json()
    assert message["message"].startswith("Revert")
    since = [entry for entry in application["status"]["history"] if entry["deployedAt"] > BEGIN.isoformat()]
    assert len(since) == 2


def test_when_calm_nothing_fails(visit: Visit) -> None:
    """Runs succeed or are superseded, nobody waits long for a runner, and every operation of Argo CD succeeds."""
    visitor = visit(now=BEGIN, days=DAYS)
    counted = failed_syncs(visitor)
    wish(visitor, scene="calm")
    visitor.now = BEGIN + timedelta(days=10)
    runs = split(visitor.runs())[1]
    assert len(runs) > 80
    assert {run["conclusion"] for run in runs if run["status"] == "completed"} == {"success", "cancelled"}
    assert {job["conclusion"] for job in jobs_of(visitor, runs[:40])} <= {"success", "cancelled"}
    assert failed_syncs(visitor) == counted
    assert not [at for found in back_steps(visitor).values() for at in found if at > BEGIN + timedelta(hours=1)]


def failed_syncs(visitor: Visitor) -> list[str]:
    """Return Argo CD's counters of operations that did not succeed."""
    visitor.ask(APPLICATIONS)
    lines = visitor.ask("/argo-cd/metrics").text.splitlines()
    return [line for line in lines if 'phase="Failed"' in line or 'phase="Error"' in line]


@pytest.mark.parametrize(("scene", "fires"), [("outage", True), ("calm", False)])
def test_the_alert_on_failures_would_fire_in_an_outage_only(visit: Visit, scene: str, fires: bool) -> None:
    """As CICDPipelineFailureRate has it: of the last hour's runs, or the last day's if they are few, 10 % failed."""
    visitor = visit(days=2, scene=SceneName(scene))
    runs = visitor.runs(status="completed", created=f">={NOW - timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}")
    decided: list[Json] = []
    for hours in (1, 24):
        since = f"{NOW - timedelta(hours=hours):%Y-%m-%dT%H:%M:%SZ}"
        decided = [run for run in runs if run["updated_at"] > since and run["conclusion"] in DECIDED]
        if len(decided) >= 20:
            break
    assert len(decided) >= 20
    assert (failure_ratio(decided) > 0.1) is fires


def test_a_scene_from_the_start_has_been_on_for_a_while(visit: Visit, tmp_path: Path) -> None:
    """It shows at once: an outage since three hours, others since two working days; a restart changes no past."""
    assert state(visit(days=2, scene=SceneName.OUTAGE))["scene"]["since"] == "2026-11-18T10:49:45Z"
    file = tmp_path / "demo.json"
    monday = visit(now=BEGIN, days=DAYS, scene=SceneName.SLOW, state_file=file)
    assert state(monday)["scene"]["since"] == "2026-11-12T09:00:00Z"
    again = visit(days=DAYS, scene=SceneName.SLOW, state_file=file)
    assert state(again)["scene"]["since"] == "2026-11-12T09:00:00Z"
    other = visit(days=DAYS, scene=SceneName.FLAKY, state_file=file)
    assert state(other)["scene"]["since"] == "2026-11-18T13:49:45Z"
    assert split(other.runs())[0] == split(again.runs())[0]
    plain = tmp_path / "plain.json"
    assert state(visit(now=BEGIN, days=DAYS, state_file=plain))["scene"] is None
    later = visit(days=DAYS, scene=SceneName.CALM, state_file=plain)
    assert state(later)["scene"]["since"] == "2026-11-18T13:49:45Z"


def test_the_switches_say_what_is_on(visit: Visit) -> None:
    """One scene is on at a time; to mend ends it, and an outage ends with the breakage that it is."""
    visitor = visit(now=BEGIN, days=1)
    assert (state(visitor)["scene"], state(visitor)["scenes"]) == (None, list(SceneName))

    def on(**wished: object) -> tuple[bool, str | None, str | None]:
        visitor.wait(minutes=1)
        answer = wish(visitor, **wished).json()
        assert answer == {**state(visitor), "requests": answer["requests"], "total": answer["total"]}
        scene = answer["scene"] or {}
        return answer["broken"], scene.get("name"), scene.get("since", "")[11:16] or None

    assert on(scene="flaky") == (False, "flaky", "09:01")
    assert on(scene="flaky") == (False, "flaky", "09:01")
    assert on(scene="outage", runs_per_minute=30) == (True, "outage", "09:03")
    assert on(**{"break": False}) == (False, None, None)
    assert on(scene="slow") == (False, "slow", "09:05")
    assert on(**{"break": True}) == (True, "slow", "09:05")
    assert on(mend=True) == (False, None, None)
    assert on(scene="outage") == (True, "outage", "09:08")
    assert on(scene="calm") == (False, "calm", "09:09")


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ("", "expected one of"),
        ("{}", "expected one of"),
        ('{"scene": "calm", "mend": true}', "expected one of"),
        (
            '{"scene": "storm"}',
            'scene: expected one of outage, flaky, slow, expensive, rollback, calm, got "storm"',
        ),
        ('{"scene": ["calm"]}', 'got ["calm"]'),
        ('{"scene": null}', "got null"),
        ('{"mend": false}', "mend: expected true, got false"),
        ('{"break": "yes"}', 'break: expected true or false, got "yes"'),
        ('{"scene": "calm", "since": 0}', "since: not known"),
        ('{"scene": "outage", "runs_per_minute": true}', "runs_per_minute: expected a whole number from 1 to 60"),
    ],
)
def test_a_wish_for_nothing_there_is_is_refused(visit: Visit, body: str, complaint: str) -> None:
    """The answer is 422 and says what is expected, and nothing changes."""
    visitor = visit(days=1)
    answer = visitor.session.post(f"{visitor.address}/_control", data=body)
    assert (answer.status_code, state(visitor)["scene"], state(visitor)["broken"]) == (422, None, False)
    assert complaint in answer.json()["message"]


def test_a_state_file_of_before_is_read(visit: Visit, tmp_path: Path) -> None:
    """Breakages that were written before there were scenes stay when a scene is set."""
    file = tmp_path / "demo.json"
    broken = {"since": int(BEGIN.timestamp()) - 600, "runs_per_minute": 6, "until": int(BEGIN.timestamp()) - 540}
    file.write_text(json.dumps({"breakages": [broken]}), "utf-8")
    visitor = visit(now=BEGIN, days=1, state_file=file)
    burst = visitor.runs(branch="main", created=">=2026-11-16T08:50:00Z")
    assert len(burst) >= 6
    wish(visitor, scene="slow")
    since = {"since": int(BEGIN.timestamp()), "name": "slow"}
    assert json.loads(file.read_text("utf-8")) == {"breakages": [broken], "scenes": [since]}
    assert visitor.runs(branch="main", created=">=2026-11-16T08:50:00Z") == burst


def test_the_command_starts_with_a_scene(tmp_path: Path, free_port: int) -> None:
    """`phoenix demo --scene` shows the scene at once."""
    environment = {**os.environ, "PHOENIX_HOME": str(tmp_path), "PHOENIX_DEMO_PORT": str(free_port)}
    command = [sys.executable, "-m", "phoenix_metrics.cli", "demo", "--scene", "rollback"]
    with subprocess.Popen(command, env=environment) as process:
        try:
            assert awaited(f"http://127.0.0.1:{free_port}/_control")["scene"]["name"] == "rollback"
        finally:
            process.terminate()
    assert json.loads((tmp_path / "demo.json").read_text("utf-8"))["scenes"][0]["name"] == "rollback"


def awaited(url: str) -> Json:
    """Return the JSON at an address that is about to be served."""
    deadline = time.monotonic() + 60
    while True:
        try:
            return dict(requests.get(url, timeout=5).json())
        except requests.ConnectionError:
            assert time.monotonic() < deadline, f"{url} is not served"
            time.sleep(0.1)
