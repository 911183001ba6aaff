/*
Why jobs failed: every failed job, and every cancelled one that a rule explains, with the rule that says so and what it rests on.

Grain: job_id
Rebuilt by: run_id
The first rule of seeds.failure_rules that fits wins; rules of phoenix.toml come before ours. What none fits is unclassified. Of the
steps only the first that failed counts, because later ones run whatever happened before. A job that was skipped because another one
failed is no failure. A cancelled job whose run was not cancelled and that ended within a minute above a round limit was ended by a
time-out: GitHub calls a time-out cancelled. A re-run may list a failed job again without running it: marts.jobs leaves those out.
*/
with stopped as (
    select
        jobs.job_id,
        jobs.run_id,
        jobs.run_attempt,
        jobs.repository_id,
        jobs.name,
        jobs.conclusion,
        jobs.created_at,
        jobs.started_at,
        jobs.first_step_at,
        jobs.completed_at,
        jobs.runner_id,
        jobs.runner_name,
        jobs.detail_rank,
        conclusions.outcome
    from staging.github_jobs as jobs
    inner join seeds.conclusions as conclusions on conclusions.conclusion = jobs.conclusion
    where jobs.status = 'completed' and conclusions.outcome in ('failure', 'cancelled')
),

runs as (
    select
        run_id,
        max(day) as day
    from staging.github_run_attempts
    where run_id in (select run_id from stopped)
    group by run_id
),

attempts as (
    select
        attempts.run_id,
        attempts.run_attempt,
        case when attempts.status = 'completed' then coalesce(conclusions.outcome, 'other') else 'open' end as outcome
    from staging.github_run_attempts as attempts
    left join seeds.conclusions as conclusions on conclusions.conclusion = attempts.conclusion
    where attempts.run_id in (select run_id from stopped)
),

decisive_steps as (  -- the first that failed, else the first that was cancelled, else the first that began and has no end
    select
        job_id,
        step_number,
        name,
        case when conclusion is null then 'cut' when conclusion = 'cancelled' then 'cancelled' else 'failed' end as kind
    from staging.github_steps
    where conclusion in ('failure', 'timed_out', 'cancelled') or (conclusion is null and started_at is not null)
    qualify row_number() over (
        partition by job_id
        order by case when conclusion is null then 3 when conclusion = 'cancelled' then 2 else 1 end, step_number
    ) = 1
),

after_failures as (  -- cancelled within a minute of another job's failure, as fail-fast does with a matrix
    select distinct cancelled.job_id
    from stopped as cancelled
    inner join stopped as failed on failed.run_id = cancelled.run_id and failed.run_attempt = cancelled.run_attempt
    where
        cancelled.outcome = 'cancelled'
        and failed.outcome = 'failure'
        and failed.completed_at between cancelled.completed_at - interval 60 seconds and cancelled.completed_at
),

passes as (
    select
        failed.job_id,
        min(passed.run_attempt) as run_attempt
    from stopped as failed
    inner join staging.github_jobs as passed on passed.run_id = failed.run_id and passed.name = failed.name
    where passed.run_attempt > 1 and passed.run_attempt > failed.run_attempt and passed.conclusion = 'success'
    group by failed.job_id
),

described as (
    select
        stopped.job_id,
        stopped.run_id,
        stopped.run_attempt,
        stopped.repository_id,
        stopped.name,
        stopped.conclusion,
        stopped.outcome,
        stopped.completed_at,
        runs.day,
        passes.run_attempt as passed_in_attempt,
        decisive_steps.step_number,
        decisive_steps.name as step,
        decisive_steps.kind as step_kind,
        said.message,
        trim(replace(coalesce(lower(decisive_steps.name), ''), chr(10), ' ')) as step_text,
        trim(replace(coalesce(lower(stopped.name), ''), chr(10), ' ')) as job_text,
        trim(replace(coalesce(lower(said.message), ''), chr(10), ' ')) as message_text,
        concat_ws(
            ' ',
            case
                when stopped.runner_id is not null or stopped.runner_name is not null then 'runner'
                when stopped.created_at is not null and stopped.detail_rank = 1 then 'no-runner'
                else 'runner-unknown'
            end,
            case
                when decisive_steps.kind is not null then decisive_steps.kind || '-step'
                when stopped.first_step_at is not null then 'passed-steps'
                else 'no-steps'
            end,
            'run-' || coalesce(attempts.outcome, 'unknown'),
            case when after_failures.job_id is not null then 'after-failure' end
        ) as signs,
        (
            epoch_us(stopped.completed_at)
            - epoch_us(case
                when stopped.runner_id is not null or stopped.runner_name is not null
                    then coalesce(stopped.first_step_at, stopped.started_at)
                else coalesce(least(stopped.created_at, stopped.started_at), stopped.started_at, stopped.created_at)
            end)
        ) / 1000000.0 as seconds
    from stopped
    inner join runs on runs.run_id = stopped.run_id
    left join attempts on attempts.run_id = stopped.run_id and attempts.run_attempt = stopped.run_attempt
    left join decisive_steps on decisive_steps.job_id = stopped.job_id
    left join staging.github_annotations as said on said.job_id = stopped.job_id
    left join after_failures on after_failures.job_id = stopped.job_id
    left join passes on passes.job_id = stopped.job_id
),

rules as (
    select * from seeds.failure_rules
    where subject = 'job'
),

