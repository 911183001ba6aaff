/*
Deployments of services: from the commit to the environment, and whether it held. The basis of every delivery figure.

Grain: deployment_id, service
Only what brought, or failed to bring, another version. A change failure is a deployment that failed or ended in error, whose Rollout was
aborted, that a rollback undid, or after which the application was degraded for 30 minutes; terminated, open and unknown ones are not
decided. Lead time runs from the merge of the commit that the image names, or from the commit itself where no pull request is known, to
when the application was healthy, else the operation's end; only of versions that come for the first time and hold through their Rollout.
Recovery runs from the failure to the next version that was there. Rework is going back, or deploying within 24 hours after a change failed.
*/
with code as (  -- commits that deployments name, whole
    select
        services.code_repository,
        services.code_sha,
        min(attempts.head_sha) as head_sha,
        count(distinct attempts.head_sha) as sha_count
    from (select distinct lower(code_repository) as code_repository, code_sha from marts.service_deployments where code_sha is not null) as services
    inner join staging.github_repositories as repositories on lower(repositories.repository) = services.code_repository
    inner join staging.github_run_attempts as attempts
        on
            attempts.repository_id = repositories.repository_id
            and substr(attempts.head_sha, 1, 7) = substr(services.code_sha, 1, 7)
            and starts_with(attempts.head_sha, services.code_sha)
    group by services.code_repository, services.code_sha
),

merges as (
    select
        lower(repositories.repository) as code_repository,
        pulls.merge_commit_sha,
        min(pulls.merged_at) as merged_at,
        min(pulls.number) as number
    from staging.github_pull_requests as pulls
    inner join staging.github_repositories as repositories on repositories.repository_id = pulls.repository_id
    where pulls.merge_commit_sha is not null
    group by lower(repositories.repository), pulls.merge_commit_sha
),

commits as (
    select
        code.code_repository,
        code.code_sha,
        code.head_sha,
        min(attempts.committed_at) as committed_at
    from code
    inner join staging.github_run_attempts as attempts on attempts.head_sha = code.head_sha
    where code.sha_count = 1
    group by code.code_repository, code.code_sha, code.head_sha
),

aborts as (
    select
        deployment_id,
        service,
        aborted_at,
        coalesce(case when analysis_phase in ('Failed', 'Error') then analysis_started_at end, started_at) as failed_at
    from marts.rollouts
    where status = 'aborted' and deployment_id is not null
    qualify row_number() over (partition by deployment_id, service order by aborted_at nulls last, attempt) = 1
),

incidents as (  -- rollbacks, by the operation that went back or by which Git followed a Rollout
    select
        undoing_id,
        rollback_id,
        restored_at
    from (
        select rollback_id as undoing_id, rollback_id, restored_at
        from marts.rollbacks
        union all
        select
            rollbacks.closing_deployment_id as undoing_id,
            rollbacks.rollback_id,
            coalesce(closing.healthy_at, closing.finished_at) as restored_at
        from marts.rollbacks as rollbacks
        inner join marts.operations as closing on closing.deployment_id = rollbacks.closing_deployment_id
    ) as each_way
    qualify row_number() over (partition by undoing_id order by rollback_id) = 1
),

first_undone as (  -- of each service the deployment that brought the first version that was undone
    select
        undone.deployment_id,
        undone.service,
        min(incidents.rollback_id) as rollback_id,
        min(incidents.restored_at) as restored_at
    from (
        select first_rolled_back_deployment_id as deployment_id, service, deployment_id as undoing_id
        from marts.service_deployments
        where change = 'rollback'
        union all
        select first_undone_deployment_id as deployment_id, unnest(string_split(service, ', ')) as service, rollback_id as undoing_id
        from marts.rollbacks
        where detected_by in ('rollout', 'message')
    ) as undone
    inner join incidents on incidents.undoing_id = undone.undoing_id
    where undone.deployment_id is not null
    group by undone.deployment_id, undone.service
),

deployments as (
    select
        services.*,
        operations.degraded_at,
        operations.recovered_at,
        commits.head_sha,
        commits.committed_at,
        merges.merged_at,
        merges.number as pull_request,
        aborts.aborted_at,
        aborts.failed_at as abort_failed_at,
        coalesce(undoing.rollback_id, first_undone.rollback_id) as undone_by,
        coalesce(undoing.restored_at, first_undone.restored_at) as undone_restored_at,
        first_undone.rollback_id is not null as is_first_undone,
        services.status in ('succeeded', 'failed', 'error') as is_decided,
        coalesce(code.sha_count, 0) as sha_count
    from marts.service_deployments as services
    left join marts.operations as operations on operations.deployment_id = services.deployment_id
    left join code
        on code.code_repository = lower(services.code_repository) and code.code_sha = services.code_sha
    left join commits
        on commits.code_repository = lower(services.code_repository) and commits.code_sha = services.code_sha
    left join merges
        on merges.code_repository = commits.code_repository and merges.merge_commit_sha = commits.head_sha
    left join aborts on aborts.deployment_id = services.deployment_id and aborts.service = services.service
    left join incidents as undoing on undoing.undoing_id = services.rolled_back_by_deployment_id
    left join first_undone on first_undone.deployment_id = services.deployment_id and first_undone.service = services.service
    where services.is_deployment
),

