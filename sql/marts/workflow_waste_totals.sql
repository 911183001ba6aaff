/*
USD that jobs cost whose work came to nothing, by the reason, before discounts and as far as their prices are known.

Grain: repository, workflow, waste_class
Counts jobs of attempts seen settled within 6 hours of their end; late ones, of a backfill or a gap, are counted beside them. Every workflow
has a row for every class. The reason can become another one, as when what failed twice passes the third time: the job then counts under
the new one, and the old one stands still until others have made up for it. Only marts.waste_classes_daily has each job once.
*/
with classes (waste_class) as (
    values ('timeout'), ('flaky'), ('superseded'), ('fail_fast'), ('cancelled'), ('rerun'), ('outdated')
),

wasted as (
    select
        repository,
        workflow,
        waste_class,
        sum(case when is_late then 0 else cost_usd end) as waste_usd,
        sum(case when is_late then cost_usd else 0 end) as late_waste_usd
    from marts.waste_classes_daily
    group by repository, workflow, waste_class
),

expected as (
    select distinct  -- a repository made anew under its old name has the old one's workflows too
        workflows.repository,
        workflows.workflow,
        classes.waste_class
    from marts.workflows as workflows
    cross join classes
)
select
    expected.repository as repository,                                      -- owner/name. #not_null
    expected.workflow as workflow,                                          -- Name of the workflow. #not_null
    expected.waste_class as waste_class,                                    -- Why the work came to nothing. #not_null #in(timeout, flaky, superseded, fail_fast, cancelled, rerun, outdated)
    coalesce(cast(wasted.waste_usd as double), 0) as waste_usd,             -- USD of attempts seen settled within 6 hours of their end. #counter
    coalesce(cast(wasted.late_waste_usd as double), 0) as late_waste_usd    -- USD of attempts seen settled later than 6 hours after their end. #counter
from expected
left join wasted
    on wasted.repository = expected.repository
    and wasted.workflow = expected.workflow
    and wasted.waste_class = expected.waste_class
