/*
Check runs of other apps than GitHub Actions on commits of the default branch, as GitHub last described each of them.

Grain: check_run_id
Newest: status_rank, fetched_at
*/
with described as (
    select
        repository_id,
        fetched_at,
        from_json(
            payload,
            '{"head_sha": "VARCHAR",
              "check_runs": [{"id": "BIGINT", "name": "VARCHAR", "app": {"slug": "VARCHAR"}, "status": "VARCHAR", "conclusion": "VARCHAR",
                              "title": "VARCHAR", "summary": "VARCHAR", "started_at": "VARCHAR", "completed_at": "VARCHAR",
                              "details_url": "VARCHAR"}]}'
        ) as commit
    from landing.github_commit_checks
),

listed as (
    select
        repository_id,
        fetched_at,
        commit.head_sha as head_sha,
        unnest(commit.check_runs) as run
    from described
)
select
    run.id as check_run_id,              -- GitHub's id. #not_null
    repository_id,                       -- The repository the commit is in. #not_null
    head_sha,                            -- The commit it judges. #not_null
    run.name as name,                    -- Its name, which a required check is matched by.
    run.app.slug as app,                 -- The app that reports it.
    run.status as status,                -- Where it is, verbatim.
    run.conclusion as conclusion,        -- How it ended, verbatim; NULL until completed.
    run.title as title,                  -- What the app says in a line, such as a coverage.
    run.summary as summary,              -- The beginning of what it says at length.
    cast(cast(run.started_at as timestamptz) at time zone 'UTC' as timestamp) as started_at,  -- When it began, UTC.
    cast(cast(run.completed_at as timestamptz) at time zone 'UTC' as timestamp) as completed_at,  -- When it ended, UTC.
    run.details_url as details_url,      -- The app's own page.
    case run.status when 'completed' then 2 when 'in_progress' then 1 else 0 end as status_rank,  -- How far along it is. #version
    fetched_at                           -- When we read it, UTC. #version
from listed
