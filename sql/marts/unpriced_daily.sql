/*
Jobs that ran and whose cost is not known, by runner and reason.

Grain: day, repository, runner, unpriced_reason
Rebuilt by: day
A runner that no rule names gets its price from [[runners]] in phoenix.toml.
*/
select
    day,                                                      -- UTC day on which the runs were created. #not_null
    repository,                                               -- owner/name. #not_null
    runner,                                                   -- Kind of runner: its labels, else its group. #not_null
    unpriced_reason,                                          -- Why the cost is not known. #not_null
    count(*) as job_count,                                    -- Jobs that ran and ended.
    cast(sum(billed_minutes) as bigint) as billed_minutes     -- Their whole minutes, as far as known.
from marts.jobs
where outcome <> 'open' and cost_usd is null
group by day, repository, runner, unpriced_reason
