"""The workflows that lost most time and failed most often, and what their failures were."""

from phoenix_metrics import words
from phoenix_metrics.report.book import Book, Row
from phoenix_metrics.report.document import (
    Block,
    Cell,
    Column,
    Paragraph,
    Range,
    Section,
    Sentence,
    Share,
    Table,
    cell,
    enumerated,
    link,
    name,
    paragraph,
    remark,
    rest,
    said,
    strong,
)
from phoenix_metrics.report.figures import VERDICTS, interval
from phoenix_metrics.words import FEW, counted, listed

SHOWN, FAILING, CLASSES = 8, 3, 8

_WORKFLOWS = """
    with figures as (
        select *
        from marts.period_comparisons
        where scope = 'workflow' and days = $days and sample_count > 0
    ),

    newest as (
        select
            repository,
            workflow,
            max_by(html_url, (created_at, run_id)) as failed_url,
            max_by(run_number, (created_at, run_id)) as failed_number
        from marts.workflow_runs
        where day >= $start and day < $end and outcome = 'failure'
        group by repository, workflow
    )

    select
        failed.repository,
        failed.workflow,
        failed.value as failure_ratio,
        failed.value_low,
        failed.value_high,
        failed.sample_count,
        failed.verdict,
        failed.difference,
        lost.value as lost_seconds,
        lost.value / nullif(sum(lost.value) over (), 0) as lost_ratio,
        slow.value as duration_p95,
        newest.failed_url,
        newest.failed_number,
        max(failed.value_high) over () as high_most,
        failed.value > $limit and failed.sample_count >= $min_runs as is_above,
        count(*) over () as workflow_count
    from (select * from figures where figure = 'failure_ratio') as failed
    left join (select * from figures where figure = 'lost_seconds') as lost
        on lost.repository = failed.repository and lost.workflow = failed.workflow
    left join (select * from figures where figure = 'duration_p95') as slow
        on slow.repository = failed.repository and slow.workflow = failed.workflow
    left join newest on newest.repository = failed.repository and newest.workflow = failed.workflow
    order by lost.value desc nulls last, failed.value_low desc, failed.repository, failed.workflow
"""
_CLASSES = """
    select
        failure_class,
        sum(job_count) as job_count,
        sum(job_count) / nullif(sum(sum(job_count)) over (), 0) as job_ratio,
        sum(sum(job_count)) over () as all_count,
        sum(lost_minutes) as lost_minutes,
        sum(lost_usd) as lost_usd,
        sum(attempt_count) as attempt_count
    from marts.failure_classes_daily
    where day >= $start and day < $end
    group by failure_class
    order by job_count desc, attempt_count desc, failure_class
"""
_NEWEST = """
    select failure_class, max_by(html_url, (completed_at, job_id)) as url
    from marts.jobs
    where day >= $start and day < $end and failure_class is not null
    group by failure_class
"""


def section(book: Book) -> Section:
    """Return the workflows by time lost, those that fail most often, and why failures failed."""
    found = _workflows(book)
    if not found:
        nothing = f"No run that was created from {book.runs} succeeded or failed."
        return Section("workflows", "Workflows that failed", (paragraph(nothing),))
    return Section("workflows", "Workflows that failed", (*_worst(found), *_remark(book), *_causes(book)))


def above_limit(book: Book) -> list[Row]:
    """Return the workflows whose failure ratio is above PHOENIX_FAILURE_RATIO, the surest first."""
    return sorted((row for row in _workflows(book) if row["is_above"]), key=lambda row: -row["value_low"])


def _workflows(book: Book) -> list[Row]:
    limits = {"limit": book.settings.failure_ratio, "min_runs": book.settings.failure_min_runs}
    return book.ask(_WORKFLOWS, **limits)


def _worst(found: list[Row]) -> list[Block]:
    failed = [row for row in found if row["failure_ratio"] or row["lost_seconds"]]
    if not failed:
        return [paragraph(f"No run of {counted(len(found), 'workflow')} failed, and no attempt was in vain.")]
    columns = (
        Column("Workflow"),
        Column("Job time lost", is_number=True),
        Column("Failure ratio", is_number=True),
        Column("n", is_number=True),
        Column("Against before"),
        Column("Duration, p95", is_number=True),
        Column("Newest failure"),
    )
    blocks: list[Block] = [Table("Workflows by job time lost", columns, tuple(_row(row) for row in failed[:SHOWN]))]
    return [*blocks, *rest(len(failed) - SHOWN, "workflow", "marts.period_comparisons"), *_most_often(found)]


