-- Runs that have another version of their workflow's file now: those created since it was seen, and all before if it is the first.
with versions as (
    select
        changed.repository_id,
        changed.path,
        case when changed.fetched_at > min(files.fetched_at) then changed.fetched_at end as holds_from
    from changed
    left join staging.github_workflow_files as files on files.repository_id = changed.repository_id and files.path = changed.path
    group by changed.repository_id, changed.path, changed.fetched_at
),

workflows as (
    select
        workflow_id,
        repository_id,
        path
    from staging.github_workflows
    union
    select
        workflow_id,
        repository_id,
        path
    from staging.github_run_titles
)
select attempts.run_id
from versions
inner join workflows on workflows.repository_id = versions.repository_id and workflows.path = versions.path
inner join staging.github_run_attempts as attempts on attempts.workflow_id = workflows.workflow_id
where attempts.created_at >= coalesce(versions.holds_from, attempts.created_at)
