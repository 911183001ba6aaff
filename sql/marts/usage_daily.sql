/*
Minutes and cost of the jobs of a repository by the day on which they began, as bills and budgets have it.

Grain: day, used_on, repository, runner_sku, price_basis
Rebuilt by: day
A job belongs to the day it began, also when it ended on the next. Runs created on one day have jobs that begin on another, above all when
they are run again; so a day of use has rows of several days of creation, which are to be added up. Jobs that never ran are left out.
*/
select
    day,                                                                      -- UTC day on which the runs were created. #not_null
    coalesce(cast(started_at as date), day) as used_on,                       -- UTC day on which the jobs began. #not_null
    repository,                                                               -- owner/name. #not_null
    coalesce(runner_sku, 'unknown') as runner_sku,                            -- What the runners are billed as; unknown where no rule names it. #not_null
    coalesce(price_basis, 'unknown') as price_basis,                          -- Why they cost what they cost. #not_null #in(github, free, self_hosted, own, unknown)
    count(*) as job_count,                                                    -- Jobs that ran and ended.
    count(*) filter (where cost_usd is null) as unpriced_count,               -- Those whose cost is not known; cost_usd lacks them.
    cast(sum(billed_minutes) as bigint) as billed_minutes,                    -- Whole minutes; jobs of unknown duration are left out.
    cast(sum(cost_usd) as decimal(18, 8)) as cost_usd                         -- USD before discounts, as far as known; NULL if of none.
from marts.jobs
where outcome <> 'open' and billed_minutes is distinct from 0
group by day, coalesce(cast(started_at as date), day), repository, coalesce(runner_sku, 'unknown'), coalesce(price_basis, 'unknown')
