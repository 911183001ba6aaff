/*
Percentiles of duration and queue time over the last 7 and 28 whole days, and over as many before, with intervals.

Grain: scope, repository, workflow, figure, days, is_current
Rebuilt by: closed_days
A period ends before the day of the newest pass of ingestion; runs belong to the day on which they were created. Percentiles are exact, over at
least 20 final attempts. The interval is that of their order statistics, widened by how much days differ more than chance allows in their share
of runs above the percentile: runs of a day share their troubles.
*/
with clock as (
    select cast(max(finished_at) as date) as run_end_day
    from staging.github_syncs
),

lengths as (
    select 7 as days
    union all
    select 28 as days
),

scopes as (
    select 0 as depth
    union all
    select 1 as depth
    union all
    select 2 as depth
),

recent_runs as (
    select
        runs.repository,
        runs.workflow,
        clock.run_end_day - runs.day as age_days,
        case when runs.outcome in ('success', 'failure') then runs.duration_seconds end as duration_seconds,
        runs.queue_seconds
    from marts.workflow_runs as runs
    cross join clock
    where runs.day < clock.run_end_day and runs.day >= clock.run_end_day - 56
),

workflow_numbers as (  -- groups by numbers are cheaper than by names
    select
        repository,
        workflow,
        dense_rank() over (order by repository) as repository_number,
        row_number() over (order by repository, workflow) as workflow_number
    from (select distinct repository, workflow from recent_runs) as workflows
),

runs as (
    select
        case depth when 0 then 0 when 1 then -repository_number else workflow_number end as subject,
        age_days,
        duration_seconds,
        queue_seconds
    from recent_runs
    inner join workflow_numbers
        on workflow_numbers.repository = recent_runs.repository and workflow_numbers.workflow = recent_runs.workflow
    cross join scopes
),

samples as (
    select 'duration' as measure, subject, age_days, cast(duration_seconds as double) as seconds
    from runs
    union all
    select 'queue' as measure, subject, age_days, cast(queue_seconds as double) as seconds
    from runs
),

sorted as (  -- in lists, so that any rank can be picked
    select
        measure,
        subject,
        days,
        age_days <= days as is_current,
        list_sort(list(seconds)) as seconds,
        count(*) as sample_count
    from samples
    inner join lengths on age_days <= 2 * days
    where seconds is not null
    group by measure, subject, days, age_days <= days
    having count(*) >= 20
),

medians as (
    select
        measure,
        subject,
        days,
        is_current,
        seconds[cast(floor(0.5 * sample_count) as bigint)] as middle,
        seconds[cast(floor(0.95 * sample_count) as bigint)] as top
    from sorted
),

sample_days as (  -- how many samples of each day are above the middle, and above nearly all
    select
        samples.measure,
        samples.subject,
        medians.days,
        medians.is_current,
        count(*) as whole,
        sum(case when seconds > middle then 1 else 0 end) as middle_part,
        sum(case when seconds > top then 1 else 0 end) as top_part
    from samples
    inner join lengths on samples.age_days <= 2 * lengths.days
    inner join medians
        on
            medians.measure = samples.measure
            and medians.subject = samples.subject
            and medians.days = lengths.days
            and medians.is_current = (samples.age_days <= lengths.days)
    where samples.seconds is not null
    group by samples.measure, samples.subject, medians.days, medians.is_current, samples.age_days
),

asked as (
    select 'duration' as measure, 'duration_p50' as figure, 0.5 as share
    union all
    select 'duration' as measure, 'duration_p95' as figure, 0.95 as share
    union all
    select 'queue' as measure, 'queue_p95' as figure, 0.95 as share
),

above as (
    select
        asked.figure,
        subject,
        days,
        is_current,
        count(*) as day_count,
        sum(whole) as whole,
        sum(case when share = 0.5 then middle_part else top_part end) as part,
        sum(power(case when share = 0.5 then middle_part else top_part end, 2) / whole) as square
    from sample_days
    inner join asked on asked.measure = sample_days.measure
    group by asked.figure, subject, days, is_current
),

spreads as (  -- by how much more than chance allows days differ: Pearson's statistic over its degrees of freedom
    select
        figure,
        subject,
        days,
        is_current,
        greatest(1, coalesce(
            (square - part * part / whole) / nullif(part / whole * (1 - part / whole), 0) / nullif(day_count - 1, 0), 1
        )) as dispersion
    from above
),

ranks as (
    select
        asked.figure,
        sorted.*,
        spreads.dispersion,
        share * (sample_count - 1) as place,
        cast(floor(share * sample_count - 1.959963984540054 * sqrt(sample_count * share * (1 - share) * dispersion)) as bigint) as low_rank,
        cast(ceil(share * sample_count + 1.959963984540054 * sqrt(sample_count * share * (1 - share) * dispersion)) as bigint) + 1 as high_rank
    from sorted
    inner join asked on asked.measure = sorted.measure
    inner join spreads
        on
            spreads.figure = asked.figure
            and spreads.subject = sorted.subject
            and spreads.days = sorted.days
            and spreads.is_current = sorted.is_current
),

subjects as (
    select 0 as subject, 'total' as scope, cast(null as varchar) as repository, cast(null as varchar) as workflow
    union all
    select distinct -repository_number as subject, 'repository' as scope, repository, null as workflow
    from workflow_numbers
    union all
    select workflow_number as subject, 'workflow' as scope, repository, workflow
    from workflow_numbers
)
select
    scope,                                                          -- What it is about. #in(total, repository, workflow) #not_null
    repository,                                                     -- owner/name; NULL for the total.
    workflow,                                                       -- Name of the workflow; NULL unless it is about one.
    figure,                                                         -- Which percentile: of duration over successes and failures, or of the longest wait of a run's jobs. #in(duration_p50, duration_p95, queue_p95) #not_null
    days,                                                           -- Length of the period: 7 or 28. #not_null
    is_current,                                                     -- Whether it is the last one, not that before. #not_null
    seconds[cast(floor(place) as bigint) + 1]
    + (place - floor(place)) * (seconds[cast(ceil(place) as bigint) + 1] - seconds[cast(floor(place) as bigint) + 1]) as value,  -- The percentile, in seconds. #not_null
    case when low_rank >= 1 then seconds[low_rank] end as low,      -- Lower end of its 95 % interval; NULL if the samples do not bound it.
    case when high_rank <= sample_count then seconds[high_rank] end as high,  -- Upper end of that.
    sample_count,                                                   -- Runs it rests on. #not_null
    dispersion                                                      -- Variance between days over what chance allows, at least 1; the interval is wider by its root.
from ranks
inner join subjects on subjects.subject = ranks.subject
