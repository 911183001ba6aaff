/*
Webhook deliveries that were accepted, each once however often it was sent or drained.

Grain: delivery_id
Newest: fetched_at
*/
with told as (
    select
        fetched_at,
        from_json(
            payload,
            '{"delivery_id": "VARCHAR", "event": "VARCHAR", "action": "VARCHAR", "repository": "VARCHAR", "received_at": "VARCHAR",
              "error": "VARCHAR"}'
        ) as delivery
    from landing.github_deliveries
)
select
    delivery.delivery_id as delivery_id,  -- GitHub's id of the delivery. #not_null
    delivery.event as event,              -- What it tells of: workflow_run, workflow_job, …
    delivery.action as action,            -- What happened to it, in GitHub's words.
    delivery.repository as repository,    -- owner/name.
    delivery.error as error,              -- Why it could not be understood; NULL if it was.
    cast(cast(delivery.received_at as timestamptz) at time zone 'UTC' as timestamp) as received_at,  -- When it came, UTC. #not_null
    fetched_at                            -- The same; of two the newer is kept. #version
from told
