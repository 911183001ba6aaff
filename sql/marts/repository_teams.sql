/*
Repositories and the team that each belongs to.

Grain: repository
A team is one of phoenix.toml's: the first by name whose globs match owner/name or the bare name.
*/
select
    repositories.repository as repository,          -- owner/name. #not_null
    min(teams.team) as team,                        -- The team that a rule names; NULL without one.
    bool_or(repositories.is_private) as is_private  -- Whether it is private, as of today.
from staging.github_repositories as repositories
left join seeds.teams as teams
    on repositories.repository like teams.pattern escape '\'
    or split_part(repositories.repository, '/', 2) like teams.pattern escape '\'
group by repositories.repository
