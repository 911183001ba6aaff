/*
Each headline figure of the last 7 and 28 whole days beside that of as many days before, with an interval, so that noise is not called change.

Grain: scope, repository, workflow, environment, figure, days
A period ends before the day of the newest pass; runs belong to the day on which they were created, deployments to that on which they began.
Ratios have Wilson's interval, widened by how much days differ more than chance allows, since runs of a day share their troubles; percentiles have
that of marts.period_percentiles; counts have Poisson's score interval. The difference of two periods has the interval that Newcombe makes of theirs.
Of sums, each day is compared with the same weekday of the period before, by Student's t. A verdict needs 20 samples in each period, of counts 10 in
both, of sums three days with amounts in each, and of percentiles so many that order statistics bound them; sums and counts also need a history that
reaches back to the earlier period's first day. A figure that neither period has is no row.
*/
with clock as (
    select
        cast(max(case when source = 'github' then finished_at end) as date) as run_end_day,
        cast(coalesce(max(case when source = 'argocd' then finished_at end), max(finished_at)) as date) as delivery_end_day
    from (
        select 'github' as source, finished_at
        from staging.github_syncs
        union all
        select 'argocd' as source, finished_at
        from staging.argocd_syncs
    ) as passes
),

lengths as (
    select 7 as days, 2.446911848791681 as student_t  -- of a 95 % interval with days - 1 degrees of freedom
    union all
    select 28 as days, 2.051830492970674 as student_t
),

scopes as (
    select 'total' as scope, 0 as depth
    union all
    select 'repository' as scope, 1 as depth
    union all
    select 'workflow' as scope, 2 as depth
),

firsts as (  -- how far back the history of each subject reaches
    select
        case when depth = 0 then 'total' else 'repository' end as scope,
        case when depth > 0 then repository end as repository,
        min(day) as first_day
    from marts.repository_daily
    cross join scopes
    where depth < 2
    group by depth, case when depth > 0 then repository end
),

first_delivery as (
    select min(day) as first_day
    from marts.deliveries
),

run_days as (
    select
        scope,
        case when depth > 0 then daily.repository end as repository,
        case when depth > 1 then daily.workflow end as workflow,
        clock.run_end_day - daily.day as age_days,
        sum(daily.failure_count) as failure_count,
        sum(daily.success_count + daily.failure_count) as decided_count,
        sum(least(daily.flaky_count, daily.success_count + daily.failure_count)) as flaky_count,
        sum(daily.billed_minutes) as billed_minutes,
        sum(daily.lost_seconds) as lost_seconds,
        sum(daily.cost_usd) as cost_usd,
        sum(daily.waste_usd) as waste_usd
    from marts.workflow_daily as daily
    cross join clock
    cross join scopes
    where daily.day < clock.run_end_day and daily.day >= clock.run_end_day - 56
    group by scope, case when depth > 0 then daily.repository end, case when depth > 1 then daily.workflow end, clock.run_end_day - daily.day
),

deliveries as (
    select
        case when depth = 0 then 'total' else 'environment' end as scope,
        case when depth = 1 then deliveries.environment end as environment,
        clock.delivery_end_day - deliveries.day as age_days,
        deliveries.change,
        deliveries.is_change_failure
    from marts.deliveries as deliveries
    cross join clock
    cross join scopes
    where
        depth < 2
        and deliveries.is_decided
        and deliveries.day < clock.delivery_end_day
        and deliveries.day >= clock.delivery_end_day - 56
),

delivery_days as (
    select
        scope,
        environment,
        age_days,
        count(*) as delivery_count,
        sum(case when change = 'rollback' then 1 else 0 end) as rollback_count,
        sum(case when is_change_failure then 1 else 0 end) as change_failure_count
    from deliveries
    group by scope, environment, age_days
),

ratio_days as (
    select 'failure_ratio' as figure, scope, repository, workflow, cast(null as varchar) as environment, age_days, failure_count as part, decided_count as whole
    from run_days
    union all
    select 'flaky_ratio' as figure, scope, repository, workflow, cast(null as varchar) as environment, age_days, flaky_count as part, decided_count as whole
    from run_days
    union all
    select 'rollback_ratio' as figure, scope, null as repository, null as workflow, environment, age_days, rollback_count as part, delivery_count as whole
    from delivery_days
    union all
    select 'change_failure_ratio' as figure, scope, null as repository, null as workflow, environment, age_days, change_failure_count as part, delivery_count as whole
    from delivery_days
),

ratio_sums as (
    select
        figure,
        scope,
        repository,
        workflow,
        environment,
        days,
        age_days <= days as is_current,
        count(*) as day_count,
        sum(part) as part,
        sum(whole) as whole,
        sum(part * part / whole) as square
    from ratio_days
    inner join lengths on age_days <= 2 * days
    where whole > 0
    group by figure, scope, repository, workflow, environment, days, age_days <= days
),

