"""The flakiest jobs and tests, with the pages that prove it."""

from phoenix_metrics import words
from phoenix_metrics.report.book import Book, Row
from phoenix_metrics.report.document import (
    Block,
    Cell,
    Column,
    Range,
    Remark,
    Section,
    Sentence,
    Table,
    cell,
    code,
    link,
    name,
    paragraph,
    remark,
    rest,
    said,
)
from phoenix_metrics.report.figures import interval
from phoenix_metrics.words import FEW, counted

SHOWN = 6

_FLAKY = """
    select
        repository,
        workflow,
        {subject} as subject,
        {platform} as platform,
        flaky_count,
        observation_count,
        flaky_ratio,
        ratio_low,
        ratio_high,
        is_ranked,
        lost_minutes,
        last_seen_at,
        coalesce(first_seen_at >= $start, false) as is_new,
        failed_url,
        passed_url,
        max(ratio_high) over () as high_most,
        count(*) over () as subject_count
    from {table}
    where level in ('L1', 'L2', 'L3') and not is_healed
    order by is_ranked desc, score desc nulls last, last_seen_at desc, repository, workflow, subject, platform
    limit $limit
"""
_JOBS = _FLAKY.format(subject="job", platform="cast(null as varchar)", table="marts.flaky_jobs")
_TESTS = _FLAKY.format(subject="concat_ws(' · ', class, test)", platform="platform", table="marts.flaky_tests")
_SUSPECTS = """
    select
        count(*) filter (where level in ('L2x', 'L4') and not is_healed) as suspect_count,
        count(*) filter (where level in ('L1', 'L2') and is_healed) as healed_count,
        exists (select 1 from marts.job_daily where day >= cast($end as date) - 30) as has_jobs
    from marts.flaky_jobs
"""
_UNATTRIBUTED = "select count(*) as run_count from marts.unattributed_flakes"
_RESULTS = """
    select count(*) as result_count
    from (select 1 from marts.test_results where day >= cast($end as date) - 30 limit 1)
"""


def section(book: Book) -> Section:
    """Return the jobs and tests that are most likely to fail by chance."""
    blocks = [*_jobs(book), *_tests(book)]
    explained = [_remark()] if any(isinstance(block, Table) for block in blocks) else []
    return Section("flaky", "Flakiest jobs and tests", (*blocks, *explained))


def _jobs(book: Book) -> list[Block]:
    found, others = book.ask(_JOBS, limit=SHOWN), book.ask_one(_SUSPECTS)
    unattributed = book.ask_one(_UNATTRIBUTED)["run_count"]
    blocks: list[Block] = _table("Flakiest jobs", "Job", found)
    if not others["has_jobs"] and not found:
        blocks.append(paragraph("Which jobs are flaky cannot be said: no job of the last 30 days is known."))
    elif unattributed:
        blocks.append(
            paragraph(
                f"{counted(unattributed, 'run')} of the last 30 days of data failed and passed when run again, but "
                "which jobs it was cannot be said: of none of theirs both the failure and the pass are known."
            )
        )
    elif not found:
        blocks.append(paragraph("No job failed and passed on one commit in the last 30 days of data."))
    told = [
        f"{counted(others['suspect_count'], 'more job' if found else 'job')} may be flaky, by weaker evidence that "
        "counts nowhere"
        if others["suspect_count"]
        else "",
        f"{counted(others['healed_count'], 'job')} had no evidence for two weeks and passed since"
        if others["healed_count"]
        else "",
    ]
    if any(told):
        blocks.append(paragraph("; ".join(filter(None, told)) + "."))
    return blocks


def _tests(book: Book) -> list[Block]:
    if not book.ask_one(_RESULTS)["result_count"]:
        return [
            paragraph(
                "Which tests are flaky cannot be said: no test report of the last 30 days is read. Upload JUnit "
                "reports as artifacts whose names match ",
                code("PHOENIX_GITHUB_REPORTS"),
                ".",
            )
        ]
    found = book.ask(_TESTS, limit=SHOWN)
    if not found:
        return [paragraph("No test failed and passed on one commit and platform in the last 30 days of data.")]
    return _table("Flakiest tests", "Test", found)


def _table(title: str, noun: str, found: list[Row]) -> list[Block]:
    if not found:
        return []
    columns = (
        Column(noun),
        Column("Flaky at", is_number=True),
        Column("n", is_number=True),
        Column("Billed in vain", is_number=True),
        Column("Last evidence"),
        Column("Proof"),
    )
    table = Table(title, columns, tuple(_row(row) for row in found))
    return [table, *rest(found[0]["subject_count"] - len(found), noun.lower(), f"marts.flaky_{noun.lower()}s")]


def _row(row: Row) -> tuple[Cell, ...]:
    known = row["flaky_ratio"] is not None
    most = row["high_most"] or 1
    return (
        cell(name(row["subject"]), _where(row)),
        cell(
            words.ratio(row["flaky_ratio"]),
            interval(row["ratio_low"], row["ratio_high"], words.ratio),
            mark=Range(row["ratio_low"] / most, row["flaky_ratio"] / most, row["ratio_high"] / most) if known else None,
        ),
        cell(
            f"{words.count(row['flaky_count'])} of {counted(row['observation_count'], 'commit')}",
            "" if row["is_ranked"] else f"fewer than {FEW}",
        ),
        cell(words.minutes(row["lost_minutes"])),
        cell(words.moment(row["last_seen_at"]), "new in these days" if row["is_new"] else ""),
        cell(_proof(row)),
    )


def _where(row: Row) -> Sentence:
    platform = said(", on ", name(row["platform"])) if row["platform"] else ()
    return said(name(f"{row['repository']} · {row['workflow']}"), platform)


def _proof(row: Row) -> Sentence:
    if row["failed_url"] == row["passed_url"] or not row["passed_url"]:
        return said(link("failed, then passed", row["failed_url"]))
    return said(link("failed", row["failed_url"]), ", ", link("passed", row["passed_url"]))


def _remark() -> Remark:
    return remark(
        "Over the last 30 days of data, not only these days. Flaky at: commits at which it failed and passed for "
        "one event, of those at which it was decided, with Wilson's interval of 95 %; a lower bound, as what "
        f"nobody runs again cannot be proven. First those with {FEW} commits and more, by how likely they are to "
        "fail at a sound commit. Billed in vain: executions of jobs that failed by chance; tests may share one."
    )
