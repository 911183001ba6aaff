"""What goes with the runs, as the demo organisation's API shows it: consistent with the runs, at every moment."""

import base64
import hashlib
import io
import json
import zipfile
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from urllib.parse import urlsplit
from xml.etree import ElementTree

import github
import jsonschema
import pytest
import requests
import yaml

from phoenix_metrics.demo.organization import Organization
from phoenix_metrics.demo.repositories import repositories as known_repositories
from phoenix_metrics.demo.suites import SUITES, cases, results
from phoenix_metrics.demo.universe import DAY
from phoenix_metrics.demo.uploads import RETENTION_DAYS, upload, uploads
from tests.demo.collected import EVENTFUL, START
from tests.demo.conftest import NOW, REPOSITORY

SECOND = int(NOW.timestamp())


@pytest.fixture(scope="module")
def world():
    """The platform's world as the server of sixty days tells it."""
    return Organization().platform


def unpacked(content):
    """Return the one file in a zip as XML."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        [name] = archive.namelist()
        return ElementTree.fromstring(archive.read(name))


def pulls(visitor, **query):
    """Return every pull request, page by page."""
    answer = visitor.session.get(f"{visitor.address}{REPOSITORY}/pulls", params={"per_page": 100, **query})
    text = [answer.text]
    while "next" in answer.links:
        answer = visitor.session.get(answer.links["next"]["url"])
        text.append(answer.text)
    return [pull for page in text for pull in json.loads(page.replace(visitor.address, "http://demo"))]


def test_pull_requests_agree_with_their_runs(sixty_days, every_run):
    """The head is the newest run's commit, and a merge is the push to main that followed it within seconds."""
    found = {pull["number"]: pull for pull in pulls(sixty_days, state="all")}
    heads, merges = {}, {}
    for run in reversed(every_run):
        heads |= {named["number"]: run["head_sha"] for named in run["pull_requests"]}
        if run["event"] == "push" and run["head_branch"] == "main":
            merges[int(run["display_title"].rpartition("#")[2].rstrip(")"))] = run
    assert len(heads) > 400
    assert {number: found[number]["head"]["sha"] for number in heads} == heads
    assert {number for number, pull in found.items() if pull["merged_at"]} >= set(merges)
    for number, run in merges.items():
        pull = found[number]
        assert (pull["state"], pull["merge_commit_sha"]) == ("closed", run["head_sha"])
        assert pull["merged_at"] == pull["closed_at"] == pull["updated_at"] == run["head_commit"]["timestamp"]
        assert pull["created_at"] < pull["merged_at"] <= run["created_at"]
    unmerged = [pull for pull in found.values() if pull["closed_at"] and not pull["merged_at"]]
    assert len(unmerged) > 30
    assert not {pull["number"] for pull in unmerged} & set(merges)


def test_pull_requests_are_sorted_and_filtered(visit):
    """By creation or by change, in both directions; open ones unless others are asked for; one by its number."""
    visitor = visit(days=8)
    everything = pulls(visitor, state="all", sort="updated", direction="desc")
    times = [pull["updated_at"] for pull in everything]
    assert times == sorted(times, reverse=True)
    oldest_first = [pull["created_at"] for pull in pulls(visitor, state="all", direction="asc")]
    assert oldest_first == sorted(oldest_first)
    is_open = Counter(pull["state"] for pull in everything)
    assert is_open["open"] == len(pulls(visitor)) > 5
    assert is_open["closed"] == len(pulls(visitor, state="closed"))
    merged = next(pull for pull in everything if pull["merged_at"])
    whole = visitor.get(f"/pulls/{merged['number']}")
    assert {name: whole[name] for name in merged} == merged
    assert (whole["merged"], whole["merged_by"]["type"]) == (True, "User")
    assert "merged_by" not in merged
    assert visitor.get("/pulls", head=f"phoenix:{merged['head']['ref']}", state="all") == [merged]
    assert visitor.ask(f"{REPOSITORY}/pulls/99999").status_code == 404


def test_a_pull_request_changes_while_one_looks(visit):
    """It is opened by its first push and closed by its merge, and says so from that second on."""
    visitor = visit(days=5)
    merged = next(pull for pull in pulls(visitor, state="closed") if pull["merged_at"])
    path = f"{REPOSITORY}/pulls/{merged['number']}"
    visitor.now = NOW.fromisoformat(merged["merged_at"]) - timedelta(seconds=1)
    before = visitor.ask(path).json()
    assert (before["state"], before["merged_at"], before["merged"]) == ("open", None, False)
    assert before["merge_commit_sha"] != merged["merge_commit_sha"]
    visitor.now = NOW.fromisoformat(merged["created_at"]) - timedelta(seconds=1)
    assert visitor.ask(path).status_code == 404


