-- What runs where, since when, and how far is production behind?
select
    service,
    environment,
    version,
    since,
    health_status,
    production_behind_commits,
    round(production_behind_days, 1) as production_behind_days
from marts.environments
order by service, environment
