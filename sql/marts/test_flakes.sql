/*
Results of tests that failed although the same commit passed the same test on the same platform, each with what proves it.

Grain: run_id, run_attempt, job_id, test_id, ordinal
Rebuilt by: head_sha
All of it is level L3. Proof tells what contradicts the failure. report: the report itself says that the test was run again and passed.
rerun: it passed in another attempt of the same run. commit: in another run of the same workflow, commit and event. Cases that share a name
are variants: a platform passed a test in an attempt if all its results there passed, and that contradicts a failure elsewhere only if they
are at least as many. Failures of attempts whose infrastructure failed, and of jobs that were cancelled, prove nothing.
*/
with results as (
    select
        results.*,
        coalesce(jobs.outcome, attempts.outcome) as job_outcome,
        coalesce(jobs.completed_at, results.created_at) as ended_at,
        case when jobs.outcome = 'failure' then jobs.duration_seconds end as lost_seconds,
        case when jobs.outcome = 'failure' then jobs.billed_minutes end as lost_minutes,
        case when jobs.outcome = 'failure' then jobs.cost_usd end as lost_usd,
        coalesce(jobs.html_url, attempts.html_url || '/attempts/' || cast(results.run_attempt as varchar)) as page
    from marts.test_results as results
    inner join marts.run_attempts as attempts
        on attempts.run_id = results.run_id and attempts.run_attempt = results.run_attempt
    left join marts.jobs as jobs on jobs.job_id = results.job_id
    where results.head_sha is not null and not results.is_infrastructure and results.outcome in ('success', 'failure')
),

failed as (
    select *
    from results
    where outcome = 'failure' and job_outcome <> 'cancelled'
),

failed_tests as (
    select distinct
        repository,
        workflow,
        test_id,
        platform,
        head_sha,
        event
    from failed
),

tried as (
    select
        results.repository,
        results.workflow,
        results.test_id,
        results.platform,
        results.head_sha,
        results.event,
        results.run_id,
        results.run_attempt,
        max(results.page) as page,
        max(results.ended_at) as ended_at,
        min(results.outcome) as outcome,  -- a failure comes before a success
        count(*) as result_count
    from results
    inner join failed_tests
        on failed_tests.repository = results.repository
        and failed_tests.workflow = results.workflow
        and failed_tests.test_id = results.test_id
        and failed_tests.platform = results.platform
        and failed_tests.head_sha = results.head_sha
        and failed_tests.event = results.event
    group by
        results.repository,
        results.workflow,
        results.test_id,
        results.platform,
        results.head_sha,
        results.event,
        results.run_id,
        results.run_attempt
),

passed as (
    select *
    from tried
    where outcome = 'success'
),

passed_in_run as (
    select *
    from passed
    qualify row_number() over (partition by run_id, test_id, platform order by result_count desc, run_attempt desc) = 1
),

passed_at_commit as (
    select *
    from passed
    qualify row_number() over (
        partition by repository, workflow, test_id, platform, head_sha, event
        order by result_count desc, run_id desc, run_attempt desc
    ) = 1
),

contradicted as (
    select
        failed.*,
        case when passed_in_run.run_id is not null then 'rerun' else 'commit' end as proof,
        coalesce(passed_in_run.run_id, passed_at_commit.run_id) as passed_run_id,
        coalesce(passed_in_run.run_attempt, passed_at_commit.run_attempt) as passed_run_attempt,
        coalesce(passed_in_run.ended_at, passed_at_commit.ended_at) as passed_at,
        coalesce(passed_in_run.page, passed_at_commit.page) as passed_url
    from failed
    inner join tried
        on tried.run_id = failed.run_id
        and tried.run_attempt = failed.run_attempt
        and tried.test_id = failed.test_id
        and tried.platform = failed.platform
    left join passed_in_run
        on passed_in_run.run_id = failed.run_id
        and passed_in_run.test_id = failed.test_id
        and passed_in_run.platform = failed.platform
        and passed_in_run.result_count >= tried.result_count
    left join passed_at_commit
        on passed_at_commit.repository = failed.repository
        and passed_at_commit.workflow = failed.workflow
        and passed_at_commit.test_id = failed.test_id
        and passed_at_commit.platform = failed.platform
        and passed_at_commit.head_sha = failed.head_sha
        and passed_at_commit.event = failed.event
        and passed_at_commit.result_count >= tried.result_count
    where passed_in_run.run_id is not null or passed_at_commit.run_id is not null
),

proven as (
    select *
    from contradicted
    union all
    select
        *,
        'report' as proof,
        run_id as passed_run_id,
        run_attempt as passed_run_attempt,
        ended_at as passed_at,
        page as passed_url
    from results
    where is_flaky_in_report
)
select
    repository,                                                   -- owner/name. #not_null
    workflow,                                                     -- Name of the workflow. #not_null
    test_id,                                                      -- The test, the same in every run of a repository. #not_null
    ordinal,                                                      -- Counts the results of the test in the job. #not_null
    suite,                                                        -- Names of the suites around it, outermost first.
    class,                                                        -- Its class; NULL where the producer has none.
    test,                                                         -- Its name. #not_null
    platform,                                                     -- What it ran on: the job with its matrix, else the artifact's name.
    head_sha,                                                     -- The commit. #not_null
    event,                                                        -- What triggered the run.
    is_default_branch,                                            -- Whether the run is of the repository's mainline.
    'L3' as level,                                                -- How strong the proof is. #in(L3)
    proof,                                                        -- What contradicts the failure. #in(report, rerun, commit)
    run_id,                                                       -- The run in which it failed. #not_null
    run_attempt,                                                  -- The attempt in which it failed. #not_null
    job_id,                                                       -- The job in which it failed; NULL if that cannot be told.
    ended_at as failed_at,                                        -- When that job ended, else when the report was uploaded, UTC.
    page as failed_url,                                           -- Page of that job, else of the attempt.
    passed_run_id,                                                -- The run in which it passed. #not_null
    passed_run_attempt,                                           -- The attempt in which it passed. #not_null
    passed_at,                                                    -- When that ended, UTC.
    passed_url,                                                   -- Page of the job or attempt in which it passed.
    failure_type,                                                 -- Kind of failure, such as an exception's class.
    message,                                                      -- The beginning of what it said.
    is_complete_report,                                           -- Whether its report tells passes, too: rates rest on such only. #not_null
    lost_seconds,                                                 -- Execution time of the job, if that failed.
    lost_minutes,                                                 -- Billed minutes of the job, if that failed.
    lost_usd,                                                     -- What these cost; NULL while they are not priced.
    day                                                           -- UTC day on which the run was created. #not_null
from proven
