/*
What counts towards each budget of phoenix.toml, by the day on which the jobs began.

Grain: scope, subject, used_on
A budget for a team counts the repositories that are the team's, one for repositories those whose names match. Days without a job have no
row. The cost is before discounts, and lacks jobs whose cost is not known.
*/
select
    limits.scope as scope,                                      -- What the budget is for. #not_null #in(total, team, repository)
    limits.subject as subject,                                  -- Which team, or which repositories; total for all. #not_null
    usage.used_on as used_on,                                   -- UTC day on which the jobs began. #not_null
    sum(usage.cost_usd) as cost_usd,                            -- USD; NULL if the cost of none is known.
    cast(sum(usage.unpriced_count) as bigint) as unpriced_count -- Jobs whose cost is not known. #not_null
from marts.usage_daily as usage
inner join marts.repository_teams as teams on teams.repository = usage.repository
inner join seeds.spending_limits as limits
    on limits.scope = 'total'
    or (limits.scope = 'team' and limits.subject = teams.team)
    or (limits.scope = 'repository' and usage.repository like limits.pattern escape '\')
group by limits.scope, limits.subject, usage.used_on
