/*
Applications of Argo CD, with the environment and service each stands for and how completely its deployments are known.

Grain: instance, namespace, application
An application is known by its names and survives being created again. Its environment is what the first of these says: a rule of the
settings, a label, the last word of its name, the last word of the namespace it deploys to, any word of the one or the other.
*/
with passes as (
    select instance, max(finished_at) filter (where state in ('ok', 'partial')) as read_at
    from staging.argocd_syncs
    group by instance
),

lineages as (
    select instance, namespace, application from staging.argocd_applications
    union
    select instance, namespace, application from marts.operations where application is not null
    union
    select instance, namespace, application from staging.argocd_sightings
),

counts as (
    select
        instance,
        namespace,
        application,
        max(project) as project,
        count(*) as operation_count,
        count(*) filter (where status = 'unknown') as vanished_count
    from marts.operations
    group by instance, namespace, application
),

named as (
    select
        lineages.instance,
        lineages.namespace,
        lineages.application,
        coalesce(applications.project, counts.project) as project,
        applications.uid,
        applications.labels,
        applications.destination_server,
        applications.destination_namespace,
        applications.is_automated,
        coalesce(applications.is_app_of_apps, false) as is_app_of_apps,
        applications.health_status,
        applications.health_since,
        applications.sync_status,
        applications.fetched_at,
        coalesce(counts.operation_count, 0) as operation_count,
        coalesce(counts.vanished_count, 0) as vanished_count
    from lineages
    left join staging.argocd_applications as applications using (instance, namespace, application)
    left join counts using (instance, namespace, application)
),

incarnations as (
    select instance, namespace, application, count(distinct uid) as incarnation_count
    from (
        select instance, namespace, application, uid from staging.argocd_applications
        union all
        select instance, namespace, application, uid from marts.operations
    ) as known_uids
    group by instance, namespace, application
),

words as (
    select instance, namespace, application, 'name' as rule, regexp_replace(lower(application), '[-_.]', '-', 'g') as text
    from named
    union all
    select instance, namespace, application, 'namespace' as rule, regexp_replace(lower(destination_namespace), '[-_.]', '-', 'g') as text
    from named
    where destination_namespace is not null
),

word_matches as (
    select
        words.instance,
        words.namespace,
        words.application,
        words.rule,
        words.text,
        aliases.alias,
        aliases.environment,
        ends_with(concat('-', words.text), concat('-', lower(aliases.alias))) as is_last,
        strpos(concat('-', words.text, '-'), concat('-', lower(aliases.alias), '-')) as place
    from words
    inner join seeds.environment_aliases as aliases
        on contains(concat('-', words.text, '-'), concat('-', lower(aliases.alias), '-'))
),

environment_words as (
    select *
    from word_matches
    qualify row_number() over (
        partition by instance, namespace, application order by is_last desc, rule, place desc, alias
    ) = 1
),

last_words as (
    select instance, namespace, application, max(alias) as alias
    from word_matches
    where rule = 'name' and is_last
    group by instance, namespace, application
),

labelled as (
    select
        named.instance,
        named.namespace,
        named.application,
        coalesce(aliases.environment, lower(json_extract_string(named.labels, concat('$."', labels.label, '"')))) as environment
    from named
    inner join seeds.environment_labels as labels
        on json_extract_string(named.labels, concat('$."', labels.label, '"')) <> ''
    left join seeds.environment_aliases as aliases
        on lower(aliases.alias) = lower(json_extract_string(named.labels, concat('$."', labels.label, '"')))
    qualify row_number() over (
        partition by named.instance, named.namespace, named.application order by cast(labels.rank as integer), labels.label
    ) = 1
),

rules as (
    select
        named.instance,
        named.namespace,
        named.application,
        nullif(rules.environment, '') as environment,
        nullif(rules.service, '') as service,
        cast(rules.rank as integer) as rank
    from named
    inner join seeds.application_rules as rules on named.application like rules.application_pattern escape '\'
),

environment_rules as (
    select *
    from rules
    where environment is not null
    qualify row_number() over (partition by instance, namespace, application order by rank, environment) = 1
),

service_rules as (
    select *
    from rules
    where service is not null
    qualify row_number() over (partition by instance, namespace, application order by rank, service) = 1
),

image_services as (
    select
        operations.instance,
        operations.namespace,
        operations.application,
        min(images.service) as service,
        count(distinct images.service) as service_count
    from marts.deployment_images as images
    inner join marts.operations as operations on operations.deployment_id = images.deployment_id
    group by operations.instance, operations.namespace, operations.application
),

id_steps as (
    select
        instance,
        uid,
        namespace,
        application,
        deployed_at,
        lag(deployed_at) over ids as previous_deployed_at,
        history_id - lag(history_id) over ids as step
    from staging.argocd_history
    window ids as (partition by instance, uid order by deployed_at, history_id)
),

