/*
Attempts of GitHub Actions workflow runs, as GitHub last described each of them.

Grain: run_id, run_attempt
Newest: updated_at, status_rank, fetched_at
Touches: run_id
A re-run keeps the run's id and creation time and adds an attempt; attempts already stored keep their own conclusion and times.
Fields that GitHub's API gained over the years are filled as it does today: attempt 1 starts when the run is created.
*/
with described as (
    select
        repository_id,
        fetched_at,
        from_json(
            payload,
            '{"id": "BIGINT", "run_attempt": "INTEGER", "run_number": "INTEGER", "workflow_id": "BIGINT", "path": "VARCHAR",
              "event": "VARCHAR", "head_branch": "VARCHAR", "head_sha": "VARCHAR", "status": "VARCHAR", "conclusion": "VARCHAR",
              "display_title": "VARCHAR", "created_at": "VARCHAR", "run_started_at": "VARCHAR", "updated_at": "VARCHAR",
              "html_url": "VARCHAR", "check_suite_node_id": "VARCHAR", "actor": {"login": "VARCHAR"}, "triggering_actor": {"login": "VARCHAR"},
              "head_repository": {"id": "BIGINT"}, "head_commit": {"timestamp": "VARCHAR"}}'
        ) as run
    from landing.github_runs
),

timed as (
    select
        *,
        cast(cast(run.created_at as timestamptz) at time zone 'UTC' as timestamp) as created_at,
        cast(cast(run.run_started_at as timestamptz) at time zone 'UTC' as timestamp) as run_started_at,
        cast(cast(run.updated_at as timestamptz) at time zone 'UTC' as timestamp) as updated_at,
        cast(cast(run.head_commit.timestamp as timestamptz) at time zone 'UTC' as timestamp) as committed_at
    from described
)
select
    run.id as run_id,                                                               -- GitHub's id of the run. #not_null
    coalesce(run.run_attempt, 1) as run_attempt,                                    -- 1, then one more for each re-run. #not_null
    repository_id,                                                                  -- The repository that ran it. #not_null
    run.workflow_id as workflow_id,                                                 -- The workflow that ran.
    split_part(run.path, '@', 1) as path,                                           -- The workflow's file.
    run.run_number as run_number,                                                   -- Counts the runs of the workflow; re-runs keep it.
    run.event as event,                                                             -- What triggered it: push, pull_request, schedule, …
    run.head_branch as head_branch,                                                 -- Branch or tag; NULL where the fork is gone.
    run.head_repository.id as head_repository_id,                                   -- Where the commit lives; another repository for a fork.
    run.head_sha as head_sha,                                                       -- The commit.
    committed_at,                                                                   -- When the commit was made, UTC.
    run.display_title as title,                                                     -- The run's title on GitHub.
    coalesce(run.triggering_actor.login, run.actor.login) as actor,                 -- Who started this attempt.
    run.status as status,                                                           -- Where it is, verbatim.
    run.conclusion as conclusion,                                                   -- How it ended, verbatim; NULL until completed.
    created_at,                                                                     -- When the run was created, UTC; the same for all attempts. #not_null
    cast(created_at as date) as day,                                                -- The UTC day of that: where the run is counted. #not_null
    coalesce(run_started_at, created_at) as run_started_at,                         -- When this attempt started, UTC.
    updated_at,                                                                     -- When GitHub last touched it, UTC; not when it ended.
    run.html_url as html_url,                                                       -- Its page.
    run.check_suite_node_id as check_suite_node_id,                                 -- GraphQL's id of the list of its jobs.
    case run.status when 'completed' then 2 when 'in_progress' then 1 else 0 end as status_rank,  -- How far along it is. #version
    case when run.status = 'completed' then fetched_at end as settled_seen_at,      -- When we first saw it settled, UTC. #earliest
    case when run.status = 'completed' then run.conclusion end as settled_conclusion,  -- How it had ended then. #earliest
    case when run.status = 'completed' then updated_at end as settled_updated_at,   -- When GitHub had last touched it then, UTC. #earliest
    fetched_at                                                                      -- When we read it, UTC. #version
from timed
