/*
Queue time of jobs by kind of runner and by the hour in which they were created, over the last 7 days.

Grain: hour, runner
Percentiles are exact, over the jobs that a runner took (marts.jobs.queue_seconds); the others that were created in the hour are counted
as excluded: cancelled or skipped before a runner took them, still waiting, or with times that cannot be. Carried-over jobs count nowhere.
Jobs without a creation time, as before 2023, are excluded in the hour in which they started. The hour under way at the newest pass of
ingestion is left out. A label that names one run, as those of runners started for it do, would make a row for each run: numbers of
eight digits and more count as the same.
*/
with clock as (
    select date_trunc('hour', max(finished_at)) as until
    from staging.github_syncs
),

recent as (  -- by one column each: what a scan finds without looking at the history before
    select
        jobs.created_at as since,
        jobs.runner as labels,
        jobs.queue_seconds
    from marts.jobs as jobs
    cross join clock
    where not jobs.is_carried_over
        and jobs.created_at >= clock.until - interval 7 days
        and jobs.created_at < clock.until
    union all
    select
        jobs.started_at as since,
        jobs.runner as labels,
        null as queue_seconds
    from marts.jobs as jobs
    cross join clock
    where not jobs.is_carried_over
        and jobs.created_at is null
        and jobs.started_at >= clock.until - interval 7 days
        and jobs.started_at < clock.until
),

kinds as (
    select
        labels,
        regexp_replace(labels, '[0-9]{8,}', '*', 'g') as runner
    from (select distinct labels from recent) as named
),

waited as (
    select
        date_trunc('hour', recent.since) as hour,
        kinds.runner,
        recent.queue_seconds
    from recent
    inner join kinds on kinds.labels = recent.labels
)
select
    hour,                                                                    -- The hour begins here, UTC. #not_null
    runner,                                                                  -- Kind of runner: its labels, else its group. #not_null
    count(queue_seconds) as job_count,                                       -- Jobs that the figures rest on.
    count(*) - count(queue_seconds) as excluded_count,                       -- Jobs without a queue time.
    quantile_cont(queue_seconds, 0.5) as queue_p50_seconds,                  -- Median queue time.
    quantile_cont(queue_seconds, 0.95) as queue_p95_seconds,                 -- 95th percentile of queue time.
    max(queue_seconds) as queue_max_seconds                                  -- Longest queue time.
from waited
group by hour, runner
