"""Columns of text, made a column at a time: templates filled in, moments, hashes and node ids."""

import json
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from phoenix_metrics.demo.universe import DAY

Text: TypeAlias = pa.Array
_BASE64 = np.frombuffer(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", np.uint8)
_HEX = np.array([list(f"{byte:02x}".encode()) for byte in range(256)], np.uint8)


def filled(template: str, **columns: Text | str) -> Text:
    """Return a template with each `<name>` replaced by that column or word, for every row."""
    pieces: list[Text | str] = []
    for place, part in enumerate(re.split(r"<(\w+)>", template)):
        piece = columns[part] if place % 2 else part
        if isinstance(piece, str) and pieces and isinstance(pieces[-1], str):
            pieces[-1] += piece
        else:
            pieces.append(piece)
    return pc.binary_join_element_wise(*pieces, "")


def number(values: np.ndarray) -> Text:
    """Return whole numbers as text."""
    return pa.array(values).cast(pa.string())


def chosen(words: Sequence[str], index: np.ndarray) -> Text:
    """Return the words that an index chooses."""
    return _dictionary(tuple(words)).take(pa.array(index))


def escaped(words: Iterable[str]) -> list[str]:
    """Return words as they stand between the quotes of JSON."""
    return [json.dumps(word, ensure_ascii=False)[1:-1] for word in words]


def moment(at: np.ndarray) -> Text:
    """Return seconds since 1970 as in 2026-01-31T09:30:00Z."""
    days, seconds = np.divmod(at, DAY)
    first = int(days.min(initial=2**40)) if len(at) else 0
    written = np.empty((len(at), 20), np.uint8)
    written[:, :11] = _days(first, int(days.max(initial=0)))[days - first]
    written[:, 11:] = _seconds()[seconds]
    return _fixed(written)


def node(numbers: np.ndarray) -> Text:
    """Return ids in base 64, nine bytes each, as GitHub's node ids end."""
    shifts = np.arange(60, -1, -6)
    digits = np.zeros((len(numbers), 12), np.uint8)
    digits[:, 1:] = (numbers[:, None] >> shifts) & 63
    return _fixed(_BASE64[digits])


def sha(dice: np.random.Generator, count: int) -> Text:
    """Return hashes of commits."""
    return _fixed(_HEX[dice.integers(0, 256, (count, 20), np.uint8)].reshape(count, 40))


def _fixed(written: np.ndarray) -> Text:
    """Return rows of bytes, all of one length, as text."""
    count, width = written.shape
    offsets = np.arange(count + 1, dtype=np.int32) * np.int32(width)
    buffers = pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(written))
    return pa.StringArray.from_buffers(count, *buffers)


@lru_cache(maxsize=64)
def _dictionary(words: tuple[str, ...]) -> Text:
    return pa.array(words, pa.string())


@lru_cache(maxsize=64)
def _days(first: int, last: int) -> np.ndarray:
    days = "".join(f"{datetime.fromtimestamp(day * DAY, UTC):%Y-%m-%dT}" for day in range(first, last + 1))
    return np.frombuffer(days.encode(), np.uint8).reshape(-1, 11)


@lru_cache(maxsize=1)
def _seconds() -> np.ndarray:
    clock = "".join(f"{at // 3600:02}:{at // 60 % 60:02}:{at % 60:02}Z" for at in range(DAY))
    return np.frombuffer(clock.encode(), np.uint8).reshape(DAY, 9)
