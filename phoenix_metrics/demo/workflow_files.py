"""The workflow files of a repository, as they lie on its default branch: what the runs follow, written down."""

import base64
import hashlib
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from phoenix_metrics.demo.addresses import DEFAULT_BRANCH, Place
from phoenix_metrics.demo.timetable import NIGHTLY_AT, is_built_at_night
from phoenix_metrics.demo.universe import HOUR, Universe
from phoenix_metrics.demo.workflows import CI, NIGHTLY, STANDARD_RUNNER, JobTemplate, StepTemplate, Workflow

FOLDER = ".github/workflows"

_USES = "Run "  # what GitHub calls a step without a name that uses an action


def workflow_text(workflow: Workflow, universe: Universe) -> str:
    """Return the text of a workflow file."""
    lines = [f"name: {workflow.name}", "", "on:", *_events(workflow, universe), "", "jobs:"]
    for job in workflow.jobs:
        lines += _job(job)
    return "\n".join(lines) + "\n"


def file_entry(place: Place, path: str, text: str) -> dict[str, Any]:
    """Return a file as the list of its folder shows it."""
    return {**_entry(place, path, "file", blob_sha(text)), "size": len(text.encode())}


def file_payload(place: Place, path: str, text: str) -> dict[str, Any]:
    """Return a file with what is in it, in base64 with a break after each line as GitHub has it."""
    content = base64.encodebytes(text.encode()).decode()
    return {**file_entry(place, path, text), "encoding": "base64", "content": content}


def folder_entry(place: Place, path: str) -> dict[str, Any]:
    """Return a folder as the list of the one above shows it."""
    return {**_entry(place, path, "dir", hashlib.sha1(path.encode(), usedforsecurity=False).hexdigest()), "size": 0}


def blob_sha(text: str) -> str:
    """Return what Git calls a file with this text."""
    content = text.encode()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def _events(workflow: Workflow, universe: Universe) -> Iterator[str]:
    if workflow is CI:
        yield from ("  push:", f"    branches: [{DEFAULT_BRANCH}]", "  pull_request:")
    elif workflow is NIGHTLY:
        if is_built_at_night(universe):
            yield from ("  schedule:", f"    - cron: '0 {NIGHTLY_AT // HOUR} * * *'")
        yield "  workflow_dispatch:"
    else:
        yield from ("  push:", "    tags: ['v*']")


def _job(job: JobTemplate) -> Iterator[str]:
    yield f"  {job.name}:"
    if job.needs:
        yield f"    needs: {job.needs[0] if len(job.needs) == 1 else _list(job.needs)}"
    if job.event:
        yield f"    if: github.event_name == '{job.event}'"
    elif job.branch:
        yield f"    if: github.ref_name == '{job.branch}'"
    yield f"    runs-on: {STANDARD_RUNNER}"
    if job.matrix:
        yield from ("    strategy:", "      matrix:", f"        part: {_list(job.matrix)}")
    if job.has_services:
        yield from ("    services:", "      postgres:", "        image: postgres:17")
    yield "    steps:"
    for step in job.steps:
        yield from _step(step)


def _step(step: StepTemplate) -> Iterator[str]:
    if step.name.startswith(_USES) and "@" in step.name:
        yield f"      - uses: {step.name.removeprefix(_USES)}"
        return
    yield f"      - name: {step.name}"
    if step.only:
        yield f"        if: contains(fromJSON('{json.dumps(step.only)}'), matrix.part)"
    if step.always:
        yield "        if: always()"
    yield f"        run: make {step.name.lower().replace(' ', '-').replace('/', '-')}"


def _list(names: tuple[str, ...]) -> str:
    return f"[{', '.join(names)}]"


def _entry(place: Place, path: str, kind: str, sha: str) -> dict[str, Any]:
    shown, tree = ("blob", "blobs") if kind == "file" else ("tree", "trees")
    url = f"{place.url}/contents/{quote(path)}?ref={DEFAULT_BRANCH}"
    git, html = f"{place.url}/git/{tree}/{sha}", f"{place.repository.web}/{shown}/{DEFAULT_BRANCH}/{path}"
    raw = f"https://raw.githubusercontent.com/{place.repository.full_name}/{DEFAULT_BRANCH}/{path}"
    return {
        "type": kind,
        "name": path.rpartition("/")[2],
        "path": path,
        "sha": sha,
        "url": url,
        "git_url": git,
        "html_url": html,
        "download_url": raw if kind == "file" else None,
        "_links": {"self": url, "git": git, "html": html},
    }
