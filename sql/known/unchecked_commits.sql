/*
Commits of the default branches whose checks by third parties are still to be read, newest first, the first few of each repository.

A commit is read once its runs have ended; one whose checks had not ended by then is read again for a week.
*/
with commits as (
    select
        attempts.repository_id as repository_id,
        attempts.head_sha as head_sha,
        max(attempts.updated_at) as ended_at
    from staging.github_run_attempts as attempts
    inner join staging.github_repositories as repositories
        on repositories.repository_id = attempts.repository_id and repositories.default_branch = attempts.head_branch
    where coalesce(attempts.head_repository_id, attempts.repository_id) = attempts.repository_id
    group by attempts.repository_id, attempts.head_sha
    having bool_and(attempts.status = 'completed')
)
select
    commits.repository_id as repository_id,
    commits.head_sha as head_sha
from commits
left join staging.github_commit_checks as checked
    on checked.repository_id = commits.repository_id and checked.head_sha = commits.head_sha
where checked.head_sha is null or (checked.open_count > 0 and checked.fetched_at < commits.ended_at + interval 7 days)
qualify row_number() over (partition by commits.repository_id order by commits.ended_at desc, commits.head_sha) <= $count
order by commits.repository_id, commits.ended_at desc, commits.head_sha
