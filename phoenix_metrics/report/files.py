"""Reports as files: written aside and renamed, so that nobody ever reads half of one."""

from contextlib import suppress
from pathlib import Path

from phoenix_metrics.errors import PhoenixError


def write_whole(path: Path, text: str) -> None:
    """Write a file, in place of one that is there. Raises PhoenixError naming the file that cannot be written."""
    temporary = path.with_name(f".tmp-{path.name}")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise PhoenixError(f"{path}: cannot be written: {error.strerror or error}") from None
