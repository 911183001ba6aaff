/*
How complete and how fresh the data is, source by source.

Grain: source, subject
A repository that no pass has tried for a day is not measured any more and has no row.
missing_count counts what is known to exist and is not here: stretches of history not read yet, attempts not stored, files set aside.
What goes with the runs (github_releases, github_pull_requests, github_billing, …) has a row only while its newest visit did not go
well: a missing permission is a gap that is stated. So is a workflow file of which something cannot be read (github_workflow_file). A repository with jobs whose cost is not known has a row cost, which says of which runners. A repository or organisation not visited for two days is not measured any more.
Of Argo CD each server has a row (argocd), each application of which something is lost or not known (argocd_application), and each of
which Argo CD counted more operations than are here (argocd_audit). A server's missing_count is that of all its applications; a pass that
read the whole list and was refused single applications is partial, and a success all the same.
*/
with stored as (
    select
        repositories.repository_id,
        min(daily.oldest_at) as oldest_at,
        max(daily.newest_at) as newest_at,
        cast(sum(daily.run_count) as bigint) as run_count,
        cast(sum(daily.open_count) as bigint) as open_count,
        cast(sum(daily.missing_attempt_count) as bigint) as missing_attempt_count,
        cast(sum(daily.detailed_count) as bigint) as detailed_count,
        cast(sum(daily.bulk_count) as bigint) as bulk_count,
        cast(sum(daily.undetailed_count) as bigint) as undetailed_count,
        cast(sum(daily.deleted_count) as bigint) as deleted_count
    from marts.repository_daily as daily
    inner join staging.github_repositories as repositories on repositories.repository = daily.repository
    group by repositories.repository_id
),

passed as (
    select
        *,
        max(repository_id) over (partition by repository) as known_repository_id,
        max(finished_at) over () as newest_pass_at
    from staging.github_syncs
),

latest as (
    select *
    from passed
    where finished_at > newest_pass_at - interval 1 day
    qualify row_number() over (partition by coalesce(cast(known_repository_id as varchar), repository) order by finished_at desc) = 1
),

succeeded as (
    select
        repository_id,
        finished_at,
        complete_since,
        missing_window_count
    from staging.github_syncs
    where state = 'ok'
    qualify row_number() over (partition by repository_id order by finished_at desc) = 1
),

visited as (
    select
        *,
        max(finished_at) filter (where state = 'ok') over of_subject as last_success_at,
        row_number() over (of_subject order by finished_at desc) as visit_rank
    from staging.github_visits
    where finished_at > (select max(finished_at) from staging.github_syncs) - interval 2 days or state = 'ok'
    window of_subject as (partition by loop, coalesce(cast(repository_id as varchar), lower(subject)))
),

unpriced as (
    select
        repository,
        cast(sum(job_count) as bigint) as job_count,
        string_agg(
            concat(replace(unpriced_reason, '_', ' '), ' ', job_count, case when unpriced_reason in ('unknown_label', 'no_price') then concat(' (', runner, ')') else '' end),
            ', '
            order by job_count desc, unpriced_reason, runner
        ) as reasons
    from (
        select
            repository,
            unpriced_reason,
            case when unpriced_reason in ('unknown_label', 'no_price') then runner else '' end as runner,
            cast(sum(job_count) as bigint) as job_count
        from marts.unpriced_daily
        group by repository, unpriced_reason, case when unpriced_reason in ('unknown_label', 'no_price') then runner else '' end
    )
    group by repository
),

gaps as (
    select *
    from visited
    where visit_rank = 1 and state <> 'ok'
),

argocd_passes as (
    select
        *,
        max(finished_at) filter (where state in ('ok', 'partial')) over of_instance as last_success_at,
        row_number() over (of_instance order by finished_at desc) as pass_rank,
        max(finished_at) over () as newest_pass_at
    from staging.argocd_syncs
    window of_instance as (partition by instance)
),

argocd_latest as (
    select *
    from argocd_passes
    where pass_rank = 1 and finished_at > newest_pass_at - interval 1 day
),

argocd_stored as (
    select
        instance,
        min(started_at) as oldest_at,
        max(started_at) as newest_at,
        count(*) filter (where status = 'open') as open_count,
        count(*) filter (where finished_at < started_at) as backward_count
    from marts.operations
    group by instance
),

argocd_lost as (
    select
        instance,
        cast(sum(missing_count) as bigint) as missing_count
    from marts.applications
    group by instance
),

applications as (
    select
        *,
        concat(instance, '/', namespace, '/', application) as subject,
        missing_count > 0 or unknown_gap_count > 0 or vanished_count > 0 as has_gap,
        environment_rule = 'none' and not is_app_of_apps and state <> 'deleted' as is_unplaced
    from marts.applications
),

