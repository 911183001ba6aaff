/*
How many jobs ran and waited at the same time, by kind of runner and hour, over the last 7 days.

Grain: hour, runner
Exact: every start and end of a job is an event, and between two events nothing changes. A job counts in every hour in which it ran or
waited; one that ends in the second in which another starts does not run beside it. It waits from its creation to the start of its
execution, or to its end if it never ran. A job that has not ended runs, or waits, up to the newest pass of ingestion; the hour under way
then is left out. A kind of runner has a row for each hour from its first job on. Labels that name one run count as the same, as in
queue_hourly.
*/
with clock as (
    select
        date_trunc('hour', max(finished_at)) as until,
        date_trunc('hour', max(finished_at)) - interval 7 days as since
    from staging.github_syncs
),

alive as (  -- by one column each, so that a scan need not look at the history before
    select jobs.*
    from marts.jobs as jobs
    cross join clock
    where jobs.completed_at > clock.since
    union all
    select *
    from marts.jobs
    where completed_at is null
),

recent as (
    select
        alive.runner,
        alive.is_executed or (alive.outcome = 'open' and alive.status = 'in_progress') as is_running,
        alive.created_at,
        alive.started_at,
        coalesce(alive.completed_at, clock.until) as completed_at
    from alive
    cross join clock
    where not alive.is_carried_over
        and alive.outcome <> 'skipped'
        and coalesce(alive.created_at, alive.started_at) < clock.until
),

kinds as (  -- numbers are cheaper to group by than names
    select
        runner as labels,
        regexp_replace(runner, '[0-9]{8,}', '*', 'g') as runner,
        dense_rank() over (order by regexp_replace(runner, '[0-9]{8,}', '*', 'g')) as place
    from (select distinct runner from recent) as named
),

names as (
    select distinct
        place,
        runner
    from kinds
),

spans as (
    select
        kinds.place,
        1 as running,
        0 as waiting,
        started_at as begins_at,
        completed_at as ends_at
    from recent
    inner join kinds on kinds.labels = recent.runner
    where is_running
    union all
    select
        kinds.place,
        0,
        1,
        created_at,
        case when is_running then started_at else completed_at end
    from recent
    inner join kinds on kinds.labels = recent.runner
),

cut as (
    select
        spans.place,
        spans.running,
        spans.waiting,
        greatest(spans.begins_at, clock.since) as begins_at,
        least(spans.ends_at, clock.until) as ends_at
    from spans
    cross join clock
    where spans.begins_at < spans.ends_at and spans.begins_at < clock.until and spans.ends_at > clock.since
),

hours as (
    select cast(unnest(generate_series(since, until - interval 1 hour, interval 1 hour)) as timestamp) as hour
    from clock
),

runners as (
    select
        place,
        min(begins_at) as first_at
    from cut
    group by place
),

changes as (
    select
        place,
        begins_at as moment,
        running,
        waiting
    from cut
    union all
    select
        place,
        ends_at,
        -running,
        -waiting
    from cut
    union all  -- so that no stretch between two changes lies in two hours
    select
        runners.place,
        hours.hour,
        0,
        0
    from runners
    inner join hours on hours.hour >= date_trunc('hour', runners.first_at)
),

moments as (
    select
        place,
        moment,
        cast(sum(running) as bigint) as running,
        cast(sum(waiting) as bigint) as waiting
    from changes
    group by place, moment
),

stretches as (
    select
        place,
        moment,
        sum(running) over so_far as running,
        sum(waiting) over so_far as waiting,
        coalesce(lead(moment) over (partition by place order by moment), clock.until) as next_moment,
        clock.until
    from moments
    cross join clock
    window so_far as (partition by place order by moment rows between unbounded preceding and current row)
),

levels as (
    select
        date_trunc('hour', moment) as hour,
        place,
        running,
        max(waiting) as waiting_max,
        sum((epoch_us(next_moment) - epoch_us(moment)) / 1000000.0) as seconds,
        sum(waiting * (epoch_us(next_moment) - epoch_us(moment)) / 1000000.0) as waiting_seconds
    from stretches
    where moment < until
    group by date_trunc('hour', moment), place, running
)
select
    levels.hour as hour,                                                             -- The hour begins here, UTC. #not_null
    names.runner as runner,                                                          -- Kind of runner: its labels, else its group. #not_null
    cast(max(running) as bigint) as running_max,                                     -- Most jobs that ran at the same time.
    sum(running * seconds) / 3600 as running_mean,                                   -- Jobs that ran, averaged over the hour.
    cast(max_by(waiting_max, running) as bigint) as waiting_at_peak,                 -- Most jobs that waited while so many ran.
    cast(max(waiting_max) as bigint) as waiting_max,                                 -- Most jobs that waited at the same time.
    sum(waiting_seconds) / 3600 as waiting_mean                                      -- Jobs that waited, averaged over the hour.
from levels
inner join names on names.place = levels.place
group by levels.hour, names.runner
