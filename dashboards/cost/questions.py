"""What the Cost page asks: costs by the day of a run's creation, use by the job's day, waste, budgets and the bill.

List price and billed amount are two numbers: the first is of marts.costs_daily and its kin, the second only of
marts.billing_reconciliation. Days are whole days of UTC, save the last of the previous period, which is cut at the time
of day at which the current one ends.
"""

import re
from datetime import date, timedelta

import pandas as pd

from dashboards.data import ask
from dashboards.scope import Scope, matching

KEYS = {"Team": "team", "Repository": "repository", "Workflow": "repository, workflow", "Runner": "runner_sku"}
UNITS = ("Day", "Week")

_SUMS = """
    cast(sum(job_count) as bigint) as job_count,
    cast(sum(unpriced_count) as bigint) as unpriced_count,
    cast(sum(billed_minutes) as bigint) as billed_minutes,
    cast(sum(cost_usd) as double) as cost_usd
"""
_COSTS = f"{_SUMS}, cast(sum(waste_usd) as double) as waste_usd"
_DEAREST_FIRST = "cost_usd desc nulls last, billed_minutes desc nulls last"


def totals(scope: Scope) -> pd.DataFrame:
    """Return jobs, minutes, list price and waste of both periods; a period without a job has no row."""
    return _ask(f"{_both_periods(scope)} select period, {_COSTS} from costs group by period", scope)


def over_time(scope: Scope, unit: str) -> pd.DataFrame:
    """Return the same of each day or week of the period; weeks begin on Monday, the first and last may be cut."""
    return _ask(
        f"""
        select cast(date_trunc('{unit.lower()}', day) as timestamp) as bucket, {_COSTS}
        from marts.costs_daily
        where day >= $start and {_filters(scope)}
        group by bucket
        order by bucket
        """,
        scope,
    )


def breakdown(scope: Scope, by: str, limit: int) -> pd.DataFrame:
    """Return what costs most by one of KEYS, with the period before and how many groups there are in all."""
    keys = KEYS[by]
    return _ask(
        f"""
        {_both_periods(scope)},
        grouped as (
            select {keys}, {_COSTS} from costs where period = 'current' group by {keys}
        ),
        earlier as (
            select {keys}, cast(sum(cost_usd) as double) as previous_usd
            from costs where period = 'previous' group by {keys}
        )
        select *, count(*) over () as group_count
        from grouped left join earlier using ({keys})
        order by {_DEAREST_FIRST}, {keys}
        limit {limit:d}
        """,
        scope,
    )


def trends(scope: Scope, by: str, limit: int) -> pd.DataFrame:
    """Return the daily cost of the groups that cost most."""
    keys, days = KEYS[by], f"marts.costs_daily where day >= $start and {_filters(scope)}"
    shown = keys.replace("team", "coalesce(team, '') as team")
    return _ask(
        f"""
        with days as (select {shown}, day, billed_minutes, cost_usd from {days}),
        dearest as (
            select {keys}, sum(billed_minutes) as billed_minutes, sum(cost_usd) as cost_usd
            from days group by {keys}
            order by {_DEAREST_FIRST}, {keys}
            limit {limit:d}
        )
        select {keys}, cast(day as timestamp) as bucket, cast(sum(days.cost_usd) as double) as cost_usd
        from days semi join dearest using ({keys})
        group by {keys}, day
        """,
        scope,
    )


def free_minutes(scope: Scope) -> int:
    """Return the minutes of the period that GitHub does not charge whatever their list price."""
    frame = _ask(
        f"""
        select cast(coalesce(sum(billed_minutes), 0) as bigint) as billed_minutes
        from marts.usage_daily
        where day >= $start and price_basis = 'free' and {_filters(scope)}
        """,
        scope,
    )
    return int(frame["billed_minutes"].iloc[0])


def undetailed(scope: Scope) -> int:
    """Return how many ended runs of the period have no jobs yet, so that their cost is missing."""
    frame = _ask(
        f"""
        select cast(coalesce(sum(undetailed_count), 0) as bigint) as run_count
        from marts.workflow_daily
        where day >= $start and {_filters(scope)}
        """,
        scope,
    )
    return int(frame["run_count"].iloc[0])


