"""Every recorded JUnit report is parsed, or says why not; none of the attacks among them reads anything.

The recordings are not part of the project; where they are absent these tests are skipped.
"""

import socket
import threading
from collections import Counter, defaultdict
from contextlib import suppress
from pathlib import Path
from xml.etree import ElementTree

import pytest

from phoenix_metrics.settings import CHECKOUT
from phoenix_metrics.sources.junit import Summary, TestCase, parse_report

REPORTS = CHECKOUT.parent / "shared" / "data" / "junit"
FILES = sorted(path for path in REPORTS.rglob("*") if path.is_file() and path.suffix == ".xml")

pytestmark = pytest.mark.skipif(not FILES, reason="the recorded reports are not here")


def parsed(path: Path) -> tuple[list[TestCase], Summary]:
    """A report's cases and summary."""
    *cases, summary = parse_report([path.read_bytes()])
    assert isinstance(summary, Summary)
    return [case for case in cases if isinstance(case, TestCase)], summary


def counted(path: Path) -> int | None:
    """The cases another parser finds in a report; None where it is not well formed, attacks, or is another format."""
    text = path.read_bytes()
    if b"<!DOCTYPE" in text or b"<!ENTITY" in text:
        return None
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError:
        return None
    if root.tag not in ("testsuite", "testsuites"):
        return None
    broken = [suite for suite in root.iter("testsuite") if {child.tag for child in suite} & {"error", "failure"}]
    return len(root.findall(".//testcase")) + len(broken)  # a suite that fails by itself is shown as a case


def test_every_report_is_parsed_or_says_why_not(capsys: pytest.CaptureFixture[str]) -> None:
    """Cases as another parser counts them; what that one refuses, or is no JUnit report, has a state and a reason."""
    states: dict[str, Counter[str]] = defaultdict(Counter)
    cases: Counter[str] = Counter()
    for path in FILES:
        source = path.relative_to(REPORTS).parts[0]
        found, summary = parsed(path)
        expected = counted(path)
        states[source][summary.state] += 1
        cases[source] += len(found)
        if expected is None:
            assert summary.state != "parsed", path
            assert summary.error, path
        else:
            assert (summary.state, len(found)) == ("parsed", expected), path
    with capsys.disabled():
        for source, counts in sorted(states.items()):
            print(f"\n{source}: {dict(counts)}, {cases[source]} cases", end="")  # noqa: T201  # the figures


def test_no_attack_reads_anything(tmp_path: Path) -> None:
    """A document that names files and addresses is refused; the file's text appears nowhere, nobody is called."""
    secret = tmp_path / "secret.txt"
    secret.write_text("CANARY")
    calls = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.5)

        def listen() -> None:
            with suppress(TimeoutError):
                calls.append(server.accept())

        listening = threading.Thread(target=listen)
        listening.start()
        address = f"http://127.0.0.1:{server.getsockname()[1]}/x.dtd"
        for definition in (
            f'<!ENTITY x SYSTEM "file://{secret}">',
            f'<!ENTITY x SYSTEM "{address}">',
            f'<!ENTITY % p SYSTEM "{address}"> %p; <!ENTITY x "y">',
        ):
            body = f'<!DOCTYPE t [{definition}]><testsuite><testcase name="a">&x;</testcase></testsuite>'
            *cases, summary = parse_report([body.encode()])
            assert isinstance(summary, Summary)
            assert summary.state == "refused"
            assert "CANARY" not in str((cases, summary))
        listening.join()
    assert calls == []


def test_the_recorded_attacks_are_refused() -> None:
    """The files that Jenkins keeps as attacks end as refused, or are no XML by themselves."""
    attacks = [path for path in FILES if "xxe" in path.name.lower()]
    assert attacks
    assert {parsed(path)[1].state for path in attacks} <= {"refused", "malformed"}
