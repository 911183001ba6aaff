/*
Why runs failed: every failed attempt of a run, and every cancelled one in which something failed or ran into a limit.

Grain: run_id, run_attempt
Rebuilt by: run_id
An attempt failed for what its first failed job failed for; jobs that only report on others, and unclassified ones, count last. Where
no failed job is known, rules about runs look at how the attempt ended and how long it took: so a malformed workflow file, which has
no jobs, and a day in the queue are told. What no rule fits is unclassified.
*/
with attempts as (
    select
        attempts.*,
        conclusions.outcome,
        (epoch_us(attempts.updated_at) - epoch_us(attempts.run_started_at)) / 1000000.0 as seconds
    from staging.github_run_attempts as attempts
    inner join seeds.conclusions as conclusions on conclusions.conclusion = attempts.conclusion
    where attempts.status = 'completed' and conclusions.outcome in ('failure', 'cancelled')
),

first_jobs as (
    select
        run_id,
        run_attempt,
        job_id,
        job,
        failed_step,
        failure_class,
        rule,
        count(*) over (partition by run_id, run_attempt) as failed_job_count
    from marts.job_failures
    qualify row_number() over (
        partition by run_id, run_attempt
        order by case when failure_class in ('needs_failed', 'unclassified') then 1 else 0 end, completed_at nulls last, job_id
    ) = 1
),

fitting as (
    select
        attempts.run_id,
        attempts.run_attempt,
        rules.rule,
        rules.failure_class
    from attempts
    inner join seeds.failure_rules as rules
        on
            rules.subject = 'run'
            and rules.outcome = attempts.outcome
            and coalesce(rules.conclusion, attempts.conclusion) = attempts.conclusion
            and (rules.seconds_from is null or attempts.seconds >= rules.seconds_from)
            and (rules.seconds_to is null or attempts.seconds <= rules.seconds_to)
    qualify row_number() over (partition by attempts.run_id, attempts.run_attempt order by rules.rank) = 1
)
select
    repositories.repository as repository,                                    -- owner/name. #not_null
    coalesce(workflows.workflow, 'unknown') as workflow,                      -- Name of the workflow. #not_null
    attempts.run_id as run_id,                                                -- The run. #not_null
    attempts.run_attempt as run_attempt,                                      -- The attempt. #not_null
    attempts.conclusion as conclusion,                                        -- How it ended, verbatim.
    attempts.outcome as outcome,                                              -- What that counts as. #in(failure, cancelled)
    coalesce(first_jobs.failure_class, fitting.failure_class, 'unclassified') as failure_class,  -- Why it failed: the class of its first failed job, else of a rule about runs. #not_null
    case when first_jobs.job_id is null then fitting.rule else first_jobs.rule end as rule,  -- The rule that says so; NULL if none does.
    first_jobs.job_id as job_id,                                              -- Its first failed job; NULL where none is known.
    first_jobs.job as job,                                                    -- That job's full name.
    first_jobs.failed_step as failed_step,                                    -- The step of it that decided.
    coalesce(first_jobs.failed_job_count, 0) as failed_job_count,             -- Jobs of the attempt that failed, or that a time-out ended. #not_null
    attempts.day as day                                                       -- UTC day on which the run was created. #not_null
from attempts
inner join staging.github_repositories as repositories on repositories.repository_id = attempts.repository_id
left join marts.workflows as workflows on workflows.workflow_id = attempts.workflow_id
left join first_jobs on first_jobs.run_id = attempts.run_id and first_jobs.run_attempt = attempts.run_attempt
left join fitting on fitting.run_id = attempts.run_id and fitting.run_attempt = attempts.run_attempt
where attempts.outcome = 'failure' or first_jobs.job_id is not null or fitting.rule is not null
