"""Members of a zip from elsewhere, read as streams within limits; names are data and never become paths."""

import re
import stat
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import IO, cast

from phoenix_metrics.sources.junit import ReportError

PIECE = 64 << 10  # bytes read at once
MAX_DIRECTORY = 8 << 20  # bytes of the list of members, which zipfile holds in memory, ten times as large
MAX_NAME = 500  # characters

_LEAVES = re.compile(r"^[/\\]|^[A-Za-z]:|(^|[/\\])\.\.([/\\]|$)")  # absolute, on a drive, or upwards
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, struct.error, OverflowError)
_PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # others may ask for gigabytes of memory
_ENCRYPTED = 0x1


class ArchiveError(Exception):
    """The archive as a whole is not read, or not to its end, and why."""


@dataclass(frozen=True)
class Limits:
    """What is read of an archive at most, by what was counted rather than by what its headers say."""

    member_count: int = 10_000
    member_bytes: int = 256 << 20
    total_bytes: int = 1 << 30
    ratio: int = 100  # of unpacked to packed size
    small_bytes: int = 1 << 20  # up to here any ratio is fine: short texts of blanks


@dataclass(frozen=True)
class Member:
    """A file in an archive; `pieces()` yields its bytes, or raises the ReportError that says why not."""

    name: str
    pieces: Callable[[], Iterator[bytes]]


@dataclass
class Unpacked:
    """How many bytes were unpacked so far."""

    total: int = 0


@dataclass(frozen=True)
class Archive:
    """An opened zip: its wanted members in its own order, and how many other archives lie inside, unopened."""

    zip: zipfile.ZipFile
    wanted: tuple[zipfile.ZipInfo, ...]
    packed_count: int
    limits: Limits
    unpacked: Unpacked = field(default_factory=Unpacked)

    def members(self) -> Iterator[Member]:
        """Yield each wanted member once. Raises ArchiveError when all of it together is too large."""
        seen: Counter[str] = Counter()
        for info in self.wanted:
            if self.unpacked.total > self.limits.total_bytes:
                raise ArchiveError(f"it unpacks to more than {self.limits.total_bytes >> 20} MB; the rest was not read")
            name = info.filename[:MAX_NAME]
            seen[name] += 1
            if seen[name] == 1:
                yield Member(name, partial(self._read, info))
            else:
                yield Member(f"{name}#{seen[name]}", _hidden)

    def _read(self, info: zipfile.ZipInfo) -> Iterator[bytes]:
        if refusal := self._refusal(info):
            raise ReportError("refused", refusal)
        size = 0
        try:
            with self.zip.open(info) as stream:
                while piece := stream.read(PIECE):
                    size += len(piece)
                    self.unpacked.total += len(piece)
                    if refusal := self._excess(size, info.compress_size):
                        raise ReportError("refused", refusal)
                    yield piece
        except (*_DAMAGE, NotImplementedError, RuntimeError) as error:
            raise ReportError("malformed", f"the zip is damaged there: {_line(error)}") from None

    def _refusal(self, info: zipfile.ZipInfo) -> str | None:
        """Return why a member is not even opened, by what its headers say."""
        kind = stat.S_IFMT(info.external_attr >> 16)
        if _LEAVES.search(info.filename):
            return "its name points out of the archive"
        if kind not in (0, stat.S_IFREG):
            return "it is a link or a device, not a file"
        if info.flag_bits & _ENCRYPTED:
            return "it is encrypted"
        if info.compress_type not in _PACKINGS:
            return "it is packed by a method other than deflate"
        return self._excess(info.file_size, info.compress_size)

    def _excess(self, size: int, packed_size: int) -> str | None:
        limits = self.limits
        if size > limits.member_bytes:
            return f"it is larger than {limits.member_bytes >> 20} MB"
        if size > limits.small_bytes and size > limits.ratio * packed_size:
            return f"it unpacks to more than {limits.ratio} times its size, as a zip bomb does"
        if self.unpacked.total > limits.total_bytes:
            return f"with it the archive unpacks to more than {limits.total_bytes >> 20} MB"
        return None


def _hidden() -> Iterator[bytes]:
    raise ReportError("refused", "another file in the archive has the same name")
    yield  # makes it a generator, which refuses when it is read


def open_archive(file: IO[bytes], is_wanted: Callable[[str], bool], limits: Limits) -> Archive:
    """Return the wanted members of a zip. Raises ArchiveError when it is none, or too large a one."""
    try:
        opened = zipfile.ZipFile(cast("IO[bytes]", _Careful(file)))
    except (*_DAMAGE, NotImplementedError) as error:
        raise ArchiveError(f"it is no zip that can be read: {_line(error)}") from None
    files = [info for info in opened.infolist() if not info.is_dir()]
    wanted = tuple(info for info in files if is_wanted(info.filename))
    if len(wanted) > limits.member_count:
        raise ArchiveError(f"it holds more than {limits.member_count:,} reports")
    packed_count = sum(1 for info in files if info.filename.lower().endswith(".zip"))
    return Archive(opened, wanted, packed_count, limits)


class _Careful:
    """A file that refuses large single reads: zipfile reads the list of members at once, as long as it claims to be."""

    def __init__(self, file: IO[bytes]) -> None:
        self.seek, self.tell, self.seekable, self._read = file.seek, file.tell, file.seekable, file.read

    def read(self, size: int = -1) -> bytes:
        """Read like the file itself, up to a limit."""
        if size > MAX_DIRECTORY:
            raise zipfile.BadZipFile("its list of members is too long")
        return self._read(size)


def _line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