def test_artifacts_come_in_order_and_lead_back(world):
    """New artifacts stand before all that were listed, so that whoever knows the newest id misses none."""
    moments = range(SECOND - 86_400, SECOND, 3_571)
    for before, after in pairwise(moments):
        known = {one.id: one for one in uploads(world, before)}
        added = [one for one in uploads(world, after) if one.id not in known]
        assert min((one.id for one in added), default=2**62) > max(known)
        assert all(before < one.at <= after for one in added)
    assert len(known) > 1_000
    assert max(known) < 2**53
    for one in list(known.values())[::40]:
        assert upload(world, one.id, SECOND) == one
        assert upload(world, one.id, one.at - 1) is None


def test_a_file_is_fetched_from_elsewhere_for_a_minute(visit):
    """302 to another host name that asks for no token; the digest is the file's; 410 once it has expired."""
    visitor = visit(days=20)
    listed = visitor.get("/actions/artifacts")["artifacts"]
    path = f"{REPOSITORY}/actions/artifacts/{listed[0]['id']}"
    assert visitor.ask(path).json() == {**listed[0], **visitor.ask(path).json()}
    moved = visitor.session.get(f"{visitor.address}{path}/zip", allow_redirects=False)
    location = moved.headers["location"]
    assert (moved.status_code, moved.headers["x-ratelimit-used"]) == (302, "4")
    assert urlsplit(location).hostname == "localhost"
    content = requests.get(location, timeout=5).content
    assert f"sha256:{hashlib.sha256(content).hexdigest()}" == listed[0]["digest"]
    assert (len(content), listed[0]["expired"]) == (listed[0]["size_in_bytes"], False)
    assert requests.get(location.replace("sig=", "sig=0"), timeout=5).status_code == 403
    visitor.wait(minutes=2)
    assert requests.get(location, timeout=5).status_code == 403
    visitor.wait(days=RETENTION_DAYS)
    assert visitor.ask(path).json()["expired"] is True
    gone = visitor.ask(f"{path}/zip")
    assert (gone.status_code, gone.json()["message"]) == (410, "Artifact has expired")
    assert visitor.ask(f"{REPOSITORY}/actions/artifacts/12/zip").status_code == 404


def test_another_server_keeps_the_same_bytes(visit):
    """Artifacts are a matter of the seed alone, down to their digests."""
    one, other = visit(days=3), visit(days=3)
    assert one.get("/actions/artifacts", per_page=100) == other.get("/actions/artifacts", per_page=100)


def test_a_run_has_the_artifacts_of_its_attempts(sixty_days, every_run):
    """One report for each test job that ended, and coverage of those that passed and measure it."""
    for run in [run for run in every_run if run["run_attempt"] == 2 and run["name"] == "CI Pipeline"][:8]:
        jobs = sixty_days.get(f"/actions/runs/{run['id']}/jobs", filter="all", per_page=100)["jobs"]
        ran = {
            (job["name"], job["started_at"], job["conclusion"])
            for job in jobs
            if job["name"].startswith("test (") and job["conclusion"] in ("success", "failure")
        }
        reports = Counter(f"junit-{name[6:-1]}" for name, _, _ in ran)
        coverage = Counter(f"coverage-{name[6:-1]}" for name, _, conclusion in ran if conclusion == "success")
        del coverage["coverage-integration"]
        listed = sixty_days.get(f"/actions/runs/{run['id']}/artifacts", per_page=100)["artifacts"]
        assert Counter(one["name"] for one in listed) == reports + coverage


@pytest.mark.parametrize("job_name", SUITES)
def test_what_failed_tells_why_the_job_did(world, job_name):
    """A defect breaks the same sound cases in every attempt; chance picks from a few flaky ones; else all pass."""
    flaky = {case for case in cases(world.universe, SUITES[job_name]) if case.is_flaky}
    seen, broken = Counter(), {}
    for run in world.runs(SECOND):
        for attempt in run.attempts:
            for job in attempt.jobs:
                if job.name != job_name or job.runner is None or job.conclusion not in ("success", "failure"):
                    continue
                found = results(world.universe, run, job)
                failed = {result.case for result in found if result.result == "failed"}
                again = {result.case for result in found if result.was_run_again}
                assert 60 <= len(found) <= 200
                assert sum(result.seconds for result in found) <= job.completed_at - job.started_at
                assert again <= flaky
                if job.conclusion == "success":
                    seen["second try"] += bool(again)
                    assert not failed
                elif run.trigger.defect == job_name:
                    seen["defect"] += 1
                    assert 1 <= len(failed) <= 4
                    assert not failed & flaky
                    assert broken.setdefault(run.id, failed) == failed
                else:
                    seen["chance"] += 1
                    assert 1 <= len(failed) <= 2
                    assert failed <= flaky
    assert seen["defect"] > 10
    assert seen["second try"] > 5
    assert seen["chance"] > 0


