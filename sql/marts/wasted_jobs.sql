/*
Jobs whose work came to nothing, each with the reason and with what shows it.

Grain: job_id
Rebuilt by: run_id
Reads whole: all_attempts
Of the classes the first that holds counts. timeout: timed_out, or cancelled by a time-out, as marts.job_failures has it.
flaky: it failed, and the same job passed in a later attempt of the run. superseded: it was cancelled at most ten
minutes after the next run of its workflow, branch and event was created. fail_fast: it was cancelled at most ten minutes after another job of
its matrix failed; where both hold, the later one counts. cancelled: it was cancelled for no reason that can be seen, so by a person.
rerun: it ended as the same job had ended in an earlier attempt. outdated: on a branch or pull request it began when the next run was there
already, which a concurrency group would have spared. What each of them cost stands in marts.jobs.
*/
with series as (
    select
        run_id,
        repository_id,
        event,
        head_branch,
        head_repository_id,
        lead(run_id) over of_branch as next_run_id,
        lead(created_at) over of_branch as next_created_at
    from (
        select *
        from staging.github_run_attempts as all_attempts
        where
            head_branch is not null
            and workflow_id in (select workflow_id from staging.github_run_attempts)
            and created_at >= (select min(created_at) from staging.github_run_attempts)
            and created_at <= (select max(completed_at) + interval 5 seconds from staging.github_jobs)  -- later ones change nothing
        qualify row_number() over (partition by run_id order by run_attempt desc) = 1
    )
    window of_branch as (
        partition by repository_id, workflow_id, event, head_branch, head_repository_id order by created_at, run_id
    )
),

followed as (
    select *
    from series
    where next_run_id is not null
),

rerun_runs as (
    select distinct run_id
    from staging.github_jobs
    where run_attempt > 1
),

cancelled_runs as (
    select distinct run_id
    from staging.github_jobs
    where conclusion = 'cancelled'
),

suspect_runs as (  -- the only ones that can have wasted jobs
    select run_id
    from staging.github_jobs
    where run_attempt > 1 or conclusion in ('cancelled', 'timed_out')
    union
    select jobs.run_id
    from staging.github_jobs as jobs
    inner join followed on followed.run_id = jobs.run_id
    where coalesce(jobs.first_step_at, jobs.started_at) > followed.next_created_at
),

ended as (  -- jobs that ran and may be wasted, and those that may show why
    select
        jobs.job_id,
        jobs.run_id,
        jobs.run_attempt,
        jobs.name,
        jobs.conclusion,
        conclusions.outcome,
        jobs.started_at,
        jobs.completed_at,
        jobs.runner_id,
        coalesce(jobs.first_step_at, jobs.started_at) as began_at,
        cast(floor((epoch_us(jobs.completed_at) - epoch_us(coalesce(jobs.first_step_at, jobs.started_at))) / 1000000.0) as bigint) as span_seconds,
        followed.repository_id,
        followed.event,
        followed.head_branch,
        followed.head_repository_id,
        followed.next_run_id,
        followed.next_created_at
    from staging.github_jobs as jobs
    inner join seeds.conclusions as conclusions on conclusions.conclusion = jobs.conclusion
    left join followed on followed.run_id = jobs.run_id
    left join rerun_runs on rerun_runs.run_id = jobs.run_id
    left join cancelled_runs on cancelled_runs.run_id = jobs.run_id
    where
        jobs.run_id in (select run_id from suspect_runs)
        and jobs.status = 'completed'
        and jobs.completed_at is not null
        and conclusions.outcome in ('success', 'failure', 'cancelled')
        and (
            conclusions.outcome = 'cancelled'
            or jobs.conclusion = 'timed_out'
            or rerun_runs.run_id is not null
            or (conclusions.outcome = 'failure' and cancelled_runs.run_id is not null)
            or coalesce(jobs.first_step_at, jobs.started_at) > followed.next_created_at
        )
        and (
            jobs.runner_id is not null
            or jobs.runner_name is not null
            or ((conclusions.outcome <> 'cancelled' or jobs.detail_rank = 0) and jobs.completed_at <> coalesce(jobs.first_step_at, jobs.started_at))
        )
),

tries as (  -- executions in runs that were run again, without what an attempt only lists again
    select ended.*
    from ended
    left join staging.github_run_attempts as attempts on attempts.run_id = ended.run_id and attempts.run_attempt = ended.run_attempt
    where
        ended.run_id in (select run_id from rerun_runs)
        and not coalesce(
            ended.run_attempt > 1
            and ended.started_at < attempts.run_started_at - interval 5 seconds
            and ended.completed_at <= attempts.run_started_at,
            false
        )
    qualify
        ended.run_attempt
        = min(ended.run_attempt) over (partition by ended.run_id, ended.name, ended.started_at, ended.completed_at, ended.runner_id)
),

