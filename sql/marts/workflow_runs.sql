/*
Workflow runs, each as its latest attempt left it.

Grain: run_id
Rebuilt by: run_id
A run whose jobs came by GraphQL has durations, but no queue time, runner, steps or cost.
Columns describe the latest attempt unless they say otherwise; first_outcome tells how the first one ended.
*/
with spent as (
    select
        run_id,
        sum(job_count) as job_count,
        sum(job_seconds) as job_seconds,
        sum(case when outcome in ('failure', 'cancelled') then job_seconds else 0 end) as lost_seconds,
        cast(sum(billed_minutes) as bigint) as billed_minutes,
        cast(sum(cost_usd) as decimal(18, 8)) as cost_usd,
        cast(sum(waste_usd) as decimal(18, 8)) as waste_usd,
        cast(sum(unpriced_count) as bigint) as unpriced_count
    from marts.run_attempts
    group by run_id
)
select
    attempts.repository as repository,                            -- owner/name. #not_null
    attempts.workflow as workflow,                                -- Name of the workflow. #not_null
    attempts.workflow_id as workflow_id,                          -- GitHub's id of the workflow.
    attempts.run_id as run_id,                                    -- GitHub's id of the run. #not_null
    attempts.run_attempt as run_attempt,                          -- Number of the latest attempt. #not_null
    attempts.run_number as run_number,                            -- Counts the runs of the workflow.
    attempts.event as event,                                      -- What triggered it: push, pull_request, schedule, …
    attempts.head_branch as head_branch,                          -- Branch or tag.
    attempts.is_default_branch as is_default_branch,              -- Whether that is the repository's mainline. #not_null
    attempts.head_sha as head_sha,                                -- The commit.
    attempts.status as status,                                    -- Where it is, verbatim.
    attempts.conclusion as conclusion,                            -- How it ended, verbatim.
    attempts.outcome as outcome,                                  -- What that counts as. #in(success, failure, cancelled, skipped, other, open)
    attempts.first_outcome as first_outcome,                      -- Outcome of attempt 1; NULL if it is unknown.
    attempts.is_flaky as is_flaky,                                -- Whether an attempt failed and a later one passed, same commit.
    attempts.actor as actor,                                      -- Who started the latest attempt.
    attempts.title as title,                                      -- The run's title on GitHub.
    attempts.created_at as created_at,                            -- When the run was created, UTC. #not_null
    attempts.started_at as started_at,                            -- When the latest attempt started, UTC.
    attempts.completed_at as completed_at,                        -- When it ended, UTC; NULL if open or unknown.
    attempts.duration_seconds as duration_seconds,                -- From its start to its last job's end; NULL if open or unknown.
    attempts.is_duration_fallback as is_duration_fallback,        -- Whether completed_at rests on GitHub's updated_at.
    attempts.queue_seconds as queue_seconds,                      -- Longest wait of one of its jobs for a runner.
    spent.job_seconds as job_seconds,                             -- Execution time of all jobs of all attempts.
    spent.lost_seconds as lost_seconds,                           -- Share of that in attempts that failed or were cancelled.
    spent.billed_minutes as billed_minutes,                       -- Billed minutes of all attempts.
    spent.cost_usd as cost_usd,                                   -- USD that the jobs of all attempts cost, as far as known; NULL if of none.
    spent.waste_usd as waste_usd,                                 -- Share of that whose work came to nothing.
    spent.unpriced_count as unpriced_count,                       -- Ended jobs whose cost is not known; cost_usd lacks them.
    case
        when details.run_attempt = attempts.run_attempt then details.source
        when spent.job_count > 0 then 'webhook'
    end as detail_source,                                         -- Where its jobs come from; NULL while they are not read. #in(rest, graphql, webhook)
    case when gone.is_gone then gone.noticed_at end as source_deleted_at,  -- When it was found deleted at GitHub, UTC; NULL while it is there.
    attempts.html_url as html_url,                                -- Its page.
    attempts.day as day                                           -- UTC day on which it was created. #not_null
from marts.run_attempts as attempts
inner join spent on spent.run_id = attempts.run_id
left join staging.github_run_details as details on details.run_id = attempts.run_id
left join staging.github_gone_runs as gone on gone.run_id = attempts.run_id
where attempts.is_latest