def test_codecov_says_what_the_artifacts_hold(sixty_days, every_run):
    """The project's coverage is that of both reports together, and drifts slowly."""
    ratios = []
    for run in [run for run in every_run if run["head_branch"] == "main" and run["event"] == "push"][:240:12]:
        if run["created_at"] < (NOW - timedelta(days=RETENTION_DAYS)).isoformat():
            break
        listed = sixty_days.get(f"/actions/runs/{run['id']}/artifacts", per_page=100)["artifacts"]
        files = {
            one["name"]: one for one in listed if one["name"].startswith("coverage-")
        }  # those of the first attempt
        statuses = {one["context"]: one for one in sixty_days.get(f"/commits/{run['head_sha']}/statuses")}
        combined = sixty_days.get(f"/commits/{run['head_sha']}/status")
        assert [one["context"] for one in combined["statuses"]] == list(statuses)
        if len(files) < 2:
            assert (statuses, combined["state"]) == ({}, "pending")
            continue
        reports = [
            unpacked(
                sixty_days.session.get(one["archive_download_url"].replace("http://demo", sixty_days.address)).content
            )
            for one in files.values()
        ]
        covered, lines = (sum(int(one.get(f"lines-{what}")) for one in reports) for what in ("covered", "valid"))
        project, patch = statuses["codecov/project"], statuses["codecov/patch"]
        assert project["description"] == f"{covered / lines:.2%} (target 80.00%)"
        assert {one["state"] for one in (project, patch)} == {combined["state"]} == {"success"}
        assert max(one["created_at"] for one in files.values()) < project["created_at"]
        ratios.append(covered / lines)
    assert len(ratios) > 5
    assert all(abs(one - other) < 0.005 for one, other in pairwise(ratios))


def test_a_patch_with_too_little_coverage_is_not_merged(sixty_days):
    """Some pushes miss the target of 85 %, none of them the last one before a merge."""
    states = Counter()
    for pull in pulls(sixty_days, state="all")[:150]:
        for status in sixty_days.get(f"/commits/{pull['head']['sha']}/statuses"):
            if status["context"] == "codecov/patch":
                states[bool(pull["merged_at"]), status["state"]] += 1
                is_enough = float(status["description"].partition("%")[0]) >= 85
                assert (status["state"] == "success") == is_enough
    assert states[True, "failure"] == 0
    assert states[True, "success"] > 80
    assert states[False, "failure"] > 0


def test_check_runs_are_the_jobs(sixty_days, every_run):
    """By hash, branch or tag; of the latest attempt unless all are asked for."""
    run = next(run for run in every_run if run["run_attempt"] == 2 and run["event"] == "pull_request")
    for which, attempts in (("latest", "latest"), ("all", "all")):
        jobs = sixty_days.get(f"/actions/runs/{run['id']}/jobs", filter=attempts, per_page=100)["jobs"]
        found = sixty_days.get(f"/commits/{run['head_sha']}/check-runs", filter=which, per_page=100)["check_runs"]
        assert {one["id"]: (one["name"], one["conclusion"]) for one in found} == {
            job["id"]: (job["name"], job["conclusion"]) for job in jobs
        }
    main = sixty_days.get("/branches/main")["commit"]["sha"]
    assert sixty_days.get("/commits/main/status") == sixty_days.get(f"/commits/{main}/status")
    unknown = sixty_days.ask(f"{REPOSITORY}/commits/{'0' * 40}/check-runs")
    assert (unknown.status_code, unknown.json()["message"]) == (422, f"No commit found for SHA: {'0' * 40}")


