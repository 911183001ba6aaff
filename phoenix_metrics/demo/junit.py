"""The results of a suite as a JUnit report, with second tries in Surefire's words."""

from collections.abc import Iterable, Iterator
from xml.sax.saxutils import quoteattr

from phoenix_metrics.demo.suites import Result, by_class
from phoenix_metrics.demo.times import written


def junit(results: list[Result], started_at: int) -> str:
    """Return the report of a suite, a `testsuite` for each class."""
    return "".join(
        (
            '<?xml version="1.0" encoding="UTF-8"?>\n',
            f"<testsuites {_totals(results)}>\n",
            *_suites(results, started_at),
            "</testsuites>\n",
        )
    )


def _suites(results: list[Result], started_at: int) -> Iterator[str]:
    for class_name, found in by_class(results):
        stamp = written(started_at).rstrip("Z")
        yield f'  <testsuite name="{class_name}" timestamp="{stamp}" {_totals(found)}>\n'
        yield from (_case(result) for result in found)
        yield "  </testsuite>\n"


def _case(result: Result) -> str:
    names = f"classname={quoteattr(result.case.class_name)} name={quoteattr(result.case.name)}"
    opened = f'    <testcase {names} time="{result.seconds:.3f}"'
    if result.result == "skipped":
        return f'{opened}><skipped message="not on CI"/></testcase>\n'
    if result.message is None:
        return f"{opened}/>\n"
    element = "flakyFailure" if result.was_run_again else "failure"
    kind = "timeout" if result.case.is_flaky else "assertion"
    return f'{opened}><{element} type="{kind}" message={quoteattr(result.message)}/></testcase>\n'


def _totals(results: Iterable[Result]) -> str:
    known = list(results)
    failed = sum(result.result == "failed" for result in known)
    skipped = sum(result.result == "skipped" for result in known)
    seconds = sum(result.seconds for result in known)
    return f'tests="{len(known)}" failures="{failed}" errors="0" skipped="{skipped}" time="{seconds:.3f}"'
