/*
Files of artifacts that may be test reports: read, or the reason why not.

Grain: artifact_id, report
Rebuilt by: run_id
An artifact that could not be read, or holds no report, has a row of its own without a report. The attempt is the latest one that had
started when the artifact was uploaded. The job is, in this order: the one whose id stands in the name of artifact or file; of the jobs
that were executing at the upload, the one whose full name stands in the artifact's name (of several the longest, if it holds the
others); the one all of whose matrix values stand there; the only one. Otherwise it is NULL.
A file with the same bytes as an earlier one of its run is a copy, as merged artifacts hold, and is not counted again.
Where more than 80 % of the tests of a platform failed in an attempt, of at least five in complete reports, that is taken for a failure
of the infrastructure, which says nothing about a test.
*/
with artifacts as (
    select
        artifacts.*,
        concat('-', regexp_replace(lower(artifacts.name), '[^\p{L}\p{N}]+', '-', 'g'), '-') as words,
        placed.run_attempt as run_attempt
    from staging.github_artifacts as artifacts
    inner join (
        select
            artifacts.artifact_id as artifact_id,
            coalesce(
                max(attempts.run_attempt) filter (where attempts.started_at <= artifacts.created_at), min(attempts.run_attempt)
            ) as run_attempt
        from staging.github_artifacts as artifacts
        inner join marts.run_attempts as attempts on attempts.run_id = artifacts.run_id
        group by artifacts.artifact_id
    ) as placed on placed.artifact_id = artifacts.artifact_id
),

files as (
    select
        artifact_id,
        report,
        state,
        error,
        root,
        suite_count,
        case_count,
        passed_count,
        failed_count,
        error_count,
        skipped_count,
        declared_count,
        reported_at,
        size_bytes,
        digest
    from staging.test_reports
    union all
    select
        artifact_id,
        null as report,
        case when state = 'parsed' then 'no_report' else state end as state,
        coalesce(note, 'no file in it is a report by its name') as error,
        null as root,
        null as suite_count,
        0 as case_count,
        null as passed_count,
        null as failed_count,
        null as error_count,
        null as skipped_count,
        null as declared_count,
        null as reported_at,
        size_bytes,
        null as digest
    from staging.github_artifacts
    where state <> 'parsed' or report_count = 0
),

numbers as (
    select
        files.artifact_id,
        files.report,
        artifacts.run_id,
        unnest(regexp_extract_all(concat(artifacts.name, '/', coalesce(files.report, '')), '[0-9]+')) as number
    from files
    inner join artifacts on artifacts.artifact_id = files.artifact_id
),

by_id as (
    select
        numbers.artifact_id,
        numbers.report,
        max(jobs.job_id) as job_id,
        max(jobs.run_attempt) as run_attempt
    from numbers
    inner join marts.jobs as jobs on jobs.run_id = numbers.run_id and cast(jobs.job_id as varchar) = numbers.number
    group by numbers.artifact_id, numbers.report
    having count(distinct jobs.job_id) = 1
),

executing as (
    select
        artifacts.artifact_id,
        artifacts.words as artifact_words,
        jobs.job_id,
        jobs.matrix,
        concat('-', trim(regexp_replace(lower(jobs.job), '[^\p{L}\p{N}]+', '-', 'g'), '-'), '-') as words
    from artifacts
    inner join marts.jobs as jobs on jobs.run_id = artifacts.run_id and jobs.run_attempt = artifacts.run_attempt
    where jobs.started_at <= artifacts.created_at + interval 2 seconds
        and coalesce(jobs.completed_at >= artifacts.created_at - interval 2 seconds, true)
        and jobs.outcome <> 'skipped'
),

named as (
    select
        *,
        first_value(words) over (partition by artifact_id order by length(words) desc, words) as longest
    from executing
    where contains(artifact_words, words)
),

by_name as (
    select
        artifact_id,
        max(case when words = longest then job_id end) as job_id
    from named
    group by artifact_id
    having bool_and(contains(longest, words)) and count(*) filter (where words = longest) = 1
),

matrix_values as (
    select
        artifact_id,
        artifact_words,
        job_id,
        unnest(string_split(matrix, ', ')) as matrix_value
    from executing
    where matrix is not null
),

matched as (
    select
        artifact_id,
        job_id
    from matrix_values
    group by artifact_id, job_id
    having bool_and(
        contains(artifact_words, concat('-', trim(regexp_replace(lower(matrix_value), '[^\p{L}\p{N}]+', '-', 'g'), '-'), '-'))
    )
),

by_matrix as (
    select
        artifact_id,
        max(job_id) as job_id
    from matched
    group by artifact_id
    having count(*) = 1
),

