/*
What jobs cost by what came of their work, over the runs that were created on a day.

Grain: day, repository, workflow, waste_class, is_late
Rebuilt by: day
Covers the jobs of settled attempts that ran; those whose work did not come to nothing have the class none. By kind of runner the same
USD stand in marts.costs_daily, and every job with what shows its class in marts.wasted_jobs.
*/
select
    jobs.day as day,                                                    -- UTC day on which the runs were created. #not_null
    jobs.repository as repository,                                      -- owner/name. #not_null
    jobs.workflow as workflow,                                          -- Name of the workflow. #not_null
    coalesce(jobs.waste_class, 'none') as waste_class,                  -- Why the work came to nothing, none if it did not. #not_null #in(none, timeout, flaky, superseded, fail_fast, cancelled, rerun, outdated)
    attempts.is_late as is_late,                                        -- Whether we first saw the attempt settled over 6 h after its end. #not_null
    count(*) as job_count,                                              -- Jobs that ran and ended.
    count(*) filter (where jobs.cost_usd is null) as unpriced_count,    -- Those whose cost is not known; cost_usd lacks them.
    cast(sum(jobs.billed_minutes) as bigint) as billed_minutes,         -- Whole minutes; jobs of unknown duration are left out.
    cast(sum(jobs.cost_usd) as decimal(18, 8)) as cost_usd              -- USD before discounts, as far as known; NULL if of none.
from marts.jobs as jobs
inner join marts.run_attempts as attempts on attempts.run_id = jobs.run_id and attempts.run_attempt = jobs.run_attempt
where jobs.outcome <> 'open' and jobs.billed_minutes is distinct from 0 and attempts.outcome <> 'open'
group by jobs.day, jobs.repository, jobs.workflow, coalesce(jobs.waste_class, 'none'), attempts.is_late
