/*
Attempts of workflow runs: a run and each of its re-runs, with the conclusion and times of its own.

Grain: run_id, run_attempt
Rebuilt by: run_id
Duration is the last completion of a job that ran in the attempt minus the attempt's start. Where no such job is known it falls back
to GitHub's updated_at, is marked, and is discarded above 35 days, the longest a run may take: updated_at also moves when old runs
are cleaned up. For the same reason is_late rests on updated_at as it was when the attempt was first seen settled, and never changes.
*/
with job_totals as (
    select
        run_id,
        run_attempt,
        count(*) as job_count,
        max(completed_at) filter (where is_executed) as completed_at,
        min(started_at) filter (where is_executed) as execution_started_at,
        max(queue_seconds) as queue_seconds,
        sum(duration_seconds) as job_seconds,
        cast(sum(billed_minutes) as bigint) as billed_minutes,
        cast(sum(cost_usd) as decimal(18, 8)) as cost_usd,
        cast(sum(case when waste_class is null then 0 * cost_usd else cost_usd end) as decimal(18, 8)) as waste_usd,
        count(*) filter (where cost_usd is null and outcome <> 'open') as unpriced_count
    from marts.jobs
    group by run_id, run_attempt
),

attempts as (
    select
        attempts.*,
        case when status = 'completed' then coalesce(conclusions.outcome, 'other') else 'open' end as outcome
    from staging.github_run_attempts as attempts
    left join seeds.conclusions as conclusions on conclusions.conclusion = attempts.conclusion
),

runs as (
    select
        run_id,
        max(run_attempt) as latest_attempt,
        max(case when run_attempt = 1 then outcome end) as first_outcome,
        min(case when outcome = 'failure' then run_attempt end) as first_failure,
        max(case when outcome = 'success' then run_attempt end) as last_success
    from attempts
    group by run_id
),

spans as (
    select
        attempts.*,
        attempts.run_attempt = runs.latest_attempt as is_latest,
        runs.first_outcome,
        coalesce(runs.first_failure < runs.last_success, false) as is_flaky,
        coalesce(job_totals.job_count, 0) as job_count,
        job_totals.execution_started_at,
        job_totals.queue_seconds,
        job_totals.job_seconds,
        job_totals.billed_minutes,
        job_totals.cost_usd,
        job_totals.waste_usd,
        coalesce(job_totals.unpriced_count, 0) as unpriced_count,
        job_totals.completed_at is null as is_fallback,
        coalesce(job_totals.completed_at, attempts.updated_at) as ended_at,
        least(job_totals.completed_at, attempts.settled_updated_at) as first_ended_at,
        (epoch_us(coalesce(job_totals.completed_at, attempts.updated_at)) - epoch_us(run_started_at)) / 1000000.0 as span_seconds
    from attempts
    inner join runs on runs.run_id = attempts.run_id
    left join job_totals on job_totals.run_id = attempts.run_id and job_totals.run_attempt = attempts.run_attempt
),

measured as (
    select
        spans.*,
        outcome <> 'open' and span_seconds >= 0 and (not is_fallback or span_seconds <= 35 * 86400) as is_measured
    from spans
)
select
    repositories.repository as repository,                                                        -- owner/name. #not_null
    coalesce(workflows.workflow, 'unknown') as workflow,                                        -- Name of the workflow. #not_null
    measured.workflow_id as workflow_id,                                                          -- GitHub's id of the workflow.
    run_id,                                                                                       -- GitHub's id of the run. #not_null
    run_attempt,                                                                                  -- 1, then one more for each re-run. #not_null
    run_number,                                                                                   -- Counts the runs of the workflow.
    event,                                                                                        -- What triggered it: push, pull_request, schedule, …
    head_branch,                                                                                  -- Branch or tag.
    coalesce(
        head_branch = repositories.default_branch
        and coalesce(head_repository_id = measured.repository_id, coalesce(event, '') not like 'pull_request%'),
        false
    ) as is_default_branch,                                                                       -- Whether that is the repository's mainline. #not_null
    head_sha,                                                                                     -- The commit.
    status,                                                                                       -- Where it is, verbatim.
    conclusion,                                                                                   -- How it ended, verbatim.
    outcome,                                                                                      -- What that counts as. #in(success, failure, cancelled, skipped, other, open)
    first_outcome,                                                                                -- Outcome of the run's attempt 1; NULL if unknown.
    is_flaky,                                                                                     -- Whether the run failed, then passed on the same commit.
    actor,                                                                                        -- Who started this attempt.
    title,                                                                                        -- The run's title on GitHub.
    created_at,                                                                                   -- When the run was created, UTC. #not_null
    run_started_at as started_at,                                                                 -- When this attempt started, UTC.
    execution_started_at,                                                                         -- When its first job that ran began, UTC; NULL if none is known.
    case when is_measured then ended_at end as completed_at,                                      -- When it ended, UTC; NULL if open or unknown.
    case when is_measured then span_seconds end as duration_seconds,                              -- From start to last job's end; NULL if open or unknown.
    is_measured and is_fallback as is_duration_fallback,                                          -- Whether completed_at rests on updated_at.
    queue_seconds,                                                                                -- Longest wait of one of its jobs for a runner.
    job_count,                                                                                    -- Jobs known, those carried over included.
    job_seconds,                                                                                  -- Execution time summed over its jobs.
    billed_minutes,                                                                               -- Billed minutes summed over its jobs.
    cost_usd,                                                                                     -- USD that its jobs cost, as far as known; NULL if of none.
    waste_usd,                                                                                    -- Share of that whose work came to nothing.
    unpriced_count,                                                                               -- Ended jobs whose cost is not known; cost_usd lacks them.
    is_latest,                                                                                    -- Whether no later attempt of the run is known.
    settled_conclusion,                                                                           -- How it had ended when we first saw it settled.
    coalesce(
        settled_seen_at > first_ended_at + interval 6 hours or first_ended_at > run_started_at + interval 35 days,
        settled_seen_at is not null
    ) as is_late,                                                                                 -- Whether we first saw it settled over 6 h after its end.
    measured.html_url as html_url,                                                                -- Its page.
    day                                                                                           -- UTC day on which the run was created. #not_null
from measured
inner join staging.github_repositories as repositories on repositories.repository_id = measured.repository_id
left join marts.workflows as workflows on workflows.workflow_id = measured.workflow_id
