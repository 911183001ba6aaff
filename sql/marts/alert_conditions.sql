/*
What each alerting rule says of each of its subjects at the moment: the figure, its limit, and whether it is over it.

Grain: rule, subject
The rules of deploy/prometheus, for those without Prometheus; marts.alerts has what became of them over time. A subject of which a rule
gives no verdict (too few samples, say) has no row, or one that is not breached. Runs count when we first saw them settled, within 6
hours of their end, as Prometheus's counters have them. As of the same moment as marts.source_freshness.
*/
with clock as (
    select max(as_of) as as_of
    from marts.source_freshness
),

rules as (
    select
        rules.rule,
        rules.severity,
        coalesce(own.threshold, rules.threshold) as threshold,
        coalesce(own.min_samples, rules.min_samples) as min_samples,
        coalesce(own.for_seconds, rules.for_seconds) as for_seconds,
        rules.keep_seconds
    from seeds.alert_rules as rules
    left join seeds.own_alert_rules as own on own.rule = rules.rule
),

settled as (  -- decided attempts of the last three days, by when we first saw them settled
    select
        attempts.repository,
        attempts.workflow,
        attempts.html_url,
        conclusions.outcome,
        conclusions.outcome = 'failure' as is_failure,
        seen.run_id,
        seen.run_attempt,
        seen.settled_seen_at,
        seen.settled_seen_at > clock.as_of - interval 1 hour as is_of_hour,
        seen.settled_seen_at > clock.as_of - interval 6 hours as is_of_six_hours,
        seen.settled_seen_at > clock.as_of - interval 1 day as is_of_day
    from staging.github_run_attempts as seen
    cross join clock
    inner join marts.run_attempts as attempts on attempts.run_id = seen.run_id and attempts.run_attempt = seen.run_attempt
    inner join seeds.conclusions as conclusions on conclusions.conclusion = attempts.settled_conclusion
    where
        seen.settled_seen_at > clock.as_of - interval 3 days
        and seen.settled_seen_at <= clock.as_of
        and not attempts.is_late
        and conclusions.outcome in ('success', 'failure')
),

placed as (  -- those of the last day, the newest first
    select
        *,
        row_number() over (partition by repository, workflow, outcome order by settled_seen_at desc, run_id desc, run_attempt desc) as place,
        row_number() over (partition by outcome order by settled_seen_at desc, run_id desc, run_attempt desc) as place_of_all
    from settled
    where is_of_day
),

failures as (
    select
        repository,
        workflow,
        count(*) as day_count,
        count(*) filter (where is_failure) as day_failure_count,
        count(*) filter (where is_of_hour) as hour_count,
        count(*) filter (where is_of_hour and is_failure) as hour_failure_count,
        case
            when repository is null then string_agg(html_url, ' ' order by place_of_all) filter (where is_failure and place_of_all <= 3)
            else string_agg(html_url, ' ' order by place) filter (where is_failure and place <= 3)
        end as evidence_urls
    from placed
    group by grouping sets ((repository, workflow), ())
    having count(*) > 0
),

failing as (
    select
        failures.*,
        case
            when hour_count >= rules.min_samples then hour_count
            when day_count >= rules.min_samples then day_count
        end as run_count,
        case when hour_count >= rules.min_samples then hour_failure_count else day_failure_count end as failure_count,
        case when hour_count >= rules.min_samples then 'hour' else 'day' end as time_window,
        rules.threshold
    from failures
    inner join rules on rules.rule = 'CICDPipelineFailureRate'
),

burns as (  -- how many times as often as allowed; of the long windows on enough runs only
    select
        repository,
        workflow,
        count(*) filter (where is_failure and is_of_hour) / nullif(count(*) filter (where is_of_hour), 0) / (1 - min(success_ratio)) as hour_burn,
        count(*) filter (where is_of_six_hours) as six_hours_count,
        count(*) filter (where is_failure and is_of_six_hours) / nullif(count(*) filter (where is_of_six_hours), 0) / (1 - min(success_ratio)) as six_hours_burn,
        count(*) as run_count,
        count(*) filter (where is_failure) / count(*) / (1 - min(success_ratio)) as burn
    from settled
    inner join marts.objectives as objectives using (repository, workflow)
    group by repository, workflow
),

