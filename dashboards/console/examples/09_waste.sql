-- On what is money wasted?
select
    waste_class,
    round(sum(cost_usd), 2) as cost_usd,
    sum(job_count) as jobs,
    sum(billed_minutes) as minutes,
    sum(unpriced_count) as jobs_without_price
from marts.waste_classes_daily
where waste_class <> 'none'
    and day > (select max(day) from marts.waste_classes_daily) - 30
group by waste_class
order by cost_usd desc nulls last
