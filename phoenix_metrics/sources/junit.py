"""JUnit reports as streams of test cases: bounded memory, no document types, no entities, nothing read but the file.

Reports come from other people's builds. defusedxml refuses what makes XML dangerous; its parser is fed piece by piece
and reports to `_Reader`, which builds no tree, so that a gigabyte of captured output costs no memory.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import ParseError, XMLParser

MAX_CASES = 200_000  # of one report; more is no report that anybody reads
MAX_TOKEN = 4 << 20  # bytes of one tag or comment; expat holds it in memory and scans it again with each piece
MAX_DEPTH = 100  # elements within elements
MAX_NAME = 2_000  # characters of a name; parameterised tests put their parameters there
MAX_MESSAGE = 300  # characters of a message
MAX_SECONDS = 35 * 86_400  # longer than the longest run cannot be true

_ROOTS = ("testsuites", "testsuite")
_RESULTS = {"error": "error", "failure": "failed", "skipped": "skipped"}  # the gravest element of a case decides
_GRAVITY = ("skipped", "failed", "error")
_RERUNS = ("flakyFailure", "flakyError", "rerunFailure", "rerunError")  # earlier failures, by Surefire, Gradle, nextest
_NOT_RUN = ("disabled", "notrun", "skipped", "ignored")  # words of a case's status, by GoogleTest and others
_GROUPED = re.compile(r"[1-9]\d{0,2}(,\d{3})+\.\d+")  # 2,503.1 as Surefire writes it; 2,503 alone is ambiguous


class ReportError(Exception):
    """A report that is not read to its end, and why; `state` is "malformed", "refused" or "not_junit"."""

    def __init__(self, state: str, text: str) -> None:
        super().__init__(text)
        self.state = state


@dataclass(frozen=True)
class TestCase:
    """One case of a report. `ordinal` counts cases of the same class (else suite) and name: variants, not repetitions.

    `result` is passed, failed, error or skipped; `rerun_count` counts failures of the case before that result.
    """

    __test__ = False  # keeps pytest from taking it for a test

    suite: str | None
    class_name: str | None
    name: str
    ordinal: int
    result: str
    duration_seconds: float | None = None
    rerun_count: int = 0
    failure_type: str | None = None
    message: str | None = None
    file: str | None = None
    line: int | None = None


@dataclass(frozen=True)
class Summary:
    """A report as a whole, and how far it could be read: "parsed" to its end, "malformed", "refused" or "not_junit"."""

    state: str
    error: str | None
    root: str | None
    suite_count: int
    case_count: int
    result_counts: dict[str, int]
    declared_count: int | None  # cases that the top suites claim to have; often wrong
    reported_at: str | None  # the first suite's timestamp, verbatim: rarely with a zone

    @property
    def is_complete(self) -> bool:
        """Whether it was read to its end."""
        return self.state == "parsed"


def parse_report(pieces: Iterable[bytes]) -> Iterator[TestCase | Summary]:
    """Yield the cases of a report as they end, and its summary last; what stood before a break is kept.

    A ReportError raised by `pieces` ends the report with its state and text.
    """
    reader, state, error = _Reader(), "parsed", None
    parser = XMLParser(target=reader, forbid_dtd=True, forbid_entities=True, forbid_external=True)
    try:
        for piece in pieces:
            reader.idle += len(piece)
            parser.feed(piece)
            reader.refuse_excess()
            yield from reader.take()
        parser.close()
    except ReportError as problem:
        state, error = problem.state, str(problem)
    except DefusedXmlException:
        state, error = "refused", "it declares a document type or entities, which could read files or grow without end"
    except ParseError as problem:
        state, error = "malformed", f"not well-formed XML: {problem}"
    except (ValueError, LookupError) as problem:  # encodings that Python lacks
        state, error = "malformed", f"its encoding cannot be read: {str(problem).splitlines()[0]}"
    yield from reader.take()
    yield reader.summary(state, error)


def parse_seconds(text: str | None) -> float | None:
    """Return a duration, or None where it is missing, negative, ambiguous or longer than any run may take."""
    text = (text or "").strip()
    try:
        seconds = float(text.replace(",", "") if _GROUPED.fullmatch(text) else text)
    except ValueError:
        return None
    return seconds if 0 <= seconds <= MAX_SECONDS else None


class _Evidence:
    """An element that says how a case ended, while it is read."""

    def __init__(self, element: str, attributes: dict[str, str]) -> None:
        self.element = element
        self.kind = _text(attributes.get("type"), MAX_MESSAGE)
        self._message = _text(attributes.get("message"), MAX_MESSAGE)
        self._own_text = ""

    def add(self, text: str) -> None:
        """Take a piece of the element's own text."""
        if len(self._own_text) < MAX_MESSAGE:
            self._own_text += text[:MAX_MESSAGE] if self._own_text else text.lstrip()[:MAX_MESSAGE]

    @property
    def message(self) -> str | None:
        """What it says: its message, or else the beginning of its text."""
        return self._message or _text(self._own_text, MAX_MESSAGE)