def first_day(scope: Scope) -> date | None:
    """Return the first day that cost anything or used any minute, whatever the period."""
    first = _ask(f"select cast(min(day) as timestamp) as day from marts.costs_daily where {_filters(scope)}", scope)[
        "day"
    ].iloc[0]
    return None if pd.isna(first) else first.date()


def newest_day(scope: Scope) -> date | None:
    """Return the newest day that cost anything or used any minute, whatever the period."""
    newest = _ask(f"select cast(max(day) as timestamp) as day from marts.costs_daily where {_filters(scope)}", scope)[
        "day"
    ].iloc[0]
    return None if pd.isna(newest) else newest.date()


def waste_classes(scope: Scope) -> pd.DataFrame:
    """Return jobs, minutes and list price by what came of the work, the dearest first; none if it was not wasted."""
    return _ask(
        f"""
        select waste_class, {_SUMS}
        from marts.waste_classes_daily
        where day >= $start and {_filters(scope)}
        group by waste_class
        order by {_DEAREST_FIRST}, waste_class
        """,
        scope,
    )


def wasted_jobs(scope: Scope, waste_class: str, limit: int) -> pd.DataFrame:
    """Return the dearest wasted jobs of a class, each with the page of the run or job that shows why."""
    return _ask(
        f"""
        with examples as (
            select job_id, run_id, repository, workflow, job, html_url, completed_at, billed_minutes,
                cast(cost_usd as double) as cost_usd
            from marts.jobs
            where day >= $start and waste_class = $waste_class and outcome <> 'open'
                and billed_minutes is distinct from 0 and {_filters(scope)}
            order by {_DEAREST_FIRST}, job_id
            limit {limit:d}
        )
        select examples.*, wasted.because_at, coalesce(newer.html_url, other.html_url) as because_url
        from examples
        left join marts.wasted_jobs as wasted on wasted.job_id = examples.job_id
        left join marts.workflow_runs as newer on newer.run_id = wasted.because_run_id and newer.day >= $start
        left join marts.jobs as other on other.job_id = wasted.because_job_id and other.day >= $start
        order by {_DEAREST_FIRST}, job_id
        """,
        scope,
        waste_class=waste_class,
    )


def unpriced(scope: Scope) -> pd.DataFrame:
    """Return the jobs of the period whose cost is not known, by runner and reason, the most first."""
    return _ask(
        f"""
        select runner, unpriced_reason, cast(sum(job_count) as bigint) as job_count,
            cast(sum(billed_minutes) as bigint) as billed_minutes, count(distinct repository) as repository_count
        from marts.unpriced_daily
        where day >= $start and {_filters(scope)}
        group by runner, unpriced_reason
        order by job_count desc, runner, unpriced_reason
        """,
        scope,
    )


def budgets() -> pd.DataFrame:
    """Return every budget of the month, the one for all first, then those that are spent most."""
    return ask("select * from marts.budgets order by scope <> 'total', spent_ratio desc nulls last, scope, subject")


def budget_days(scope: str, subject: str) -> pd.DataFrame:
    """Return a budget through its month."""
    return ask(
        """
        select cast(day as timestamp) as day, budget_usd, cost_usd, spent_usd, forecast_usd
        from marts.budget_days
        where scope = $scope and subject = $subject
        order by day
        """,
        {"scope": scope, "subject": subject},
    )


def bill_days(scope: Scope) -> tuple[date, date] | None:
    """Return the first and the last day that the bill tells of and that are over, None without a bill by day."""
    frame = _ask(
        """
        select cast(min(starts_on) as timestamp) as first_on, cast(max(starts_on) as timestamp) as last_on
        from marts.billing_reconciliation
        where period = 'day' and starts_on < $this_day
        """,
        scope,
    )
    first, last = frame["first_on"].iloc[0], frame["last_on"].iloc[0]
    return None if pd.isna(first) else (first.date(), last.date())