burning as (
    select
        burns.repository,
        burns.workflow,
        rules.threshold,
        six_hours_count >= rules.min_samples and six_hours_burn > 6 * rules.threshold and coalesce(hour_burn > 6 * rules.threshold, false) as is_fast,
        six_hours_count >= rules.min_samples and six_hours_burn > rules.threshold and burn > rules.threshold as is_slow,
        six_hours_count,
        six_hours_burn,
        run_count,
        case when run_count >= rules.min_samples then burn end as burn
    from burns
    inner join rules on rules.rule = 'CICDErrorBudgetBurn'
),

slowest as (
    select
        runs.repository,
        runs.workflow,
        max_by(runs.html_url, runs.duration_seconds) as evidence_urls
    from marts.workflow_runs as runs
    cross join clock
    where runs.completed_at > clock.as_of - interval 1 day and runs.outcome in ('success', 'failure')
    group by runs.repository, runs.workflow
),

slower as (
    select
        day_long.repository,
        day_long.workflow,
        day_long.duration_count as run_count,
        day_long.duration_p95_seconds,
        week_long.duration_p95_seconds as usual_seconds,
        rules.threshold * week_long.duration_p95_seconds as threshold,
        slowest.evidence_urls
    from marts.workflow_windows as day_long
    inner join marts.workflow_windows as week_long
        on week_long.repository = day_long.repository and week_long.workflow = day_long.workflow and week_long.time_window = '7d'
    inner join rules on rules.rule = 'CICDPipelineSlower'
    left join slowest on slowest.repository = day_long.repository and slowest.workflow = day_long.workflow
    where
        day_long.time_window = '24h'
        and day_long.duration_count >= rules.min_samples
        and week_long.duration_count >= 2 * rules.min_samples
),

queued as (  -- jobs of the attempts that we first saw settled in the last hour, as marts.job_queue_buckets counts them
    select
        jobs.repository,
        regexp_replace(jobs.runner, '[0-9]{8,}', '*', 'g') as runner,
        count(*) as job_count,
        count(*) filter (where jobs.queue_seconds > 600) as long_count,
        max(jobs.queue_seconds) as longest_seconds,
        max_by(jobs.html_url, jobs.queue_seconds) as evidence_urls
    from staging.github_run_attempts as seen
    cross join clock
    inner join marts.run_attempts as attempts on attempts.run_id = seen.run_id and attempts.run_attempt = seen.run_attempt
    inner join marts.jobs as jobs on jobs.run_id = seen.run_id and jobs.run_attempt = seen.run_attempt
    where
        seen.settled_seen_at > clock.as_of - interval 1 hour
        and seen.settled_seen_at <= clock.as_of
        and attempts.outcome <> 'open'
        and not attempts.is_late
        and jobs.queue_seconds is not null
    group by jobs.repository, regexp_replace(jobs.runner, '[0-9]{8,}', '*', 'g')
),

each_rollback as (
    select
        unnest(string_split(rollbacks.service, ', ')) as service,
        rollbacks.environment,
        rollbacks.team,
        rollbacks.instance,
        rollbacks.application,
        rollbacks.kind,
        rollbacks.from_revision,
        rollbacks.to_revision,
        rollbacks.first_seen_at
    from marts.rollbacks as rollbacks
    cross join clock
    where
        rollbacks.first_seen_at > clock.as_of - interval 1 hour
        and rollbacks.first_seen_at <= rollbacks.started_at + interval 6 hours
),

rolled_back as (
    select
        service,
        environment,
        max(team) as team,
        count(*) as rollback_count,
        max_by(case when instance is null then concat('github ', application) else concat('argocd ', instance) end, first_seen_at) as rests_on,
        max_by(concat(kind, ' from ', coalesce(from_revision, 'unknown'), ' to ', coalesce(to_revision, 'unknown')), first_seen_at) as note
    from each_rollback
    group by service, environment
),

stuck as (
    select
        opened.service,
        opened.environment,
        opened.team,
        opened.operation_count,
        coalesce(opened.application, opened.code_repository) as application,
        case when opened.source = 'github' then concat('github ', opened.code_repository) else concat('argocd ', opened.instance) end as rests_on,
        (epoch_us(clock.as_of) - epoch_us(opened.open_since_at)) / 1000000.0 as open_seconds
    from marts.open_deployments as opened
    cross join clock
),

