/*
Jobs that failed by chance in the last 30 days of data: how often, how surely we know, and what it cost.

Grain: workflow_id, job
A job is its full name, matrix included, in a workflow. It is flaky at a commit, which counts once for each event, if it failed there and
passed in another attempt (L1) or run (L2) of the same event. The ratio is commits at which it was flaky / commits at which it was decided,
that is succeeded or failed at least once, with a Wilson interval of 95 %; below 20 commits it is not ranked. Hints (L2x) and suspicions
(L4: at least two isolated failures on the mainline) are listed and left out of the ratio. The score guesses how often a sound commit
fails: (failures at commits that passed + 1) / (executions at those + 21). A job has healed after 14 days without evidence and
5 passes since, in runs of later days: what passes in another attempt is the evidence itself. A job without evidence in these days has no row.
*/
with recent_days as (
    select distinct day
    from marts.repository_daily
    where day > (select max(day) - interval 30 days from marts.repository_daily)
),

flakes as (
    select *
    from marts.job_flakes
    where day in (select day from recent_days)
),

suspicions as (
    select
        *,
        count(*) over (partition by workflow_id, job) as suspicion_count
    from marts.isolated_failures
),

evidence as (
    select
        repository,
        workflow,
        workflow_id,
        job,
        level,
        head_sha,
        event,
        job_id,
        failed_at,
        failed_url,
        passed_url,
        failed_url || ' failed, ' || passed_url || ' passed' as evidence
    from flakes
    union all
    select
        repository,
        workflow,
        workflow_id,
        job,
        'L4' as level,
        head_sha,
        event,
        job_id,
        failed_at,
        failed_url,
        passed_url_after as passed_url,
        failed_url || ' failed, ' || passed_url_before || ' before and ' || passed_url_after || ' after passed' as evidence
    from suspicions
    where suspicion_count >= 2
),

best as (
    select *
    from evidence
    qualify row_number() over (partition by workflow_id, job order by level, failed_at desc, job_id desc) = 1
),

seen as (
    select
        workflow_id,
        job,
        max(failed_at) as last_seen_at,
        count(case when level in ('L1', 'L2') then 1 end) as flaky_failure_count,
        count(case when level = 'L2x' then 1 end) as hint_count,
        count(case when level = 'L4' then 1 end) as suspicion_count
    from evidence
    group by workflow_id, job
),

lost as (
    select
        workflow_id,
        job,
        sum(lost_seconds) as lost_seconds,
        sum(lost_minutes) as lost_minutes,
        sum(lost_usd) as lost_usd
    from flakes
    where level in ('L1', 'L2')
    group by workflow_id, job
),

flaky_commits as (
    select distinct
        workflow_id,
        job,
        head_sha,
        event
    from flakes
    where level in ('L1', 'L2')
),

flaky as (
    select
        workflow_id,
        job,
        count(*) as flaky_count
    from flaky_commits
    group by workflow_id, job
),

begun as (
    select
        workflow_id,
        job,
        min(failed_at) as first_seen_at
    from marts.job_flakes
    group by workflow_id, job
),

repeated as (
    select
        workflow_id,
        job,
        count(*) as run_count
    from marts.repeated_jobs
    where day in (select day from recent_days) and previous_day in (select day from recent_days)
    group by workflow_id, job
),

observed as (
    select
        seen.workflow_id,
        seen.job,
        sum(daily.run_count) as run_count,
        sum(daily.execution_count) as execution_count,
        sum(daily.success_count) as success_count,
        sum(case when daily.day > cast(seen.last_seen_at as date) then daily.success_count else 0 end) as passes_since
    from marts.job_runs_daily as daily
    inner join seen on seen.workflow_id = daily.workflow_id and seen.job = daily.job
    where daily.day in (select day from recent_days)
    group by seen.workflow_id, seen.job
),

