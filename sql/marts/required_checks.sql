/*
Checks that a change must pass before it gets into a default branch, who reports each, and how that went over the last 28 days.

Grain: repository, branch, context
Counts the 28 days up to the newest run. A check is met by a job of that name (alone, or behind its workflow's name and a slash), by a
check run of another app or by a commit status; jobs count on every branch and event, the others on the commits of the default branch
that were read. As GitHub has it, a skipped or neutral check lets a change pass. A check that nobody reported is silent: changes wait
for it until somebody overrides it. Where checks of third parties were not read, it is unknown whether it is.
*/
with clock as (
    select max(day) as newest_day
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

recent_jobs as (
    select jobs.*
    from marts.jobs as jobs
    cross join clock
    where
        jobs.day > clock.newest_day - 28
        and jobs.repository in (select repository from named)
        and not jobs.is_carried_over
        and jobs.conclusion is not null
),

job_names as (  -- matched before the jobs are: names are few, and jobs are many
    select distinct
        repository,
        workflow,
        job
    from recent_jobs
),

met as (
    select
        named.repository_id,
        named.context,
        job_names.repository,
        job_names.workflow,
        job_names.job
    from named
    inner join job_names
        on job_names.repository = named.repository
        and named.context in (job_names.job, concat(job_names.workflow, ' / ', job_names.job))
),

reports as (
    select
        met.repository_id,
        met.context,
        'job' as reporter,
        jobs.job_id as report_id,
        jobs.conclusion,
        jobs.completed_at as reported_at,
        jobs.html_url
    from met
    inner join recent_jobs as jobs on jobs.repository = met.repository and jobs.workflow = met.workflow and jobs.job = met.job
    union all
    select
        named.repository_id,
        named.context,
        checks.reporter,
        checks.report_id,
        checks.conclusion,
        checks.reported_at,
        checks.html_url
    from named
    inner join marts.third_party_checks as checks on checks.repository_id = named.repository_id and checks.name = named.context
    cross join clock
    where cast(checks.reported_at as date) > clock.newest_day - 28
),

counted as (
    select
        repository_id,
        context,
        count(*) filter (where conclusion in ('success', 'skipped', 'neutral')) as passed_count,
        count(*) filter (where conclusion not in ('success', 'skipped', 'neutral')) as blocked_count,
        count(*) filter (where conclusion = 'cancelled') as cancelled_count
    from reports
    group by repository_id, context
),

newest as (
    select *
    from reports
    qualify row_number() over (partition by repository_id, context order by reported_at desc, reporter, report_id desc) = 1
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
    newest.reporter as reporter,                             -- What reported it last; NULL if nothing did. #in(job, check_run, status)
    case
        when newest.reporter is not null then 'reported'
        when read_elsewhere.repository_id is not null then 'silent'
        else 'unknown'
    end as state,                                            -- Whether anything reports it. #in(reported, silent, unknown)
    coalesce(counted.passed_count, 0) as passed_count,       -- Reports that let a change pass: success, skipped, neutral.
    coalesce(counted.blocked_count, 0) as blocked_count,     -- Reports that hold a change up, cancelled ones included.
    coalesce(counted.cancelled_count, 0) as cancelled_count, -- Of these the cancelled ones, most often since a newer push came.
    newest.conclusion as last_conclusion,                    -- What it said last, verbatim.
    newest.reported_at as last_reported_at,                  -- When, UTC.
    newest.html_url as last_url                              -- The page of that report; NULL if it has none.
from named
left join counted on counted.repository_id = named.repository_id and counted.context = named.context
left join newest on newest.repository_id = named.repository_id and newest.context = named.context
left join read_elsewhere on read_elsewhere.repository_id = named.repository_id
