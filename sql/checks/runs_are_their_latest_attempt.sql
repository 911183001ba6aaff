/*
Every run with attempts is shown once, by its latest attempt.

Rebuilt by: run_id
*/
with latest as (
    select
        run_id,
        max(run_attempt) as run_attempt
    from staging.github_run_attempts
    group by run_id
)
select
    latest.run_id as run_id,
    latest.run_attempt as latest_attempt,
    runs.run_attempt as shown_attempt
from latest
full join marts.workflow_runs as runs on runs.run_id = latest.run_id
where runs.run_attempt is distinct from latest.run_attempt
