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
        row_number() over (partition by jobs.run_id order by jobs.completed_at, jobs.started_at desc, jobs.job_id) as job_rank,
        count(*) over (  -- the frame ends at the job's creation
            partition by jobs.run_id
            order by jobs.completed_at
            range between unbounded preceding
            and greatest(jobs.completed_at - coalesce(jobs.created_at, jobs.completed_at), interval 0 seconds) preceding
        ) as ended_before_count
    from marts.jobs as jobs
    inner join attempts on attempts.run_id = jobs.run_id and attempts.run_attempt = jobs.run_attempt
    where jobs.is_executed and jobs.completed_at >= attempts.started_at
),

preceded as (
    select
        run_id,
        job_rank,
        case when created_at is null then 0 else least(ended_before_count, job_rank - 1) end as previous_rank
    from executed
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
        list(coalesce(linked_by_needs.previous_rank, preceded.previous_rank) order by preceded.job_rank) as previous
    from preceded
    left join linked_by_needs on linked_by_needs.run_id = preceded.run_id and linked_by_needs.job_rank = preceded.job_rank
    group by preceded.run_id
),

traced as (  -- from the job that ended last to the one before it, and so on; there is none before it where that is 0
    select
        run_id,
        previous,
        len(previous) as rank_1,
        previous[rank_1] as rank_2,
        previous[rank_2] as rank_3,
        previous[rank_3] as rank_4,
        previous[rank_4] as rank_5,
        previous[rank_5] as rank_6,
        previous[rank_6] as rank_7,
        previous[rank_7] as rank_8,
        previous[rank_8] as rank_9,
        previous[rank_9] as rank_10,
        previous[rank_10] as rank_11,
        previous[rank_11] as rank_12,
        previous[rank_12] as rank_13,
        previous[rank_13] as rank_14,
        previous[rank_14] as rank_15,
        previous[rank_15] as rank_16
    from linked
),

path as (
    select
        run_id,
        unnest(list_filter(
            [
                rank_1, rank_2, rank_3, rank_4, rank_5, rank_6, rank_7, rank_8,
                rank_9, rank_10, rank_11, rank_12, rank_13, rank_14, rank_15, rank_16
            ],
            lambda job_rank : job_rank > 0
        )) as job_rank
    from traced
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