commit_runs as (  -- those that the commit itself brought about
    select
        head_sha,
        run_id,
        run_attempt,
        run_started_at
    from staging.github_run_attempts
    where event not in ('pull_request', 'pull_request_target', 'schedule') and head_sha in (select head_sha from deployments)
),

pipelines as (
    select
        deployments.deployment_id,
        deployments.service,
        min(attempts.run_id) as run_id,
        min(attempts.run_started_at) as run_started_at
    from deployments
    inner join commit_runs as attempts on attempts.head_sha = deployments.head_sha
    where attempts.run_attempt = 1 and attempts.run_started_at <= deployments.started_at
    group by deployments.deployment_id, deployments.service
),

builds as (
    select
        deployments.deployment_id,
        deployments.service,
        max(jobs.completed_at) as built_at
    from deployments
    inner join commit_runs as attempts on attempts.head_sha = deployments.head_sha
    inner join marts.jobs as jobs
        on jobs.run_id = attempts.run_id and jobs.run_attempt = attempts.run_attempt and jobs.completed_at <= deployments.started_at
    where jobs.outcome = 'success'
    group by deployments.deployment_id, deployments.service
),

judged as (
    select
        deployments.*,
        coalesce(deployments.healthy_at, deployments.finished_at) as live_at,
        case
            when not deployments.is_decided then null
            when deployments.status in ('failed', 'error') then deployments.status
            when deployments.aborted_at is not null then 'aborted'
            when deployments.undone_by is not null then 'rolled_back'
            when deployments.degraded_at is not null then 'degraded'
        end as failure,
        case
            when deployments.status in ('failed', 'error') then deployments.finished_at
            when deployments.aborted_at is not null then deployments.abort_failed_at
            when deployments.undone_by is not null then deployments.finished_at
            else deployments.degraded_at
        end as failed_at,
        min(
            case when deployments.status = 'succeeded' then coalesce(deployments.healthy_at, deployments.finished_at) end
        ) over (
            partition by deployments.lineage, deployments.service order by deployments.started_at, deployments.deployment_id
            rows between 1 following and unbounded following
        ) as next_success_at
    from deployments
),

next_live as (  -- a re-sync of the version before brings that one back, too
    select
        failures.deployment_id,
        failures.service,
        min(coalesce(later.healthy_at, later.finished_at)) as next_live_at
    from judged as failures
    inner join marts.service_deployments as later
        on
            later.lineage = failures.lineage
            and later.service = failures.service
            and later.started_at > failures.started_at
            and later.status = 'succeeded'
            and later.kind <> 'dry_run'
            and (later.is_deployment or later.is_resync)
    where failures.failure in ('failed', 'error')
    group by failures.deployment_id, failures.service
),

restored as (
    select
        judged.*,
        case judged.failure
            when 'failed' then coalesce(judged.undone_restored_at, next_live.next_live_at)
            when 'error' then coalesce(judged.undone_restored_at, next_live.next_live_at)
            when 'aborted' then judged.aborted_at
            when 'rolled_back' then judged.undone_restored_at
            when 'degraded' then coalesce(judged.recovered_at, judged.next_success_at)
        end as restored_at
    from judged
    left join next_live on next_live.deployment_id = judged.deployment_id and next_live.service = judged.service
),

explained as (
    select
        *,
        case
            when status <> 'succeeded' then 'not_succeeded'
            when change not in ('first', 'forward') or position <> first_position then 'not_new'
            when aborted_at is not null then 'aborted'
            when code_sha is null then 'no_commit'
            when sha_count = 0 then 'unknown_commit'
            when sha_count > 1 then 'ambiguous_commit'
            when coalesce(merged_at, committed_at) is null then 'no_time'
            when live_at is null or live_at < coalesce(merged_at, committed_at) then 'wrong_order'
        end as lead_time_gap
    from restored
),

