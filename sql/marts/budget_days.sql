/*
Budgets through their month, day by day: what was spent by the end of each day, and what will have been by the forecast.

Grain: scope, subject, day
Rows for every day of the month, also where nothing was spent. Spent is as in marts.budgets. The forecast begins on the
day of the newest pass with what that day will come to, and adds the usual of a day for each that follows; on the month's last day it is
marts.budgets.forecast_usd.
*/
with months as (
    select
        scope,
        subject,
        budget_usd,
        daily_usd,
        forecast_usd,
        cast(as_of as date) as this_day,
        cast(month + interval 1 month as date) as next_month,
        cast(unnest(generate_series(cast(month as timestamp), month + interval 1 month - interval 1 day, interval 1 day)) as date) as day
    from marts.budgets
),

days as (
    select
        months.*,
        date_diff('day', months.day, months.next_month) - 1 as days_left,
        coalesce(spent.cost_usd, 0) as cost_usd,
        coalesce(spent.unpriced_count, 0) as unpriced_count
    from months
    left join marts.budget_spending as spent
        on spent.scope = months.scope
        and spent.subject = months.subject
        and spent.used_on = months.day
)
select
    scope,                                                                                        -- What the budget is for. #not_null #in(total, team, repository)
    subject,                                                                                      -- Which team, or which repositories; total for all. #not_null
    day,                                                                                          -- Day of the month, UTC. #not_null
    budget_usd,                                                                                   -- USD a month. #not_null
    case when day <= this_day then cast(cost_usd as double) end as cost_usd,                      -- USD of the day, as far as known; NULL for days to come.
    case when day <= this_day then cast(unpriced_count as bigint) end as unpriced_count,          -- Jobs of the day whose cost is not known; NULL for days to come.
    case
        when day <= this_day
            then round(cast(sum(cost_usd) over (partition by scope, subject order by day) as double), 6)
    end as spent_usd,                                                                             -- USD of the month by the end of the day; NULL for days to come.
    case when day >= this_day then round(forecast_usd - daily_usd * days_left, 6) end as forecast_usd  -- USD of the month by then, as forecast; NULL for days that are over.
from days
