/*
Tests that failed by chance in the last 30 days of data, by platform: how often, how surely we know, and what it cost.

Grain: repository, workflow, test_id, platform
A test is flaky at a commit, which counts once for each event, if it failed there and passed on the same platform, in the same report or in
another attempt or run of the event. The ratio is commits at which it was flaky / commits at which it was decided, both over complete
reports, with a Wilson interval of 95 %; below 20 commits it is not ranked, and where reports list only failures it is NULL.
The score guesses how often the test fails at a sound commit: (failures at commits that passed + 1) / (results at those + 21). A test has
healed after 14 days without evidence and 5 passes since, in runs of later days. A test without evidence in these days has no row.
*/
with recent_days as (
    select distinct day
    from marts.repository_daily
    where day > (select max(day) - interval 30 days from marts.repository_daily)
),

flakes as (
    select *
    from marts.test_flakes
    where day in (select day from recent_days)
),

best as (
    select *
    from flakes
    qualify row_number() over (
        partition by repository, workflow, test_id, platform order by failed_at desc, run_id desc, run_attempt desc, job_id, ordinal
    ) = 1
),

seen as (
    select
        repository,
        workflow,
        test_id,
        platform,
        max(failed_at) as last_seen_at,
        count(*) as flaky_failure_count,
        count(case when proof = 'report' then 1 end) as in_report_count
    from flakes
    group by repository, workflow, test_id, platform
),

lost_jobs as (
    select
        repository,
        workflow,
        test_id,
        platform,
        job_id,
        max(lost_seconds) as lost_seconds,
        max(lost_minutes) as lost_minutes,
        max(lost_usd) as lost_usd
    from flakes
    where job_id is not null
    group by repository, workflow, test_id, platform, job_id
),

lost as (
    select
        repository,
        workflow,
        test_id,
        platform,
        sum(lost_seconds) as lost_seconds,
        sum(lost_minutes) as lost_minutes,
        sum(lost_usd) as lost_usd
    from lost_jobs
    group by repository, workflow, test_id, platform
),

begun as (
    select
        repository,
        workflow,
        test_id,
        platform,
        min(failed_at) as first_seen_at
    from marts.test_flakes
    group by repository, workflow, test_id, platform
),

flaky_commits as (
    select distinct
        repository,
        workflow,
        test_id,
        platform,
        head_sha,
        event
    from flakes
    where is_complete_report
),

flaky as (
    select
        repository,
        workflow,
        test_id,
        platform,
        count(*) as flaky_count
    from flaky_commits
    group by repository, workflow, test_id, platform
),

results as (
    select
        results.*,
        results.day > cast(seen.last_seen_at as date) as is_since
    from marts.test_results as results
    inner join seen
        on seen.repository = results.repository
        and seen.workflow = results.workflow
        and seen.test_id = results.test_id
        and seen.platform = results.platform
    where results.outcome in ('success', 'failure')
        and not results.is_infrastructure
        and results.head_sha is not null
        and results.day in (select day from recent_days)
),

commits as (
    select
        repository,
        workflow,
        test_id,
        platform,
        head_sha,
        event,
        max(case when is_complete_report then 1 else 0 end) as is_complete,
        count(*) as result_count,
        count(case when outcome = 'success' then 1 end) as success_count,
        count(case when outcome = 'success' and is_since then 1 end) as passes_since
    from results
    group by repository, workflow, test_id, platform, head_sha, event
),

observed as (
    select
        repository,
        workflow,
        test_id,
        platform,
        sum(is_complete) as observation_count,
        sum(result_count) as result_count,
        sum(success_count) as success_count,
        sum(passes_since) as passes_since
    from commits
    group by repository, workflow, test_id, platform
),