verdicts as (
    select
        'CICDPipelineFailureRate' as rule,
        case when repository is null then 'all' else concat(repository, ' ', workflow) end as subject,
        failure_count / run_count as value,
        threshold,
        coalesce(run_count, day_count) as sample_count,
        coalesce(failure_count / run_count > threshold, false) as is_breached,
        repository,
        workflow,
        case when repository is null then 'github' else concat('github ', repository) end as rests_on,
        case when run_count is not null then concat(failure_count, ' of ', run_count, ' runs of the last ', time_window, ' failed') end as note,
        evidence_urls
    from failing
    union all by name
    select
        'CICDErrorBudgetBurn' as rule,
        concat(repository, ' ', workflow) as subject,
        case when is_fast then six_hours_burn else burn end as value,
        case when is_fast then 6 * threshold else threshold end as threshold,
        case when is_fast then six_hours_count else run_count end as sample_count,
        is_fast or is_slow as is_breached,
        repository,
        workflow,
        concat('github ', repository) as rests_on,
        case
            when is_fast then 'so many times as often as its objective allows, over the last 6 hours and still in the last one'
            when is_slow then 'so many times as often as its objective allows, over the last 3 days and still in the last 6 hours'
        end as note
    from burning
    union all by name
    select
        'CICDPipelineSlower' as rule,
        concat(repository, ' ', workflow) as subject,
        duration_p95_seconds as value,
        threshold,
        run_count as sample_count,
        duration_p95_seconds > threshold as is_breached,
        repository,
        workflow,
        concat('github ', repository) as rests_on,
        concat('95 % of runs end within ', cast(round(duration_p95_seconds) as bigint), ' s, usually within ', cast(round(usual_seconds) as bigint), ' s') as note,
        evidence_urls
    from slower
    union all by name
    select
        'CICDQueueLong' as rule,
        concat(queued.repository, ' ', queued.runner) as subject,
        queued.long_count / queued.job_count as value,
        rules.threshold,
        queued.job_count as sample_count,
        queued.job_count >= rules.min_samples and queued.long_count / queued.job_count > rules.threshold as is_breached,
        queued.repository,
        queued.runner,
        concat('github ', queued.repository) as rests_on,
        concat(queued.long_count, ' of ', queued.job_count, ' jobs waited over 10 minutes, the longest ', cast(round(queued.longest_seconds / 60) as bigint), ' minutes') as note,
        queued.evidence_urls
    from queued
    inner join rules on rules.rule = 'CICDQueueLong'
    union all by name
    select
        'CICDBudgetBurn' as rule,
        case when budgets.scope = 'total' then 'total' else concat(budgets.scope, ' ', budgets.subject) end as subject,
        budgets.forecast_usd as value,
        rules.threshold * budgets.budget_usd as threshold,
        budgets.sample_days as sample_count,
        coalesce(budgets.forecast_usd > rules.threshold * budgets.budget_usd, false) as is_breached,
        budgets.scope,
        budgets.subject as budget,
        case when budgets.scope = 'team' then budgets.subject end as team,
        'github' as rests_on,
        case
            when budgets.forecast_usd is not null
                then concat(round(budgets.spent_usd, 2), ' USD spent, ', round(budgets.forecast_usd, 2), ' expected, of ', round(budgets.budget_usd, 2))
        end as note
    from marts.budgets as budgets
    inner join rules on rules.rule = 'CICDBudgetBurn'
    union all by name
    select
        'CICDRollback' as rule,
        concat(rolled_back.service, ' ', rolled_back.environment) as subject,
        rolled_back.rollback_count as value,
        rules.threshold,
        rolled_back.rollback_count as sample_count,
        rolled_back.rollback_count > rules.threshold as is_breached,
        rolled_back.service,
        rolled_back.environment,
        rolled_back.team,
        rolled_back.rests_on,
        rolled_back.note
    from rolled_back
    inner join rules on rules.rule = 'CICDRollback'
    union all by name
    select
        'CICDDeploymentStuck' as rule,
        concat(stuck.service, ' ', stuck.environment) as subject,
        stuck.open_seconds as value,
        rules.threshold,
        stuck.operation_count as sample_count,
        stuck.open_seconds > rules.threshold as is_breached,
        stuck.service,
        stuck.environment,
        stuck.team,
        stuck.rests_on,
        concat(stuck.application, ' is open for ', cast(round(stuck.open_seconds / 60) as bigint), ' minutes') as note
    from stuck
    inner join rules on rules.rule = 'CICDDeploymentStuck'
    union all by name
    select
        'CICDScheduleMissed' as rule,
        concat(schedules.repository, ' ', schedules.workflow) as subject,
        case when schedules.state = 'missed' then 1 else 0 end as value,
        rules.threshold,
        schedules.on_time_count + schedules.late_count + schedules.missed_count as sample_count,
        schedules.state = 'missed' as is_breached,
        schedules.repository,
        schedules.workflow,
        concat('github ', schedules.repository) as rests_on,
        concat('no run for the start of ', strftime(schedules.last_missed_at, '%Y-%m-%d %H:%M'), ' UTC by ', schedules.cron) as note
    from marts.schedules as schedules
    inner join rules on rules.rule = 'CICDScheduleMissed'
    where schedules.state in ('ok', 'late', 'missed')
    union all by name
    select
        'CICDSourceStale' as rule,
        sources.source as subject,
        sources.silent_seconds as value,
        rules.threshold,
        sources.subject_count as sample_count,
        sources.is_stale as is_breached,
        sources.source,
        case
            when sources.is_stale
                then concat(
                    sources.stale_count,
                    ' of ',
                    sources.subject_count,
                    case when sources.source = 'github' then ' repositories are silent, longest ' else ' servers are silent, longest ' end,
                    sources.most_silent
                )
        end as note
    from marts.sources as sources
    inner join rules on rules.rule = 'CICDSourceStale'
    where sources.subject_count > 0
    union all by name
    select
        'CICDRateLimitLow' as rule,
        sources.source as subject,
        sources.rate_limit_remaining as value,
        coalesce(rules.threshold * sources.rate_limit, 250) as threshold,
        sources.subject_count as sample_count,
        sources.rate_limit_remaining < coalesce(rules.threshold * sources.rate_limit, 250) as is_breached,
        sources.source,
        concat(sources.rate_limit_remaining, ' requests left', case when sources.rate_limit is not null then concat(' of ', sources.rate_limit) else '' end) as note
    from marts.sources as sources
    inner join rules on rules.rule = 'CICDRateLimitLow'
    where sources.rate_limit_remaining is not null
)
select
    verdicts.rule as rule,                                          -- Which rule, by the name that Prometheus's has. #not_null
    verdicts.subject as subject,                                    -- Of what it speaks: a workflow, a service and where it runs, a source, …; all for everything together. #not_null
    clock.as_of as as_of,                                           -- As of when, UTC.
    cast(verdicts.value as double) as value,                        -- The figure: a ratio, seconds, USD or a count; NULL without a verdict.
    cast(verdicts.threshold as double) as threshold,                -- Its limit, in the same unit. #not_null
    cast(verdicts.sample_count as bigint) as sample_count,          -- What the figure rests on: runs, jobs, days, …
    verdicts.is_breached as is_breached,                            -- Whether it is beyond the limit. #not_null
    cast(rules.for_seconds as bigint) as for_seconds,               -- How long it must be until the alert fires. #not_null
    cast(rules.keep_seconds as bigint) as keep_seconds,             -- How long the alert goes on after it is not any more. #not_null
    rules.severity as severity,                                     -- How bad. #not_null
    verdicts.repository as repository,                              -- The repository, if it is about one.
    verdicts.workflow as workflow,                                  -- The workflow.
    verdicts.runner as runner,                                      -- The kind of runner.
    verdicts.service as service,                                    -- The service.
    verdicts.environment as environment,                            -- Where it runs.
    verdicts.scope as scope,                                        -- What a budget is for.
    verdicts.budget as budget,                                      -- Which team or repositories it is for.
    verdicts.source as source,                                      -- The source, if it is about one.
    coalesce(verdicts.team, teams.team) as team,                    -- The team that it concerns.
    verdicts.rests_on as rests_on,                                  -- What must be read for a verdict: a source, or a source and a repository or server; NULL for nothing.
    verdicts.note as note,                                          -- The figure in words.
    verdicts.evidence_urls as evidence_urls                           -- Pages that show it, joined with blanks: of the newest runs that failed, up to three, else of the worst run or job.
from verdicts
cross join clock
inner join rules on rules.rule = verdicts.rule
left join marts.repository_teams as teams on teams.repository = verdicts.repository
