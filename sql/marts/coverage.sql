/*
Coverage of code by tests, commit by commit, as services that measure it report it on the commits of default branches.

Grain: repository, head_sha, context
GitHub has no coverage of its own. Read are commit statuses and check runs whose name says codecov, coveralls or coverage, as far as
their line of text has a percentage: the one that coverage is now "at" or went "to", else the first. The newest report of a commit
holds. What a service words in another way is not guessed at, and counts in no figure.
*/
with worded as (
    select
        *,
        regexp_extract(description, '\b(?:to|at) (\d+(?:\.\d+)?) ?%', 1) as reached,
        regexp_extract(description, '(\d+(?:\.\d+)?) ?%', 1) as first_named,
        regexp_extract(description, '\btarget (\d+(?:\.\d+)?) ?%', 1) as target
    from marts.third_party_checks
    where regexp_matches(lower(name), 'codecov|coveralls|coverage')
)
select
    worded.repository as repository,                                               -- owner/name. #not_null
    worded.head_sha as head_sha,                                                   -- The commit. #not_null
    worded.name as context,                                                        -- The check that reports it. #not_null
    case when contains(lower(name), 'patch') or contains(description, 'of diff hit') then 'patch' else 'project' end as scope,  -- Of all code, or of what the change touched. #in(project, patch)
    round(cast(coalesce(nullif(reached, ''), first_named) as double) / 100, 6) as ratio,  -- Share of lines covered. #not_null
    round(cast(nullif(target, '') as double) / 100, 6) as target_ratio,            -- What the service demands; NULL where its text names none.
    worded.conclusion as state,                                                    -- Its verdict, verbatim.
    worded.description as description,                                             -- Its line of text, verbatim.
    worded.reported_at as reported_at,                                             -- When it was reported, UTC.
    cast(worded.reported_at as date) as day,                                       -- UTC day of that. #not_null
    worded.html_url as html_url                                                    -- The service's page.
from worded
where first_named <> ''
qualify row_number() over (partition by worded.repository_id, worded.head_sha, worded.name order by worded.reported_at desc, worded.description) = 1
