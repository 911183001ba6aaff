"""Artifacts over HTTP: which are read, how what goes wrong is told, and that neither token nor host are at risk."""

import io
import json
import random
import stat
import struct
import tracemalloc
import zipfile
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import SecretStr

from phoenix_metrics.errors import AccessError, BudgetError
from phoenix_metrics.sources.archives import Limits
from phoenix_metrics.sources.github.artifacts import Known, Wanted, fetch_reports
from phoenix_metrics.sources.github.client import GitHubClient
from phoenix_metrics.sources.github.governor import Governor
from phoenix_metrics.sources.items import Batch
from tests.github_server import Answer, GitHub
from tests.sources.visited import Bookmark, Shop
from tests.storage_server import Storage, serving
from tests.uploads import Uploads, report, zipped

SINCE = datetime(2026, 1, 1, tzinfo=UTC)
WANTED = Wanted(("*junit*",), SINCE, 100 << 20)
PASSING = report("a", "b", "c!")


@pytest.fixture
def uploads(github: GitHub) -> Iterator[Uploads]:
    """A repository whose artifacts are stored on another host; the API wants a token."""
    github.token = "secret"
    with serving(Storage()) as storage:
        yield Uploads(github, storage)


def fetch(uploads: Uploads, visit: Bookmark | None = None, known: Known | None = None, **changes: Any) -> list[Batch]:
    """Visit once and return the batches."""
    client = GitHubClient(uploads.github.url, SecretStr("secret"), Governor(0))
    wanted = Wanted(**{**vars(WANTED), **changes})
    return list(fetch_reports(client, Shop(), visit or Bookmark(), wanted=wanted, known=known or Known()))


def collect(batches: Iterable[Batch], into: list[Batch]) -> None:
    """Take batches one by one, so that those before an error are kept."""
    for batch in batches:
        into.append(batch)


def payloads(batches: list[Batch], source_object: str) -> list[dict[str, Any]]:
    return [json.loads(item.payload) for batch in batches for item in batch if item.source_object == source_object]


def states(batches: list[Batch]) -> dict[int, str]:
    """Return how reading each artifact went."""
    return {found["id"]: found["state"] for found in payloads(batches, "github_artifacts")}


def read(batches: list[Batch]) -> dict[str, tuple[str, str | None, int]]:
    """Return each report's state, error and number of cases."""
    files = [found for found in payloads(batches, "test_reports") if found["part"] == 0]
    return {found["report"]: (found["state"], found["error"], found["case_count"]) for found in files}


def of_one(uploads: Uploads, content: bytes | dict[str, bytes | str], **changes: Any) -> tuple[str, str | None]:
    """Read a single artifact; return its state and note."""
    uploads.add(1, content)
    [found] = payloads(fetch(uploads, **changes), "github_artifacts")
    return found["state"], found["note"]


def test_reports_are_read_without_showing_the_token(uploads: Uploads) -> None:
    """The API is asked with the token, the storage as nobody; each report is landed before its artifact."""
    uploads.add(1, {"out/a.xml": PASSING, "b.XML": report("d?"), "notes.txt": "x", "empty/": ""})
    batches = fetch(uploads)
    assert read(batches) == {"out/a.xml": ("parsed", None, 3), "b.XML": ("parsed", None, 1)}
    [artifact] = payloads(batches, "github_artifacts")
    assert (artifact["state"], artifact["report_count"], artifact["case_count"]) == ("parsed", 2, 4)
    assert (artifact["run_id"], artifact["name"]) == (1, "junit-1")
    assert [item.source_object for item in batches[-1]][-1] == "github_artifacts"
    for header in ("authorization", "cookie", "x-github-api-version"):
        assert uploads.storage.sent(header) == {None}
    assert "secret" not in json.dumps(uploads.storage.headers)


