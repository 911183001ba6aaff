/*
Jobs of workflow runs, each execution once.

Grain: job_id
Rebuilt by: run_id
A re-run lists jobs that did not run again; such carried-over jobs stay here for audit and have no time and no cost. They began over
5 s before their attempt and ended by its start, or equal a job of an earlier attempt in name, times and runner. Queue time is
the job's execution start minus its creation, for jobs that a runner took; -1 to -5 s is clock granularity and counts as 0, worse is
NULL. Execution start is the start of the first step, else started_at. Billed minutes round each job up to a whole minute.
Cost is billed minutes times the price of the runner on the day the job began, before anything that a plan includes. GitHub's standard
runners are free for public repositories and for workflows that GitHub runs itself; whether a repository is public is known as of today only.
Source of the rules: GitHub's billing documentation and recorded API answers.
*/
with attempts as (
    select
        run_id,
        run_attempt,
        run_started_at
    from staging.github_run_attempts
),

runs as (
    select
        run_id,
        workflow_id,
        day,
        event,
        head_branch,
        head_repository_id,
        head_sha,
        coalesce(path like 'dynamic/pages/%' or path like 'dynamic/dependabot/%' or path like 'dynamic/copilot-pull-request-reviewer/%', false) as is_githubs_own
    from staging.github_run_attempts
    qualify row_number() over (partition by run_id order by run_attempt desc) = 1
),

listed as (  -- jobs of later attempts beside those they may copy: only runs that were run again have any
    select
        job_id,
        first_created_at,
        copied_from_attempt
    from (
        select
            job_id,
            run_attempt,
            min(created_at) over (partition by run_id, run_attempt) as first_created_at,
            min(run_attempt) over (partition by run_id, name, started_at, completed_at, runner_id) as copied_from_attempt
        from staging.github_jobs
        where run_id in (select run_id from staging.github_jobs where run_attempt > 1)
    ) as of_run
    where run_attempt > 1
),

names as (  -- taken apart once each: there are few, and jobs are many
    select
        name,
        regexp_replace(name, '( / |^)(.*[^ ]) \([^()]*\)$', '\1\2') as job_base,
        nullif(regexp_extract(name, ' \(([^()]*)\)$', 1), '') as matrix
    from (select distinct name from staging.github_jobs) as named
),

placed as (
    select
        jobs.*,
        names.job_base,
        names.matrix,
        runs.workflow_id,
        runs.day,
        runs.event,
        runs.head_branch,
        runs.head_repository_id,
        runs.head_sha,
        runs.is_githubs_own,
        coalesce(attempts.run_started_at, listed.first_created_at) as attempt_started_at,
        listed.copied_from_attempt,
        wasted.waste_class,
        failures.failure_class,
        coalesce(jobs.first_step_at, jobs.started_at) as execution_started_at,
        jobs.runner_id is not null or jobs.runner_name is not null as has_runner
    from staging.github_jobs as jobs
    inner join runs on runs.run_id = jobs.run_id
    left join attempts on attempts.run_id = jobs.run_id and attempts.run_attempt = jobs.run_attempt
    left join listed on listed.job_id = jobs.job_id  -- like the next two it holds few jobs, which a plan sees only here
    left join marts.wasted_jobs as wasted on wasted.job_id = jobs.job_id
    left join marts.job_failures as failures on failures.job_id = jobs.job_id
    left join names on names.name = jobs.name
),

judged as (
    select
        placed.*,
        case when status = 'completed' then coalesce(conclusions.outcome, 'other') else 'open' end as outcome,
        (epoch_us(completed_at) - epoch_us(execution_started_at)) / 1000000.0 as span_seconds,
        (epoch_us(execution_started_at) - epoch_us(created_at)) / 1000000.0 as wait_seconds,
        coalesce(
            run_attempt > 1
            and (
                (started_at < attempt_started_at - interval 5 seconds and completed_at <= attempt_started_at)
                or (copied_from_attempt < run_attempt and completed_at is not null)
            ),
            false
        ) as is_carried_over
    from placed
    left join seeds.conclusions as conclusions on conclusions.conclusion = placed.conclusion
),

executed as (
    select
        judged.*,
        not is_carried_over
        and outcome in ('success', 'failure', 'cancelled', 'other')
        and (
            has_runner
            or ((outcome in ('success', 'failure') or coalesce(detail_rank, 1) = 0) and coalesce(span_seconds, 0) <> 0)
        ) as is_executed
    from judged
),

measured as (
    select
        executed.*,
        case when is_executed and span_seconds >= 0 then span_seconds end as duration_seconds,
        case
            when is_carried_over or not has_runner or outcome = 'skipped' then null
            when wait_seconds >= 0 then wait_seconds
            when wait_seconds >= -5 then 0
        end as queue_seconds
    from executed
),

billed as (
    select
        measured.*,
        case
            when outcome = 'open' then null
            when not is_executed then 0
            when duration_seconds is not null then cast(greatest(ceil(duration_seconds / 60), 1) as bigint)
            when not has_runner then 0
        end as billed_minutes,
        case
            when outcome not in ('open', 'skipped') and completed_at >= started_at
                then cast(ceil((epoch_us(completed_at) - epoch_us(started_at)) / 60000000.0) as bigint)
        end as listed_minutes
    from measured
),