only_one as (
    select
        artifact_id,
        max(job_id) as job_id
    from executing
    group by artifact_id
    having count(*) = 1
),

sorted as (
    select
        files.*,
        artifacts.name as artifact,
        artifacts.created_at as created_at,
        artifacts.run_id as run_id,
        coalesce(by_id.run_attempt, artifacts.run_attempt) as run_attempt,
        coalesce(by_id.job_id, by_name.job_id, by_matrix.job_id, only_one.job_id) as job_id,
        case when files.case_count > 0
            then row_number() over (partition by artifacts.run_id, files.digest order by files.artifact_id, files.report) > 1
        else false end as is_copy
    from files
    inner join artifacts on artifacts.artifact_id = files.artifact_id
    left join by_id on by_id.artifact_id = files.artifact_id and by_id.report is not distinct from files.report
    left join by_name on by_name.artifact_id = files.artifact_id
    left join by_matrix on by_matrix.artifact_id = files.artifact_id
    left join only_one on only_one.artifact_id = files.artifact_id
),

located as (
    select
        sorted.*,
        coalesce(
            sorted.state = 'parsed' and (passed_count > 0 or coalesce(declared_count, 0) <= case_count), false
        ) as is_complete,
        coalesce(
            jobs.job,
            regexp_replace(
                regexp_replace(artifact, '[0-9a-f]{40}|[0-9]{5,}', '', 'g'), '(attempt|run)([-_. ]?)[0-9]+', '\1', 'g'
            )
        ) as platform
    from sorted
    left join marts.jobs as jobs on jobs.job_id = sorted.job_id
),

counted as (
    select
        run_id,
        run_attempt,
        platform,
        sum(failed_count + error_count) as failure_count,
        sum(passed_count + failed_count + error_count) as decided_count
    from located
    where is_complete and not is_copy
    group by run_id, run_attempt, platform
)
select
    runs.repository as repository,                                     -- owner/name. #not_null
    runs.workflow as workflow,                                         -- Name of the workflow. #not_null
    located.run_id as run_id,                                          -- The run that uploaded it. #not_null
    located.run_attempt as run_attempt,                                -- The attempt that did. #not_null
    located.job_id as job_id,                                          -- The job that did; NULL if that cannot be told.
    located.artifact_id as artifact_id,                                -- GitHub's id of the artifact. #not_null
    located.artifact as artifact,                                      -- Its name.
    located.report as report,                                          -- Name of the file in it; NULL where the row is about the artifact.
    case when is_copy then 'copy' else located.state end as state,     -- How reading it went. #in(parsed, copy, malformed, refused, not_junit, no_report, expired, failed)
    located.error as error,                                            -- Why it was not read, or not to its end, in a sentence.
    is_complete,                                                       -- Whether it was read to its end and does not list failures only.
    is_copy,                                                           -- Whether the run holds the same bytes in an earlier file.
    located.suite_count as suite_count,                                -- Suites in it.
    located.case_count as case_count,                                  -- Cases in it, as far as it was read.
    located.passed_count as passed_count,                              -- Of them: passed.
    located.failed_count as failed_count,                              -- Of them: failed by an assertion.
    located.error_count as error_count,                                -- Of them: failed by an unexpected error.
    located.skipped_count as skipped_count,                            -- Of them: not run.
    located.declared_count as declared_count,                          -- Cases that its suites claim to have; often wrong.
    located.reported_at as reported_at,                                -- Its own timestamp, verbatim; rarely with a zone.
    located.size_bytes as size_bytes,                                  -- Its size, as far as it was read.
    located.platform as platform,                                      -- What its tests ran on: the job with its matrix, else the artifact's name without a run's own numbers.
    coalesce(counted.decided_count >= 5 and counted.failure_count > 0.8 * counted.decided_count, false) as is_infrastructure,  -- Whether so much failed there that no test is to blame. #not_null
    runs.event as event,                                               -- What triggered the run.
    runs.head_branch as head_branch,                                   -- Branch or tag.
    runs.is_default_branch as is_default_branch,                       -- Whether that is the repository's mainline.
    runs.head_sha as head_sha,                                         -- The commit.
    located.created_at as created_at,                                  -- When the artifact was uploaded, UTC.
    runs.day as day                                                    -- UTC day on which its run was created. #not_null
from located
inner join marts.run_attempts as runs on runs.run_id = located.run_id and runs.run_attempt = located.run_attempt
left join counted
    on counted.run_id = located.run_id and counted.run_attempt = located.run_attempt and counted.platform = located.platform
