/*
Critical path of each run: the jobs that its duration is made of, each with the wait before it.

Grain: run_id, position
Rebuilt by: run_id
Covers the latest attempt of runs that succeeded or failed and whose jobs are known. The path is followed from the job that ended last to
the attempt's start. The job before another one is the one that ended last of those that it needs, directly or through others, by the
workflow's file as marts.workflow_files has it of the run's creation. A run is linked so only where each of its jobs is one job of the
file and none was created before what it needs had ended: a branch may have another file. All other runs are linked by times: GitHub
creates a job when all it needs is done (in recorded answers 1 to 16 s after the last of them ended, never before), so the job before
another one is the one that ended last before the other was created. So are the jobs of one called workflow among each other, whose file
is not asked. The four parts of all positions sum to the attempt's duration. A gap of at most 20 s before a job's creation is GitHub handing over, a longer one is
unexplained: an approval, a concurrency group, a timer, or jobs that are not known. Where a job's creation is unknown, as before 2023 or
of jobs that came by GraphQL, all the time before its start is unexplained, and times tell no job before it. By times, a job that it does
not need but that ended in the seconds between can be taken for the one before it; the parts then differ by those seconds. A path is followed over its
last 16 jobs; the time before them is unexplained.
*/
with attempts as (
    select
        run_id,
        run_attempt,
        workflow_id,
        outcome,
        created_at,
        started_at,
        completed_at,
        day
    from marts.run_attempts
    where is_latest and outcome in ('success', 'failure') and duration_seconds is not null and not is_duration_fallback
),

executed as (
    select
        jobs.run_id,
        jobs.job_id,
        jobs.job,
        jobs.job_base,
        jobs.created_at,
        jobs.started_at,
        jobs.completed_at,
        row_number() over (partition by jobs.run_id order by jobs.completed_at, jobs.started_at desc, jobs.job_id) as job_rank
    from marts.jobs as jobs
    inner join attempts on attempts.run_id = jobs.run_id and attempts.run_attempt = jobs.run_attempt
    where jobs.is_executed and jobs.completed_at >= attempts.started_at
),

moments as (
    select
        run_id,
        completed_at as moment,
        0 as created_rank,
        1 as ended_count
    from executed
    union all
    select
        run_id,
        created_at,
        job_rank,
        0
    from executed
),

preceded as (
    select
        run_id,
        created_rank as job_rank,
        cast(least(ended_before_count, created_rank - 1) as bigint) as previous_rank
    from (
        select
            run_id,
            created_rank,
            sum(ended_count) over (
                partition by run_id
                order by moment nulls first, ended_count desc
                rows between unbounded preceding and current row
            ) as ended_before_count
        from moments
    ) as counted
    where created_rank > 0
),

filed as (  -- runs whose workflow's file is known
    select
        attempts.run_id,
        files.workflow_id,
        files.seen_at
    from attempts
    inner join marts.workflow_files as files
        on files.workflow_id = attempts.workflow_id
        and attempts.created_at >= coalesce(files.holds_from, attempts.created_at)
        and attempts.created_at < coalesce(files.replaced_at, attempts.created_at + interval 1 day)
    where files.job_count > 0
),

shown as (
    select
        filed.run_id,
        filed.workflow_id,
        filed.seen_at,
        executed.job_id,
        executed.job
    from filed
    inner join executed on executed.run_id = filed.run_id
),

names as (
    select distinct
        workflow_id,
        seen_at,
        job
    from shown
),

matched as (  -- names that can be those of one job of the file only
    select
        names.workflow_id,
        names.seen_at,
        names.job,
        min(jobs.job_key) as job_key,
        max(jobs.calls) as calls
    from names
    inner join marts.workflow_files as files on files.workflow_id = names.workflow_id and files.seen_at = names.seen_at
    inner join staging.github_workflow_jobs as jobs
        on jobs.repository_id = files.repository_id
        and jobs.path = files.path
        and jobs.fetched_at = files.seen_at
        and names.job like jobs.shown_as escape '\'
    group by names.workflow_id, names.seen_at, names.job
    having count(distinct jobs.job_key) = 1
),

