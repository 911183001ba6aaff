/*
What got slower or faster: changes of the level of a duration or a queue time, each with the commits between which it came.

Grain: workflow_id, event, job, measure, first_run_id
Rebuilt by: workflow_id, closed_days
A series is what a workflow, or one of its jobs with its matrix, took in successful first attempts on the default branch for one event, over the
90 days to the workflow's last day with runs that has ended, as of the newest pass: failures end early, re-runs leave jobs out and come at another
time than their commit, branches have no order, and nightly runs are another population than pushes. Durations that rest on updated_at are left
out. A series has at least 20 executions; a change has at least 8 and three days with runs on either side, 5 % and 5 s of difference between the
medians, and a chance of at most 0.001. Levels before and after reach to the series' neighbouring changes, or its ends. How changes are found:
docs/definitions.md, "What got slower".
*/
with clock as (
    select cast(max(finished_at) as date) as newest_day
    from staging.github_syncs
),

recent as (  -- the last days of each workflow: of its own, so that no other workflow's runs change its series
    select
        workflow_id,
        max(day) - 90 as after_day,
        clock.newest_day
    from marts.run_attempts
    cross join clock
    where workflow_id is not null and day < clock.newest_day
    group by workflow_id, clock.newest_day
),

workflow_executions as (
    select
        attempts.workflow_id,
        attempts.event,
        cast(null as varchar) as job,
        attempts.created_at,
        attempts.run_id as execution_id,
        attempts.run_id,
        case when not attempts.is_duration_fallback then attempts.duration_seconds end as duration_seconds,
        attempts.queue_seconds
    from marts.run_attempts as attempts
    inner join recent on recent.workflow_id = attempts.workflow_id
    where
        attempts.run_attempt = 1
        and attempts.outcome = 'success'
        and attempts.is_default_branch
        and attempts.day > recent.after_day
        and attempts.day < recent.newest_day
),

job_executions as (
    select
        jobs.workflow_id,
        jobs.event,
        jobs.job,
        jobs.created_at,
        jobs.job_id as execution_id,
        jobs.run_id,
        jobs.duration_seconds,
        jobs.queue_seconds
    from marts.jobs as jobs
    inner join recent on recent.workflow_id = jobs.workflow_id
    where
        jobs.run_attempt = 1
        and jobs.outcome = 'success'
        and jobs.is_default_branch
        and jobs.created_at is not null
        and jobs.job is not null
        and jobs.day > recent.after_day
        and jobs.day < recent.newest_day
),

measured as (
    select workflow_id, event, job, created_at, execution_id, run_id, 'duration' as measure, duration_seconds as seconds
    from workflow_executions
    union all
    select workflow_id, event, job, created_at, execution_id, run_id, 'queue' as measure, queue_seconds as seconds
    from workflow_executions
    union all
    select workflow_id, event, job, created_at, execution_id, run_id, 'duration' as measure, duration_seconds as seconds
    from job_executions
    union all
    select workflow_id, event, job, created_at, execution_id, run_id, 'queue' as measure, queue_seconds as seconds
    from job_executions
),

series as (
    select
        workflow_id,
        event,
        job,
        measure,
        list_sort(list({
            'created_at': created_at, 'execution_id': execution_id, 'run_id': run_id, 'seconds': cast(seconds as double)
        })) as executions
    from measured
    where seconds is not null
    group by workflow_id, event, job, measure
    having count(*) >= 20
),

found as (
    select
        workflow_id,
        event,
        job,
        measure,
        executions,
        unnest(change_points(executions)) as change
    from series
),

placed as (
    select
        workflow_id,
        event,
        job,
        measure,
        change.*,
        len(executions) as execution_count,
        executions[change.position].run_id as last_run_id,
        executions[change.position + 1].run_id as first_run_id,
        executions[change.position + 1].created_at as changed_at,
        executions[change.since + 1].created_at as before_from_at,
        executions[change.until].created_at as after_until_at
    from found
    qualify row_number() over (  -- a run may hold several jobs of one name
        partition by workflow_id, event, job, measure, executions[change.position + 1].run_id order by change.p_value, change.position
    ) = 1
),

runs as (
    select
        run_id,
        head_sha,
        html_url
    from marts.run_attempts
    where run_attempt = 1
)
select
    workflows.repository as repository,                                   -- owner/name. #not_null
    workflows.workflow as workflow,                                       -- Name of the workflow. #not_null
    placed.workflow_id as workflow_id,                                    -- GitHub's id of the workflow. #not_null
    placed.event as event,                                                -- What triggered the runs of the series.
    placed.job as job,                                                    -- The job with its matrix; NULL for the workflow as a whole.
    regexp_replace(placed.job, '( / |^)(.*[^ ]) \([^()]*\)$', '\1\2') as job_base,  -- Its name without the matrix, to see members that changed together.
    placed.measure as measure,                                            -- What changed: from start to end, or the wait for a runner (of a workflow its longest). #in(duration, queue)
    case when placed.ratio > 1 then 'slower' else 'faster' end as direction,  -- Where it went. #in(slower, faster)
    placed.changed_at as changed_at,                                      -- Creation of the first execution after the change, UTC. #not_null
    last_run.head_sha as last_head_sha,                                   -- The last commit before.
    first_run.head_sha as first_head_sha,                                 -- The first commit after; the cause lies between the two, or outside of the code.
    placed.last_run_id as last_run_id,                                    -- The run of the last commit before. #not_null
    placed.first_run_id as first_run_id,                                  -- The run of the first commit after. #not_null
    last_run.html_url as last_html_url,                                   -- Page of the run before.
    first_run.html_url as first_html_url,                                 -- Page of the run after.
    placed.before_seconds as before_p50_seconds,                          -- Median before. #not_null
    placed.after_seconds as after_p50_seconds,                            -- Median after. #not_null
    placed.after_seconds - placed.before_seconds as difference_seconds,   -- The one less the other.
    placed.ratio as ratio,                                                -- Median after / median before; times below a second count as one. #not_null
    placed.ratio_low as ratio_low,                                        -- Lower end of its 95 % interval.
    placed.ratio_high as ratio_high,                                      -- Upper end of its 95 % interval.
    placed.p_value as p_value,                                            -- Chance that noise between days brings such a change about. #not_null
    placed.position - placed.since as before_count,                       -- Executions that the median before rests on.
    placed.until - placed.position as after_count,                          -- Executions that the median after rests on.
    placed.before_from_at as before_from_at,                              -- When the level before begins, UTC.
    placed.after_until_at as after_until_at,                              -- When the level after ends, UTC.
    placed.until = placed.execution_count as is_latest,                     -- Whether the level after is still there at the end of the series.
    cast(placed.changed_at as date) as day                                -- UTC day of the change.
from placed
inner join marts.workflows as workflows on workflows.workflow_id = placed.workflow_id
left join runs as last_run on last_run.run_id = placed.last_run_id
left join runs as first_run on first_run.run_id = placed.first_run_id
