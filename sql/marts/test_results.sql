/*
Results of tests, from the JUnit reports that runs uploaded as artifacts.

Grain: run_id, run_attempt, job_id, test_id, ordinal
Rebuilt by: run_id
test_id stands for class and name; for suite and name where the producer gives no class, because suites are often named for the
day or the machine while classes are not. Cases that share it are variants (parameterised tests, matrix jobs), not repetitions: ordinal
counts them. Only what a report itself marks as run again and passed is flaky in the report. Files that are copies of others of
their run are left out; results of reports that were not read to the end are here and marked.
*/
select
    reports.repository as repository,                                  -- owner/name. #not_null
    reports.workflow as workflow,                                      -- Name of the workflow. #not_null
    reports.run_id as run_id,                                          -- The run. #not_null
    reports.run_attempt as run_attempt,                                -- The attempt. #not_null
    reports.job_id as job_id,                                          -- The job; NULL if that cannot be told.
    md5(concat(coalesce(cases.class, cases.suite, ''), chr(31), cases.test)) as test_id,  -- The test, the same in every run of a repository. #not_null
    row_number() over (
        partition by reports.run_id, reports.run_attempt, reports.job_id, md5(concat(coalesce(cases.class, cases.suite, ''), chr(31), cases.test))
        order by cases.artifact_id, cases.report, cases.position
    ) as ordinal,                                                      -- Counts the results of the test in the job. #not_null
    cases.suite as suite,                                              -- Names of the suites around it, outermost first.
    cases.class as class,                                              -- Its class; NULL where the producer has none.
    cases.test as test,                                                -- Its name, with parameters where the producer shows them. #not_null
    case cases.result when 'passed' then 'success' when 'skipped' then 'skipped' else 'failure' end as outcome,  -- What its result counts as. #in(success, failure, skipped)
    cases.result as result,                                            -- How it ended: failed by an assertion, error by anything else. #in(passed, failed, error, skipped)
    cases.duration_seconds as duration_seconds,                        -- How long it took; NULL where the report has no sensible time.
    cases.result = 'passed' and cases.rerun_count > 0 as is_flaky_in_report,  -- Whether it failed, was run again and passed, by its report. #not_null
    cases.rerun_count as rerun_count,                                  -- How often it failed before its result, by its report.
    cases.variant as variant,                                          -- Counts cases of its report that share class and name.
    cases.failure_type as failure_type,                                -- Kind of failure, such as an exception's class.
    cases.message as message,                                          -- The beginning of what it says about that.
    cases.file as file,                                                -- Its source file, where the producer says so.
    cases.line as line,                                                -- Its line there.
    reports.artifact_id as artifact_id,                                -- The artifact its report lies in. #not_null
    reports.artifact as artifact,                                      -- That artifact's name, which often tells the platform.
    reports.report as report,                                          -- The report's name there. #not_null
    reports.is_complete as is_complete_report,                         -- Whether passes are known too: rates rest on such reports only.
    reports.platform as platform,                                      -- What it ran on: the job with its matrix, else the artifact's name without a run's own numbers.
    reports.is_infrastructure as is_infrastructure,                    -- Whether so much failed there in the attempt that no test is to blame.
    reports.event as event,                                            -- What triggered the run.
    reports.head_branch as head_branch,                                -- Branch or tag.
    reports.is_default_branch as is_default_branch,                    -- Whether that is the repository's mainline.
    reports.head_sha as head_sha,                                      -- The commit.
    reports.created_at as created_at,                                  -- When its report was uploaded, UTC.
    reports.day as day                                                 -- UTC day on which its run was created. #not_null
from staging.test_cases as cases
inner join marts.test_reports as reports on reports.artifact_id = cases.artifact_id and reports.report = cases.report
where not reports.is_copy and cases.position <= reports.case_count
