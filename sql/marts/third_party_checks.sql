/*
Verdicts of third parties on commits of default branches: check runs of other apps than GitHub Actions, and commit statuses.

Grain: repository_id, head_sha, reporter, report_id
Only with PHOENIX_GITHUB_CHECKS. What has not ended is no verdict yet. A commit status is not changed by its successor, so a commit may
have several of one name; the newest holds.
*/
select
    checks.repository_id as repository_id,       -- GitHub's id of the repository. #not_null
    repositories.repository as repository,       -- owner/name. #not_null
    checks.head_sha as head_sha,                 -- The commit. #not_null
    'check_run' as reporter,                     -- How it was reported. #in(check_run, status)
    checks.check_run_id as report_id,            -- GitHub's id of it, among those of its kind. #not_null
    checks.name as name,                         -- Its name, which a required check is matched by.
    checks.conclusion as conclusion,             -- The verdict, verbatim: a conclusion, or the state of a status.
    checks.title as description,                 -- What it says in a line, verbatim.
    checks.completed_at as reported_at,          -- When, UTC.
    checks.details_url as html_url               -- The reporter's own page.
from staging.github_check_runs as checks
inner join staging.github_repositories as repositories on repositories.repository_id = checks.repository_id
where checks.status = 'completed'
union all
select
    statuses.repository_id,
    repositories.repository,
    statuses.head_sha,
    'status',
    statuses.status_id,
    statuses.context,
    statuses.state,
    statuses.description,
    statuses.created_at,
    statuses.target_url
from staging.github_commit_statuses as statuses
inner join staging.github_repositories as repositories on repositories.repository_id = statuses.repository_id
where statuses.state <> 'pending'