def _row(row: Row) -> tuple[Cell, ...]:
    most = row["high_most"]
    text, tone = VERDICTS[row["verdict"]]
    arrow = ("▲ " if row["difference"] > 0 else "▼ ") if tone else ""
    return (
        cell(subject(row)),
        cell(
            words.duration(row["lost_seconds"]),
            said(f"{words.ratio(row['lost_ratio'])} of all") if row["lost_ratio"] is not None else (),
        ),
        cell(
            words.ratio(row["failure_ratio"]),
            interval(row["value_low"], row["value_high"], words.ratio),
            "worse" if row["is_above"] else "",
            Range(row["value_low"] / most, row["failure_ratio"] / most, row["value_high"] / most),
        ),
        cell(said(words.count(row["sample_count"]), f", fewer than {FEW}" if row["sample_count"] < FEW else "")),
        cell(f"{arrow}{text}", tone=tone),
        cell(words.duration(row["duration_p95"])),
        cell(link(f"run #{row['failed_number']}", row["failed_url"]) if row["failed_url"] else words.NOTHING),
    )


def subject(row: Row) -> Sentence:
    """Return a workflow's name with its repository's."""
    return said(name(f"{row['repository']} · {row['workflow']}"))


def _most_often(found: list[Row]) -> list[Block]:
    often = sorted(
        (row for row in found if row["sample_count"] >= FEW and row["failure_ratio"]), key=lambda row: -row["value_low"]
    )
    told = [
        said(
            subject(row),
            f", {words.ratio(row['failure_ratio'])} (",
            interval(row["value_low"], row["value_high"], words.ratio),
            f") of {counted(row['sample_count'], 'run')}",
        )
        for row in often[:FAILING]
    ]
    if not told:
        return [paragraph(f"Which of them fails most often cannot be said: they have fewer than {FEW} runs.")]
    if len(told) == 1:  # the table says it
        return []
    return [paragraph(strong("Failed most often"), ", by the lower end of the interval: ", enumerated(told), ".")]


def _remark(book: Book) -> list[Block]:
    limit, least = words.ratio(book.settings.failure_ratio), counted(book.settings.failure_min_runs, "run")
    return [
        remark(
            "Failures among runs that succeeded or failed, final attempts, with Wilson's interval of 95 %, widened "
            "by as much as days differ; n counts these runs. Job time lost: all attempts that failed or were "
            f"cancelled. Marked is what lies above {limit} on at least {least}."
        )
    ]


def _causes(book: Book) -> list[Block]:
    classes = book.ask(_CLASSES)
    if not classes:
        return [paragraph("No failed job is known, so there is nothing to explain.")]
    pages = {row["failure_class"]: row["url"] for row in book.ask(_NEWEST)}
    known = [row for row in classes if row["job_count"]]
    blocks: list[Block] = [_told(classes)]
    if known:
        columns = (
            Column("Class"),
            Column("Jobs", is_number=True),
            Column("Share", is_number=True),
            Column("Billed", is_number=True),
            Column("List price", is_number=True),
            Column("Newest"),
        )
        rows = tuple(_cause(row, pages.get(row["failure_class"])) for row in known[:CLASSES])
        blocks.append(Table("Failed jobs by class", columns, rows))
        if len(known) > CLASSES:
            seldom = [said(name(row["failure_class"].replace("_", " "))) for row in known[CLASSES:]]
            blocks.append(paragraph("More seldom: ", enumerated(seldom, ", "), "."))
    return blocks


def _told(classes: list[Row]) -> Paragraph:
    everything = classes[0]["all_count"] or 0
    unclassified = next((row for row in classes if row["failure_class"] == "unclassified"), None)
    unexplained = (
        f"{words.count(unclassified['job_count'])} of them ({words.ratio(unclassified['job_ratio'])}) fit no rule."
        if unclassified and unclassified["job_count"]
        else "A rule explains each of them."
    )
    without = [row for row in classes if not row["job_count"]]
    jobless = [f"{words.count(row['attempt_count'])} ({row['failure_class'].replace('_', ' ')})" for row in without]
    return paragraph(
        strong("Why"),
        f": {counted(everything, 'execution')} of jobs failed or ended at a time-out. ",
        unexplained if everything else "",
        f" Attempts of runs that failed without a job: {listed(jobless)}." if jobless else "",
    )


def _cause(row: Row, url: str | None) -> tuple[Cell, ...]:
    return (
        cell(name(row["failure_class"].replace("_", " "))),
        cell(words.count(row["job_count"])),
        cell(words.ratio(row["job_ratio"]), mark=Share(row["job_ratio"])),
        cell(words.minutes(row["lost_minutes"])),
        cell(words.usd(row["lost_usd"])),
        cell(link("job", url) if url else words.NOTHING),
    )
