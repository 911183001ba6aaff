"""Which applications a request is about: projects, labels, name, namespace, repository."""

import re
from collections.abc import Mapping
from typing import Any

from starlette.datastructures import QueryParams

_SET = re.compile(r"(?P<key>[^\s!=()]+)\s+(?P<verb>in|notin)\s+\((?P<values>[^)]*)\)")
_EQUAL = re.compile(r"(?P<key>[^\s!=()]+)\s*(?P<verb>!=|==?)\s*(?P<value>[^\s!=()]*)")
_PART = re.compile(r",(?![^(]*\))")  # a comma outside brackets


def is_wanted(application: Mapping[str, Any], query: QueryParams) -> bool:
    """Whether an application is among those that a list or a stream is asked for."""
    metadata, spec = application["metadata"], application["spec"]
    projects = query.getlist("projects") + query.getlist("project")
    sources = spec.get("sources") or [spec["source"]]
    return (
        (not projects or spec["project"] in projects)
        and query.get("name", metadata["name"]) == metadata["name"]
        and query.get("appNamespace", metadata["namespace"]) == metadata["namespace"]
        and ("repo" not in query or any(source["repoURL"] == query["repo"] for source in sources))
        and matches(metadata.get("labels") or {}, query.get("selector", ""))
    )


def matches(labels: Mapping[str, str], selector: str) -> bool:
    """Whether labels are as a Kubernetes selector wants them, such as `team=shop,tier in (web, api),!legacy`."""
    return all(_meets(labels, part.strip()) for part in _PART.split(selector) if part.strip())


def _meets(labels: Mapping[str, str], part: str) -> bool:
    if found := _SET.fullmatch(part):
        values = {value.strip() for value in found["values"].split(",")}
        return (labels.get(found["key"]) in values) == (found["verb"] == "in")
    if found := _EQUAL.fullmatch(part):
        return (labels.get(found["key"]) == found["value"]) == (found["verb"] != "!=")
    return part[1:].strip() not in labels if part.startswith("!") else part in labels
