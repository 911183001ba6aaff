/*
Why deployments failed: every one that failed, and every other that a rule explains: undone by an analysis, degraded, ended by a limit.

Grain: deployment_id
The first rule of seeds.failure_rules about deployments that fits wins; rules of phoenix.toml come before ours. They look at how the
operation ended, at Argo CD's message, and at what became of it afterwards: an aborted Rollout and degraded health leave the operation
itself succeeded. What no rule fits is unclassified.
*/
with aborts as (
    select
        deployment_id,
        abort_cause,
        message
    from marts.rollouts
    where status = 'aborted' and deployment_id is not null
    qualify row_number() over (partition by deployment_id order by aborted_at nulls last, rollout, attempt) = 1
),

said as (  -- what GitHub was told with the failure
    select
        'github-' || cast(deployment_id as varchar) as deployment_id,
        description
    from staging.github_deployment_statuses
    where state in ('failure', 'error')
    qualify row_number() over (partition by deployment_id order by created_at, status_id) = 1
),

deployments as (
    select
        operations.deployment_id,
        'argocd' as source,
        operations.application,
        operations.status,
        case when operations.status = 'succeeded' then coalesce(aborts.message, operations.message) else operations.message end as message,
        concat_ws(
            ' ',
            'argocd',
            case when aborts.deployment_id is not null then 'aborted-' || aborts.abort_cause end,
            case when operations.degraded_at is not null then 'degraded' end
        ) as signs,
        operations.day
    from marts.operations as operations
    left join aborts on aborts.deployment_id = operations.deployment_id
    union all
    select
        deliveries.deployment_id,
        'github' as source,
        deliveries.repository as application,
        deliveries.status,
        said.description as message,
        'github' as signs,
        deliveries.day
    from marts.github_deliveries as deliveries
    left join said on said.deployment_id = deliveries.deployment_id
    where deliveries.matched_deployment_id is null
),

ended as (
    select
        deployments.*,
        case when status in ('failed', 'error') then 'failure' when status = 'cancelled' then 'cancelled' else 'success' end as outcome
    from deployments
    where status in ('failed', 'error', 'cancelled', 'succeeded')
),

decided as (
    select
        ended.*,
        rules.rank,
        rules.rule,
        rules.failure_class
    from ended
    left join seeds.failure_rules as rules
        on
            rules.subject = 'deployment'
            and rules.outcome = ended.outcome
            and coalesce(rules.conclusion, ended.status) = ended.status
            and (rules.signs is null or regexp_matches(ended.signs, rules.signs))
            and (rules.message is null or regexp_matches(replace(lower(ended.message), chr(10), ' '), rules.message))
    qualify row_number() over (partition by ended.deployment_id order by rules.rank nulls last) = 1
)
select
    deployment_id,                                                            -- Stands for the operation. #not_null
    source,                                                                   -- Whose record it is. #in(argocd, github)
    application,                                                              -- The application; of GitHub's the repository.
    status,                                                                   -- How it ended. #in(failed, error, cancelled, succeeded)
    coalesce(failure_class, 'unclassified') as failure_class,                 -- Why it failed: the class of the rule, or unclassified. #not_null
    rule,                                                                     -- The rule that says so; NULL if none does.
    rank as rule_rank,                                                        -- Its place among the rules; those of phoenix.toml have 0 and less.
    message,                                                                  -- What Argo CD, Argo Rollouts or the deployment's creator said of it.
    signs,                                                                    -- What else the rules look at, in words: the source, an aborted Rollout's cause, degraded health.
    day                                                                       -- UTC day on which it started. #not_null
from decided
where outcome = 'failure' or failure_class is not null
