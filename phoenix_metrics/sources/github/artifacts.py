"""Artifacts that hold test reports: found in the list of a repository, fetched, unpacked and read, each once."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import IO, Any

from phoenix_metrics.errors import RepositoryError, SourceError
from phoenix_metrics.sources.archives import Archive, ArchiveError, Limits, Member, open_archive
from phoenix_metrics.sources.github.client import GitHubClient
from phoenix_metrics.sources.github.downloads import DownloadError, TooLargeError, downloaded
from phoenix_metrics.sources.github.payloads import parse_time
from phoenix_metrics.sources.github.side_loops import Bookmark, Repository, kept, pages
from phoenix_metrics.sources.items import Batch, Item, as_text
from phoenix_metrics.sources.junit import Summary, TestCase, parse_report

CASES_A_ROW = 1_000  # of one landing row, so that no row is huge
RETRIED_FOR = timedelta(days=1)  # after this a storage that fails for an artifact is not asked again

_BATCH_CHARACTERS = 1 << 20  # of JSON; staging loads 32 such files at once
_BATCH_ITEMS = 500
_ARTIFACT = ("id", "name", "size_in_bytes", "digest", "created_at", "expires_at")


@dataclass(frozen=True)
class Wanted:
    """Which artifacts are read: globs over their names, from when on, and how large at most."""

    names: tuple[str, ...]
    since: datetime
    zip_bytes: int
    limits: Limits = field(default_factory=Limits)

    def has(self, name: str) -> bool:
        """Whether an artifact is wanted by its name; case does not matter, and _ or a blank is as good as -."""
        return any(fnmatchcase(_plain(name), _plain(glob)) for glob in self.names)


@dataclass(frozen=True)
class Known:
    """Artifacts of a repository that need not be read again: their ids, and the digests by run."""

    artifact_ids: frozenset[int] = frozenset()
    digests: frozenset[tuple[int | None, str]] = frozenset()


@dataclass
class Reading:
    """How reading one artifact went."""

    state: str = "parsed"
    note: str | None = None
    report_count: int = 0
    case_count: int = 0


def fetch_reports(
    client: GitHubClient, repository: Repository, visit: Bookmark, *, wanted: Wanted, known: Known
) -> Iterator[Batch]:
    """Yield the reports of artifacts uploaded since the last visit, newest first, each artifact after its reports.

    The cursor is the newest artifact's id. It moves at the end only, so that what a kill left out is listed again; it
    stays before an artifact that the storage failed to give, for a day.
    """
    cursor = int(visit.cursor or 0)
    listed = _Listing(newest_id=cursor, newest_at=wanted.since)
    digests = set(known.digests)
    retried: list[int] = []

    def items() -> Iterator[Item]:
        for artifact in listed.after(client, repository, cursor, wanted.since):
            if not wanted.has(artifact["name"]) or artifact["id"] in known.artifact_ids:
                continue
            reading = Reading()
            yield from _read(client, repository, artifact, wanted=wanted, digests=digests, reading=reading)
            yield Item("github_artifacts", artifact["id"], artifact_payload(artifact, reading))
            if reading.state == "failed" and parse_time(artifact["created_at"]) > listed.newest_at - RETRIED_FOR:
                retried.append(artifact["id"])

    yield from _gathered(items())
    visit.cursor = str(min([listed.newest_id, *(artifact_id - 1 for artifact_id in retried)]))


def artifact_payload(artifact: Mapping[str, Any], reading: Reading) -> str:
    """Return an artifact with how reading it went."""
    return as_text({**kept(artifact, _ARTIFACT), "run_id": _run_id(artifact), **asdict(reading)})


@dataclass
class _Listing:
    """The list of a repository's artifacts, newest first, and the newest of them."""

    newest_id: int
    newest_at: datetime

    def after(
        self, client: GitHubClient, repository: Repository, cursor: int, since: datetime
    ) -> Iterator[dict[str, Any]]:
        """Yield artifacts page by page; a page with one that is known or too old is the last."""
        for page in pages(client, f"{repository.path}/actions/artifacts", "artifacts"):
            news = [one for one in page.items if one["id"] > cursor and parse_time(one["created_at"]) >= since]
            for artifact in news:
                self.newest_id = max(self.newest_id, artifact["id"])
                self.newest_at = max(self.newest_at, parse_time(artifact["created_at"]))
                yield artifact
            if len(news) < len(page.items):
                return