def test_a_quiet_repository_and_a_broken_main_have_heads(visit):
    """Main has a commit though nothing ever ran on it; a broken one has that of the newest push."""
    visitor = visit(days=1, repositories=400)
    for number in (390, 399):
        root = f"/repositories/{612_480_933 + 7 * number}"
        main = visitor.ask(f"{root}/branches/main").json()["commit"]["sha"]
        assert visitor.ask(f"{root}/commits/main/check-runs").json() == {"total_count": 0, "check_runs": []}
        assert visitor.ask(f"{root}/commits/main/status").json()["sha"] == main
        assert visitor.ask(f"{root}/pulls?state=all").status_code == 200
    visitor.switch(broken=True)
    visitor.wait(minutes=1)
    newest = visitor.runs(branch="main")[0]
    assert visitor.get("/branches/main")["commit"]["sha"] == newest["head_sha"]
    assert visitor.get("/commits/main/check-runs")["check_runs"][-1]["name"] == "validate"


@pytest.mark.parametrize("query", ["month=13", "year=x", "year=2026&month=2&day=30"])
def test_a_bill_of_no_time_is_refused(sixty_days, query):
    """A period that does not exist is a mistake."""
    assert sixty_days.ask(f"/organizations/phoenix/settings/billing/usage?{query}").status_code == 422


def test_both_shapes_of_the_bill_agree(sixty_days):
    """The sum of a month is that of its days; the plan's 3,000 minutes come first; a day is asked for alone."""
    usage = "/organizations/phoenix/settings/billing/usage"
    lines = sixty_days.ask(f"{usage}?year=2026&month=10").json()["usageItems"]
    [total] = sixty_days.ask(f"{usage}/summary?year=2026&month=10").json()["usageItems"]
    assert [line["date"][:10] for line in lines] == [f"2026-10-{day:02d}" for day in range(1, 32)]
    assert {(line["sku"], line["pricePerUnit"], line["repositoryName"]) for line in lines} == {
        ("Actions Linux", 0.006, "phoenix/platform")
    }
    assert sum(line["quantity"] for line in lines) == total["grossQuantity"]
    for name in ("grossAmount", "discountAmount", "netAmount"):
        assert sum(line[name] for line in lines) == pytest.approx(total[name])
    assert (total["discountQuantity"], total["discountAmount"]) == (3_000, 18.0)
    assert lines[0]["netAmount"] == 0
    assert lines[-1]["discountAmount"] == 0
    assert sixty_days.ask(f"{usage}?month=10&day=7").json()["usageItems"] == [lines[6]]


def test_secrets_age_until_somebody_rotates_them(visit):
    """The specification's names; within four months the manifest token is changed at least once, the webhook never."""
    visitor = visit(days=2)
    before = {one["name"]: one for one in visitor.get("/actions/secrets")["secrets"]}
    visitor.wait(days=120)
    after = {one["name"]: one for one in visitor.get("/actions/secrets")["secrets"]}
    assert list(before) == [
        *("CODECOV_TOKEN", "DOCKER_REGISTRY_TOKEN", "MANIFEST_REPO_TOKEN", "SLACK_WEBHOOK", "SONAR_TOKEN")
    ]
    assert before["MANIFEST_REPO_TOKEN"]["updated_at"] < after["MANIFEST_REPO_TOKEN"]["updated_at"]
    assert before["SLACK_WEBHOOK"] == after["SLACK_WEBHOOK"]
    assert all(one["created_at"] <= one["updated_at"] < visitor.now.isoformat() for one in after.values())


def test_pygithub_reads_it_all(sixty_days):
    """A real client finds pull requests, releases with their tags, artifacts, checks, protection and secrets."""
    hub = github.Github(base_url=sixty_days.address, auth=github.Auth.Token("any"), seconds_between_requests=0)
    repository = hub.get_repo("phoenix/platform")
    pull = next(pull for pull in repository.get_pulls(state="closed") if pull.merged_at)
    assert (pull.merged, pull.base.ref, pull.merged_by.type) == (True, "main", "User")
    release = repository.get_releases()[0]
    assert repository.get_git_ref(f"tags/{release.tag_name}").object.type == "commit"
    assert release.author.login == "github-actions[bot]"
    assert repository.get_artifacts()[0].expired is False
    assert repository.get_branch("main").get_required_status_checks().strict is True
    assert "CODECOV_TOKEN" in [secret.name for secret in repository.get_secrets()]


