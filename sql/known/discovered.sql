/*
What each organisation's repositories were called when they were last listed in full.
*/
select
    subject as organization,
    "cursor" as names,
    finished_at as listed_at
from staging.github_visits
where loop = 'discovery' and state = 'ok'
