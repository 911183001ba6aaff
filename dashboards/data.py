"""What every page asks with: settings, the published snapshot, what its columns mean, and questions to it."""

import os
import re
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date, datetime, timedelta
from functools import lru_cache
from pathlib import Path

import pandas as pd
import streamlit as st

from phoenix_metrics.settings import Settings, load_settings
from phoenix_metrics.warehouse.snapshot import Snapshot, SnapshotReader

STALE_AFTER = timedelta(minutes=30)

_asked: ContextVar[list[str] | None] = ContextVar("asked", default=None)


def settings() -> Settings:
    """Return the settings of this process."""
    return _settings(tuple(sorted(os.environ.items())))


def version() -> str:
    """Return the name of the current snapshot, "" if there is none; cheap, for noticing a new one."""
    return _reader(settings().home).version()


def snapshot() -> Snapshot:
    """Return the current snapshot. Raises NoSnapshotError before the first publication."""
    return _reader(settings().home).current()


def definition(*columns: str) -> str:
    """Return what columns of the marts mean, such as `jobs.queue_seconds`, as their SQL says it."""
    comments = _current_comments()
    return " ".join(comments.get(column, "") for column in columns).replace("NULL", "no value")


def definition_of(table: str) -> str:
    """Return what a mart holds, such as `jobs`, as its SQL says it."""
    return _current_comments().get(table, "")


def repositories() -> list[str]:
    """Return the name of every repository, in order."""
    return list(ask("select repository from marts.repository_teams order by repository")["repository"])


def teams() -> list[str]:
    """Return every team that a rule names for a repository, in order."""
    frame = ask("select distinct team from marts.repository_teams where team is not null order by team")
    return list(frame["team"])


def health() -> pd.DataFrame:
    """Return how complete and fresh the data is, source by source."""
    return ask("select * from marts.data_health order by source, subject")


def last_success() -> datetime | None:
    """Return when ingestion last succeeded in full for any source, naive UTC."""
    at = ask("select max(last_success_at) as at from marts.data_health")["at"].iloc[0]
    return None if pd.isna(at) else at.to_pydatetime()


def ask(query: str, parameters: Mapping[str, object] | None = None) -> pd.DataFrame:
    """Ask the current snapshot; the same question is answered once per snapshot."""
    if (heard := _asked.get()) is not None:
        heard.append(written_out(query, parameters or {}))
    home = settings().home
    return _answer(str(home), _reader(home).version(), query, dict(parameters or {}))


@contextmanager
def listening() -> Iterator[list[str]]:
    """Collect the questions that are asked meanwhile, as SQL that a reader can run; each once."""
    heard: list[str] = []
    token = _asked.set(heard)
    try:
        yield heard
    finally:
        _asked.reset(token)
        heard[:] = dict.fromkeys(heard)


def written_out(query: str, parameters: Mapping[str, object]) -> str:
    """Return a question with its parameters put in, without the indentation of the code around it."""
    names = "|".join(sorted(map(re.escape, parameters), key=len, reverse=True))
    text = re.sub(rf"\$({names})\b", lambda found: _literal(parameters[found[1]]), query) if names else query
    return textwrap.dedent(text).strip()


def _literal(value: object) -> str:
    if isinstance(value, datetime):
        return f"timestamp '{value}'"
    if isinstance(value, date):
        return f"date '{value}'"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return "null" if value is None else str(value)


@st.cache_data(max_entries=512, show_spinner=False)
def _answer(home: str, version: str, query: str, parameters: dict[str, object]) -> pd.DataFrame:  # noqa: ARG001  # keys
    return _reader(Path(home)).query(query, parameters).to_pandas()


def _current_comments() -> dict[str, str]:
    home = settings().home
    return _comments(home, _reader(home).version())


# A page asks for these three a hundred times, so they are kept as they are: Streamlit's caches copy what they keep, or
# hash what they are asked for with more work.


@lru_cache(maxsize=4)
def _comments(home: Path, version: str) -> dict[str, str]:  # noqa: ARG001  # keys
    return _reader(home).comments()


@lru_cache(maxsize=4)
def _settings(environ: tuple[tuple[str, str], ...]) -> Settings:
    return load_settings(dict(environ))


@lru_cache(maxsize=4)
def _reader(home: Path) -> SnapshotReader:
    return SnapshotReader(home)
