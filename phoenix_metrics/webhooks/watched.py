"""Since when each Argo CD server's changes are followed without a break, told by the one process that follows them.

`watch/lock` is held by that process; `watch/<instance>.since` holds the time while its stream is read. A process that
is killed loses the lock, and with it what its files say.
"""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO

from phoenix_metrics.errors import PhoenixError

_ATTEMPTS = 10  # of 0.1 seconds: whoever asks after it holds the lock for a moment, too


def watched_since(home: Path, instance: str) -> datetime | None:
    """Return since when a server's changes are followed without a break, None if they are not."""
    try:
        with (_folder(home) / "lock").open("rb") as lock:
            fcntl.flock(lock.fileno(), fcntl.LOCK_SH | fcntl.LOCK_NB)
        return None
    except FileNotFoundError:
        return None
    except BlockingIOError:
        try:
            return datetime.fromisoformat(_file(home, instance).read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None


@contextmanager
def only_watcher(home: Path) -> Iterator[None]:
    """Refuse to follow twice what one home measures; the lock ends with the process. Raises PhoenixError."""
    _folder(home).mkdir(parents=True, exist_ok=True)
    with (_folder(home) / "lock").open("wb") as lock:
        if not _locked(lock):
            raise PhoenixError(f"{home}: `phoenix watch` already runs on this PHOENIX_HOME; stop it first")
        for left in _folder(home).glob("*.since"):
            left.unlink()
        yield


def follows(home: Path, instance: str, since: datetime) -> None:
    """Say that a server's changes are followed from now on."""
    draft = _file(home, instance).with_suffix(".new")
    draft.write_text(since.isoformat(), encoding="utf-8")
    draft.replace(_file(home, instance))


def follows_no_more(home: Path, instance: str) -> None:
    """Say that a server's changes are not followed for now."""
    _file(home, instance).unlink(missing_ok=True)


def _locked(lock: IO[bytes]) -> bool:
    for _ in range(_ATTEMPTS):
        try:
            fcntl.flock(lock.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            time.sleep(0.1)
    return False


def _folder(home: Path) -> Path:
    return home / "watch"


def _file(home: Path, instance: str) -> Path:
    return _folder(home) / f"{instance}.since"
