"""JUnit reports: every producer's ways read alike, broken ones kept as far as they go, hostile ones refused unread."""

import re
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phoenix_metrics.sources import junit
from phoenix_metrics.sources.junit import ReportError, Summary, TestCase, parse_report, parse_seconds
from tests.github_server import GitHub


def parse(text: str | bytes, size: int = 1 << 16) -> tuple[list[TestCase], Summary]:
    """Parse a report in pieces of a size; return its cases and what it is in all."""
    data = text.encode() if isinstance(text, str) else text
    *cases, summary = parse_report(data[at : at + size] for at in range(0, max(len(data), 1), size))
    return cases, summary  # type: ignore[return-value]  # the last one is the summary


def one(inside: str = "", attributes: str = 'classname="C" name="t"') -> TestCase:
    """Parse a report of a single case."""
    cases, summary = parse(f'<testsuite name="S"><testcase {attributes}>{inside}</testcase></testsuite>')
    assert (summary.state, summary.case_count) == ("parsed", 1)
    return cases[0]


@pytest.mark.parametrize(
    ("inside", "result", "kind", "message"),
    [
        ("", "passed", None, None),
        ("<system-out>noise</system-out>", "passed", None, None),
        ("<failure/>", "failed", None, None),
        ('<failure type="E" message="m">trace</failure>', "failed", "E", "m"),
        ("<failure type='E'>\n  first line\n  at x</failure>", "failed", "E", "first line\n  at x"),
        ("<error message='m'/>", "error", None, "m"),
        ("<skipped message='why'/>", "skipped", None, "why"),
        ("<failure message='a'/><failure message='b'/>", "failed", None, "a"),
        ("<skipped/><failure message='f'/><error message='e'/>", "error", None, "e"),
        ("<failure message='f'><system-out>no</system-out></failure>", "failed", None, "f"),
        (f"<failure message='{'x' * 400}'/>", "failed", None, "x" * 300),
        ("<properties><property name='failure'/></properties>", "passed", None, None),
    ],
)
def test_what_a_case_holds_decides_its_result(inside: str, result: str, kind: str | None, message: str | None) -> None:
    """The gravest element wins; its message, or else the beginning of its text, says why."""
    case = one(inside)
    assert (case.result, case.failure_type, case.message) == (result, kind, message)


def test_only_an_earlier_failure_of_a_pass_is_a_flake() -> None:
    """Surefire's flakyFailure stands in a case that passed, rerunFailure beside the failure of one that never did."""
    passed = one("<flakyFailure message='a'><stackTrace>x</stackTrace></flakyFailure><flakyError message='b'/>")
    assert (passed.result, passed.rerun_count, passed.message) == ("passed", 2, "a")
    failed = one("<failure message='a'/><rerunFailure message='b'/><rerunError message='c'/>")
    assert (failed.result, failed.rerun_count, failed.message) == ("failed", 2, "a")


def test_a_case_that_was_not_run_says_so_in_many_ways() -> None:
    """GoogleTest and others write a status instead of an element."""
    for status in ("disabled", "notrun", "skipped"):
        assert one("", f'name="t" status="{status}"').result == "skipped"
    assert one("", 'name="t" status="run"').result == "passed"


def test_cases_that_share_a_name_are_variants() -> None:
    """Parameterised tests share class and name; they are counted, in the order of the report, over its suites."""
    text = "".join(f"<testcase classname='C' name='{name}'/>" for name in "aabab")
    cases, _ = parse(f"<testsuites><testsuite>{text}</testsuite><testsuite>{text}</testsuite></testsuites>")
    assert [case.ordinal for case in cases if case.name == "a"] == [1, 2, 3, 4, 5, 6]
    assert [case.ordinal for case in cases if case.name == "b"] == [1, 2, 3, 4]


def test_suites_within_suites_name_the_way_to_a_case() -> None:
    """Cases stand beside inner suites; what the outer suite claims to hold covers the inner ones."""
    cases, summary = parse(
        "<testsuites tests='9'><testsuite name='out' tests='3' timestamp='2026-01-02T08:00:00'>"
        "<testsuite name='in' tests='2'><testcase name='a'/></testsuite><testcase name='b'/></testsuite>"
        "<testsuite tests='1'><testcase name='c'/></testsuite></testsuites>"
    )
    assert [(case.suite, case.name) for case in cases] == [("out / in", "a"), ("out", "b"), (None, "c")]
    assert (summary.suite_count, summary.declared_count, summary.case_count) == (3, 4, 3)
    assert summary.reported_at == "2026-01-02T08:00:00"