passes as (
    select
        failed.job_id,
        passed.job_id as because_job_id,
        passed.completed_at as because_at
    from tries as failed
    inner join tries as passed
        on passed.run_id = failed.run_id
        and passed.name = failed.name
        and passed.run_attempt > failed.run_attempt
    where failed.outcome = 'failure' and passed.outcome = 'success'
    qualify row_number() over (partition by failed.job_id order by passed.run_attempt, passed.job_id) = 1
),

repeats as (
    select
        again.job_id,
        earlier.job_id as because_job_id,
        earlier.completed_at as because_at
    from tries as again
    inner join tries as earlier
        on earlier.run_id = again.run_id
        and earlier.name = again.name
        and earlier.outcome = again.outcome
        and earlier.run_attempt < again.run_attempt
    where again.outcome <> 'cancelled'
    qualify row_number() over (partition by again.job_id order by earlier.run_attempt desc, earlier.job_id) = 1
),

cancelled as (
    select
        *,
        nullif(regexp_extract(name, '^(.*) \([^()]*\)$', 1), '') as matrix_base
    from ended
    where outcome = 'cancelled'
),

siblings as (
    select
        cancelled.job_id,
        failed.job_id as because_job_id,
        failed.completed_at as because_at
    from cancelled
    inner join ended as failed
        on failed.run_id = cancelled.run_id
        and failed.run_attempt = cancelled.run_attempt
        and failed.outcome = 'failure'
        and failed.completed_at between cancelled.completed_at - interval 10 minutes and cancelled.completed_at
        and cancelled.matrix_base = nullif(regexp_extract(failed.name, '^(.*) \([^()]*\)$', 1), '')
    qualify row_number() over (partition by cancelled.job_id order by failed.completed_at desc, failed.job_id) = 1
),

timed_out as (
    select job_id
    from marts.job_failures
    where outcome = 'cancelled' and failure_class = 'timeout'
),

judged as (
    select
        ended.*,
        ended.conclusion = 'timed_out' or ended.job_id in (select job_id from timed_out) as is_timeout,
        coalesce(
            ended.next_created_at between ended.completed_at - interval 10 minutes and ended.completed_at + interval 5 seconds,
            false
        ) as is_overtaken
    from ended
    where
        ended.outcome = 'cancelled'
        or ended.conclusion = 'timed_out'
        or ended.job_id in (select job_id from passes)
        or ended.job_id in (select job_id from repeats)
        or (ended.run_attempt = 1 and ended.began_at > ended.next_created_at)
),

classed as (
    select
        judged.*,
        case
            when judged.is_timeout then 'timeout'
            when passes.job_id is not null then 'flaky'
            when judged.outcome = 'cancelled' and judged.is_overtaken and coalesce(judged.next_created_at >= siblings.because_at, true) then 'superseded'
            when siblings.job_id is not null then 'fail_fast'
            when judged.outcome = 'cancelled' then 'cancelled'
            when repeats.job_id is not null then 'rerun'
            when
                judged.event in ('push', 'pull_request', 'pull_request_target')
                and not coalesce(
                    judged.head_branch = repositories.default_branch
                    and coalesce(judged.head_repository_id = judged.repository_id, judged.event = 'push'),
                    false
                )
                then 'outdated'
        end as waste_class,
        coalesce(passes.because_job_id, siblings.because_job_id, repeats.because_job_id) as because_job_id,
        coalesce(passes.because_at, siblings.because_at, repeats.because_at) as because_at
    from judged
    left join passes on passes.job_id = judged.job_id
    left join siblings on siblings.job_id = judged.job_id
    left join repeats on repeats.job_id = judged.job_id
    left join staging.github_repositories as repositories on repositories.repository_id = judged.repository_id
)
select
    run_id,                                                                                       -- The run. #not_null
    run_attempt,                                                                                  -- The attempt the job belongs to. #not_null
    job_id,                                                                                       -- GitHub's id of the job. #not_null
    name as job,                                                                                  -- Its full name.
    waste_class,                                                                                  -- Why its work came to nothing. #not_null #in(timeout, flaky, superseded, fail_fast, cancelled, rerun, outdated)
    case when waste_class in ('superseded', 'outdated') then next_run_id end as because_run_id,   -- The newer run that made it useless.
    case when waste_class in ('flaky', 'fail_fast', 'rerun') then because_job_id end as because_job_id,  -- The job that passed later, failed before it in its matrix, or had ended the same way.
    case
        when waste_class in ('superseded', 'outdated') then next_created_at
        when waste_class in ('flaky', 'fail_fast', 'rerun') then because_at
    end as because_at,                                                                            -- When that run was created or that job ended, UTC.
    span_seconds,                                                                                 -- How long it was at work; less than 0 where its times are wrong.
    completed_at                                                                                  -- When it ended, UTC. #not_null
from classed
where waste_class is not null
