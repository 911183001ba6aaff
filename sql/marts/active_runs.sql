/*
Workflow runs under way at the newest pass, by state.

Grain: repository, workflow, run_state
Counts runs as GitHub last told of them: executing while in progress, else pending. Runs that are gone from GitHub, and those whose
attempt began over 35 days ago, which no run outlives, do not count. Every workflow has a row for both states.
*/
with clock as (
    select max(finished_at) as as_of
    from staging.github_syncs
),

states (run_state) as (
    values ('pending'), ('executing')
),

open_runs as (
    select
        repository,
        workflow,
        case when status = 'in_progress' then 'executing' else 'pending' end as run_state,
        count(*) as run_count
    from marts.workflow_runs
    cross join clock
    where outcome = 'open' and source_deleted_at is null and coalesce(started_at, created_at) > clock.as_of - interval 35 days
    group by repository, workflow, case when status = 'in_progress' then 'executing' else 'pending' end
),

expected as (
    select
        workflows.repository,
        workflows.workflow,
        states.run_state
    from marts.workflows as workflows
    cross join states
    union
    select
        repository,
        workflow,
        run_state
    from open_runs
)
select
    expected.repository as repository,                                  -- owner/name. #not_null
    expected.workflow as workflow,                                      -- Name of the workflow. #not_null
    expected.run_state as run_state,                                    -- Whether they wait or run. #not_null #in(pending, executing)
    coalesce(open_runs.run_count, 0) as run_count                       -- Runs under way. #not_null
from expected
left join open_runs
    on open_runs.repository = expected.repository
    and open_runs.workflow = expected.workflow
    and open_runs.run_state = expected.run_state