def test_a_suite_that_fails_before_its_first_case_is_not_lost() -> None:
    """Its failure becomes a case of its own."""
    cases, _ = parse("<testsuite name='S'><error type='E' message='no class'/><testcase name='t'/></testsuite>")
    assert [(c.name, c.suite, c.result, c.message) for c in cases] == [
        ("(suite)", "S", "error", "no class"),
        ("t", "S", "passed", None),
    ]


def test_names_are_kept_as_far_as_there_are_any() -> None:
    """Without class and name a case still counts; `class` stands for classname, namespaces do not matter."""
    cases, _ = parse(
        "<x:testsuite xmlns:x='urn:x'><x:testcase/><x:testcase class='C' file='f' line='7'/></x:testsuite>"
    )
    assert cases == [
        TestCase(None, None, "", 1, "passed"),
        TestCase(None, "C", "", 1, "passed", file="f", line=7),
    ]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        *[("0", 0.0), ("1.5", 1.5), (" 12 ", 12.0), (".5", 0.5), ("1e-3", 0.001)],
        *[("2,503.1", 2503.1), ("1,234,567.25", 1234567.25)],  # as Surefire groups
        *[("1,234", None), ("0,5", None), ("1.234,5", None)],  # thousands or fractions: nobody knows
        *[("-3", None), ("", None), (None, None), ("3s", None), ("nan", None), ("inf", None), ("1e400", None)],
        *[("3024000", 3024000.0), ("3024001", None)],  # 35 days
    ],
)
def test_only_a_sensible_time_is_a_duration(text: str | None, seconds: float | None) -> None:
    """Missing, negative, ambiguous and impossible times are NULL, not nought."""
    assert parse_seconds(text) == seconds


@pytest.mark.parametrize("root", ["result", "project", "failsafe-summary", "suites", "test-run", "html"])
def test_other_documents_are_named(root: str) -> None:
    """An XML file that is no report is told by its root, before the rest is read."""
    cases, summary = parse(f"<?xml version='1.0'?><{root}><testcase name='t'/></{root}>")
    assert cases == []
    assert (summary.state, summary.error) == ("not_junit", f"not a JUnit report: its root is <{root}>")


@pytest.mark.parametrize(
    "rest",
    [
        "",
        "<testcase name='c'",
        "</nope>",
        "<testcase name='c'><failure><![CDATA[",
        "<testcase name='c'>\x08</testcase>",
    ],
)
def test_what_stood_before_a_break_is_kept(rest: str) -> None:
    """A report that breaks off keeps its cases and says that and where it broke."""
    cases, summary = parse(f"<testsuite><testcase name='a'/><testcase name='b'><failure/></testcase>{rest}")
    assert [(case.name, case.result) for case in cases] == [("a", "passed"), ("b", "failed")]
    assert (summary.state, summary.is_complete, summary.case_count) == ("malformed", False, 2)
    assert re.match(r"not well-formed XML: .*line \d+, column \d+", summary.error or "")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"   ",
        b"\x00\x01\x02",
        b"PK\x03\x04",
        b"<?xml version='1.0' encoding='klingon'?><testsuite/>",
        b"\xff\xfe<",
    ],
)
def test_what_is_no_xml_is_said_to_be_none(data: bytes) -> None:
    """Empty files, binary files and encodings that Python lacks are errors of the file, never of the reader."""
    cases, summary = parse(data)
    assert (cases, summary.state, bool(summary.error)) == ([], "malformed", True)


def test_encodings_are_followed() -> None:
    """UTF-8 with its mark, UTF-16 and Latin-1 give the same name."""
    text = "<?xml version='1.0' encoding='{}'?><testsuite><testcase name='Prüfung'/></testsuite>"
    for encoding in ("utf-8-sig", "utf-16", "iso-8859-1"):
        data = text.format(encoding.removesuffix("-sig")).encode(encoding)
        assert [case.name for case in parse(data)[0]] == ["Prüfung"]


