/*
JUnit reports in artifacts: what each file is in all, and how far it could be read.

Grain: artifact_id, report
Newest: fetched_at
Touches: run_id
A report is landed in parts: its cases, by the thousand, and last, as part 0, the report itself.
*/
with described as (
    select
        repository_id,
        fetched_at,
        from_json(
            payload,
            '{"artifact_id": "BIGINT", "run_id": "BIGINT", "report": "VARCHAR", "part": "INTEGER", "state": "VARCHAR",
              "error": "VARCHAR", "root": "VARCHAR", "suite_count": "INTEGER", "case_count": "INTEGER", "passed_count": "INTEGER",
              "failed_count": "INTEGER", "error_count": "INTEGER", "skipped_count": "INTEGER", "declared_count": "INTEGER",
              "reported_at": "VARCHAR", "size_bytes": "BIGINT", "digest": "VARCHAR"}'
        ) as file
    from landing.test_reports
)
select
    file.artifact_id as artifact_id,                     -- The artifact it lies in. #not_null
    file.report as report,                               -- Its name there. #not_null
    repository_id,                                       -- The repository of its run. #not_null
    file.run_id as run_id,                               -- The run that uploaded it.
    file.state as state,                                 -- How reading it went. #in(parsed, malformed, refused, not_junit)
    file.error as error,                                 -- Why it was not read to its end, in a sentence.
    file.root as root,                                   -- Name of its outermost element.
    file.suite_count as suite_count,                     -- Suites in it.
    file.case_count as case_count,                       -- Cases in it, as far as it was read.
    file.passed_count as passed_count,                   -- Of them: passed.
    file.failed_count as failed_count,                   -- Of them: failed by an assertion.
    file.error_count as error_count,                     -- Of them: failed by an unexpected error.
    file.skipped_count as skipped_count,                 -- Of them: not run.
    file.declared_count as declared_count,               -- Cases that its suites claim to have; often wrong.
    file.reported_at as reported_at,                     -- Its own timestamp, verbatim; rarely with a zone.
    file.size_bytes as size_bytes,                       -- Size, as far as it was read.
    file.digest as digest,                               -- SHA-256 of that.
    fetched_at                                           -- When we read it, UTC. #version
from described
where file.part = 0