needs as (
    select
        files.workflow_id,
        files.seen_at,
        waits.job_key,
        waits.needed_key
    from marts.workflow_files as files
    inner join staging.github_workflow_needs as waits
        on waits.repository_id = files.repository_id
        and waits.path = files.path
        and waits.fetched_at = files.seen_at
),

keyed as (
    select
        executed.run_id,
        executed.job_rank,
        executed.started_at,
        executed.created_at,
        executed.completed_at,
        shown.workflow_id,
        shown.seen_at,
        matched.job_key,
        matched.calls
    from shown
    inner join executed on executed.run_id = shown.run_id and executed.job_id = shown.job_id
    left join matched
        on matched.workflow_id = shown.workflow_id
        and matched.seen_at = shown.seen_at
        and matched.job = shown.job
),

groups as (  -- all that ran of a job of the file
    select
        run_id,
        workflow_id,
        seen_at,
        job_key,
        max(job_rank) as last_rank,
        max(completed_at) as ended_at
    from keyed
    group by run_id, workflow_id, seen_at, job_key
),

waited as (
    select
        groups.run_id,
        groups.job_key,
        max(needed.last_rank) as needed_rank,
        max(needed.ended_at) as needed_ended_at
    from groups
    inner join needs
        on needs.workflow_id = groups.workflow_id
        and needs.seen_at = groups.seen_at
        and needs.job_key = groups.job_key
    inner join groups as needed on needed.run_id = groups.run_id and needed.job_key = needs.needed_key
    group by groups.run_id, groups.job_key
),

within as (  -- the job before one of a called workflow in that workflow
    select
        later.run_id,
        later.job_rank,
        max(earlier.job_rank) as earlier_rank
    from keyed as later
    inner join keyed as earlier
        on earlier.run_id = later.run_id
        and earlier.job_key = later.job_key
        and earlier.job_rank < later.job_rank
        and earlier.completed_at <= later.created_at
    where later.calls is not null
    group by later.run_id, later.job_rank
),

needing as (
    select
        keyed.run_id,
        keyed.job_rank,
        greatest(coalesce(waited.needed_rank, 0), coalesce(within.earlier_rank, 0)) as previous_rank,
        keyed.job_key is not null
        and coalesce(waited.needed_rank < keyed.job_rank, true)
        and coalesce(waited.needed_ended_at <= coalesce(keyed.created_at, keyed.started_at), true) as agrees
    from keyed
    left join waited on waited.run_id = keyed.run_id and waited.job_key = keyed.job_key
    left join within on within.run_id = keyed.run_id and within.job_rank = keyed.job_rank
),

agreeing as (
    select run_id
    from needing
    group by run_id
    having bool_and(agrees)
),

linked_by_needs as (
    select
        needing.run_id,
        needing.job_rank,
        needing.previous_rank
    from needing
    inner join agreeing on agreeing.run_id = needing.run_id
),

linked as (
    select
        preceded.run_id,
        preceded.job_rank,
        coalesce(linked_by_needs.previous_rank, preceded.previous_rank) as previous_rank
    from preceded
    left join linked_by_needs on linked_by_needs.run_id = preceded.run_id and linked_by_needs.job_rank = preceded.job_rank
),

hops as (  -- from a job to the one before it
    select
        run_id,
        job_rank,
        previous_rank
    from linked
    where previous_rank > 0
),

hops_2 as (  -- to the second before it, and so on
    select
        hops.run_id,
        hops.job_rank,
        further.previous_rank
    from hops
    inner join hops as further on further.run_id = hops.run_id and further.job_rank = hops.previous_rank
),

hops_4 as (
    select
        hops_2.run_id,
        hops_2.job_rank,
        further.previous_rank
    from hops_2
    inner join hops_2 as further on further.run_id = hops_2.run_id and further.job_rank = hops_2.previous_rank
),

hops_8 as (
    select
        hops_4.run_id,
        hops_4.job_rank,
        further.previous_rank
    from hops_4
    inner join hops_4 as further on further.run_id = hops_4.run_id and further.job_rank = hops_4.previous_rank
),

last_job as (
    select
        run_id,
        max(job_rank) as job_rank
    from executed
    group by run_id
),

last_2 as (
    select * from last_job
    union all
    select
        hops.run_id,
        hops.previous_rank
    from last_job
    inner join hops on hops.run_id = last_job.run_id and hops.job_rank = last_job.job_rank
),

