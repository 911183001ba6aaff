-- What do we spend on runners each month, and how much of it is wasted?
-- The newest month is not over.
select
    date_trunc('month', day)::date as month,
    coalesce(team, repository) as team_or_repository,
    round(sum(cost_usd), 2) as cost_usd,
    round(sum(waste_usd), 2) as waste_usd,
    sum(unpriced_count) as jobs_without_price
from marts.costs_daily
group by all
order by month, cost_usd desc nulls last