priced as (
    select
        billed.*,
        repositories.repository,
        repositories.default_branch,
        workflows.workflow,
        skus.runner_sku,
        skus.sku_rule,
        coalesce(skus.is_sku_estimated, false) as is_sku_estimated,
        skus.runner_kind,
        skus.usd_per_minute,
        case
            when skus.runner_kind = 'standard' and (is_githubs_own or not repositories.is_private) then 'free'
            when skus.runner_kind = 'standard' and repositories.is_private is null then null
            when skus.usd_per_minute is null then null
            when skus.runner_kind in ('standard', 'larger') then 'github'
            else skus.runner_kind
        end as price_basis
    from billed
    inner join staging.github_repositories as repositories on repositories.repository_id = billed.repository_id
    left join marts.workflows as workflows on workflows.workflow_id = billed.workflow_id
    left join marts.runner_skus as skus
        on skus.day = billed.day
        and skus.owner = lower(split_part(repositories.repository, '/', 1))
        and skus.label_set = coalesce(billed.label_set, '?')
        and skus.runner_group = lower(coalesce(billed.runner_group, ''))
        and skus.runner_prefix
        = case
            when billed.label_set = '' and billed.runner_name like '%\_%' escape '\' then lower(regexp_replace(billed.runner_name, '_[^_]*$', ''))
            else ''
        end
        and skus.started_on = coalesce(cast(billed.execution_started_at as date), billed.day)
)
select
    priced.repository as repository,                                                              -- owner/name. #not_null
    coalesce(priced.workflow, 'unknown') as workflow,                                             -- Name of the workflow. #not_null
    priced.workflow_id as workflow_id,                                                            -- GitHub's id of the workflow.
    run_id,                                                                                       -- The run. #not_null
    run_attempt,                                                                                  -- The attempt it belongs to. #not_null
    job_id,                                                                                       -- GitHub's id of the job. #not_null
    name as job,                                                                                  -- Full name, as required checks name it.
    job_base,                                                                                     -- Name without its matrix.
    matrix,                                                                                       -- Matrix values, as shown in the name.
    status,                                                                                       -- Where it is, verbatim.
    conclusion,                                                                                   -- How it ended, verbatim.
    outcome,                                                                                      -- What that counts as. #in(success, failure, cancelled, skipped, other, open)
    case when not is_carried_over then failure_class end as failure_class,                        -- Why it failed, or was cancelled by a time-out; unclassified if no rule knows.
    coalesce(nullif(label_set, ''), lower(runner_group), 'unknown') as runner,                    -- Kind of runner: its labels, else its group.
    labels,                                                                                       -- Labels it asked for, comma-separated.
    runner_sku,                                                                                   -- What the runner is billed as; NULL if no rule names it.
    sku_rule,                                                                                     -- The rule that says so.
    is_sku_estimated,                                                                             -- Whether that is a guess by the name, or has no price of its own.
    case
        when runner_kind = 'self_hosted' then true
        when runner_kind = 'larger' then false
        when contains(lower(labels), 'self-hosted') then true
        when runner_group is not null then runner_group <> 'GitHub Actions'
    end as is_self_hosted,                                                                        -- Whether the runner is one's own; NULL if unknown.
    created_at,                                                                                   -- When it became eligible to run, UTC.
    case when not is_carried_over then execution_started_at end as started_at,                    -- When it began to execute, UTC.
    completed_at,                                                                                 -- When it ended, UTC.
    queue_seconds,                                                                                -- Wait for a runner; NULL unless one took it.
    duration_seconds,                                                                             -- Execution time; NULL unless it executed.
    billed_minutes,                                                                               -- Whole minutes; 0 if it never ran, NULL if unknown.
    listed_minutes,                                                                               -- Whole minutes between GitHub's start and end, as plain calculators count them, carried-over jobs included; NULL if skipped or open.
    usd_per_minute,                                                                               -- What a minute of the runner costs on the day the job began, be it charged or free.
    price_basis,                                                                                  -- Why it costs that: GitHub's price, free of charge, one's own machine, a price of phoenix.toml. #in(github, free, self_hosted, own)
    cast(
        case
            when billed_minutes = 0 or price_basis = 'free' then 0 * billed_minutes
            when price_basis is not null then billed_minutes * usd_per_minute
        end as decimal(18, 8)
    ) as cost_usd,                                                                                -- USD before discounts; 0 if it never ran or is free, NULL if unknown.
    case
        when billed_minutes = 0 then null
        when outcome = 'open' then 'open'
        when billed_minutes is null then 'unknown_duration'
        when price_basis is not null then null
        when runner_sku is not null and usd_per_minute is null then 'no_price'
        when runner_sku is not null then 'unknown_visibility'
        when label_set is null then 'labels_not_read'
        when label_set = '' then 'no_labels'
        else 'unknown_label'
    end as unpriced_reason,                                                                       -- Why its cost is not known. #in(open, unknown_duration, no_price, unknown_visibility, labels_not_read, no_labels, unknown_label)
    case when is_executed then waste_class end as waste_class,                                    -- Why its work came to nothing; NULL if it did not. #in(timeout, flaky, superseded, fail_fast, cancelled, rerun, outdated)
    is_executed,                                                                                  -- Whether it ran, in this attempt.
    is_carried_over,                                                                              -- Whether a re-run only lists it again.
    case
        when is_carried_over then 'carried_over'
        when is_executed and span_seconds < 0 then 'negative_duration'
        when has_runner and outcome <> 'skipped' and wait_seconds < -5 then 'negative_queue'
    end as quality_flag,                                                                          -- Why a time is missing, if the source is odd.
    event,                                                                                        -- What triggered the run.
    head_branch,                                                                                  -- Branch or tag.
    coalesce(
        head_branch = priced.default_branch
        and coalesce(head_repository_id = priced.repository_id, coalesce(event, '') not like 'pull_request%'),
        false
    ) as is_default_branch,                                                                       -- Whether that is the repository's mainline.
    head_sha,                                                                                     -- The commit.
    priced.html_url as html_url,                                                                  -- Its page.
    day                                                                                           -- UTC day on which its run was created. #not_null
from priced
