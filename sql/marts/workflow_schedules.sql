/*
When workflows have to start: by phoenix.toml or, where that says nothing of one, by each version of its file.

Grain: workflow_id, seen_at, cron, timezone
In an archived repository nothing starts, whatever its files say.
*/
with by_settings as (
    select
        workflows.workflow_id,
        workflows.repository,
        workflows.workflow,
        schedules.cron,
        schedules.timezone,
        min(schedules.late_minutes) as late_minutes
    from marts.workflows as workflows
    inner join seeds.schedules as schedules
        on lower(workflows.repository) like lower(schedules.repository_pattern)
        and schedules.workflow in (workflows.workflow, workflows.path, replace(workflows.path, '.github/workflows/', ''))
    group by workflows.workflow_id, workflows.repository, workflows.workflow, schedules.cron, schedules.timezone
)
select
    workflow_id,                         -- GitHub's id of the workflow. #not_null
    repository,                          -- owner/name. #not_null
    workflow,                            -- Name of the workflow. #not_null
    'settings' as told_by,               -- What tells it: phoenix.toml or the workflow's file. #in(settings, file)
    cron,                                -- The cron expression. #not_null
    timezone,                            -- Its time zone. #not_null
    late_minutes,                        -- After so many minutes a start is late. #not_null
    cast(null as timestamp) as seen_at,  -- When the version of the file that tells it was first seen, UTC; NULL if phoenix.toml does.
    true as is_current                   -- Whether it is told now: in phoenix.toml, or in the newest version of the file. #not_null
from by_settings
union all
select
    files.workflow_id,
    files.repository,
    files.workflow,
    'file',
    crons.cron,
    crons.timezone,
    30,
    files.seen_at,
    files.replaced_at is null
from marts.workflow_files as files
inner join staging.github_workflow_crons as crons
    on crons.repository_id = files.repository_id
    and crons.path = files.path
    and crons.fetched_at = files.seen_at
left join (select distinct workflow_id from by_settings) as told on told.workflow_id = files.workflow_id
inner join staging.github_repositories as repositories on repositories.repository_id = files.repository_id
where told.workflow_id is null and not coalesce(repositories.is_archived, false)
