"""What the organisation keeps over a restart: lists by section in one JSON file, of which none need be there."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def recall(file: Path | None, section: str) -> list[dict[str, Any]]:
    """Return the entries of a section; none if there is no file or it was written before the section existed."""
    return _read(file).get(section, [])


def remember(file: Path | None, section: str, entries: Sequence[dict[str, Any]]) -> None:
    """Replace the entries of a section, in one move; the other sections stay. Without a file nothing is kept."""
    if file is None:
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(file.name + ".new")
    draft.write_text(json.dumps({**_read(file), section: list(entries)}), "utf-8")
    draft.replace(file)


def _read(file: Path | None) -> dict[str, list[dict[str, Any]]]:
    if file is None or not file.exists():
        return {}
    found: dict[str, list[dict[str, Any]]] = json.loads(file.read_text("utf-8"))
    return found