def bill_totals(scope: Scope, last: date) -> pd.DataFrame:
    """Return what GitHub billed in the days of the period up to a last one, and in as many of the one before."""
    return _ask(
        f"""
        select case when starts_on >= $start then 'current' else 'previous' end as period,
            sum(billed_gross_usd) as billed_gross_usd,
            sum(billed_discount_usd) as billed_discount_usd,
            sum(billed_net_usd) as billed_net_usd,
            coalesce(sum(billed_net_usd) filter (where not is_measured), 0) as unmeasured_usd,
            count(distinct starts_on) as day_count
        from marts.billing_reconciliation
        where period = 'day' and {_filters(scope)}
            and (starts_on between $start and $last or starts_on between $previous_start and $previous_last)
        group by 1
        """,
        scope,
        last=last,
        previous_last=last - scope.period.length,
    )


def bill_course(scope: Scope, last: date) -> pd.DataFrame:
    """Return our list price and the bill before discounts of each day, of repositories that are measured."""
    return _ask(
        f"""
        select cast(starts_on as timestamp) as bucket, cast(sum(cost_usd) as double) as cost_usd,
            sum(billed_gross_usd) as billed_gross_usd, sum(billed_net_usd) as billed_net_usd,
            bool_and(is_settled) as is_settled
        from marts.billing_reconciliation
        where period = 'day' and is_measured and starts_on between $start and $last and {_filters(scope)}
        group by starts_on
        order by starts_on
        """,
        scope,
        last=last,
    )


def bill_by_sku(scope: Scope, last: date) -> pd.DataFrame:
    """Return our figures beside the bill's by what runners are billed as; what is not measured stands apart."""
    return _ask(
        f"""
        select is_measured, sku, {_BILL}
        from marts.billing_reconciliation
        where period = 'day' and starts_on between $start and $last and {_filters(scope)}
        group by is_measured, sku
        order by is_measured desc, billed_gross_usd desc, sku
        """,
        scope,
        last=last,
    )


def bill_by_month(scope: Scope) -> pd.DataFrame:
    """Return the same by month of the whole organisation, where GitHub gives only that."""
    return _ask(
        f"""
        select starts_on, sku, {_BILL}
        from marts.billing_reconciliation
        where period = 'month' and starts_on >= date_trunc('month', $start)
        group by starts_on, sku
        order by starts_on desc, billed_gross_usd desc, sku
        """,
        scope,
    )


def bill_trouble() -> str | None:
    """Return why GitHub's bill could not be read at its newest visit, None if nothing is known against it."""
    frame = ask("select note, state from marts.data_health where source = 'github_billing' order by subject limit 1")
    return None if frame.empty else str(frame["note"].iloc[0] or frame["state"].iloc[0])


def runners(scope: Scope) -> pd.DataFrame:
    """Return the runners of the period of which it is known what they are billed as, the dearest first."""
    return _ask(
        f"""
        select runner_sku, {_COSTS}
        from marts.costs_daily
        where day >= $start and runner_sku <> 'unknown' and {_filters(scope)}
        group by runner_sku
        order by {_DEAREST_FIRST}, runner_sku
        """,
        scope,
    )


def price_book(scope: Scope) -> pd.DataFrame:
    """Return the prices that hold on the day of the snapshot."""
    return _ask(
        """
        select sku, kind, cast(usd_per_minute as double) as usd_per_minute, source
        from marts.runner_prices
        where valid_from <= $this_day and coalesce(valid_to >= $this_day, true)
        order by sku
        """,
        scope,
    )


