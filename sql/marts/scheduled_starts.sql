/*
Starts that schedules foresee, over the last 28 days, each with the run that it brought or the word that it brought none.

Grain: workflow_id, expected_at
Which workflows have a schedule is what `[[schedules]]` of phoenix.toml says, or else the workflow's file on the default branch; of others
nothing is assumed. A run of the event schedule
belongs to the latest start at or before its creation, and a start has one run, the earliest. A start is late when its run was created
more than late_minutes after it (30 unless set), pending until then, and missed when the newest successful pass is later than that and
there is no run; a run that comes after all makes it late. Starts before the repository's history is whole, and before the workflow's
file was added, are not expected. Where the workflow is disabled or deleted now, starts after its last run are disabled, not missed.
A schedule in phoenix.toml is taken to hold for the whole time; where it was changed, starts before the change are told by the new one.
Files are read about once a day: a start is expected if every version of the file that may have been in place at that moment foresees it,
and before the first version that was ever seen, that one is taken to have been there.
*/
with clock as (
    select max(finished_at) as as_of
    from staging.github_syncs
),

passed as (
    select
        repository,
        max(finished_at) as seen_to,
        min(complete_since) as complete_since
    from staging.github_syncs
    where state = 'ok'
    group by repository
),

possible as (  -- versions of files, and when each may have been in place
    select
        workflow_id,
        seen_at,
        coalesce(not_before_at, timestamp '1970-01-01 00:00:00') as possible_from,
        coalesce(replaced_at, timestamp '9999-12-31 00:00:00') as possible_to
    from marts.workflow_files
),

foreseen as (
    select distinct
        schedules.workflow_id,
        schedules.seen_at,
        schedule_starts.expected_at
    from marts.workflow_schedules as schedules
    inner join seeds.schedule_starts as schedule_starts
        on schedule_starts.cron = schedules.cron
        and schedule_starts.timezone = schedules.timezone
    inner join possible
        on possible.workflow_id = schedules.workflow_id
        and possible.seen_at = schedules.seen_at
        and schedule_starts.expected_at > possible.possible_from
        and schedule_starts.expected_at < possible.possible_to
),

scheduled as (
    select
        schedules.workflow_id,
        schedule_starts.expected_at,
        min(schedules.late_minutes) as late_minutes
    from marts.workflow_schedules as schedules
    inner join seeds.schedule_starts as schedule_starts
        on schedule_starts.cron = schedules.cron
        and schedule_starts.timezone = schedules.timezone
    where schedules.told_by = 'settings'
    group by schedules.workflow_id, schedule_starts.expected_at
    union all
    select
        foreseen.workflow_id,
        foreseen.expected_at,
        30
    from foreseen
    inner join possible
        on possible.workflow_id = foreseen.workflow_id
        and foreseen.expected_at > possible.possible_from
        and foreseen.expected_at < possible.possible_to
    group by foreseen.workflow_id, foreseen.expected_at
    having count(distinct possible.seen_at) = count(distinct foreseen.seen_at)
),

expected as (
    select
        scheduled.*,
        workflows.repository,
        workflows.workflow,
        coalesce(workflows.state like 'disabled%' or workflows.state = 'deleted', false) as is_disabled,
        passed.seen_to
    from scheduled
    inner join marts.workflows as workflows on workflows.workflow_id = scheduled.workflow_id
    inner join passed on passed.repository = workflows.repository
    left join staging.github_workflows as listed on listed.workflow_id = scheduled.workflow_id
    where scheduled.expected_at >= coalesce(passed.complete_since, scheduled.expected_at)
        and scheduled.expected_at >= coalesce(listed.created_at, scheduled.expected_at)
),

runs as (
    select
        workflow_id,
        run_id,
        created_at
    from marts.workflow_runs
    cross join clock
    where event = 'schedule' and created_at > clock.as_of - interval 28 days
),

moments as (
    select
        workflow_id,
        expected_at as moment,
        expected_at,
        null as run_id
    from expected
    union all
    select
        workflow_id,
        created_at,
        null,
        run_id
    from runs
),

placed as (
    select
        workflow_id,
        run_id,
        moment,
        max(expected_at) over (
            partition by workflow_id
            order by moment, run_id nulls first
            rows between unbounded preceding and current row
        ) as expected_at
    from moments
),

brought as (
    select
        workflow_id,
        expected_at,
        run_id,
        moment as started_at
    from placed
    where run_id is not null
    qualify row_number() over (partition by workflow_id, expected_at order by moment, run_id) = 1
),

matched as (
    select
        expected.*,
        brought.run_id,
        brought.started_at,
        (epoch_us(brought.started_at) - epoch_us(expected.expected_at)) / 1000000.0 as delay_seconds,
        (epoch_us(expected.seen_to) - epoch_us(expected.expected_at)) / 1000000.0 as seen_seconds,
        max(case when brought.run_id is not null then expected.expected_at end) over (partition by expected.workflow_id) as last_brought_at
    from expected
    left join brought on brought.workflow_id = expected.workflow_id and brought.expected_at = expected.expected_at
)
select
    workflow_id,                                              -- GitHub's id of the workflow. #not_null
    repository,                                               -- owner/name. #not_null
    workflow,                                                 -- Name of the workflow. #not_null
    expected_at,                                              -- When the schedule foresees a start, UTC. #not_null
    run_id,                                                   -- The run that it brought; NULL if none.
    started_at,                                               -- When that run was created, UTC.
    delay_seconds,                                            -- How long after expected_at.
    late_minutes,                                             -- After so many minutes it is late. #not_null
    case
        when delay_seconds > late_minutes * 60 then 'late'
        when delay_seconds is not null then 'on_time'
        when is_disabled and expected_at > coalesce(last_brought_at, expected_at - interval 1 day) then 'disabled'
        when seen_seconds <= late_minutes * 60 then 'pending'
        else 'missed'
    end as state                                              -- What became of it. #in(on_time, late, missed, disabled, pending)
from matched