ratios as (
    select
        figure,
        scope,
        repository,
        workflow,
        environment,
        days,
        is_current,
        part / whole as value,
        whole as sample_count,
        -- by how much more than chance allows days differ: Pearson's statistic over its degrees of freedom
        greatest(1, coalesce(
            (square - part * part / whole) / nullif(part / whole * (1 - part / whole), 0) / nullif(day_count - 1, 0), 1
        )) / whole as variance_each
    from ratio_sums
),

ratio_periods as (
    select
        figure,
        scope,
        repository,
        workflow,
        environment,
        days,
        is_current,
        value,
        (value + 1.920729410347062 * variance_each - 1.959963984540054 * sqrt((value * (1 - value) + 0.960364705173531 * variance_each) * variance_each))
        / (1 + 3.841458820694124 * variance_each) as low,
        (value + 1.920729410347062 * variance_each + 1.959963984540054 * sqrt((value * (1 - value) + 0.960364705173531 * variance_each) * variance_each))
        / (1 + 3.841458820694124 * variance_each) as high,
        cast(sample_count as bigint) as sample_count,
        sample_count >= 20 as is_enough
    from ratios
),

percentile_periods as (
    select
        figure,
        scope,
        repository,
        workflow,
        cast(null as varchar) as environment,
        days,
        is_current,
        value,
        low,
        high,
        sample_count,
        low is not null and high is not null as is_enough
    from marts.period_percentiles
),

periods as (
    select * from ratio_periods
    union all
    select * from percentile_periods
),

compared as (
    select
        coalesce(latest.figure, before.figure) as figure,
        coalesce(latest.scope, before.scope) as scope,
        coalesce(latest.repository, before.repository) as repository,
        coalesce(latest.workflow, before.workflow) as workflow,
        coalesce(latest.environment, before.environment) as environment,
        coalesce(latest.days, before.days) as days,
        latest.value,
        latest.low as value_low,
        latest.high as value_high,
        before.value as previous_value,
        latest.value - before.value - sqrt(power(latest.value - latest.low, 2) + power(before.high - before.value, 2)) as low,
        latest.value - before.value + sqrt(power(latest.high - latest.value, 2) + power(before.value - before.low, 2)) as high,
        coalesce(latest.sample_count, 0) as sample_count,
        coalesce(before.sample_count, 0) as previous_sample_count,
        coalesce(latest.is_enough and before.is_enough, false) as is_enough
    from (select * from periods where is_current) as latest
    full join (select * from periods where not is_current) as before
        on
            before.figure = latest.figure
            and before.scope = latest.scope
            and before.repository is not distinct from latest.repository
            and before.workflow is not distinct from latest.workflow
            and before.environment is not distinct from latest.environment
            and before.days = latest.days
),

delivery_counts as (
    select
        scope,
        environment,
        days,
        7.0 / days as each_week,
        sum(case when age_days <= days then delivery_count else 0 end) as now_count,
        sum(case when age_days > days then delivery_count else 0 end) as before_count
    from delivery_days
    inner join lengths on age_days <= 2 * days
    group by scope, environment, days
),

counted as (
    select
        'deployments_per_week' as figure,
        scope,
        cast(null as varchar) as repository,
        cast(null as varchar) as workflow,
        environment,
        days,
        each_week * now_count as value,
        each_week * (now_count + 1.920729410347062 - 1.959963984540054 * sqrt(now_count + 0.960364705173531)) as value_low,
        each_week * (now_count + 1.920729410347062 + 1.959963984540054 * sqrt(now_count + 0.960364705173531)) as value_high,
        each_week * before_count as previous_value,
        each_week * (
            now_count - before_count
            - sqrt(power(1.959963984540054 * sqrt(now_count + 0.960364705173531) - 1.920729410347062, 2) + power(1.959963984540054 * sqrt(before_count + 0.960364705173531) + 1.920729410347062, 2))
        ) as low,
        each_week * (
            now_count - before_count
            + sqrt(power(1.959963984540054 * sqrt(now_count + 0.960364705173531) + 1.920729410347062, 2) + power(1.959963984540054 * sqrt(before_count + 0.960364705173531) - 1.920729410347062, 2))
        ) as high,
        cast(now_count as bigint) as sample_count,
        cast(before_count as bigint) as previous_sample_count,
        now_count + before_count >= 10 and first_delivery.first_day <= clock.delivery_end_day - 2 * days as is_enough
    from delivery_counts
    cross join clock
    cross join first_delivery
),

