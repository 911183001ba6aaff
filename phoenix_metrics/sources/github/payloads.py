"""Payloads as they are landed: the source's own objects, less what is bulky, repeated or moves without meaning."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from phoenix_metrics.sources.items import as_text

_REPOSITORY = (
    "id",
    "full_name",
    "default_branch",
    "private",
    "archived",
    "disabled",
    "fork",
    "visibility",
    "html_url",
    "created_at",
)
_NESTED_REPOSITORY = ("id", "full_name", "fork")
_PERSON = ("id", "login", "type")
_BULKY = ("repository", "head_repository", "actor", "triggering_actor", "head_commit", "pull_requests")
_COMMIT = ("id", "tree_id", "message", "timestamp")


def repository_payload(repository: Mapping[str, Any]) -> str:
    """Return what identifies and classifies a repository; stars, sizes and push times move daily and are left out."""
    return as_text(_kept(repository, _REPOSITORY))


def workflow_payload(workflow: Mapping[str, Any]) -> str:
    """Return a workflow as listed."""
    return as_text(dict(workflow))


def run_payload(run: Mapping[str, Any]) -> str:
    """Return a run without the two repository objects and the people's profiles that make up most of its 12 KB."""
    kept = {key: value for key, value in run.items() if key not in _BULKY and not key.endswith("_url")}
    for key in ("html_url", "previous_attempt_url"):
        kept[key] = run.get(key)
    for key in ("repository", "head_repository"):
        kept[key] = _kept(run.get(key), _NESTED_REPOSITORY)
    for key in ("actor", "triggering_actor"):
        kept[key] = _kept(run.get(key), _PERSON)
    kept["head_commit"] = _kept(run.get("head_commit"), _COMMIT)
    kept["pull_requests"] = [pull["number"] for pull in run.get("pull_requests") or []]
    return as_text(kept)


def job_payload(job: Mapping[str, Any]) -> str:
    """Return a job with its steps, as listed, without the addresses that its ids already say."""
    return as_text({key: value for key, value in job.items() if not key.endswith("_url") or key == "html_url"})


def digest(payload: str) -> str:
    """Return the MD5 of a payload, the same that DuckDB's md5() gives."""
    return hashlib.md5(payload.encode(), usedforsecurity=False).hexdigest()


def parse_time(text: str) -> datetime:
    """Return an aware time from GitHub's ISO 8601, whatever its offset."""
    return datetime.fromisoformat(text)


def _kept(source: Mapping[str, Any] | None, keys: tuple[str, ...]) -> dict[str, Any]:
    return {key: source.get(key) for key in keys} if source else {}
