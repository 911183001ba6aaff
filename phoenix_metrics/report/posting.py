"""Postings: what Slack is to be sent of a week's report, kept beside it until everyone whom it is for was told.

`reports/2026-W47.slack.json` names the targets by their names, which give no address away. So an outage loses no
report, and a target that is set later gets none of old.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from phoenix_metrics.errors import PhoenixError
from phoenix_metrics.report.files import write_whole

SUFFIX = ".slack.json"


@dataclass(frozen=True)
class Posting:
    """The report of a week as Slack takes it, when it was made, and the targets that it is for."""

    week: str
    made_at: datetime
    targets: Sequence[str]
    body: Mapping[str, Any]


def write_posting(folder: Path, posting: Posting) -> Path:
    """Write a posting in place of one of its week. Raises PhoenixError naming the file that cannot be written."""
    path = folder / f"{posting.week}{SUFFIX}"
    entries = {**asdict(posting), "made_at": posting.made_at.isoformat()}
    write_whole(path, json.dumps(entries, ensure_ascii=False, indent=1) + "\n")
    return path


def newest_posting(folder: Path) -> Posting | None:
    """Return the posting of the latest week, if there is one. Raises PhoenixError naming a file that is no posting."""
    path = max(folder.glob(f"*{SUFFIX}"), default=None)
    if path is None:
        return None
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        return Posting(**{**entries, "made_at": datetime.fromisoformat(entries["made_at"])})
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise PhoenixError(f"{path}: not a posting of a report ({error}); remove it") from error
