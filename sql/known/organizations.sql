/*
Organisations that are named in the settings or own a measured repository, and how the last visits of one side loop to them ended.
*/
with passed as (
    select
        repository_id,
        max(finished_at) as finished_at
    from staging.github_syncs
    where repository_id is not null
    group by repository_id
),

owners as (
    select
        unnest(cast($names as varchar[])) as name,
        true as is_named
    union all
    select
        split_part(repositories.repository, '/', 1) as name,
        false as is_named
    from staging.github_repositories as repositories
    inner join passed on passed.repository_id = repositories.repository_id
    where passed.finished_at > (select max(finished_at) from passed) - interval 1 day
),

visited as (
    select
        lower(subject) as organization,
        max(finished_at) as tried_at,
        max_by(cursor, finished_at) filter (where cursor is not null) as cursor
    from staging.github_visits
    where loop = $loop and repository_id is null
    group by lower(subject)
)
select
    max_by(owners.name, owners.is_named) as organization,
    bool_or(owners.is_named) as is_named,
    any_value(visited.tried_at) as tried_at,
    any_value(visited.cursor) as cursor
from owners
left join visited on visited.organization = lower(owners.name)
group by lower(owners.name)
order by organization
