/*
What the last run knew of the rate limits.
*/
select
    credential,
    resource,
    request_limit as "limit",
    remaining,
    resets_at,
    not_before,
    refusal_count,
    request_count,
    read_at
from staging.github_budgets
