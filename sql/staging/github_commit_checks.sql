/*
Commits whose checks by third parties were read, and how many there were.

Grain: repository_id, head_sha
Newest: fetched_at
A webhook tells of one check run at a time; that is no reading of the commit.
*/
with described as (
    select
        repository_id,
        fetched_at,
        from_json(
            payload,
            '{"head_sha": "VARCHAR", "check_runs": [{"status": "VARCHAR"}], "is_part": "BOOLEAN", "statuses": [{"context": "VARCHAR", "state": "VARCHAR"}]}'
        ) as commit
    from landing.github_commit_checks
)
select
    repository_id,                               -- The repository it is in. #not_null
    commit.head_sha as head_sha,                 -- The commit. #not_null
    len(commit.check_runs) as check_run_count,   -- Check runs of other apps than GitHub Actions.
    len(commit.statuses) as status_count,        -- Commit statuses, the older form of a check, each change of one.
    len([run for run in commit.check_runs if run.status <> 'completed']) as open_count,  -- Check runs that had not ended.
    fetched_at                                   -- When we read them, UTC. #version
from described
where not coalesce(commit.is_part, false)