reworked as (
    select
        *,
        max(case when failure is not null then failed_at end) over (
            partition by environment, service order by started_at, deployment_id
            rows between unbounded preceding and 1 preceding
        ) as last_failed_at
    from explained
)
select
    reworked.deployment_id as deployment_id,                       -- The operation. #not_null
    reworked.service as service,                                   -- The service. #not_null
    reworked.source as source,                                     -- Whose record it is. #in(argocd, github)
    reworked.lineage as lineage,                                   -- The series that versions are compared in. #not_null
    reworked.application as application,                           -- The application's name.
    reworked.environment as environment,                           -- Where it was deployed to. #not_null
    reworked.team as team,                                         -- The team that a rule names.
    reworked.change as change,                                     -- Where it went. #in(first, forward, rollback, recreated)
    reworked.status as status,                                     -- How the operation ended. #in(succeeded, failed, error, cancelled, open, unknown)
    reworked.version as version,                                   -- What came.
    reworked.previous_version as previous_version,                 -- What was there before.
    reworked.version_basis as version_basis,                       -- What versions are told apart by. #in(images, revision)
    reworked.code_repository as code_repository,                   -- The repository of the code, owner/name.
    reworked.code_sha as code_sha,                                 -- The commit that the image names, as it does.
    reworked.head_sha as head_sha,                                 -- That commit, whole, where a run of it is known.
    reworked.pull_request as pull_request,                         -- The pull request that it merged.
    reworked.committed_at as committed_at,                         -- When the commit was made, UTC.
    reworked.merged_at as merged_at,                               -- When it was merged, UTC.
    pipelines.run_id as run_id,                                    -- The first workflow run of the commit; those of pull requests and schedules apart.
    pipelines.run_started_at as run_started_at,                    -- When that began, UTC.
    builds.built_at as built_at,                                   -- When the last job of such runs that was done before the deployment began had ended, UTC.
    reworked.started_at as started_at,                             -- When the deployment began, UTC. #not_null
    reworked.finished_at as finished_at,                           -- When the operation ended, UTC.
    reworked.healthy_at as healthy_at,                             -- When the application was healthy after it, UTC; NULL if not observed.
    reworked.is_health_confirmed as is_health_confirmed,           -- Whether that was observed. #not_null
    case
        when reworked.lead_time_gap is null
            then (epoch_us(reworked.live_at) - epoch_us(coalesce(reworked.merged_at, reworked.committed_at))) / 1000000.0
    end as lead_time_seconds,                                      -- From merge or commit to healthy, else to the operation's end; NULL where lead_time_gap says why.
    reworked.lead_time_gap as lead_time_gap,                                          -- Why there is no lead time: it brought nothing new (not_succeeded, not_new, aborted), or what it brought cannot be attributed to a commit. #in(not_succeeded, not_new, aborted, no_commit, unknown_commit, ambiguous_commit, no_time, wrong_order)
    coalesce(reworked.lead_time_gap not in ('not_succeeded', 'not_new', 'aborted'), false) as is_unattributed,                                          -- Whether it brought something new that has no lead time. #not_null
    reworked.is_decided as is_decided,                             -- Whether it succeeded or failed, so that ratios count it. #not_null
    reworked.failure is not null as is_change_failure,             -- Whether it failed or did not hold. #not_null
    reworked.failure as failure,                                   -- In which way. #in(failed, error, aborted, rolled_back, degraded)
    reworked.undone_by as rollback_id,                             -- The rollback that undid it.
    case when reworked.failure is not null then reworked.failed_at end as failed_at,  -- When it failed, UTC: of what was undone, when it was there.
    case when reworked.restored_at >= reworked.failed_at then reworked.restored_at end as restored_at,  -- When a version that held was there again, UTC; NULL while none is.
    case
        when (reworked.failure <> 'rolled_back' or reworked.is_first_undone) and reworked.restored_at >= reworked.failed_at
            then (epoch_us(reworked.restored_at) - epoch_us(reworked.failed_at)) / 1000000.0
    end as recovery_seconds,                                       -- From the one to the other; of versions that one rollback undid only of the first.
    coalesce(reworked.change = 'rollback' or reworked.last_failed_at >= reworked.started_at - interval 24 hours, false) as is_rework,  -- Whether it went back, or followed a change failure of the service within 24 hours. #not_null
    cast(date_trunc('week', reworked.started_at) as date) as week,  -- Monday of the UTC week in which it began. #not_null
    cast(reworked.started_at as date) as day                       -- UTC day on which it began. #not_null
from reworked
left join pipelines on pipelines.deployment_id = reworked.deployment_id and pipelines.service = reworked.service
left join builds on builds.deployment_id = reworked.deployment_id and builds.service = reworked.service