gaps as (
    select
        id_steps.instance,
        id_steps.namespace,
        id_steps.application,
        id_steps.step,
        id_steps.step - 1 - count(operations.deployment_id) as missing_count
    from id_steps
    left join marts.operations as operations
        on
            operations.instance = id_steps.instance
            and operations.uid = id_steps.uid
            and operations.finished_at > id_steps.previous_deployed_at
            and operations.finished_at < id_steps.deployed_at
            and operations.history_id is null
            and operations.status = 'succeeded'
            and operations.kind = 'full'
    where id_steps.step <> 1
    group by id_steps.instance, id_steps.uid, id_steps.namespace, id_steps.application, id_steps.deployed_at, id_steps.step
),

lost as (
    select
        instance,
        namespace,
        application,
        cast(sum(case when step > 1 then greatest(missing_count, 0) else 0 end) as bigint) as missing_count,
        count(*) filter (where step < 1) as unknown_gap_count
    from gaps
    group by instance, namespace, application
)
select
    named.instance as instance,                                       -- The Argo CD server. #not_null
    named.namespace as namespace,                                     -- Namespace of the application itself. #not_null
    named.application as application,                                 -- Its name. #not_null
    named.project as project,                                         -- Its project.
    named.uid as uid,                                                 -- Its incarnation, as last read.
    coalesce(environment_rules.environment, labelled.environment, environment_words.environment, 'unknown') as environment,  -- The environment it deploys to; unknown if nothing tells. #not_null
    case
        when environment_rules.environment is not null then 'setting'
        when labelled.environment is not null then 'label'
        else coalesce(environment_words.rule, 'none')
    end as environment_rule,                                          -- What told so. #in(setting, label, name, namespace, none)
    coalesce(
        service_rules.service,
        case when image_services.service_count = 1 then image_services.service end,
        case
            when last_words.alias is not null and length(named.application) > length(last_words.alias) + 1
                then left(named.application, length(named.application) - length(last_words.alias) - 1)
            when environment_words.rule = 'name' and environment_rules.environment is null and labelled.environment is null
                then coalesce(
                    nullif(
                        trim(
                            concat(
                                left(named.application, environment_words.place - 1),
                                substr(named.application, environment_words.place + length(environment_words.alias) + 1)
                            ),
                            '-_.'
                        ),
                        ''
                    ),
                    named.application
                )
        end,
        named.application
    ) as default_service,                                             -- The service of operations whose images are not known: by the settings, by its only image, else its name without the environment. #not_null
    named.destination_server as destination_server,                   -- The cluster it deploys to.
    named.destination_namespace as destination_namespace,             -- The namespace there.
    named.is_automated as is_automated,                               -- Whether Argo CD syncs it by itself.
    named.is_app_of_apps as is_app_of_apps,                           -- Whether it brings applications. #not_null
    named.health_status as health_status,                             -- Its health, verbatim.
    named.health_since as health_since,                               -- Since when, UTC.
    named.sync_status as sync_status,                                 -- Whether what runs is what Git says, verbatim.
    coalesce(sightings.state, 'seen') as state,                       -- Whether it was there at the latest pass. #in(seen, not_seen, deleted, no_access)
    case
        when coalesce(sightings.state, 'seen') = 'seen' then coalesce(greatest(named.fetched_at, passes.read_at), named.fetched_at, passes.read_at)
        else named.fetched_at
    end as last_seen_at,                                              -- When it was last there, UTC.
    coalesce(incarnations.incarnation_count, 0) as incarnation_count,  -- Uids known of it. #not_null
    named.operation_count as operation_count,                         -- Operations known of it. #not_null
    coalesce(lost.missing_count, 0) as missing_count,                 -- Deployments that its history's ids show to be lost. #not_null
    coalesce(lost.unknown_gap_count, 0) as unknown_gap_count,         -- Times that its history began anew under one uid: gaps of unknown size. #not_null
    named.vanished_count as vanished_count,                           -- Operations whose end was not seen. #not_null
    image_services.service is not null or service_rules.service is not null as has_service  -- Whether an image of ours or a rule names a service. #not_null
from named
left join incarnations using (instance, namespace, application)
left join environment_rules using (instance, namespace, application)
left join labelled using (instance, namespace, application)
left join environment_words using (instance, namespace, application)
left join last_words using (instance, namespace, application)
left join service_rules using (instance, namespace, application)
left join image_services using (instance, namespace, application)
left join lost using (instance, namespace, application)
left join passes on passes.instance = named.instance
left join staging.argocd_sightings as sightings
    on
        sightings.instance = named.instance
        and sightings.namespace = named.namespace
        and sightings.application = named.application
        and not coalesce(named.uid <> sightings.uid and named.fetched_at > sightings.fetched_at, false)  -- created again since
