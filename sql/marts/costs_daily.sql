/*
What the jobs of a workflow cost on each kind of runner, over the runs that were created on a day, and how much of it was wasted.

Grain: day, repository, workflow, runner_sku
Rebuilt by: day
The day is that of the run's creation, as in every other table by day, so that sums agree with marts.workflow_daily; marts.usage_daily has
the same cost by the day of use, as bills have it. Jobs that never ran are left out. Figures are as GitHub lists prices, or phoenix.toml does,
before discounts; what GitHub billed is known by repository only, never by workflow, and stands in marts.billing_reconciliation.
*/
select
    jobs.day as day,                                                                              -- UTC day on which the runs were created. #not_null
    jobs.repository as repository,                                                                -- owner/name. #not_null
    jobs.workflow as workflow,                                                                    -- Name of the workflow. #not_null
    coalesce(jobs.runner_sku, 'unknown') as runner_sku,                                           -- What the runners are billed as; unknown where no rule names it. #not_null
    min(teams.team) as team,                                                                      -- The team that a rule names for the repository.
    count(*) as job_count,                                                                        -- Jobs that ran and ended.
    count(*) filter (where jobs.cost_usd is null) as unpriced_count,                              -- Those whose cost is not known; the USD lack them.
    cast(sum(jobs.billed_minutes) as bigint) as billed_minutes,                                   -- Whole minutes; jobs of unknown duration are left out.
    cast(sum(jobs.cost_usd) as decimal(18, 8)) as cost_usd,                                       -- USD, as far as known; NULL if of none.
    cast(sum(case when jobs.waste_class is null then 0 * jobs.cost_usd else jobs.cost_usd end) as decimal(18, 8)) as waste_usd,  -- Share of that whose work came to nothing, of all classes.
    cast(sum(case when jobs.waste_class = 'timeout' then jobs.cost_usd else 0 * jobs.cost_usd end) as decimal(18, 8)) as timeout_usd,  -- Ended at a time limit.
    cast(sum(case when jobs.waste_class = 'flaky' then jobs.cost_usd else 0 * jobs.cost_usd end) as decimal(18, 8)) as flaky_usd,  -- Failed, and passed in a later attempt.
    cast(sum(case when jobs.waste_class = 'superseded' then jobs.cost_usd else 0 * jobs.cost_usd end) as decimal(18, 8)) as superseded_usd,  -- Cancelled by a newer push.
    cast(sum(case when jobs.waste_class = 'fail_fast' then jobs.cost_usd else 0 * jobs.cost_usd end) as decimal(18, 8)) as fail_fast_usd,  -- Cancelled as another of the matrix failed.
    cast(sum(case when jobs.waste_class = 'cancelled' then jobs.cost_usd else 0 * jobs.cost_usd end) as decimal(18, 8)) as cancelled_usd,  -- Cancelled by people.
    cast(sum(case when jobs.waste_class = 'rerun' then jobs.cost_usd else 0 * jobs.cost_usd end) as decimal(18, 8)) as rerun_usd,  -- Run again to the same end.
    cast(sum(case when jobs.waste_class = 'outdated' then jobs.cost_usd else 0 * jobs.cost_usd end) as decimal(18, 8)) as outdated_usd  -- Begun after a newer push.
from marts.jobs as jobs
left join marts.repository_teams as teams on teams.repository = jobs.repository
where jobs.outcome <> 'open' and jobs.billed_minutes is distinct from 0
group by jobs.day, jobs.repository, jobs.workflow, coalesce(jobs.runner_sku, 'unknown')