counted as (  -- commits: their runs, but for those that repeat another one
    select
        observed.workflow_id,
        observed.job,
        cast(observed.run_count - coalesce(repeated.run_count, 0) as bigint) as observation_count,
        cast(observed.execution_count as bigint) as execution_count,
        cast(observed.success_count as bigint) as success_count,
        cast(observed.passes_since as bigint) as passes_since
    from observed
    left join repeated on repeated.workflow_id = observed.workflow_id and repeated.job = observed.job
),

measured as (
    select
        counted.*,
        seen.last_seen_at,
        seen.flaky_failure_count,
        seen.hint_count,
        seen.suspicion_count,
        coalesce(flaky.flaky_count, 0) as flaky_count,
        coalesce(flaky.flaky_count, 0) / cast(observation_count as double) as ratio,
        1.959963984540054 * 1.959963984540054 / observation_count as spread  -- of a normal distribution, 95 % lie within 1.96
    from counted
    inner join seen on seen.workflow_id = counted.workflow_id and seen.job = counted.job
    left join flaky on flaky.workflow_id = seen.workflow_id and flaky.job = seen.job
)
select
    best.repository as repository,                                -- owner/name. #not_null
    best.workflow as workflow,                                    -- Name of the workflow. #not_null
    measured.workflow_id as workflow_id,                          -- GitHub's id of the workflow. #not_null
    measured.job as job,                                          -- Full name of the job, matrix included. #not_null
    best.level as level,                                          -- Strongest evidence: L1 and L2 prove, L2x hints, L4 suspects. #in(L1, L2, L2x, L4)
    flaky_count,                                                  -- Commits at which it was flaky. #not_null
    observation_count,                                            -- Commits at which it was decided. #not_null
    ratio as flaky_ratio,                                         -- Share of these at which it was flaky. #not_null
    case when flaky_count = 0 then 0
    else greatest((ratio + spread / 2 - sqrt(spread * (ratio * (1 - ratio) + spread / 4))) / (1 + spread), 0) end as ratio_low,  -- Lower end of the ratio's 95 % interval. #not_null
    case when flaky_count = observation_count then 1
    else least((ratio + spread / 2 + sqrt(spread * (ratio * (1 - ratio) + spread / 4))) / (1 + spread), 1) end as ratio_high,  -- Upper end of it. #not_null
    observation_count >= 20 as is_ranked,                         -- Whether commits suffice to compare the job with others. #not_null
    (flaky_failure_count + 1) / cast(success_count + flaky_failure_count + 21 as double) as score,  -- How often it may fail at a sound commit. #not_null
    flaky_failure_count,                                          -- Executions that failed at commits at which it was flaky. #not_null
    execution_count,                                              -- Executions that succeeded or failed. #not_null
    success_count,                                                -- Of them: succeeded. #not_null
    hint_count,                                                   -- Failures that only a run of another event contradicts. #not_null
    suspicion_count,                                              -- Isolated failures on the mainline, if there are two. #not_null
    begun.first_seen_at as first_seen_at,                         -- First failure that something contradicts, in all our history, UTC.
    last_seen_at,                                                 -- Last failure of these days that is evidence, UTC.
    passes_since as success_count_since,                          -- Executions that succeeded in runs of later days. #not_null
    passes_since >= 5
    and cast(last_seen_at as date) <= (select max(day) - interval 14 days from recent_days) as is_healed,  -- Whether it seems cured. #not_null
    coalesce(lost.lost_seconds, 0) as lost_seconds,               -- Execution time of what failed by chance. #not_null
    coalesce(lost.lost_minutes, 0) as lost_minutes,               -- Billed minutes of that. #not_null
    lost.lost_usd as lost_usd,                                    -- What these cost; NULL while they are not priced.
    best.failed_url as failed_url,                                -- Page of the newest failure with the strongest evidence.
    best.passed_url as passed_url,                                -- Page of the pass that is its evidence.
    best.evidence as evidence                                     -- Both in a sentence.
from measured
inner join best on best.workflow_id = measured.workflow_id and best.job = measured.job
left join lost on lost.workflow_id = measured.workflow_id and lost.job = measured.job
left join begun on begun.workflow_id = measured.workflow_id and begun.job = measured.job
