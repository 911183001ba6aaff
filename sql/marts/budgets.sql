/*
Monthly budgets of phoenix.toml: what is spent, what the month will come to, and the day on which the budget is or will be crossed.

Grain: scope, subject
Spent is the cost of the jobs that began in the month, before discounts, up to the newest pass of ingestion. The forecast is what was spent on
the month's full days, plus the usual for today (or what today has cost already, if that is more) and for each day that is left. The usual is
the mean over the last 28 full days, four of each weekday, or over as many as there are since the first job. A plain forecast: it knows
neither growth nor holidays.
*/
with clock as (
    select
        max(finished_at) as as_of,
        cast(max(finished_at) as date) as this_day,
        cast(date_trunc('month', max(finished_at)) as date) as month,
        cast(date_trunc('month', max(finished_at)) + interval 1 month as date) as next_month
    from staging.github_syncs
),

days as (
    select
        spent.scope,
        spent.subject,
        spent.used_on,
        spent.cost_usd,
        spent.unpriced_count,
        clock.month,
        clock.this_day,
        sum(case when used_on >= month then cost_usd end) over (partition by scope, subject order by used_on) as spent_by_then
    from marts.budget_spending as spent
    cross join clock
    where used_on <= this_day
),

totals as (
    select
        limits.scope,
        limits.subject,
        cast(limits.usd_per_month as double) as budget_usd,
        cast(coalesce(sum(case when days.used_on >= days.month then days.cost_usd end), 0) as double) as spent_usd,
        cast(coalesce(sum(case when days.used_on = days.this_day then days.cost_usd end), 0) as double) as this_day_usd,
        cast(coalesce(sum(case when days.used_on >= days.month then days.unpriced_count end), 0) as bigint) as unpriced_count,
        cast(sum(case when days.used_on < days.this_day and days.used_on >= days.this_day - 28 then days.cost_usd end) as double) as usual_usd,
        coalesce(date_diff('day', greatest(min(days.used_on), max(days.this_day) - 28), max(days.this_day)), 0) as sample_days,
        min(case when days.used_on >= days.month and days.spent_by_then > cast(limits.usd_per_month as double) then days.used_on end) as crossed_on
    from seeds.spending_limits as limits
    left join days on days.scope = limits.scope and days.subject = limits.subject
    group by limits.scope, limits.subject, limits.usd_per_month
),

usual as (
    select
        totals.*,
        clock.as_of,
        clock.this_day,
        clock.month,
        date_diff('day', clock.this_day, clock.next_month) - 1 as days_left,
        case when sample_days > 0 then coalesce(usual_usd, 0) / sample_days end as daily_usd
    from totals
    cross join clock
),

forecast as (
    select
        usual.*,
        spent_usd - this_day_usd + greatest(this_day_usd, coalesce(daily_usd, 0)) as by_tonight_usd
    from usual
)
select
    scope,                                                                                        -- What the budget is for. #not_null #in(total, team, repository)
    subject,                                                                                      -- Which team, or which repositories; total for all. #not_null
    month,                                                                                        -- First day of the month.
    as_of,                                                                                        -- End of the newest pass, UTC.
    budget_usd,                                                                                   -- USD a month. #not_null
    round(spent_usd, 6) as spent_usd,                                                             -- USD spent in the month so far, as far as known.
    spent_usd / nullif(budget_usd, 0) as spent_ratio,                                             -- Share of the budget.
    unpriced_count,                                                                               -- Jobs of the month whose cost is not known; the USD lack them.
    round(daily_usd, 6) as daily_usd,                                                             -- The usual of a day; NULL without a full day.
    sample_days,                                                                                  -- Full days that it is the mean of.
    round(by_tonight_usd + daily_usd * days_left, 6) as forecast_usd,                             -- What the month will come to; NULL without a full day.
    crossed_on,                                                                                   -- Day on which the budget was crossed; NULL if it was not.
    case
        when crossed_on is not null then null
        when by_tonight_usd > budget_usd then this_day
        when daily_usd > 0 and floor((budget_usd - by_tonight_usd) / daily_usd) + 1 <= days_left
            then this_day + cast(floor((budget_usd - by_tonight_usd) / daily_usd) + 1 as integer)
    end as crosses_on                                                                             -- Day of this month on which it will be crossed; NULL if none or if it was.
from forecast
