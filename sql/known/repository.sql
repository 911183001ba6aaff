/*
Where ingestion stands with a repository: its newest run, how far re-runs were looked for, when it last succeeded in full, and the
short lists of that pass, for conditional requests.
*/
with complete as (
    select *
    from staging.github_syncs
    where repository_id = $repository_id and state = 'ok'
    qualify row_number() over (order by finished_at desc) = 1
)
select
    (select max(created_at) from staging.github_run_attempts where repository_id = $repository_id) as newest_at,
    (select max(reconciled_to) from staging.github_syncs where repository_id = $repository_id) as reconciled_to,
    (select max(deep_reconciled_to) from staging.github_syncs where repository_id = $repository_id) as deep_reconciled_to,
    (select finished_at from complete) as synced_at,
    (select listings from complete) as listings,
    (select listings_scope from complete) as listings_scope
