"""What a source yields and landing writes down."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Item:
    """One object to land: its source object, the source's id if that is a number, and its payload as JSON text."""

    source_object: str
    object_id: int | None
    payload: str


Batch = list[Item]


def as_text(payload: Mapping[str, Any]) -> str:
    """Return compact JSON with sorted keys, so that the same object is the same text."""
    return json.dumps(payload, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
