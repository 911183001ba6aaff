-- On what was money wasted in the last 30 days?
select
    waste_class,
    round(sum(cost_usd), 2) as cost_usd,
    sum(job_count) as jobs,
    sum(billed_minutes) as minutes,
    sum(unpriced_count) as jobs_without_price
from marts.waste_classes_daily
where waste_class <> 'none'
    and day > (select cast(max(as_of) as date) from marts.source_freshness) - 30
group by waste_class
order by cost_usd desc nulls last
