/*
Runners and groups of runners of which GitHub told what they are: larger runners by name, groups that hold self-hosted ones.

Grain: owner, subject, name
A larger runner is asked for by its name, which says nothing for certain of its size; the list of them is exact. A group counts as one of
self-hosted runners while one of them, and no larger runner, was listed in it.
*/
with larger as (
    select
        lower(organization) as owner,
        lower(name) as name,
        case
            when platform like 'linux%' then 'linux'
            when platform like 'win%' then 'windows'
            when platform like 'mac%' then 'macos'
        end as system,
        cpu_cores,
        platform like '%arm%' as is_arm,
        coalesce(lower(machine_size) like '%gpu%', false) as has_gpu
    from staging.github_hosted_runners
    where name is not null
    qualify row_number() over (partition by lower(organization), lower(name) order by fetched_at desc, hosted_runner_id desc) = 1
),

grouped as (
    select
        lower(runners.scope) as owner,
        lower(runner_groups.name) as name
    from staging.github_runners as runners
    inner join staging.github_runner_groups as runner_groups
        on lower(runner_groups.organization) = lower(runners.scope) and runner_groups.runner_group_id = runners.runner_group_id
    left join staging.github_hosted_runners as hosted
        on lower(hosted.organization) = lower(runners.scope) and hosted.runner_group_id = runners.runner_group_id
    where hosted.hosted_runner_id is null and runner_groups.name is not null
    group by lower(runners.scope), lower(runner_groups.name)
)
select
    owner,                                                                                        -- Whose it is: an organisation, in lower case. #not_null
    'label' as subject,                                                                           -- What of a job carries the name. #in(label, group)
    name,                                                                                         -- The name, in lower case. #not_null
    case
        when has_gpu then concat(system, '_', cpu_cores, '_core_gpu')
        when is_arm then concat(system, '_', cpu_cores, '_core_arm')
        when system = 'linux' and cpu_cores = 2 then 'linux_2_core_advanced'
        else concat(system, '_', cpu_cores, '_core')
    end as sku,                                                                                   -- What it is billed as.
    'listed larger runner' as rule                                                                -- How we know. #not_null
from larger
where system is not null and cpu_cores is not null
union all
select
    owner,
    'group',
    name,
    'self_hosted',
    'listed group of self-hosted runners'
from grouped