fitting_steps as (  -- all texts at once, a line each: a pattern is compiled once, not for every text; chr(1) keeps lines apart
    select distinct
        trim(matched.step, chr(10) || chr(1)) as step,
        matched.rank
    from (
        select
            rules.rank,
            unnest(regexp_extract_all(texts.steps, '(?m)^.*(?:' || rules.step || ').*$')) as step
        from (select string_agg(distinct step_text, chr(10) || chr(1) || chr(10)) as steps from described where step_text <> '') as texts
        inner join rules on rules.step is not null
    ) as matched
),

fitting_jobs as (
    select distinct
        trim(matched.job, chr(10) || chr(1)) as job,
        matched.rank
    from (
        select
            rules.rank,
            unnest(regexp_extract_all(texts.jobs, '(?m)^.*(?:' || rules.job || ').*$')) as job
        from (select string_agg(distinct job_text, chr(10) || chr(1) || chr(10)) as jobs from described where job_text <> '') as texts
        inner join rules on rules.job is not null
    ) as matched
),

fitting_messages as (
    select distinct
        trim(matched.message, chr(10) || chr(1)) as message,
        matched.rank
    from (
        select
            rules.rank,
            unnest(regexp_extract_all(texts.messages, '(?m)^.*(?:' || rules.message || ').*$')) as message
        from (select string_agg(distinct message_text, chr(10) || chr(1) || chr(10)) as messages from described where message_text <> '') as texts
        inner join rules on rules.message is not null
    ) as matched
),

fitting_signs as (
    select
        texts.signs,
        rules.rank
    from (select distinct signs from described) as texts
    inner join rules on rules.signs is null or regexp_matches(texts.signs, rules.signs)
),

kinds as (
    select distinct
        outcome,
        conclusion,
        signs,
        step_text,
        job_text,
        message_text
    from described
),

fitting as (
    select
        kinds.*,
        rules.rank,
        rules.rule,
        rules.failure_class,
        rules.seconds_from,
        rules.seconds_to
    from kinds
    inner join fitting_signs on fitting_signs.signs = kinds.signs
    inner join rules
        on
            rules.rank = fitting_signs.rank
            and rules.outcome = kinds.outcome
            and coalesce(rules.conclusion, kinds.conclusion) = kinds.conclusion
    left join fitting_steps on fitting_steps.step = kinds.step_text and fitting_steps.rank = rules.rank
    left join fitting_jobs on fitting_jobs.job = kinds.job_text and fitting_jobs.rank = rules.rank
    left join fitting_messages on fitting_messages.message = kinds.message_text and fitting_messages.rank = rules.rank
    where
        (rules.step is null or fitting_steps.rank is not null)
        and (rules.job is null or fitting_jobs.rank is not null)
        and (rules.message is null or fitting_messages.rank is not null)
),

decided as (
    select
        described.*,
        fitting.rank,
        fitting.rule,
        fitting.failure_class
    from described
    left join fitting
        on
            fitting.outcome = described.outcome
            and fitting.conclusion = described.conclusion
            and fitting.signs = described.signs
            and fitting.step_text = described.step_text
            and fitting.job_text = described.job_text
            and fitting.message_text = described.message_text
            and (fitting.seconds_from is null or described.seconds >= fitting.seconds_from)
            and (fitting.seconds_to is null or described.seconds <= fitting.seconds_to)
    qualify row_number() over (partition by described.job_id order by fitting.rank nulls last) = 1
)
select
    repositories.repository as repository,                                    -- owner/name. #not_null
    decided.run_id as run_id,                                                 -- The run. #not_null
    decided.run_attempt as run_attempt,                                       -- The attempt it belongs to. #not_null
    decided.job_id as job_id,                                                 -- GitHub's id of the job. #not_null
    decided.name as job,                                                      -- Full name of the job.
    decided.conclusion as conclusion,                                         -- How it ended, verbatim.
    decided.outcome as outcome,                                               -- What that counts as. #in(failure, cancelled)
    coalesce(decided.failure_class, 'unclassified') as failure_class,         -- Why it failed: the class of the rule, or unclassified. #not_null
    decided.rule as rule,                                                     -- The rule that says so; NULL if none does.
    decided.rank as rule_rank,                                                -- Its place among the rules; those of phoenix.toml have 0 and less.
    decided.step_number as failed_step_number,                                -- The step that decided: the first that failed, was cancelled or never ended.
    decided.step as failed_step,                                              -- Its title; NULL where no such step is known.
    decided.step_kind as failed_step_kind,                                    -- What became of it. #in(failed, cancelled, cut)
    decided.message as message,                                               -- What the runner said of the end; NULL where that was not read.
    decided.signs as signs,                                                   -- What else the rules look at, in words: runner, steps, the attempt's outcome, fail-fast.
    decided.seconds as stopped_after_seconds,                                 -- How long it had run, or waited where no runner took it.
    decided.passed_in_attempt as passed_in_attempt,                           -- The first later attempt of the run that lists it as passed: then it failed by chance.
    decided.completed_at as completed_at,                                     -- When it ended, UTC.
    decided.day as day                                                        -- UTC day on which its run was created. #not_null
from decided
inner join staging.github_repositories as repositories on repositories.repository_id = decided.repository_id
where decided.outcome = 'failure' or decided.failure_class is not null
