/*
Versions of workflow files as they were seen on the default branch, about once a day, and for how long each may have been in place.

Grain: workflow_id, seen_at
A version came after not_before_at, when the folder was read without it, and by seen_at at the latest; the next one came by replaced_at.
What holds of a run is the newest version that had been seen when it was created, and before all of them the first. Where workflows of
one repository share a file, it is that of the one that is listed, or else of the newest.
*/
with owners as (
    select
        workflows.workflow_id,
        workflows.repository,
        workflows.workflow,
        workflows.path,
        repositories.repository_id
    from marts.workflows as workflows
    inner join staging.github_repositories as repositories on repositories.repository = workflows.repository
    where workflows.path is not null
    qualify row_number() over (
        partition by repositories.repository_id, workflows.path
        order by case when workflows.state is not null then 0 else 1 end, workflows.workflow_id desc
    ) = 1
),

crons as (
    select
        repository_id,
        path,
        fetched_at,
        string_agg(case when timezone = 'UTC' then cron else concat(cron, ' ', timezone) end, '; ' order by cron, timezone) as cron
    from staging.github_workflow_crons
    group by repository_id, path, fetched_at
),

versions as (
    select
        *,
        row_number() over of_file as version,
        lead(fetched_at) over of_file as replaced_at
    from staging.github_workflow_files
    window of_file as (partition by repository_id, path order by fetched_at)
)
select
    owners.workflow_id as workflow_id,                -- GitHub's id of the workflow. #not_null
    owners.repository as repository,                  -- owner/name. #not_null
    owners.workflow as workflow,                      -- Name of the workflow. #not_null
    versions.path as path,                            -- Its file. #not_null
    versions.fetched_at as seen_at,                   -- When this version was first seen, UTC. #not_null
    versions.not_before_at as not_before_at,          -- When its folder was last read without it, UTC; NULL if it had never been read.
    versions.replaced_at as replaced_at,              -- When the next version was first seen, UTC; NULL of the newest.
    case when versions.version > 1 then versions.fetched_at end as holds_from,  -- From when on runs are taken to have it, UTC; NULL of the first: from the beginning.
    versions.sha as sha,                              -- Its blob; NULL if the file was gone.
    case
        when versions.sha is null then 'gone'
        when versions.note is null then 'read'
        when versions.cron_count + versions.job_count > 0 then 'in_part'
        else 'unreadable'
    end as state,                                     -- How much of it could be read. #in(read, in_part, unreadable, gone)
    crons.cron as cron,                               -- When it starts the workflow, with the time zone unless that is UTC; NULL if at no time.
    versions.job_count as job_count,                  -- Jobs in it. #not_null
    versions.note as note,                            -- What of it could not be read, in a sentence.
    versions.repository_id as repository_id           -- GitHub's id of the repository. #not_null
from versions
inner join owners on owners.repository_id = versions.repository_id and owners.path = versions.path
left join crons
    on crons.repository_id = versions.repository_id
    and crons.path = versions.path
    and crons.fetched_at = versions.fetched_at
