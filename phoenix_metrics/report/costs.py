"""What it cost, what of that was wasted and why, and how far the budgets go."""

from phoenix_metrics import words
from phoenix_metrics.report.book import Book, Row
from phoenix_metrics.report.document import (
    Block,
    Cell,
    Column,
    Paragraph,
    Remark,
    Section,
    Sentence,
    Share,
    Table,
    cell,
    code,
    enumerated,
    link,
    name,
    paragraph,
    remark,
    rest,
    said,
    strong,
)
from phoenix_metrics.report.figures import Comparison, totals
from phoenix_metrics.words import WASTES, counted

SHOWN = 5

_TOTALS = """
    select
        sum(job_count) as job_count,
        sum(unpriced_count) as unpriced_count,
        sum(billed_minutes) as billed_minutes,
        sum(cost_usd) as cost_usd,
        sum(waste_usd) / nullif(sum(cost_usd), 0) as waste_ratio
    from marts.costs_daily
    where day >= $start and day < $end
"""
_UNDETAILED = "select sum(undetailed_count) as run_count from marts.workflow_daily where day >= $start and day < $end"
_UNPRICED = """
    select runner, unpriced_reason, sum(job_count) as job_count
    from marts.unpriced_daily
    where day >= $start and day < $end
    group by runner, unpriced_reason
    order by job_count desc, runner, unpriced_reason
    limit 3
"""
_WASTE = """
    with spent as (
        unpivot (
            select
                sum(timeout_usd) as timeout,
                sum(flaky_usd) as flaky,
                sum(superseded_usd) as superseded,
                sum(fail_fast_usd) as fail_fast,
                sum(cancelled_usd) as cancelled,
                sum(rerun_usd) as rerun,
                sum(outdated_usd) as outdated
            from marts.costs_daily
            where day >= $start and day < $end
        )
        on timeout, flaky, superseded, fail_fast, cancelled, rerun, outdated
        into name waste_class value waste_usd
    ),

    wasted as (
        select
            jobs.waste_class,
            count(*) as job_count,
            sum(jobs.billed_minutes) as billed_minutes,
            max_by(jobs.html_url, (jobs.billed_minutes, jobs.job_id)) as url
        from marts.jobs as jobs
        where jobs.day >= $start and jobs.day < $end and jobs.waste_class is not null and jobs.outcome <> 'open'
        group by jobs.waste_class
    )

    select
        wasted.waste_class,
        wasted.job_count,
        wasted.billed_minutes,
        wasted.billed_minutes / nullif(sum(wasted.billed_minutes) over (), 0) as minutes_ratio,
        spent.waste_usd,
        wasted.url
    from wasted
    left join spent on spent.waste_class = wasted.waste_class
    order by spent.waste_usd desc nulls last, wasted.billed_minutes desc nulls last, wasted.waste_class
"""
_DEAREST = """
    with figures as (
        select * from marts.period_comparisons where scope = 'workflow' and days = $days
    )

    select
        minutes.repository,
        minutes.workflow,
        minutes.value as billed_minutes,
        minutes.value / nullif(sum(minutes.value) over (), 0) as minutes_ratio,
        cost.value as cost_usd,
        cost.previous_value as previous_usd,
        waste.value as waste_usd,
        count(*) over () as workflow_count
    from (select * from figures where figure = 'billed_minutes') as minutes
    left join (select * from figures where figure = 'cost_usd') as cost
        on cost.repository = minutes.repository and cost.workflow = minutes.workflow
    left join (select * from figures where figure = 'waste_usd') as waste
        on waste.repository = minutes.repository and waste.workflow = minutes.workflow
    where minutes.value > 0
    order by cost.value desc nulls last, minutes.value desc, minutes.repository, minutes.workflow
    limit $limit
"""
_BUDGETS = "select * from marts.budgets order by scope <> 'total', scope, subject"


def section(book: Book) -> Section:
    """Return cost, waste by class, the dearest workflows and the budgets."""
    found = book.ask_one(_TOTALS)
    if not found["job_count"]:
        return Section("costs", "Cost and waste", (_nothing(book), *_budgets(book)))
    spent = [*_told(book, found), *_dearest(book), *_waste(book)]
    return Section("costs", "Cost and waste", (*spent, *_budgets(book), _remark()))


def unpriced(book: Book) -> int:
    """Return how many jobs every USD of the period lacks, because they have no price."""
    return book.ask_one(_TOTALS)["unpriced_count"] or 0


def _nothing(book: Book) -> Paragraph:
    runs = book.ask_one(_UNDETAILED)["run_count"]
    if runs:
        return paragraph(f"What it cost cannot be said: the jobs of {counted(runs, 'run')} of these days are not read.")
    return paragraph(f"No job of a run that was created from {book.runs} was billed.")


def _told(book: Book, found: Row) -> list[Block]:
    compared = totals(book)
    cost, waste = compared.get("cost_usd"), compared.get("waste_usd")
    jobs = f"{counted(found['job_count'], 'job')} ({words.minutes(found['billed_minutes'])}, each job rounded up)"
    if found["cost_usd"] is None:
        lead = said(strong("The cost is not known"), f": of {jobs} none has a price.")
    else:
        lead = said(f"{jobs} cost ", strong(words.usd(found["cost_usd"])), _against(cost), ".")
    blocks: list[Block] = [paragraph(lead, _wasted(found, waste))]
    return [*blocks, *_unpriced(book, found)]