last_4 as (
    select * from last_2
    union all
    select
        hops_2.run_id,
        hops_2.previous_rank
    from last_2
    inner join hops_2 on hops_2.run_id = last_2.run_id and hops_2.job_rank = last_2.job_rank
),

last_8 as (
    select * from last_4
    union all
    select
        hops_4.run_id,
        hops_4.previous_rank
    from last_4
    inner join hops_4 on hops_4.run_id = last_4.run_id and hops_4.job_rank = last_4.job_rank
),

path as (
    select * from last_8
    union all
    select
        hops_8.run_id,
        hops_8.previous_rank
    from last_8
    inner join hops_8 on hops_8.run_id = last_8.run_id and hops_8.job_rank = last_8.job_rank
),

followed as (
    select
        attempts.*,
        executed.job_id,
        executed.job_base,
        executed.created_at as job_created_at,
        executed.started_at as job_started_at,
        executed.completed_at as job_completed_at,
        row_number() over of_run as position,
        coalesce(lag(executed.completed_at) over of_run, attempts.started_at) as ready_at,
        case when agreeing.run_id is not null then 'needs' else 'times' end as linked_by
    from path
    inner join executed on executed.run_id = path.run_id and executed.job_rank = path.job_rank
    inner join attempts on attempts.run_id = path.run_id
    left join agreeing on agreeing.run_id = path.run_id
    window of_run as (partition by path.run_id order by path.job_rank)
),

independent as (  -- when the last job of another name ended that was there before this one had ended
    select
        followed.run_id,
        followed.position,
        max(executed.completed_at) as ends_at
    from followed
    inner join executed
        on executed.run_id = followed.run_id
        and executed.job_base <> followed.job_base
        and coalesce(executed.created_at, executed.started_at) < followed.job_completed_at
    group by followed.run_id, followed.position
),

bounded as (  -- no part is negative, whatever the clocks say
    select
        *,
        case when job_created_at is not null then least(greatest(job_created_at, ready_at), job_completed_at) end as eligible_at,
        least(greatest(job_started_at, coalesce(job_created_at, ready_at), ready_at), job_completed_at) as began_at
    from followed
),

measured as (
    select
        *,
        (epoch_us(job_completed_at) - epoch_us(began_at)) / 1000000.0 as execution_seconds,
        (epoch_us(began_at) - epoch_us(eligible_at)) / 1000000.0 as queue_seconds,
        (epoch_us(coalesce(eligible_at, began_at)) - epoch_us(ready_at)) / 1000000.0 as gap_seconds
    from bounded
)
select
    measured.run_id as run_id,                                                            -- The run. #not_null
    run_attempt,                                                                          -- Its latest attempt. #not_null
    measured.position as position,                                                        -- 1 for the job that the attempt began with. #not_null
    job_id,                                                                               -- The job. #not_null
    workflow_id,                                                                          -- GitHub's id of the workflow.
    outcome,                                                                              -- How the run ended. #in(success, failure)
    job_base,                                                                             -- The job's name without its matrix.
    execution_seconds,                                                                    -- From the start of its execution to its end. #not_null
    coalesce(queue_seconds, 0) as queue_seconds,                                          -- From its creation to the start of its execution; 0 where its creation is unknown. #not_null
    case when eligible_at is not null and gap_seconds <= 20 then gap_seconds else 0 end as handover_seconds,  -- From the end of the job before it, or the attempt's start, to its creation. #not_null
    case when eligible_at is not null and gap_seconds <= 20 then 0 else gap_seconds end as unexplained_seconds,  -- The same where it is over 20 s, or where its creation is unknown. #not_null
    (epoch_us(completed_at) - epoch_us(coalesce(independent.ends_at, started_at))) / 1000000.0 as margin_seconds,  -- How much sooner the run could end at most: jobs of another name that were there before this one had ended do not wait for it. #not_null
    linked_by,                                                                            -- What tells the job before each: the needs in the workflow's file, or times only. #in(needs, times)
    day                                                                                   -- UTC day on which the run was created. #not_null
from measured
left join independent on independent.run_id = measured.run_id and independent.position = measured.position