def _read(
    client: GitHubClient,
    repository: Repository,
    artifact: Mapping[str, Any],
    *,
    wanted: Wanted,
    digests: set[tuple[int | None, str]],
    reading: Reading,
) -> Iterator[Item]:
    """Yield the reports of an artifact; what went wrong with it as a whole is told in `reading`."""
    digest = (_run_id(artifact), artifact.get("digest"))
    if artifact.get("expired"):
        reading.state, reading.note = "expired", "GitHub has deleted its content"
    elif digest in digests:
        reading.state, reading.note = "copy", "the same bytes as an earlier artifact of the run"
    elif (artifact.get("size_in_bytes") or 0) > wanted.zip_bytes:
        reading.state, reading.note = "refused", _too_large(wanted)
    else:
        yield from _downloaded(client, repository, artifact, wanted, reading)
        if digest[1] and reading.state == "parsed":
            digests.add((digest[0], digest[1]))


def _downloaded(
    client: GitHubClient, repository: Repository, artifact: Mapping[str, Any], wanted: Wanted, reading: Reading
) -> Iterator[Item]:
    path = f"{repository.path}/actions/artifacts/{artifact['id']}/zip"
    try:
        with downloaded(client, path, wanted.zip_bytes, artifact.get("digest")) as file:
            yield from _unpacked(file, artifact, wanted.limits, reading)
    except RepositoryError:  # 410 once it has expired, 404 once somebody has deleted it
        reading.state, reading.note = "expired", "GitHub no longer has its content"
    except TooLargeError:
        reading.state, reading.note = "refused", _too_large(wanted)
    except DownloadError as error:
        reading.state, reading.note = "failed", str(error)
    except ArchiveError as error:
        reading.state, reading.note = "refused", str(error)


def _unpacked(file: IO[bytes], artifact: Mapping[str, Any], limits: Limits, reading: Reading) -> Iterator[Item]:
    archive: Archive = open_archive(file, _is_report, limits)
    if archive.packed_count:
        reading.note = f"archives inside are not opened: {archive.packed_count}"
    for member in archive.members():
        reading.report_count += 1
        for item, case_count in _report_items(member, artifact):
            reading.case_count += case_count
            yield item


def _report_items(member: Member, artifact: Mapping[str, Any]) -> Iterator[tuple[Item, int]]:
    """Yield a report as landing rows, with the number of cases in each: its cases in parts, then what it is in all."""
    key = {"artifact_id": artifact["id"], "run_id": _run_id(artifact), "report": member.name}
    pieces = _Counted(member.pieces())
    cases: list[dict[str, Any]] = []
    part = position = 0
    for found in parse_report(pieces):
        if isinstance(found, TestCase):
            position += 1
            cases.append({"position": position, **_given(asdict(found))})
        if cases and (len(cases) == CASES_A_ROW or isinstance(found, Summary)):
            part += 1
            yield _item({**key, "part": part, "cases": cases}), len(cases)
            cases = []
        if isinstance(found, Summary):
            counts = {f"{result}_count": found.result_counts.get(result, 0) for result in _RESULTS}
            size = {"size_bytes": pieces.size, "digest": pieces.digest.hexdigest()}
            about = {name: value for name, value in asdict(found).items() if name != "result_counts"}
            yield _item({**key, "part": 0, **about, **counts, **size}), 0


_RESULTS = ("passed", "failed", "error", "skipped")


class _Counted:
    """The pieces of a file, counted and digested on the way."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = pieces
        self.size = 0
        self.digest = hashlib.sha256()

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            self.size += len(piece)
            self.digest.update(piece)
            yield piece


def _gathered(items: Iterable[Item]) -> Iterator[Batch]:
    """Yield items in batches of about a megabyte; when the source ends early, what it gave before is not lost."""
    batch: Batch = []
    characters = 0
    try:
        for item in items:
            batch.append(item)
            characters += len(item.payload)
            if characters > _BATCH_CHARACTERS or len(batch) >= _BATCH_ITEMS:
                yield batch
                batch, characters = [], 0
    except SourceError:
        if batch:
            yield batch
        raise
    if batch:
        yield batch


def _item(payload: Mapping[str, Any]) -> Item:
    return Item("test_reports", payload["artifact_id"], as_text(payload))


def _given(case: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in case.items() if value is not None}


def _run_id(artifact: Mapping[str, Any]) -> int | None:
    return (artifact.get("workflow_run") or {}).get("id")


def _is_report(name: str) -> bool:
    return name.lower().endswith(".xml")


def _plain(name: str) -> str:
    return name.lower().replace("_", "-").replace(" ", "-")


def _too_large(wanted: Wanted) -> str:
    return f"it is larger than {wanted.zip_bytes >> 20} MB; PHOENIX_GITHUB_REPORT_MB says so"
