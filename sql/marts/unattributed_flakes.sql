/*
Runs of the last 30 days of data that failed and passed when run again, while no job of theirs is known to have done so.

Grain: run_id
They count as flaky, but no job can be blamed: their jobs were not read, or of none both the failure and the pass are known.
Proof by another run of the same commit and event (L2) tells the job as well; a hint (L2x) does not.
*/
select
    runs.repository as repository,                                -- owner/name. #not_null
    runs.workflow as workflow,                                    -- Name of the workflow. #not_null
    runs.workflow_id as workflow_id,                              -- GitHub's id of the workflow.
    runs.run_id as run_id,                                        -- The run. #not_null
    runs.head_sha as head_sha,                                    -- The commit.
    runs.event as event,                                          -- What triggered the run.
    runs.html_url as html_url,                                    -- Its page.
    runs.day as day                                               -- UTC day on which it was created. #not_null
from marts.workflow_runs as runs
where runs.is_flaky
    and runs.day > (select max(day) from marts.repository_daily) - 30
    and runs.run_id not in (select run_id from marts.job_flakes where level in ('L1', 'L2'))