def _against(cost: Comparison | None) -> Sentence:
    if cost is None or not cost.difference_interval:
        return said(" (the days before cannot be compared)")
    return said(", ", cost.previous, " in the days before: ", cost.difference, " (", cost.difference_interval, ")")


def _wasted(found: Row, waste: Comparison | None) -> Sentence:
    if waste is None or found["waste_ratio"] is None:
        return ()
    return said(" ", strong(f"{words.usd(waste.row['value'])} of it wasted"), f", {words.ratio(found['waste_ratio'])}.")


def _unpriced(book: Book, found: Row) -> list[Block]:
    """Say how many jobs the sums lack: those without a price, and runs whose jobs are not read."""
    lacking: list[Block] = []
    if found["unpriced_count"]:
        shown = [
            said(name(row["runner"]), f" {words.count(row['job_count'])} ({row['unpriced_reason'].replace('_', ' ')})")
            for row in book.ask(_UNPRICED)
        ]
        jobs = counted(found["unpriced_count"], "job")
        lacking.append(
            paragraph(
                strong(f"{jobs} without a price"),
                " are missing in every USD here: ",
                enumerated(shown, ", "),
                ". ",
                code("[[runners]]"),
                " in phoenix.toml names prices of runners.",
            )
        )
    else:
        lacking.append(paragraph("Unpriced jobs: none."))
    runs = book.ask_one(_UNDETAILED)["run_count"]
    if runs:
        lacking.append(paragraph(f"The jobs of {counted(runs, 'ended run')} are not read; their cost is missing, too."))
    return lacking


def _dearest(book: Book) -> list[Block]:
    found = book.ask(_DEAREST, limit=SHOWN)
    if not found:
        return []
    columns = (
        Column("Workflow"),
        Column("Cost", is_number=True),
        Column("Before", is_number=True),
        Column("Wasted", is_number=True),
        Column("Billed", is_number=True),
        Column("Share of minutes", is_number=True),
    )
    rows = tuple(
        (
            cell(name(f"{row['repository']} · {row['workflow']}")),
            cell(words.usd(row["cost_usd"])),
            cell(words.usd(row["previous_usd"])),
            cell(words.usd(row["waste_usd"])),
            cell(words.minutes(row["billed_minutes"])),
            cell(words.ratio(row["minutes_ratio"]), mark=Share(row["minutes_ratio"])),
        )
        for row in found
    )
    table = Table("Dearest workflows", columns, rows)
    return [table, *rest(found[0]["workflow_count"] - len(found), "workflow", "marts.period_comparisons")]


def _waste(book: Book) -> list[Block]:
    found = book.ask(_WASTE)
    if not found:
        return [paragraph("No job's work came to nothing.")]
    columns = (
        Column("Jobs that were"),
        Column("Cost", is_number=True),
        Column("Jobs", is_number=True),
        Column("Billed", is_number=True),
        Column("Share of minutes", is_number=True),
        Column("Longest"),
    )
    rows = tuple(
        (
            cell(WASTES[row["waste_class"]], row["waste_class"]),
            cell(words.usd(row["waste_usd"])),
            cell(words.count(row["job_count"])),
            cell(words.minutes(row["billed_minutes"])),
            cell(words.ratio(row["minutes_ratio"]), mark=Share(row["minutes_ratio"] or 0)),
            cell(link("job", row["url"]) if row["url"] else words.NOTHING),
        )
        for row in found
    )
    return [Table("Waste by class", columns, rows)]


def _budgets(book: Book) -> list[Block]:
    found = book.ask(_BUDGETS)
    if not found:
        return [paragraph("No budget is set: ", code("[budgets]"), " in phoenix.toml sets one.")]
    columns = (
        Column("Budget"),
        Column("USD a month", is_number=True),
        Column("Spent so far", is_number=True),
        Column("Forecast", is_number=True),
        Column("Crossed"),
        Column("Unpriced jobs", is_number=True),
    )
    return [Table(f"Budgets of {found[0]['month']:%B %Y}", columns, tuple(_budget(row) for row in found))]


def _budget(row: Row) -> tuple[Cell, ...]:
    crossed, crosses = row["crossed_on"], row["crosses_on"]
    told = (
        f"on {words.day(crossed)}" if crossed else f"expected on {words.day(crosses)}" if crosses else "not this month"
    )
    subject = said("all") if row["scope"] == "total" else said(f"{row['scope']} ", name(row["subject"]))
    return (
        cell(subject),
        cell(words.usd(row["budget_usd"])),
        cell(words.usd(row["spent_usd"]), words.ratio(row["spent_ratio"]), mark=Share(min(row["spent_ratio"] or 0, 1))),
        cell(words.usd(row["forecast_usd"]) if row["forecast_usd"] is not None else "not yet"),
        cell(told, tone="worse" if crossed or crosses else ""),
        cell(words.count(row["unpriced_count"])),
    )


def _remark() -> Remark:
    return remark(
        "GitHub's list price, or that of phoenix.toml, of the jobs of the runs created in these days, before "
        "discounts and included minutes; a job counts in the first class that holds. Budgets count the jobs that "
        "began in the calendar month, up to the newest pass; a forecast knows neither growth nor holidays."
    )