def test_workflow_files_say_what_really_runs(sixty_days, every_run):
    """A real client reads them; Git would call them so; they name every job that ran, and the time of the nightly."""
    hub = github.Github(base_url=sixty_days.address, auth=github.Auth.Token("any"), seconds_between_requests=0)
    repository = hub.get_repo("phoenix/platform")
    assert [entry.path for entry in repository.get_contents("")] == [".github"]
    files = repository.get_contents(".github/workflows")
    assert [file.name for file in files] == ["ci.yml", "nightly.yml", "release.yml"]
    told = {}
    for listed in files:
        file = repository.get_contents(listed.path)
        blob = b"blob %d\0" % file.size + file.decoded_content
        assert hashlib.sha1(blob, usedforsecurity=False).hexdigest() == file.sha == listed.sha
        told[file.path] = yaml.safe_load(file.decoded_content)
    assert told[".github/workflows/nightly.yml"][True]["schedule"] == [{"cron": "0 2 * * *"}]  # YAML 1.1 takes `on` so
    assert {run["path"] for run in every_run} == set(told)
    for path, file in told.items():
        run = next(run for run in every_run if run["path"] == path and run["conclusion"] == "success")
        jobs = sixty_days.all(f"/actions/runs/{run['id']}/jobs", "jobs")
        assert {job["name"].partition(" (")[0] for job in jobs} == set(file["jobs"])
        for job in jobs:
            base, _, value = job["name"].removesuffix(")").partition(" (")
            assert not value or value in file["jobs"][base]["strategy"]["matrix"]["part"]
            assert job["labels"] in ([], [file["jobs"][base]["runs-on"]])
    assert sixty_days.ask(f"{REPOSITORY}/contents/.github/workflows/none.yml").status_code == 404


def test_a_quiet_repository_has_no_schedule(visit):
    """What is not built at night says so in its file."""
    visitor = visit(repositories=40, days=1)
    repositories = visitor.session.get(f"{visitor.address}/orgs/phoenix/repos", params={"per_page": 100}).json()
    scheduled = set()
    for repository in repositories:
        answer = visitor.ask(f"/repos/{repository['full_name']}/contents/.github/workflows/nightly.yml").json()
        if "schedule" in yaml.safe_load(base64.b64decode(answer["content"]))[True]:
            scheduled.add(repository["name"])
    shares = {known.name: known.share for known in known_repositories(40)}
    assert scheduled == {name for name, share in shares.items() if share >= 0.1}
    assert 1 < len(scheduled) < 40


def test_the_runner_says_why_jobs_ended(visit):
    """An exit code where something failed, the limit where a job hung, the newer run where one took its place."""
    visitor = visit(days=10, pace=0.3, seed=EVENTFUL, now=datetime.fromtimestamp(START + 8 * DAY, UTC))
    said, spans = {}, {}
    for run in visitor.runs():
        for job in visitor.all(f"/actions/runs/{run['id']}/jobs", "jobs", filter="all"):
            if job["conclusion"] not in ("failure", "cancelled"):
                continue
            told = visitor.get(f"/check-runs/{job['id']}/annotations")
            assert [error.message for one in told for error in ANNOTATION.iter_errors(one)] == []
            said.setdefault(job["conclusion"], []).append([one["message"] for one in told])
            if "exceeded" in str(told):
                ended, began = (NOW.fromisoformat(job[key]) for key in ("completed_at", "started_at"))
                spans[job["id"]] = (ended - began).total_seconds() // 60
    assert {tuple(messages) for messages in said["failure"]} == {("Process completed with exit code 1.",)}
    starts = Counter(messages[0].partition(" ")[0] if messages else "" for messages in said["cancelled"])
    assert starts.keys() >= {"The", "Canceling"}
    assert set(spans.values()) == {360}
    passed = next(
        job for job in visitor.get(f"/actions/runs/{run['id']}/jobs")["jobs"] if job["conclusion"] == "success"
    )
    assert visitor.get(f"/check-runs/{passed['id']}/annotations") == []
    assert visitor.ask(f"{REPOSITORY}/check-runs/1/annotations").status_code == 404


ANNOTATION = jsonschema.Draft4Validator(  # check-annotation of GitHub's OpenAPI description 23.0.2
    {
        "type": "object",
        "required": [
            *("path", "start_line", "end_line", "start_column", "end_column", "annotation_level", "title", "message"),
            *("raw_details", "blob_href"),
        ],
        "properties": {
            **{name: {"type": "string"} for name in ("path", "blob_href")},
            **{name: {"type": "integer"} for name in ("start_line", "end_line")},
            **{name: {"type": ["integer", "null"]} for name in ("start_column", "end_column")},
            **{name: {"type": ["string", "null"]} for name in ("annotation_level", "title", "message", "raw_details")},
        },
    }
)
