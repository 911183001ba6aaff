/*
Webhook deliveries of GitHub's that came in the last seven days up to the newest one, by what they tell of.

Grain: event
What was never sent, or sent while nothing listened, cannot be counted here: GitHub asks for those again where the token may, and the
polls find what they told of.
*/
with newest as (
    select max(received_at) as received_at
    from staging.github_deliveries
)
select
    coalesce(deliveries.event, 'unknown') as event,                                   -- What they tell of: workflow_run, workflow_job, … #not_null
    count(*) as delivery_count,                                                       -- Deliveries of these days. #not_null
    count(*) filter (where deliveries.received_at > newest.received_at - interval 1 day) as day_count,  -- Those of the last day up to the newest. #not_null
    count(deliveries.error) as refused_count,                                         -- Those that could not be understood. #not_null
    max_by(deliveries.error, deliveries.received_at) filter (where deliveries.error is not null) as newest_error,  -- Why the newest of those could not.
    max(deliveries.received_at) as newest_at                                          -- When the newest came, UTC. #not_null
from staging.github_deliveries as deliveries
cross join newest
where deliveries.received_at > newest.received_at - interval 7 days
group by coalesce(deliveries.event, 'unknown')
