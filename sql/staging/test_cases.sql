/*
Test cases of JUnit reports, each as its report gives it.

Grain: artifact_id, report, position
Newest: fetched_at
Touches: run_id
*/
with described as (
    select
        repository_id,
        fetched_at,
        from_json(
            payload,
            '{"artifact_id": "BIGINT", "run_id": "BIGINT", "report": "VARCHAR",
              "cases": [{"position": "INTEGER", "suite": "VARCHAR", "class_name": "VARCHAR", "name": "VARCHAR", "ordinal": "INTEGER",
                         "result": "VARCHAR", "duration_seconds": "DOUBLE", "rerun_count": "INTEGER", "failure_type": "VARCHAR",
                         "message": "VARCHAR", "file": "VARCHAR", "line": "INTEGER"}]}'
        ) as file
    from landing.test_reports
),

listed as (
    select
        repository_id,
        fetched_at,
        file.artifact_id as artifact_id,
        file.run_id as run_id,
        file.report as report,
        unnest(file.cases) as one
    from described
)
select
    artifact_id,                                         -- The artifact its report lies in. #not_null
    report,                                              -- The report's name there. #not_null
    one.position as position,                            -- Its place in the report, from 1. #not_null
    repository_id,                                       -- The repository of its run. #not_null
    run_id,                                              -- The run that uploaded the report.
    one.suite as suite,                                  -- Names of the suites around it, outermost first.
    one.class_name as class,                             -- Its class; NULL where the producer has none.
    coalesce(one.name, '') as test,                      -- Its name, with parameters where the producer shows them.
    one.ordinal as variant,                              -- Counts cases of the report that share class and name.
    one.result as result,                                -- How it ended: passed, failed, error, skipped. #in(passed, failed, error, skipped)
    one.duration_seconds as duration_seconds,            -- How long it took; NULL where the report has no sensible time.
    coalesce(one.rerun_count, 0) as rerun_count,         -- How often it failed before that, inside the report.
    one.failure_type as failure_type,                    -- Kind of failure, such as an exception's class.
    one.message as message,                              -- The beginning of what it says about that.
    one.file as file,                                    -- Its source file, where the producer says so.
    one.line as line,                                    -- Its line there.
    fetched_at                                           -- When we read it, UTC. #version
from listed
