/*
Where ingestion stands with a repository: its newest run, how far re-runs were looked for, and when it last succeeded in full.
*/
select
    (select max(created_at) from staging.github_run_attempts where repository_id = $repository_id) as newest_at,
    (select max(reconciled_to) from staging.github_syncs where repository_id = $repository_id) as reconciled_to,
    (select max(finished_at) from staging.github_syncs where repository_id = $repository_id and state = 'ok') as synced_at