def test_a_netrc_file_is_not_asked_for_a_credential(
    uploads: Uploads, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """What somebody keeps for other programs is not sent either."""
    (tmp_path / "netrc").write_text("default login ada password hunter2\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    uploads.add(1, {"a.xml": PASSING})
    assert states(fetch(uploads)) == {1: "parsed"}
    assert uploads.storage.sent("authorization") == {None}


def test_only_wanted_names_are_fetched(uploads: Uploads) -> None:
    """Globs over names, whatever their case, with _ for -; nothing else is asked of the storage."""
    for number, name in enumerate(["JUnit linux", "coverage", "unit_Test_Results-3", "my-surefire", "dist"], 1):
        uploads.add(number, {"a.xml": PASSING}, run_id=number, name=name)
    found = fetch(uploads, names=("*junit*", "*test-result*", "*surefire*"))
    assert states(found) == {4: "parsed", 3: "parsed", 1: "parsed"}
    assert uploads.downloads() == [4, 3, 1]


def test_the_list_is_read_up_to_what_is_known(uploads: Uploads) -> None:
    """250 cost three list requests; with the cursor of that visit one, and no download."""
    for number in range(1, 251):
        uploads.add(number, {"a.xml": PASSING}, name="junit" if number == 77 else "dist")
    visit = Bookmark()
    assert states(fetch(uploads, visit)) == {77: "parsed"}
    assert (visit.cursor, uploads.github.counted("artifacts\\?")) == ("250", 3)
    assert fetch(uploads, visit) == []
    assert (visit.cursor, uploads.github.counted("artifacts\\?"), uploads.downloads()) == ("250", 4, [77])


def test_history_begins_where_it_is_wanted_from(uploads: Uploads) -> None:
    """Artifacts older than the history end the list."""
    uploads.add(1, {"a.xml": PASSING}, created_at="2025-12-31T23:59:59Z")
    uploads.add(2, {"a.xml": PASSING}, created_at="2026-01-01T00:00:00Z")
    assert states(fetch(uploads)) == {2: "parsed"}


def test_a_visit_that_is_cut_off_goes_on_where_it_was(uploads: Uploads) -> None:
    """When the budget ends, what was read is given, the cursor stays, and known artifacts are not fetched again."""
    for number in range(1, 6):
        uploads.add(number, {"a.xml": report(str(number))})
    uploads.github.remaining = 4  # the list and three redirects
    uploads.github.limit = 4
    visit, batches = Bookmark(), []
    client = GitHubClient(uploads.github.url, SecretStr("secret"), Governor(0))
    with pytest.raises(BudgetError):
        collect(fetch_reports(client, Shop(), visit, wanted=WANTED, known=Known()), batches)
    assert (states(batches), visit.cursor) == ({5: "parsed", 4: "parsed", 3: "parsed"}, None)
    uploads.github.remaining = uploads.github.limit = 5000
    rest = fetch(uploads, visit, known=Known(frozenset(states(batches))))
    assert (states(rest), visit.cursor, uploads.downloads()) == ({2: "parsed", 1: "parsed"}, "5", [5, 4, 3, 2, 1])


def test_known_artifacts_and_copies_are_not_fetched(uploads: Uploads) -> None:
    """The same bytes in the same run are read once, also when the first upload was read by an earlier visit."""
    first = uploads.add(1, {"a.xml": PASSING}, run_id=1)
    for number, run_id in ((2, 1), (3, 2), (4, 2)):
        uploads.add(number, {"a.xml": PASSING}, run_id=run_id)
    known = Known(frozenset({1}), frozenset({(1, first["digest"])}))
    assert states(fetch(uploads, known=known)) == {4: "parsed", 3: "copy", 2: "copy"}
    assert uploads.downloads() == [4]


def test_what_has_expired_is_told_and_not_tried_again(uploads: Uploads) -> None:
    """Marked as expired, gone when asked for (410), deleted meanwhile (404): one request at most."""
    uploads.add(1, {"a.xml": PASSING}, expired=True)
    uploads.add(2, {"a.xml": PASSING}, deleted=True)
    uploads.add(3, {"a.xml": PASSING})
    uploads.github.extra = {
        "/repositories/1/actions/artifacts/3/zip": Answer(404, {"message": "Not Found"}),
        **uploads.github.extra,
    }
    visit = Bookmark()
    assert states(fetch(uploads, visit)) == {3: "expired", 2: "expired", 1: "expired"}
    assert visit.cursor == "3"
    assert (uploads.downloads(), uploads.github.counted("/zip")) == ([], 2)


@pytest.mark.parametrize(("status", "breaks_off"), [(403, False), (404, False), (503, False), (200, True)])
def test_a_storage_that_fails_is_asked_again_with_a_new_address(
    uploads: Uploads, status: int, breaks_off: bool
) -> None:
    """An address that has run out, an overloaded storage, an answer that breaks off: twice is no harm."""
    uploads.add(1, {"a.xml": PASSING})
    stored = uploads.stored(1)
    stored.faults, stored.status, stored.breaks_off = 2, status, breaks_off
    assert states(fetch(uploads)) == {1: "parsed"}
    assert uploads.github.counted("/zip") == 3


def test_a_storage_that_keeps_failing_is_tried_by_the_next_visits(uploads: Uploads) -> None:
    """The cursor stays before the artifact for a day; the others are read meanwhile."""
    for number in (1, 2, 3):
        uploads.add(number, {"a.xml": PASSING}, created_at=f"2026-01-0{number}T08:00:00Z", run_id=number)
    uploads.stored(1).faults = uploads.stored(2).faults = 3
    visit = Bookmark()
    batches = fetch(uploads, visit)
    assert states(batches) == {3: "parsed", 2: "failed", 1: "failed"}
    assert [found["note"] for found in payloads(batches, "github_artifacts")][1:] == ["the storage answered 503"] * 2
    assert visit.cursor == "3"  # two days and one older than the newest: not waited for
    visit, uploads.stored(3).faults = Bookmark(), 3
    assert states(fetch(uploads, visit))[3] == "failed"
    assert visit.cursor == "2"
    assert states(fetch(uploads, visit)) == {3: "parsed"}


def test_bytes_that_were_changed_on_the_way_are_not_read(uploads: Uploads) -> None:
    """What arrives must have the digest that GitHub gives; uploads without one are taken as they are."""
    uploads.add(1, {"a.xml": PASSING}, digest="sha256:" + "0" * 64)
    uploads.add(2, {"a.xml": PASSING}, digest=None)
    batches = fetch(uploads)
    assert states(batches) == {2: "parsed", 1: "failed"}
    assert payloads(batches, "github_artifacts")[1]["note"] == (
        "what the storage sent is not what was uploaded: another digest"
    )


def test_an_artifact_that_is_too_large_is_not_read(uploads: Uploads) -> None:
    """Neither one that says so, which is not even fetched, nor one that only turns out to be."""
    noise = bytes(range(256)) * 8000
    packed = zipped({"a.xml": noise}, zipfile.ZIP_STORED)
    uploads.add(1, packed, size_in_bytes=5)
    uploads.add(2, packed)
    batches = fetch(uploads, zip_bytes=1 << 20)
    assert states(batches) == {2: "refused", 1: "refused"}
    assert uploads.downloads() == [1]
    assert payloads(batches, "github_artifacts")[0]["note"] == (
        "it is larger than 1 MB; PHOENIX_GITHUB_REPORT_MB says so"
    )


@pytest.mark.parametrize(
    "content", [b"", b"<html>Sign in</html>", b"PK\x03\x04" + b"x" * 100, b"PK\x05\x06" + b"\0" * 17]
)
def test_what_is_no_zip_is_said_to_be_none(uploads: Uploads, content: bytes) -> None:
    """A proxy's page, a torn file, an empty one: the artifact says why it has no reports."""
    state, note = of_one(uploads, content)
    assert state == "refused"
    assert (note or "").startswith("it is no zip that can be read")


def test_a_zip_without_reports_is_read_and_empty(uploads: Uploads) -> None:
    """So is a zip without anything; other archives inside stay closed, and are mentioned."""
    assert of_one(uploads, zipped({})) == ("parsed", None)
    uploads.artifacts.clear()
    inner = zipped({"a.xml": PASSING})
    assert of_one(uploads, {"inner.zip": inner, "b/more.ZIP": inner, "c.xml": PASSING}) == (
        "parsed",
        "archives inside are not opened: 2",
    )


def member(uploads: Uploads, packed: bytes, **changes: Any) -> dict[str, tuple[str, str | None, int]]:
    """Read a zip's reports."""
    uploads.add(1, packed)
    return read(fetch(uploads, **changes))


def test_a_bomb_is_refused_by_what_it_says(uploads: Uploads) -> None:
    """A member that unpacks a thousandfold is not opened; one beside it is read."""
    blank = "<testsuite>" + " " * (3 << 20) + "</testsuite>"
    found = member(uploads, zipped({"bomb.xml": blank, "b.xml": PASSING}))
    assert found["bomb.xml"] == ("refused", "it unpacks to more than 100 times its size, as a zip bomb does", 0)
    assert found["b.xml"] == ("parsed", None, 3)


def test_a_small_file_of_blanks_is_no_bomb(uploads: Uploads) -> None:
    """Up to a megabyte any ratio is fine."""
    blank = "<testsuite>" + " " * 900_000 + "</testsuite>"
    assert member(uploads, zipped({"a.xml": blank})) == {"a.xml": ("parsed", None, 0)}


def test_a_bomb_that_lies_about_its_size_is_stopped_in_flat_memory(uploads: Uploads) -> None:
    """Headers that claim a small size give at most that, and the damage is noticed."""
    blank = b"<testsuite><testcase name='a'/>" + b" " * (64 << 20) + b"</testsuite>"
    packed = with_size(zipped({"bomb.xml": blank}), 100_000)
    tracemalloc.start()
    found = member(uploads, packed)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    state, error, cases = found["bomb.xml"]
    assert (state, cases) == ("malformed", 1)
    assert (error or "").startswith("the zip is damaged there: ")
    assert peak < 8 << 20


def with_size(packed: bytes, size: int) -> bytes:
    """Return a zip whose headers claim that its one member unpacks to a size."""
    data = bytearray(packed)
    struct.pack_into("<L", data, data.index(b"PK\x03\x04") + 22, size)
    struct.pack_into("<L", data, data.index(b"PK\x01\x02") + 24, size)
    return bytes(data)


def with_flag(packed: bytes, flag: int) -> bytes:
    """Return a zip whose one member carries a flag."""
    data = bytearray(packed)
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.index(mark) + offset
        struct.pack_into("<H", data, at, struct.unpack_from("<H", data, at)[0] | flag)
    return bytes(data)


def test_limits_hold_by_what_is_counted(uploads: Uploads) -> None:
    """A member, all members together and their number have limits; what was read before stays."""
    noise = "".join(f"<testcase name='{number * 7919 % 100003:x}'/>" for number in range(33_000))
    files = {f"{name}.xml": f"<testsuite>{noise}</testsuite>" for name in "abcd"}
    size = len(files["a.xml"])
    uploads.add(1, zipped(files))
    batches = fetch(uploads, limits=Limits(member_bytes=size - 1))
    assert {state for state, _, _ in read(batches).values()} == {"refused"}
    batches = fetch(uploads, limits=Limits(total_bytes=2 << 20))
    assert {name: state for name, (state, _, _) in read(batches).items()} == {
        "a.xml": "parsed",
        "b.xml": "parsed",
        "c.xml": "refused",
    }
    assert states(batches) == {1: "refused"}
    [artifact] = payloads(batches, "github_artifacts")
    assert (artifact["note"], artifact["report_count"]) == ("it unpacks to more than 2 MB; the rest was not read", 3)
    batches = fetch(uploads, limits=Limits(member_count=3))
    assert (states(batches), read(batches)) == ({1: "refused"}, {})


@pytest.mark.parametrize(
    "name", ["/etc/cron.d/x.xml", "../../x.xml", "a/../../x.xml", "..\\x.xml", "C:\\x.xml", "a/../x.xml"]
)
def test_a_name_that_points_elsewhere_is_refused(uploads: Uploads, name: str) -> None:
    """Names are never used as paths; one that tries is told."""
    assert member(uploads, zipped({name: PASSING, "ok..xml": PASSING})) == {
        name: ("refused", "its name points out of the archive", 0),
        "ok..xml": ("parsed", None, 3),
    }


def test_links_encrypted_and_strangely_packed_files_are_refused(uploads: Uploads) -> None:
    """Only regular files that are stored or deflated are read."""
    link = io.BytesIO()
    with zipfile.ZipFile(link, "w") as archive:
        info = zipfile.ZipInfo("link.xml")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    assert member(uploads, link.getvalue())["link.xml"][:2] == ("refused", "it is a link or a device, not a file")
    for packed, error in (
        (with_flag(zipped({"a.xml": PASSING}), 1), "it is encrypted"),
        (zipped({"a.xml": PASSING}, zipfile.ZIP_LZMA), "it is packed by a method other than deflate"),
    ):
        uploads.artifacts.clear()
        assert member(uploads, packed) == {"a.xml": ("refused", error, 0)}


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_file_hidden_behind_anothers_name_is_told(uploads: Uploads) -> None:
    """The first one counts."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.xml", PASSING)
        archive.writestr("a.xml", report("other"))
    assert member(uploads, file.getvalue()) == {
        "a.xml": ("parsed", None, 3),
        "a.xml#2": ("refused", "another file in the archive has the same name", 0),
    }


def test_a_list_of_members_that_claims_gigabytes_is_not_read(uploads: Uploads) -> None:
    """The end of a zip says how long its list is; memory is not taken on its word."""
    data = bytearray(zipped({"a.xml": PASSING}, zipfile.ZIP_STORED)) + bytearray(9 << 20)
    end = bytes(data).index(b"PK\x05\x06")
    tail = data[end : end + 22]
    struct.pack_into("<L", tail, 12, 9 << 20)
    state, note = of_one(uploads, bytes(data[:end]) + bytes(9 << 20) + bytes(tail))
    assert (state, note) == ("refused", "it is no zip that can be read: its list of members is too long")


def test_damage_in_one_file_leaves_the_others(uploads: Uploads) -> None:
    """A checksum that is wrong ends that report, with the cases before it."""
    packed = bytearray(zipped({"a.xml": PASSING, "b.xml": PASSING}, zipfile.ZIP_STORED))
    packed[packed.index(b"</testsuite>") + 2] ^= 1
    found = member(uploads, bytes(packed))
    assert found["a.xml"][0] == "malformed"
    assert found["b.xml"] == ("parsed", None, 3)


def test_a_large_report_is_landed_in_parts(uploads: Uploads) -> None:
    """Of 2,500 cases no row holds more than a thousand, and places count on."""
    uploads.add(1, {"a.xml": report(*(f"t{number}" for number in range(2500)))})
    parts = payloads(fetch(uploads), "test_reports")
    assert [(part["part"], len(part.get("cases", []))) for part in parts] == [(1, 1000), (2, 1000), (3, 500), (0, 0)]
    assert [case["position"] for part in parts[:3] for case in part["cases"]] == list(range(1, 2501))


def test_batches_are_of_bounded_size(uploads: Uploads) -> None:
    """However many reports there are, what waits to be landed stays small, in the order in which it was read."""
    chance = random.Random(1)
    for number in range(1, 9):
        uploads.add(number, {"a.xml": report(*(chance.randbytes(200).hex() for _ in range(2500)))}, run_id=number)
    batches = fetch(uploads)
    assert len(batches) > 1
    assert all(sum(len(item.payload) for item in batch) < 3 << 20 for batch in batches)
    claims = [item.object_id for batch in batches for item in batch if item.source_object == "github_artifacts"]
    assert claims == [8, 7, 6, 5, 4, 3, 2, 1]


def test_what_was_read_before_an_error_is_given(uploads: Uploads) -> None:
    """A refused token in the middle ends the visit, after a batch of what there is."""
    for number in (1, 2, 3):
        uploads.add(number, {"a.xml": report(str(number))})
    uploads.github.extra = {
        "/repositories/1/actions/artifacts/1/zip": Answer(403, {"message": "Resource not accessible"}),
        **uploads.github.extra,
    }
    client = GitHubClient(uploads.github.url, SecretStr("secret"), Governor(0))
    visit, batches = Bookmark(), []
    with pytest.raises(AccessError, match="Resource not accessible"):
        collect(fetch_reports(client, Shop(), visit, wanted=WANTED, known=Known()), batches)
    assert states(batches) == {3: "parsed", 2: "parsed"}
    assert visit.cursor is None