ATTACKS = {
    "file": '<!DOCTYPE t [<!ENTITY x SYSTEM "file://{canary}">]>{report}',
    "http": '<!DOCTYPE t [<!ENTITY x SYSTEM "{url}/entity">]>{report}',
    "parameter": '<!DOCTYPE t [<!ENTITY % p SYSTEM "{url}/parameter"> %p;]>{report}',
    "external dtd": '<!DOCTYPE t SYSTEM "{url}/dtd">{report}',
    "public dtd": '<!DOCTYPE t PUBLIC "x" "{url}/dtd">{report}',
    "laughs": '<!DOCTYPE t [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY x "&b;&b;&b;&b;">]>{report}',
    "harmless": "<!DOCTYPE testsuite>{report}",
    "xinclude": '<testsuite xmlns:i="http://www.w3.org/2001/XInclude"><testcase name="t"><failure>'
    '<i:include href="file://{canary}" parse="text"/></failure></testcase></testsuite>',
}


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_no_attack_reads_anything(attack: str, encoding: str, github: GitHub, tmp_path: Path) -> None:
    """Nothing of the canary file appears, the server sees no request, nothing is expanded."""
    canary = tmp_path / "canary.txt"
    canary.write_text("TWEET")
    report = "<testsuite><testcase name='t &x;'><failure message='m'>&x;</failure></testcase></testsuite>"
    text = ATTACKS[attack].format(canary=canary, url=github.url, report=report)
    cases, summary = parse(text.encode(encoding))
    assert "TWEET" not in repr(cases) + repr(summary)
    assert github.requests == []
    if attack == "xinclude":
        assert [case.message for case in cases] == [None]
    else:
        assert (cases, summary.state) == ([], "refused")


def test_an_undeclared_entity_is_an_error_of_the_file() -> None:
    """It is not guessed at."""
    assert parse("<testsuite><testcase name='&x;'/></testsuite>")[1].state == "malformed"


def test_captured_output_costs_no_memory() -> None:
    """100 MB of system-out, in one piece of text or in a CDATA section, are read within 4 MB."""

    def pieces(begin: bytes, end: bytes) -> Iterator[bytes]:
        yield b"<testsuite><testcase name='t'>" + begin
        for _ in range(1600):
            yield b"x" * 65535 + b"\n"
        yield end + b"<failure message='m'/></testcase></testsuite>"

    for begin, end in ((b"<system-out>", b"</system-out>"), (b"<failure><![CDATA[", b"]]></failure>")):
        tracemalloc.start()
        *cases, summary = parse_report(pieces(begin, end))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert [case.result for case in cases] == ["failed"]  # type: ignore[union-attr]
        assert summary.is_complete  # type: ignore[union-attr]
        assert peak < 4 << 20


def test_cases_come_out_while_the_report_goes_in() -> None:
    """A report of any length is never held as a whole."""
    fed = 0

    def pieces() -> Iterator[bytes]:
        nonlocal fed
        yield b"<testsuite>"
        while True:
            fed += 1
            yield b"<testcase name='t'/>" * 10

    stream = parse_report(pieces())
    assert [next(stream) for _ in range(10)]
    assert fed <= 2


def test_a_tag_without_end_is_refused() -> None:
    """Expat would hold it in memory; the report is given up after a few megabytes."""
    fed = 0

    def pieces() -> Iterator[bytes]:
        nonlocal fed
        yield b"<testsuite><testcase name='a'/><testcase name='"
        while True:
            fed += 1 << 16
            yield b"x" * (1 << 16)

    *cases, summary = parse_report(pieces())
    assert [case.name for case in cases] == ["a"]  # type: ignore[union-attr]
    assert summary.state == "refused"
    assert fed < 5 << 20


def test_elements_without_end_are_refused() -> None:
    """Suites nested a hundred deep, and reports of more cases than anybody reads, end with a reason."""
    assert parse("<testsuite>" * 99 + "</testsuite>" * 99)[1].state == "parsed"
    assert parse("<testsuite>" * 101)[1].error == "elements are nested more than 100 deep"


