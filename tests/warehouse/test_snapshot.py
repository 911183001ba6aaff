"""Snapshots: readers see the old one or the new one, whatever the writer is doing."""

import os
import random
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from phoenix_metrics.errors import NoSnapshotError, WarehouseError
from phoenix_metrics.warehouse.snapshot import KEPT, SnapshotReader, publish
from phoenix_metrics.warehouse.store import writing


def put(home: Path, value: int) -> None:
    """Publish a store in which two tables hold the same number."""
    with writing(home) as connection:
        connection.execute("create or replace table marts.a as select ?::bigint as n", [value])
        connection.execute("create or replace table marts.b as select ?::bigint as n", [value])
        publish(connection, home)


def pair(reader: SnapshotReader) -> tuple[int, int]:
    row = reader.query("select a.n as a, b.n as b from marts.a, marts.b").to_pylist()[0]
    return row["a"], row["b"]


@pytest.fixture
def xfs(tmp_path: Path) -> Iterator[Path]:
    """Return a folder on XFS, whose files can share their blocks."""
    image, folder = tmp_path / "image", tmp_path / "xfs"
    if shutil.which("mkfs.xfs") is None or os.geteuid() != 0:
        pytest.skip("no mkfs.xfs, or nobody to mount what it makes")
    with image.open("wb") as file:
        file.truncate(400 << 20)
    subprocess.run(["mkfs.xfs", "-q", str(image)], check=True)
    folder.mkdir()
    if subprocess.run(["mount", "-o", "loop", str(image), str(folder)], check=False).returncode:
        pytest.skip("XFS cannot be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_before_the_first_publication_a_reader_says_so(tmp_path: Path) -> None:
    """There is no snapshot; the version is empty and a query names the command to run."""
    reader = SnapshotReader(tmp_path)
    assert reader.version() == ""
    with pytest.raises(NoSnapshotError, match="phoenix sync"):
        reader.query("select 1")


def test_a_reader_follows_each_publication_and_three_snapshots_stay(tmp_path: Path) -> None:
    """The same reader object answers from the newest snapshot; older files than the last three are gone."""
    reader = SnapshotReader(tmp_path)
    for value in range(6):
        put(tmp_path, value)
        assert pair(reader) == (value, value)
    assert reader.current().sequence == 6
    assert len(list((tmp_path / "snapshots").glob("*.duckdb"))) == KEPT


def test_snapshots_take_no_space_where_files_can_share_it(xfs: Path) -> None:
    """Three snapshots and a store of 60 MB or more need little more than one, and hold what was published."""
    used = shutil.disk_usage(xfs).used
    with writing(xfs) as connection:
        connection.execute("create table marts.long as select hash(n) as h from range(8_000_000) as numbers (n)")
        for _ in range(KEPT):
            connection.execute("create or replace table marts.a as select 1::bigint as n")
            publish(connection, xfs)
    size = (xfs / "store.duckdb").stat().st_size
    assert size > 60 << 20
    assert sum(path.stat().st_size for path in (xfs / "snapshots").glob("*.duckdb")) >= KEPT * (size - (2 << 20))
    assert shutil.disk_usage(xfs).used - used < size + (20 << 20)
    assert SnapshotReader(xfs).query("select count(*) as n from marts.long").to_pylist() == [{"n": 8_000_000}]


def test_a_snapshot_cannot_be_written_by_its_readers(tmp_path: Path) -> None:
    """Readers open the file read-only."""
    put(tmp_path, 1)
    with pytest.raises(Exception, match="read-only"):
        SnapshotReader(tmp_path).query("create table marts.c as select 1")


def test_remains_of_a_killed_publication_do_no_harm(tmp_path: Path) -> None:
    """Half a copy is swept away by the next publication, and CURRENT never names it."""
    put(tmp_path, 1)
    stray = tmp_path / "snapshots" / ".tmp-00000002.duckdb"
    stray.write_bytes(b"half")
    assert pair(SnapshotReader(tmp_path)) == (1, 1)
    put(tmp_path, 2)
    assert not stray.exists()


def test_a_snapshot_that_is_damaged_is_named(tmp_path: Path) -> None:
    """The error names the file."""
    put(tmp_path, 1)
    (tmp_path / "snapshots" / "00000001.duckdb").write_bytes(b"garbage" * 1000)
    with pytest.raises(WarehouseError, match=r"00000001\.duckdb"):
        SnapshotReader(tmp_path).query("select 1")


def test_two_readers_see_no_error_and_no_torn_view_while_the_writer_is_killed(tmp_path: Path) -> None:
    """Two threads read without pause while a writer publishes and is killed with -9 five times."""
    put(tmp_path, 0)
    wrong: list[object] = []
    stop = threading.Event()
    counts = [0, 0]

    def look(number: int) -> None:
        reader = SnapshotReader(tmp_path)
        while not stop.is_set():
            try:
                a, b = pair(reader)
                if a != b:
                    wrong.append((a, b))
                counts[number] += 1
            except Exception as error:  # whatever it is, it is what the test is about
                wrong.append(error)

    readers = [threading.Thread(target=look, args=(number,)) for number in (0, 1)]
    for reader in readers:
        reader.start()
    for _ in range(5):
        command = [sys.executable, "-c", textwrap.dedent(_WRITER), str(tmp_path)]
        writer = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(random.uniform(0.1, 0.6))
        os.kill(writer.pid, signal.SIGKILL)
        writer.communicate()
    stop.set()
    for reader in readers:
        reader.join()
    assert wrong == []
    assert min(counts) > 20
    assert SnapshotReader(tmp_path).current().sequence > 5
    put(tmp_path, 99)
    assert pair(SnapshotReader(tmp_path)) == (99, 99)


_WRITER = """
    import itertools, sys
    from pathlib import Path
    from tests.warehouse.test_snapshot import put
    for value in itertools.count(1):
        put(Path(sys.argv[1]), value)
        print(value, flush=True)
"""
