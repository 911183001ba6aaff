/*
Jobs that did not pass and whose annotations are still to be read, newest first, the first few of each repository.

Of cancelled jobs only those whose attempt was not cancelled with them: a time-out may have ended them.
*/
select
    jobs.repository_id as repository_id,
    jobs.job_id as job_id,
    jobs.run_id as run_id
from staging.github_jobs as jobs
left join staging.github_annotations as said on said.job_id = jobs.job_id
left join staging.github_run_attempts as attempts on attempts.run_id = jobs.run_id and attempts.run_attempt = jobs.run_attempt
where
    jobs.status = 'completed'
    and jobs.completed_at > $after
    and said.job_id is null
    and (jobs.conclusion in ('failure', 'timed_out') or (jobs.conclusion = 'cancelled' and attempts.conclusion <> 'cancelled'))
qualify row_number() over (partition by jobs.repository_id order by jobs.completed_at desc, jobs.job_id) <= $count
order by jobs.repository_id, jobs.completed_at desc, jobs.job_id