class _Reader:
    """What the parser reports to: keeps the open elements and the cases that have ended, and nothing else."""

    def __init__(self) -> None:
        self.idle = 0  # bytes fed since the parser last reported anything
        self._path: list[str] = []
        self._suites: list[str | None] = []
        self._case: dict[str, str] | None = None
        self._found: list[_Evidence] = []
        self._open: _Evidence | None = None
        self._ended: list[TestCase] = []
        self._seen: Counter[int] = Counter()
        self._results: Counter[str] = Counter()
        self._root: str | None = None
        self._suite_count = 0
        self._declared: int | None = None
        self._reported_at: str | None = None

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """Take the beginning of an element."""
        self.idle = 0
        name, parent = tag.rpartition("}")[2], self._path[-1] if self._path else None
        if parent is None:
            self._begin_report(name)
        if len(self._path) >= MAX_DEPTH:
            raise ReportError("refused", f"elements are nested more than {MAX_DEPTH} deep")
        self._path.append(name)
        if name == "testsuite" and parent in (None, *_ROOTS):
            self._begin_suite(attributes)
        elif name == "testcase" and parent in _ROOTS:
            self._case, self._found = attributes, []
        elif parent == "testcase" and self._case is not None and name in (*_RESULTS, *_RERUNS):
            self._open = _Evidence(name, attributes)
            self._found.append(self._open)
        elif parent == "testsuite" and name in ("error", "failure"):  # it failed before its first case
            self._case, self._open = {"name": "(suite)"}, _Evidence(name, attributes)
            self._found = [self._open]

    def data(self, text: str) -> None:
        """Take text; only that of an element that says how a case ended is of interest."""
        self.idle = 0
        if self._open is not None and self._path[-1] == self._open.element:
            self._open.add(text)

    def end(self, _tag: str) -> None:
        """Take the end of an element."""
        self.idle = 0
        name = self._path.pop()
        parent = self._path[-1] if self._path else None
        if self._open is not None and name == self._open.element and parent in ("testcase", "testsuite"):
            self._open = None
        is_failed_suite = parent == "testsuite" and name in ("error", "failure")
        if self._case is not None and (is_failed_suite or (name == "testcase" and parent in _ROOTS)):
            self._end_case(self._case)
            self._case = None
        if name == "testsuite" and parent in (None, *_ROOTS):
            self._suites.pop()

    def take(self) -> list[TestCase]:
        """Return the cases that have ended since the last call."""
        ended, self._ended = self._ended, []
        return ended

    def refuse_excess(self) -> None:
        """Stop at a report of which parts, or which as a whole, are larger than any report is."""
        if self.idle > MAX_TOKEN:
            raise ReportError("refused", f"a single tag or comment is larger than {MAX_TOKEN >> 20} MB")

    def summary(self, state: str, error: str | None) -> Summary:
        """Return what was read in all."""
        return Summary(
            state=state,
            error=error,
            root=self._root,
            suite_count=self._suite_count,
            case_count=self._results.total(),
            result_counts=dict(self._results),
            declared_count=self._declared,
            reported_at=self._reported_at,
        )

    def _begin_report(self, root: str) -> None:
        self._root = root[:MAX_MESSAGE]
        if root not in _ROOTS:
            raise ReportError("not_junit", f"not a JUnit report: its root is <{self._root}>")

    def _begin_suite(self, attributes: dict[str, str]) -> None:
        self._suite_count += 1
        self._reported_at = self._reported_at or _text(attributes.get("timestamp"), MAX_MESSAGE)
        declared = _number(attributes.get("tests"))
        if not self._suites and declared is not None:  # an inner suite is counted in the outer one
            self._declared = (self._declared or 0) + declared
        self._suites.append(_text(attributes.get("name"), MAX_NAME))

    def _end_case(self, attributes: dict[str, str]) -> None:
        if self._results.total() >= MAX_CASES:
            raise ReportError("refused", f"it holds more than {MAX_CASES:,} cases; the first of them are kept")
        suite = " / ".join(name for name in self._suites if name)[:MAX_NAME] or None
        class_name = _text(attributes.get("classname") or attributes.get("class"), MAX_NAME)
        name = _text(attributes.get("name"), MAX_NAME) or ""
        key = hash((class_name or suite, name))
        self._seen[key] += 1
        result, proof = self._verdict(attributes)
        self._results[result] += 1
        self._ended.append(
            TestCase(
                suite=suite,
                class_name=class_name,
                name=name,
                ordinal=self._seen[key],
                result=result,
                duration_seconds=parse_seconds(attributes.get("time")),
                rerun_count=sum(1 for one in self._found if one.element in _RERUNS),
                failure_type=proof.kind if proof else None,
                message=proof.message if proof else None,
                file=_text(attributes.get("file"), MAX_NAME),
                line=_number(attributes.get("line")),
            )
        )

    def _verdict(self, attributes: dict[str, str]) -> tuple[str, _Evidence | None]:
        """Return how a case ended and the element that says so, or what failed before it passed."""
        graded = [(_GRAVITY.index(_RESULTS[one.element]), one) for one in self._found if one.element in _RESULTS]
        if graded:
            gravity, proof = max(graded, key=lambda pair: pair[0])
            return _GRAVITY[gravity], proof
        if attributes.get("status", "").lower() in _NOT_RUN:
            return "skipped", None
        return "passed", self._found[0] if self._found else None


def _text(value: str | None, length: int) -> str | None:
    return (value or "").strip()[:length].strip() or None


def _number(value: str | None) -> int | None:
    text = (value or "").strip()
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None  # noqa: PLR2004  # fits 32 bits
