/*
Artifacts of workflow runs that may hold test reports, and how reading each of them went.

Grain: artifact_id
Newest: fetched_at
Touches: run_id
Only artifacts whose names match PHOENIX_GITHUB_REPORTS are here.
*/
with described as (
    select
        repository_id,
        fetched_at,
        from_json(
            payload,
            '{"id": "BIGINT", "run_id": "BIGINT", "name": "VARCHAR", "size_in_bytes": "BIGINT", "digest": "VARCHAR", "created_at": "VARCHAR",
              "state": "VARCHAR", "note": "VARCHAR", "report_count": "INTEGER", "case_count": "INTEGER"}'
        ) as artifact
    from landing.github_artifacts
)
select
    artifact.id as artifact_id,                                                     -- GitHub's id. #not_null
    repository_id,                                                                  -- The repository it belongs to. #not_null
    artifact.run_id as run_id,                                                      -- The run that uploaded it.
    artifact.name as name,                                                          -- Its name. #not_null
    cast(cast(artifact.created_at as timestamptz) at time zone 'UTC' as timestamp) as created_at,  -- When it was uploaded, UTC.
    artifact.size_in_bytes as size_bytes,                                           -- Size of the zip.
    artifact.digest as digest,                                                      -- Digest of the zip; NULL from older uploads.
    artifact.state as state,                                                        -- How reading it went. #in(parsed, copy, refused, expired, failed)
    artifact.note as note,                                                          -- What was left out or went wrong, in a sentence.
    artifact.report_count as report_count,                                          -- Files that look like reports.
    artifact.case_count as case_count,                                              -- Test cases in them.
    fetched_at                                                                      -- When we read it, UTC. #version
from described
