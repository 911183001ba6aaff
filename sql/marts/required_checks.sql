/*
Checks that a change must pass before it gets into a default branch, who reports each, and how that went over the last 28 days.

Grain: repository, branch, context
Counts the 28 days up to the newest run. A check is met by a job of that name (alone, or behind its workflow's name and a slash), by a
check run of another app or by a commit status; jobs count on every branch and event, the others on the commits of the default branch
that were read. As GitHub has it, a skipped or neutral check lets a change pass. A check that nobody reported is silent: changes wait
for it until somebody overrides it. Where checks of third parties were not read, it is unknown whether it is.
*/
with clock as (
    select max(day) as today
    from marts.workflow_runs
),

required as (
    select distinct
        rules.repository_id,
        rules.branch,
        rules.protection,
        rules.is_strict,
        unnest(rules.required_checks).context as context
    from staging.github_branch_rules as rules
),

named as (
    select
        repositories.repository as repository,
        required.*
    from required
    inner join staging.github_repositories as repositories on repositories.repository_id = required.repository_id
),

jobs as (  -- summed before they are matched: names are few, and jobs are many
    select
        jobs.repository,
        jobs.job,
        concat(jobs.workflow, ' / ', jobs.job) as full_job,
        count(*) filter (where jobs.conclusion in ('success', 'skipped', 'neutral')) as passed_count,
        count(*) as report_count,
        arg_max(jobs.conclusion, jobs.completed_at) as last_conclusion,
        arg_max(jobs.html_url, jobs.completed_at) as last_url,
        max(jobs.completed_at) as last_reported_at
    from marts.jobs as jobs
    cross join clock
    where jobs.day > clock.today - 28 and not jobs.is_carried_over and jobs.conclusion is not null
    group by jobs.repository, jobs.workflow, jobs.job
),

judged as (
    select
        repository_id,
        name,
        'check_run' as reporter,
        conclusion,
        completed_at as reported_at,
        details_url as html_url
    from staging.github_check_runs
    where status = 'completed'
    union all
    select
        repository_id,
        context,
        'status',
        state,
        created_at,
        target_url
    from staging.github_commit_statuses
    where state <> 'pending'
),

elsewhere as (
    select
        judged.repository_id,
        judged.name,
        judged.reporter,
        count(*) filter (where judged.conclusion in ('success', 'skipped', 'neutral')) as passed_count,
        count(*) as report_count,
        arg_max(judged.conclusion, judged.reported_at) as last_conclusion,
        arg_max(judged.html_url, judged.reported_at) as last_url,
        max(judged.reported_at) as last_reported_at
    from judged
    cross join clock
    where cast(judged.reported_at as date) > clock.today - 28
    group by judged.repository_id, judged.name, judged.reporter
),

reported as (
    select
        named.repository_id,
        named.context,
        'job' as reporter,
        jobs.* exclude (repository, job, full_job)
    from named
    inner join jobs on jobs.repository = named.repository and named.context in (jobs.job, jobs.full_job)
    union all by name
    select
        named.repository_id,
        named.context,
        elsewhere.* exclude (repository_id, name)
    from named
    inner join elsewhere on elsewhere.repository_id = named.repository_id and elsewhere.name = named.context
),

summed as (
    select
        repository_id,
        context,
        arg_max(reporter, last_reported_at) as reporter,
        cast(sum(passed_count) as bigint) as passed_count,
        cast(sum(report_count - passed_count) as bigint) as blocked_count,
        arg_max(last_conclusion, last_reported_at) as last_conclusion,
        arg_max(last_url, last_reported_at) as last_url,
        max(last_reported_at) as last_reported_at
    from reported
    group by repository_id, context
),

read_elsewhere as (
    select distinct repository_id
    from staging.github_commit_checks
)
select
    named.repository as repository,                          -- owner/name. #not_null
    named.branch as branch,                                  -- Its default branch. #not_null
    named.context as context,                                -- The check, as the branch's rules name it. #not_null
    named.protection as protection,                          -- What demands it. #in(rulesets, classic)
    named.is_strict as is_strict,                            -- Whether it must pass on the newest state of the branch.
    summed.reporter as reporter,                             -- What reported it last; NULL if nothing did. #in(job, check_run, status)
    case
        when summed.reporter is not null then 'reported'
        when read_elsewhere.repository_id is not null then 'silent'
        else 'unknown'
    end as state,                                            -- Whether anything reports it. #in(reported, silent, unknown)
    coalesce(summed.passed_count, 0) as passed_count,        -- Reports that let a change pass: success, skipped, neutral.
    coalesce(summed.blocked_count, 0) as blocked_count,      -- Reports that hold a change up, cancelled ones included.
    summed.last_conclusion as last_conclusion,               -- What it said last, verbatim.
    summed.last_reported_at as last_reported_at,             -- When, UTC.
    summed.last_url as last_url                              -- The page of that report.
from named
left join summed on summed.repository_id = named.repository_id and summed.context = named.context
left join read_elsewhere on read_elsewhere.repository_id = named.repository_id
