/*
USD that the jobs of settled attempts cost, before discounts, as far as their prices are known.

Grain: repository, workflow
Counts attempts seen settled within 6 hours of their end; late ones, of a backfill or a gap, are counted beside them. Every workflow has a
row. Another price for days that are past counts at once, upwards only.
*/
with costs as (
    select
        repository,
        workflow,
        sum(case when is_late then 0 else cost_usd end) as cost_usd,
        sum(case when is_late then cost_usd else 0 end) as late_cost_usd
    from marts.waste_classes_daily
    group by repository, workflow
),

known as (
    select distinct  -- a repository made anew under its old name has the old one's workflows too
        repository,
        workflow
    from marts.workflows
)
select
    known.repository as repository,                                     -- owner/name. #not_null
    known.workflow as workflow,                                         -- Name of the workflow. #not_null
    coalesce(cast(costs.cost_usd as double), 0) as cost_usd,            -- USD of attempts seen settled within 6 hours of their end. #counter
    coalesce(cast(costs.late_cost_usd as double), 0) as late_cost_usd   -- USD of attempts seen settled later than 6 hours after their end. #counter
from known
left join costs on costs.repository = known.repository and costs.workflow = known.workflow