def test_a_report_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first cases stay, and the report counts as not complete."""
    monkeypatch.setattr(junit, "MAX_CASES", 5)
    cases, summary = parse("<testsuite>" + "<testcase name='t'/>" * 6 + "</testsuite>")
    assert (len(cases), summary.case_count, summary.state) == (5, 5, "refused")


def test_a_source_that_stops_ends_the_report_with_its_reason() -> None:
    """What the archive refuses in the middle becomes the report's own error."""

    def pieces() -> Iterator[bytes]:
        yield b"<testsuite><testcase name='a'/>"
        raise ReportError("refused", "too large")

    *cases, summary = parse_report(pieces())
    assert len(cases) == 1
    assert (summary.state, summary.error) == ("refused", "too large")  # type: ignore[union-attr]


CHARACTERS = st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="\ufffe\uffff")
WORDS = st.text(CHARACTERS, min_size=1, max_size=20).map(str.strip).filter(bool)
TAGS = {"failed": "failure", "error": "error", "skipped": "skipped"}


@st.composite
def reports(draw: st.DrawFn) -> list[TestCase]:
    """Draw the cases of a report, in the order in which a report can hold them."""
    seen: Counter[tuple[str | None, str]] = Counter()
    cases = []
    for suite in draw(st.lists(WORDS, max_size=4)):
        for _ in range(draw(st.integers(0, 5))):
            class_name, name = draw(st.none() | WORDS), draw(WORDS | st.sampled_from("ab"))
            seen[class_name or suite, name] += 1
            result = draw(st.sampled_from(["passed", *TAGS]))
            reruns = draw(st.integers(0, 2)) if result != "skipped" else 0
            told = result != "passed" or reruns
            cases.append(
                TestCase(
                    suite=suite,
                    class_name=class_name,
                    name=name,
                    ordinal=seen[class_name or suite, name],
                    result=result,
                    duration_seconds=draw(st.none() | st.floats(0, 1e6)),
                    rerun_count=reruns,
                    failure_type=draw(st.none() | WORDS) if told else None,
                    message=draw(st.none() | WORDS) if told else None,
                    file=draw(st.none() | WORDS),
                    line=draw(st.none() | st.integers(0, 99999)),
                )
            )
    return cases


def render(cases: list[TestCase]) -> str:
    """Write a report as a producer would, each case in a suite of its own name."""
    return (
        "<testsuites>"
        + "".join(f"<testsuite{_given(name=c.suite)}>{_case(c)}</testsuite>" for c in cases)
        + "</testsuites>"
    )


def _case(case: TestCase) -> str:
    names = _given(classname=case.class_name, name=case.name, file=case.file)
    figures = _given(time=case.duration_seconds, line=case.line)
    why = _given(type=case.failure_type, message=case.message)
    rerun = "flaky" if case.result == "passed" else "rerun"
    inside = f"<{TAGS[case.result]}{why}/>" if case.result in TAGS else ""
    inside += f"<{rerun}Failure{why}><stackTrace>{escape('<at>')}</stackTrace></{rerun}Failure>" * case.rerun_count
    return f"<testcase{names}{figures}>{inside}<system-out>{escape('& noise')}</system-out></testcase>"


def _given(**attributes: object) -> str:
    return "".join(f" {name}={quoteattr(str(value))}" for name, value in attributes.items() if value is not None)


@settings(deadline=None)
@given(reports(), st.integers(1, 400))
def test_what_a_producer_writes_is_what_is_read(cases: list[TestCase], size: int) -> None:
    """Whatever the cases and wherever the pieces are cut, each case comes back as it was."""
    found, summary = parse(render(cases), size)
    assert found == cases
    assert summary.result_counts == Counter(case.result for case in cases)


@settings(deadline=None)
@given(st.binary(max_size=300), st.integers(0, 500))
def test_no_bytes_break_the_reader(noise: bytes, at: int) -> None:
    """Whatever is in a file, it ends with a summary."""
    report = b"<testsuite><testcase name='a'><failure>x</failure></testcase></testsuite>" * 3
    for data in (noise, report[:at] + noise + report[at:]):
        cases, summary = parse(data, 7)
        assert summary.case_count == len(cases)
