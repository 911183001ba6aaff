-- When do jobs wait longest for a runner?
select
    hour,
    runner,
    round(queue_p95_seconds, 1) as queue_p95_seconds,
    job_count
from marts.queue_hourly
where job_count > 0
order by hour, runner