def replacements(scope: Scope, runner: str, factor: float) -> pd.DataFrame:
    """Return what the jobs of a runner would have cost on each runner of the price book.

    Every job is rounded up by itself, after its duration was multiplied by the factor, at the price of the day on which
    it began. Jobs whose cost is not known are left out on both sides. `changed_usd` is none where a price is missing
    on a day, or where it is not known whether GitHub would charge.
    """
    return _ask(
        f"""
        with used as ({_used(scope, factor)}),
        groups as (
            select used.used_on, used.price_basis, teams.is_private, sum(used.job_count) as job_count,
                sum(used.billed_minutes) as billed_minutes, sum(used.changed_minutes) as changed_minutes,
                sum(used.cost_usd) as cost_usd
            from used left join marts.repository_teams as teams using (repository)
            group by all
        ),
        charged as (
            select runners.sku, runners.kind, groups.*,
                case
                    when price_basis = 'free' and is_private then 0  -- a workflow that GitHub runs itself
                    when runners.kind = 'standard' and not is_private then 0
                    when runners.kind = 'standard' and is_private is null then null
                    else changed_minutes * prices.usd_per_minute
                end as changed_usd
            from groups
            cross join (select distinct sku, kind from marts.runner_prices) as runners
            left join marts.runner_prices as prices
                on prices.sku = runners.sku and groups.used_on >= prices.valid_from
                and (prices.valid_to is null or groups.used_on <= prices.valid_to)
        )
        select sku, kind, cast(sum(job_count) as bigint) as job_count,
            cast(sum(billed_minutes) as bigint) as billed_minutes,
            cast(sum(changed_minutes) as bigint) as changed_minutes,
            cast(sum(cost_usd) as double) as cost_usd,
            case when count(*) = count(changed_usd) then cast(sum(changed_usd) as double) end as changed_usd
        from charged
        group by sku, kind
        order by changed_usd nulls last, sku
        """,
        scope,
        runner=runner,
        **({} if factor == 1 else {"factor": factor}),
    )


_BILL = """
    cast(sum(minutes) as bigint) as minutes,
    cast(sum(cost_usd) as double) as cost_usd,
    sum(billed_minutes) as billed_minutes,
    sum(billed_gross_usd) as billed_gross_usd,
    sum(billed_discount_usd) as billed_discount_usd,
    sum(billed_net_usd) as billed_net_usd,
    sum(drift_minutes) as drift_minutes,
    sum(drift_usd) as drift_usd
"""


def _used(scope: Scope, factor: float) -> str:
    """Return the use of a runner: from the daily sums, or job by job where another duration rounds up otherwise."""
    if factor == 1:
        return f"""
            select used_on, repository, price_basis, job_count - unpriced_count as job_count, billed_minutes,
                billed_minutes as changed_minutes, cost_usd
            from marts.usage_daily
            where day >= $start and runner_sku = $runner and price_basis <> 'unknown' and {_filters(scope)}
        """
    return f"""
        select coalesce(cast(started_at as date), day) as used_on, repository, price_basis, 1 as job_count,
            billed_minutes, greatest(ceil(duration_seconds * $factor / 60), 1) as changed_minutes, cost_usd
        from marts.jobs
        where day >= $start and runner_sku = $runner and cost_usd is not null and billed_minutes > 0
            and {_filters(scope)}
    """


def _both_periods(scope: Scope) -> str:
    return f"""
        with costs as (
            select case when day >= $start then 'current' else 'previous' end as period, coalesce(team, '') as team,
                repository, workflow, runner_sku, job_count, unpriced_count, billed_minutes, cost_usd, waste_usd
            from marts.costs_daily
            where day >= $previous_start and day <> $cut_day and {_filters(scope)}
            union all  -- of the day on which the previous period ends, what was created by the same time of day
            select 'previous', coalesce(teams.team, ''), jobs.repository, jobs.workflow,
                coalesce(jobs.runner_sku, 'unknown'), 1, case when jobs.cost_usd is null then 1 else 0 end,
                jobs.billed_minutes, jobs.cost_usd, case when jobs.waste_class is not null then jobs.cost_usd end
            from (
                select * from marts.jobs
                where day = $cut_day and outcome <> 'open' and billed_minutes is distinct from 0 and {_filters(scope)}
            ) as jobs
            inner join marts.workflow_runs as runs
                on runs.run_id = jobs.run_id and runs.day = $cut_day and runs.created_at < $previous_end
            left join marts.repository_teams as teams on teams.repository = jobs.repository
        )
    """


def _filters(scope: Scope) -> str:
    return matching(scope.filters, scope.team)


def _ask(query: str, scope: Scope, **more: object) -> pd.DataFrame:
    """Ask with those of the scope's parameters that the query names."""
    period = scope.period
    known = {
        "start": period.start.date(),
        "this_day": period.end.date(),
        "previous_start": period.previous.start.date(),
        "previous_end": period.previous.end,
        "cut_day": (period.start - timedelta(days=1)).date(),
        "team": scope.team,
        **scope.filters,
        **more,
    }
    return ask(query, {name: value for name, value in known.items() if re.search(rf"\${name}\b", query)})