audited as (
    select
        instance,
        concat(instance, '/', namespace, '/', application) as subject,
        max(counted_to) as counted_to,
        cast(sum(missing_count) as bigint) as missing_count,
        string_agg(
            concat(case when is_dry_run then 'dry run ' else '' end, phase, ' ', missing_count), ', ' order by is_dry_run, phase
        ) as phases
    from marts.argocd_audit
    where missing_count > 0
    group by instance, namespace, application
)
select
    'github' as source,                                                                             -- Where the data comes from. #not_null
    latest.repository as subject,                                                                   -- What of it: a repository, a landing file, a server or application of Argo CD. #not_null
    succeeded.finished_at as last_success_at,                                                       -- When ingestion last succeeded in full, UTC.
    latest.finished_at as last_attempt_at,                                                          -- When ingestion last ended, UTC.
    latest.state as state,                                                                          -- How: ok, partial (budget spent), failed, no_access, unavailable, gone, blocked, set_aside; of applications not_seen, no_environment.
    stored.oldest_at as oldest_at,                                                                  -- Creation of the oldest run stored, or start of the oldest operation, UTC.
    stored.newest_at as newest_at,                                                                  -- The same of the newest, UTC.
    coalesce(latest.complete_since, succeeded.complete_since) as complete_since,                                                        -- History is whole from here on, UTC.
    coalesce(stored.run_count, 0) as run_count,                                                     -- Runs stored.
    coalesce(stored.open_count, 0) as open_count,                                                   -- Runs or operations that have not ended.
    coalesce(stored.detailed_count, 0) as detailed_count,                                           -- Ended runs whose jobs are here in full.
    coalesce(stored.bulk_count, 0) as bulk_count,                                                   -- Ended runs whose jobs lack runner, queue, steps and cost.
    coalesce(stored.undetailed_count, 0) as undetailed_count,                                       -- Ended runs whose jobs are not read.
    coalesce(stored.deleted_count, 0) as deleted_count,                                             -- Runs stored that the source does not have any more.
    coalesce(stored.missing_attempt_count, 0) + coalesce(latest.missing_window_count, succeeded.missing_window_count, 0) as missing_count,  -- Things known to be missing. #not_null
    latest.request_count as request_count,                                                          -- Requests of the newest pass.
    latest.rate_limit as rate_limit,                                                                -- Requests an hour that the source grants.
    latest.rate_limit_remaining as rate_limit_remaining,                                            -- Requests left after the newest pass.
    latest.note as note,                                                                            -- What went wrong, in a sentence.
    coalesce(unpriced.job_count, 0) as unpriced_count                                               -- Jobs that ran and whose cost is not known.
from latest
left join succeeded on succeeded.repository_id = latest.known_repository_id
left join stored on stored.repository_id = latest.known_repository_id
left join staging.github_repositories as named on named.repository_id = latest.known_repository_id
left join unpriced on unpriced.repository = named.repository
union all
select
    'landing',
    file,
    null,
    recorded_at,
    'set_aside',
    null,
    null,
    null,
    0,
    0,
    0,
    0,
    0,
    0,
    1,
    null,
    null,
    null,
    note,
    0
from staging.landing_files
where state = 'set_aside'
union all by name
select
    'github_' || loop as source,
    subject,
    last_success_at,
    finished_at as last_attempt_at,
    state,
    0 as missing_count,
    request_count,
    note
from gaps
union all by name
select
    'github_workflow_file' as source,
    concat(files.repository, '/', files.path) as subject,
    files.seen_at as last_attempt_at,
    'partial' as state,
    0 as missing_count,
    files.note
from marts.workflow_files as files
inner join latest on latest.known_repository_id = files.repository_id
where files.replaced_at is null and files.note is not null
union all by name
select
    'cost' as source,
    repository as subject,
    'partial' as state,
    0 as missing_count,
    job_count as unpriced_count,
    concat('jobs whose cost is not known: ', reasons) as note
from unpriced
union all by name
select
    'argocd' as source,
    latest.instance as subject,
    latest.last_success_at,
    latest.finished_at as last_attempt_at,
    latest.state,
    stored.oldest_at,
    stored.newest_at,
    coalesce(stored.open_count, 0) as open_count,
    coalesce(lost.missing_count, 0) as missing_count,
    latest.request_count,
    nullif(
        concat_ws(
            '; ',
            latest.note,
            case
                when abs(latest.clock_skew_seconds) >= 5
                    then concat(
                        'its clock is ',
                        cast(abs(round(latest.clock_skew_seconds)) as bigint),
                        ' seconds ',
                        case when latest.clock_skew_seconds > 0 then 'ahead of' else 'behind' end,
                        ' ours'
                    )
            end,
            case when stored.backward_count > 0 then concat('operations that ended before they began, by its clock: ', stored.backward_count) end
        ),
        ''
    ) as note
from argocd_latest as latest
left join argocd_stored as stored on stored.instance = latest.instance
left join argocd_lost as lost on lost.instance = latest.instance
union all by name
select
    'argocd_application' as source,
    applications.subject,
    applications.last_seen_at as last_success_at,
    latest.finished_at as last_attempt_at,
    case
        when applications.state in ('not_seen', 'no_access') then applications.state
        when applications.has_gap then 'partial'
        else 'no_environment'
    end as state,
    0 as missing_count,
    concat_ws(
        '; ',
        case applications.state
            when 'not_seen' then 'not in the list any more'
            when 'no_access' then 'the token may not read it'
        end,
        case when applications.missing_count > 0 then concat('deployments lost: ', applications.missing_count) end,
        case when applications.unknown_gap_count > 0 then concat('gaps of unknown size: ', applications.unknown_gap_count) end,
        case when applications.vanished_count > 0 then concat('operations whose end was not seen: ', applications.vanished_count) end,
        case when applications.is_unplaced then 'nothing names its environment' end
    ) as note
from applications
inner join argocd_latest as latest on latest.instance = applications.instance
where applications.state in ('not_seen', 'no_access') or applications.has_gap or applications.is_unplaced
union all by name
select
    'argocd_audit' as source,
    audited.subject,
    latest.last_success_at,
    audited.counted_to as last_attempt_at,
    'partial' as state,
    audited.missing_count,
    concat('Argo CD counted operations that are not here: ', audited.phases) as note
from audited
inner join argocd_latest as latest on latest.instance = audited.instance
