/*
How many operations Argo CD's controller counted as finished, and how many of them are here.

Grain: instance, namespace, application, phase, is_dry_run
Only where the controller's metrics are configured. The count is of the time between the application's first reading, or the first of
this end if that was there from the beginning, and the newest; a counter that fell began anew from nothing. Times of operations are
by the server's clock and are corrected by how far it is ahead of ours.
*/
with readings as (
    select
        *,
        lag(total) over (of_series order by read_at) as previous_total,
        min(read_at) over of_series as first_read_at,
        min(read_at) over (partition by instance, namespace, application) as application_read_at
    from staging.argocd_sync_totals
    window of_series as (partition by instance, namespace, application, phase, is_dry_run)
),

steps as (
    select
        instance,
        namespace,
        application,
        phase,
        is_dry_run,
        read_at,
        -- a count that was not there while others of the application were had not begun
        case when first_read_at > application_read_at + interval 30 second then application_read_at else first_read_at end as counted_from,
        case
            when previous_total is not null and total >= previous_total then total - previous_total
            when previous_total is not null or first_read_at > application_read_at + interval 30 second then total
            else 0
        end as increase
    from readings
),

counted as (
    select
        instance,
        namespace,
        application,
        phase,
        is_dry_run,
        min(counted_from) as counted_from,
        max(read_at) as counted_to,
        cast(sum(increase) as bigint) as argocd_count
    from steps
    group by instance, namespace, application, phase, is_dry_run
),

clocks as (
    select
        instance,
        clock_skew_seconds
    from staging.argocd_syncs
    where clock_skew_seconds is not null
    qualify row_number() over (partition by instance order by finished_at desc) = 1
),

ended as (
    select
        operations.instance,
        operations.namespace,
        operations.application,
        operations.kind = 'dry_run' as is_dry_run,
        case operations.status when 'succeeded' then 'Succeeded' when 'error' then 'Error' else 'Failed' end as phase,
        operations.finished_at - coalesce(clocks.clock_skew_seconds, 0) * interval 1 second as finished_at
    from marts.operations as operations
    left join clocks on clocks.instance = operations.instance
    where operations.status in ('succeeded', 'failed', 'error', 'cancelled')
)
select
    counted.instance as instance,                                                       -- The Argo CD server. #not_null
    counted.namespace as namespace,                                                     -- Namespace of the application itself. #not_null
    counted.application as application,                                                 -- Its name. #not_null
    counted.phase as phase,                                                             -- How the operations ended: Succeeded, Failed, Error. #not_null
    counted.is_dry_run as is_dry_run,                                                   -- Whether they changed nothing. #not_null
    min(counted.counted_from) as counted_from,                                          -- Counted after this, UTC. #not_null
    max(counted.counted_to) as counted_to,                                              -- And up to this, UTC. #not_null
    max(counted.argocd_count) as argocd_count,                                          -- Operations that Argo CD counted. #not_null
    count(ended.finished_at) as operation_count,                                        -- Operations of that time that are here. #not_null
    greatest(max(counted.argocd_count) - count(ended.finished_at), 0) as missing_count  -- Operations that Argo CD counted and that are not here. #not_null
from counted
left join ended
    on
        ended.instance = counted.instance
        and ended.namespace = counted.namespace
        and ended.application = counted.application
        and ended.phase = counted.phase
        and ended.is_dry_run = counted.is_dry_run
        and ended.finished_at > counted.counted_from
        and ended.finished_at <= counted.counted_to
group by counted.instance, counted.namespace, counted.application, counted.phase, counted.is_dry_run