measured as (
    select
        observed.*,
        seen.last_seen_at,
        seen.flaky_failure_count,
        seen.in_report_count,
        coalesce(flaky.flaky_count, 0) as flaky_count,
        coalesce(flaky.flaky_count, 0) / cast(nullif(observation_count, 0) as double) as ratio,
        1.959963984540054 * 1.959963984540054 / nullif(observation_count, 0) as spread  -- of a normal distribution, 95 % lie within 1.96
    from observed
    inner join seen
        on seen.repository = observed.repository
        and seen.workflow = observed.workflow
        and seen.test_id = observed.test_id
        and seen.platform = observed.platform
    left join flaky
        on flaky.repository = observed.repository
        and flaky.workflow = observed.workflow
        and flaky.test_id = observed.test_id
        and flaky.platform = observed.platform
)
select
    measured.repository as repository,                            -- owner/name. #not_null
    measured.workflow as workflow,                                -- Name of the workflow. #not_null
    measured.test_id as test_id,                                  -- The test, the same in every run of a repository. #not_null
    best.suite as suite,                                          -- Names of the suites around it, as of the newest evidence.
    best.class as class,                                          -- Its class; NULL where the producer has none.
    best.test as test,                                            -- Its name. #not_null
    measured.platform as platform,                                -- What it ran on: the job with its matrix, else the artifact's name.
    'L3' as level,                                                -- How strong the evidence is: a test's is proof. #in(L3)
    flaky_count,                                                  -- Commits at which it was flaky, by complete reports. #not_null
    cast(observation_count as bigint) as observation_count,       -- Commits at which complete reports decide it. #not_null
    ratio as flaky_ratio,                                         -- Share of these at which it was flaky; NULL without any.
    case when flaky_count = 0 then spread * 0
    else greatest((ratio + spread / 2 - sqrt(spread * (ratio * (1 - ratio) + spread / 4))) / (1 + spread), 0) end as ratio_low,  -- Lower end of the ratio's 95 % interval.
    case when flaky_count = observation_count then spread * 0 + 1
    else least((ratio + spread / 2 + sqrt(spread * (ratio * (1 - ratio) + spread / 4))) / (1 + spread), 1) end as ratio_high,  -- Upper end of it.
    observation_count >= 20 as is_ranked,                         -- Whether commits suffice to compare the test with others. #not_null
    case when observation_count > 0
        then (flaky_failure_count + 1) / cast(success_count + flaky_failure_count - in_report_count + 21 as double)
    end as score,                                                 -- How often it may fail at a sound commit; NULL where passes are not known.
    flaky_failure_count,                                          -- Results that failed, or failed before they passed, by chance. #not_null
    in_report_count,                                              -- Of them: run again by the test runner, so that nobody had to. #not_null
    cast(result_count as bigint) as result_count,                 -- Results that passed or failed. #not_null
    cast(success_count as bigint) as success_count,               -- Of them: passed. #not_null
    begun.first_seen_at as first_seen_at,                         -- First failure by chance in all our history, UTC.
    last_seen_at,                                                 -- Last failure by chance, UTC.
    cast(passes_since as bigint) as success_count_since,          -- Results that passed in runs of later days. #not_null
    passes_since >= 5
    and cast(last_seen_at as date) <= (select max(day) - interval 14 days from recent_days) as is_healed,  -- Whether it seems cured. #not_null
    coalesce(lost.lost_seconds, 0) as lost_seconds,               -- Execution time of the jobs that failed with it; several tests may share one. #not_null
    coalesce(lost.lost_minutes, 0) as lost_minutes,               -- Billed minutes of these. #not_null
    lost.lost_usd as lost_usd,                                    -- What these cost; NULL while they are not priced.
    best.message as message,                                      -- The beginning of what it said last.
    best.failed_url as failed_url,                                -- Page of the newest failure by chance.
    best.passed_url as passed_url,                                -- Page of the pass that proves it.
    case best.proof
        when 'report' then best.failed_url || ' failed at first and passed when it ran the test again'
        else best.failed_url || ' failed, ' || best.passed_url || ' passed'
    end as evidence                                               -- Both in a sentence.
from measured
inner join best
    on best.repository = measured.repository
    and best.workflow = measured.workflow
    and best.test_id = measured.test_id
    and best.platform = measured.platform
left join lost
    on lost.repository = measured.repository
    and lost.workflow = measured.workflow
    and lost.test_id = measured.test_id
    and lost.platform = measured.platform
left join begun
    on begun.repository = measured.repository
    and begun.workflow = measured.workflow
    and begun.test_id = measured.test_id
    and begun.platform = measured.platform