amounts as (
    select 'billed_minutes' as figure, scope, repository, workflow, age_days, cast(billed_minutes as double) as amount
    from run_days
    union all
    select 'lost_seconds' as figure, scope, repository, workflow, age_days, cast(lost_seconds as double) as amount
    from run_days
    union all
    select 'cost_usd' as figure, scope, repository, workflow, age_days, cast(cost_usd as double) as amount
    from run_days
    union all
    select 'waste_usd' as figure, scope, repository, workflow, age_days, cast(waste_usd as double) as amount
    from run_days
),

amount_pairs as (  -- a day and the same weekday a period before; a pair without runs differs by nothing
    select
        figure,
        scope,
        repository,
        workflow,
        days,
        student_t,
        sum(case when age_days <= days then amount else 0 end) as now_amount,
        sum(case when age_days > days then amount else 0 end) as before_amount,
        sum(case when age_days <= days and amount > 0 then 1 else 0 end) as now_days,
        sum(case when age_days > days and amount > 0 then 1 else 0 end) as before_days
    from amounts
    inner join lengths on age_days <= 2 * days
    where amount is not null
    group by figure, scope, repository, workflow, days, student_t, (age_days - 1) % days
),

amount_sums as (
    select
        figure,
        scope,
        repository,
        workflow,
        days,
        student_t,
        sum(now_amount) as now_amount,
        sum(before_amount) as before_amount,
        sum(now_days) as now_days,
        sum(before_days) as before_days,
        greatest(sum(power(now_amount - before_amount, 2)) - power(sum(now_amount - before_amount), 2) / days, 0) / (days - 1) as variance
    from amount_pairs
    group by figure, scope, repository, workflow, days, student_t
),

summed as (
    select
        sums.figure,
        sums.scope,
        sums.repository,
        sums.workflow,
        cast(null as varchar) as environment,
        sums.days,
        now_amount as value,
        cast(null as double) as value_low,
        cast(null as double) as value_high,
        before_amount as previous_value,
        now_amount - before_amount - student_t * sqrt(sums.days * variance) as low,
        now_amount - before_amount + student_t * sqrt(sums.days * variance) as high,
        cast(now_days as bigint) as sample_count,
        cast(before_days as bigint) as previous_sample_count,
        now_days >= 3 and before_days >= 3 and firsts.first_day <= clock.run_end_day - 2 * sums.days as is_enough
    from amount_sums as sums
    cross join clock
    inner join firsts
        on firsts.scope = case when sums.scope = 'total' then 'total' else 'repository' end
        and firsts.repository is not distinct from sums.repository
),

every as (
    select * from compared
    union all
    select * from counted
    union all
    select * from summed
)
select
    scope,                                                          -- What it is about: everything, a repository, a workflow, or of deployments an environment. #in(total, repository, workflow, environment) #not_null
    repository,                                                     -- owner/name; NULL unless it is about a repository or a workflow.
    workflow,                                                       -- Name of the workflow; NULL unless it is about one.
    environment,                                                    -- The environment; NULL unless it is about one.
    figure,                                                         -- Which figure. #in(failure_ratio, flaky_ratio, duration_p50, duration_p95, queue_p95, billed_minutes, lost_seconds, cost_usd, waste_usd, deployments_per_week, change_failure_ratio, rollback_ratio) #not_null
    days,                                                           -- Length of each period: 7 or 28. #not_null
    value,                                                          -- The figure over the last days; NULL without samples.
    previous_value,                                                 -- The figure over as many days before.
    value - previous_value as difference,                           -- The one less the other.
    case when is_enough then low end as difference_low,             -- Lower end of its 95 % interval; NULL if there are too few samples.
    case when is_enough then high end as difference_high,           -- Upper end of that.
    sample_count,                                                   -- Runs, deployments, or of sums days with amounts, that value rests on. #not_null
    previous_sample_count,                                          -- The same of previous_value. #not_null
    case
        when not is_enough then 'too_few'
        when low > 0 then case when figure = 'deployments_per_week' then 'better' else 'worse' end
        when high < 0 then case when figure = 'deployments_per_week' then 'worse' else 'better' end
        else 'no_evidence'
    end as verdict,                                                 -- What the interval says: it lies on one side of 0, or holds it. #in(better, worse, no_evidence, too_few) #not_null
    case
        when figure in ('deployments_per_week', 'change_failure_ratio', 'rollback_ratio') then clock.delivery_end_day
        else clock.run_end_day
    end as end_day,                                                 -- UTC day before whose beginning the last period ends. #not_null
    case when value_low is not null then greatest(value_low, 0) end as value_low,  -- Lower end of value's own 95 % interval; NULL of sums, and where the samples do not bound it.
    value_high                                                      -- Upper end of that.
from every
cross join clock
