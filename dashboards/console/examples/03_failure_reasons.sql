-- Why did jobs fail in the last 30 days, and what did each reason cost?
select
    failure_class,
    sum(job_count) as failed_jobs,
    round(sum(lost_seconds) / 3600, 1) as lost_hours,
    sum(lost_usd) as lost_usd
from marts.failure_classes_daily
where day > (select cast(max(as_of) as date) from marts.source_freshness) - 30
group by failure_class
order by failed_jobs desc
