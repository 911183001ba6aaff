/*
Schedules of workflows: how many starts they foresaw over the last 28 days, and how many came in time, late or not at all.

Grain: repository, workflow
A schedule is told by phoenix.toml or, where that says nothing of a workflow, by the newest version of its file. A workflow that ran by a
schedule that neither tells is unknown: whether a start is missing cannot be said; where its file can be read and has no schedule any
more, that one is ended. A schedule in phoenix.toml that fits no workflow is not_found, and shown as it was written. Percentiles are
exact, over the starts that brought a run.
*/
with clock as (
    select max(finished_at) as as_of
    from staging.github_syncs
),

told as (
    select
        repository,
        workflow,
        workflow_id,
        told_by,
        case when timezone = 'UTC' then cron else concat(cron, ' ', timezone) end as shown_cron
    from marts.workflow_schedules
    where is_current
    union all
    select
        replace(schedules.repository_pattern, '%', '*'),
        schedules.workflow,
        null,
        'settings',
        case when schedules.timezone = 'UTC' then schedules.cron else concat(schedules.cron, ' ', schedules.timezone) end
    from seeds.schedules as schedules
    left join marts.workflows as workflows
        on lower(workflows.repository) like lower(schedules.repository_pattern)
        and schedules.workflow in (workflows.workflow, workflows.path, replace(workflows.path, '.github/workflows/', ''))
    where workflows.workflow_id is null
),

known as (
    select
        told.repository,
        told.workflow,
        max(told.told_by) as told_by,
        string_agg(distinct told.shown_cron, '; ' order by told.shown_cron) as cron,
        bool_or(told.workflow_id is not null) as is_found,
        bool_and(coalesce(workflows.state like 'disabled%' or workflows.state = 'deleted', false)) as is_disabled,
        max(workflows.state) as workflow_state
    from told
    left join marts.workflows as workflows on workflows.workflow_id = told.workflow_id
    group by told.repository, told.workflow
),

without_schedule as (  -- workflows whose files have none now
    select
        repository,
        workflow
    from marts.workflow_files
    where replaced_at is null and cron is null and state in ('read', 'gone')
),

runs as (
    select
        repository,
        workflow,
        count(*) as run_count,
        max(created_at) as last_started_at
    from marts.workflow_runs
    cross join clock
    where event = 'schedule' and created_at > clock.as_of - interval 28 days
    group by repository, workflow
),

counted as (
    select
        repository,
        workflow,
        count(*) as expected_count,
        count(*) filter (where state = 'on_time') as on_time_count,
        count(*) filter (where state = 'late') as late_count,
        count(*) filter (where state = 'missed') as missed_count,
        count(*) filter (where state = 'disabled') as disabled_count,
        count(*) filter (where state = 'pending') as pending_count,
        quantile_cont(delay_seconds, 0.5) as delay_p50_seconds,
        quantile_cont(delay_seconds, 0.95) as delay_p95_seconds,
        max(expected_at) filter (where state = 'missed') as last_missed_at,
        max(expected_at) as last_expected_at
    from marts.scheduled_starts
    group by repository, workflow
),

last_settled as (
    select
        repository,
        workflow,
        state
    from marts.scheduled_starts
    where state <> 'pending'
    qualify row_number() over (partition by repository, workflow order by expected_at desc, workflow_id desc) = 1
)
select
    coalesce(known.repository, runs.repository) as repository,              -- owner/name; the glob as it was told where nothing fits it. #not_null
    coalesce(known.workflow, runs.workflow) as workflow,                    -- Name of the workflow. #not_null
    known.cron as cron,                                                     -- When it has to start, with the time zone unless that is UTC; NULL if nobody has told.
    case
        when known.cron is null and without_schedule.workflow is not null then 'ended'
        when known.cron is null then 'unknown'
        when not known.is_found then 'not_found'
        when known.is_disabled then 'disabled'
        when last_settled.state = 'missed' then 'missed'
        when last_settled.state = 'late' then 'late'
        when last_settled.state = 'on_time' then 'ok'
        else 'pending'
    end as state,                                                           -- How its newest start went that is not pending. #in(ok, late, missed, disabled, pending, unknown, not_found, ended)
    case when known.cron is null and without_schedule.workflow is not null then 'file' else known.told_by end as told_by,  -- What tells so: phoenix.toml (settings) or the workflow's file; NULL if neither. #in(settings, file)
    known.workflow_state as workflow_state,                                 -- State of the workflow at GitHub, such as disabled_inactivity.
    counted.expected_count as expected_count,                               -- Starts foreseen; NULL where no schedule is known.
    counted.on_time_count as on_time_count,                                 -- Starts in time.
    counted.late_count as late_count,                                       -- Starts that came late.
    counted.missed_count as missed_count,                                   -- Starts that did not come.
    counted.disabled_count as disabled_count,                               -- Starts that could not come: the workflow is disabled.
    counted.pending_count as pending_count,                                 -- Starts that can still come in time.
    coalesce(runs.run_count, 0) as run_count,                               -- Runs that a schedule started.
    counted.delay_p50_seconds as delay_p50_seconds,                         -- Median delay of the starts that came.
    counted.delay_p95_seconds as delay_p95_seconds,                         -- 95th percentile of it.
    counted.last_expected_at as last_expected_at,                           -- The newest start foreseen, UTC.
    counted.last_missed_at as last_missed_at,                               -- The newest start that did not come, UTC.
    runs.last_started_at as last_started_at,                                -- The newest run that a schedule started, UTC.
    case when known.cron is not null and known.is_found and not known.is_disabled then last_settled.state = 'missed' end as is_missed  -- Whether its newest start that is not pending did not come; NULL where there is none, or none can come.
from known
full join runs on runs.repository = known.repository and runs.workflow = known.workflow
left join counted
    on counted.repository = coalesce(known.repository, runs.repository)
    and counted.workflow = coalesce(known.workflow, runs.workflow)
left join last_settled
    on last_settled.repository = coalesce(known.repository, runs.repository)
    and last_settled.workflow = coalesce(known.workflow, runs.workflow)
left join without_schedule
    on without_schedule.repository = coalesce(known.repository, runs.repository)
    and without_schedule.workflow = coalesce(known.workflow, runs.workflow)
