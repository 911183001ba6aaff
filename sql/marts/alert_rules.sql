/*
Alerting rules with their limits as they stand, how much each has to judge by, and why one has nothing.

Grain: rule
Limits are those of phoenix.toml or the environment where they say something else than the rule does. Of rollbacks and of deployments that hang
only what goes on is a subject, so those rules judge as soon as any deployment is known. As of the same moment as marts.alert_conditions.
*/
with rules as (
    select
        rules.*,
        coalesce(own.threshold, rules.threshold) as own_threshold,
        coalesce(own.min_samples, rules.min_samples) as own_min_samples,
        coalesce(own.for_seconds, rules.for_seconds) as own_for_seconds
    from seeds.alert_rules as rules
    left join seeds.own_alert_rules as own on own.rule = rules.rule
),

stale as (  -- what is not read, in the words of rests_on; one that refuses us for good does not stop its whole source
    select concat(source, ' ', subject) as name
    from marts.source_freshness
    where is_stale
    union
    select source as name
    from marts.source_freshness
    where is_stale and not is_refused
),

judged as (
    select
        rules.rule,
        count(conditions.subject) as subject_count,
        count(*) filter (where conditions.value is not null and coalesce(conditions.sample_count, 0) >= rules.own_min_samples) as judged_count,
        count(*) filter (where conditions.is_breached) as breached_count,
        count(stale.name) as frozen_count
    from rules
    left join marts.alert_conditions as conditions on conditions.rule = rules.rule
    left join stale on stale.name = conditions.rests_on
    group by rules.rule
),

known as (
    select
        (select max(as_of) from marts.source_freshness) as as_of,
        (select count(*) from marts.source_freshness) as source_count,
        (select count(*) from marts.workflow_windows where time_window = '24h' and duration_count > 0) as timed_count,
        (select count(*) from marts.objectives) as objective_count,
        (select count(*) from marts.budgets) as budget_count,
        (select count(*) from marts.schedules) as schedule_count,
        (select count(*) from marts.deployments) as deployment_count
)
select
    rules.rule as rule,                                        -- The rule, by the name that Prometheus's has. #not_null
    rules.meaning as meaning,                                  -- What it means. #not_null
    rules.severity as severity,                                -- How bad. #not_null
    rules.unit as unit,                                        -- Unit of its figures. #not_null #in(ratio, seconds, usd, count)
    cast(rules.own_threshold as double) as threshold,          -- The limit, or what it is a multiple of: the week's percentile, the budget, the requests granted, what the objective allows. #not_null
    cast(rules.own_min_samples as bigint) as min_samples,      -- Samples below which it gives no verdict. #not_null
    cast(rules.own_for_seconds as bigint) as for_seconds,      -- How long a figure must be over its limit until the alert fires. #not_null
    cast(rules.keep_seconds as bigint) as keep_seconds,        -- How long the alert goes on after it is not any more. #not_null
    rules.own_threshold <> rules.threshold or rules.own_min_samples <> rules.min_samples or rules.own_for_seconds <> rules.for_seconds
        as is_own,                                             -- Whether the settings changed it. #not_null
    rules.runbook as runbook,                                  -- Where it says what to do. #not_null
    judged.subject_count as subject_count,                     -- Workflows, services, sources, …, of which it speaks at the moment. #not_null
    judged.judged_count as judged_count,                       -- Those of which it has a figure on enough samples. #not_null
    judged.breached_count as breached_count,                   -- Those that are over their limit. #not_null
    judged.frozen_count as frozen_count,                       -- Those whose alerts stand still, because what they rest on is not read. #not_null
    case
        when judged.judged_count > 0 then null
        when rules.rule in ('CICDRollback', 'CICDDeploymentStuck')
            then case when known.deployment_count = 0 then 'no_deployments' end
        when known.source_count = 0 then 'no_source'
        when rules.rule = 'CICDRateLimitLow' then 'no_rate_limit'
        when rules.rule = 'CICDSourceStale' then 'never_read'
        when rules.rule = 'CICDScheduleMissed' then case when known.schedule_count = 0 then 'no_schedule' else 'no_start' end
        when rules.rule = 'CICDBudgetBurn' then case when known.budget_count = 0 then 'no_budget' else 'no_forecast' end
        when rules.rule = 'CICDErrorBudgetBurn' and known.objective_count = 0 then 'no_objective'
        when judged.subject_count > 0 or (rules.rule = 'CICDPipelineSlower' and known.timed_count > 0) then 'too_few'
        when rules.rule = 'CICDQueueLong' then 'no_jobs'
        else 'no_runs'
    end as unjudged_reason,                                    -- Why it has nothing to judge by; NULL if it has. #in(no_deployments, no_source, no_rate_limit, never_read, no_schedule, no_start, no_budget, no_forecast, no_objective, too_few, no_jobs, no_runs)
    known.as_of as as_of                                       -- As of when, UTC.
from rules
inner join judged on judged.rule = rules.rule
cross join known
