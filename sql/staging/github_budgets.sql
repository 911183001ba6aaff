/*
What GitHub last said of each rate limit of each credential.

Grain: credential, resource
Newest: read_at
*/
with told as (
    select
        fetched_at,
        from_json(
            payload,
            '{"credential": "VARCHAR", "resource": "VARCHAR", "limit": "INTEGER", "remaining": "INTEGER", "resets_at": "VARCHAR",
              "not_before": "VARCHAR", "refusal_count": "INTEGER", "request_count": "INTEGER", "read_at": "VARCHAR"}'
        ) as reading
    from landing.github_budgets
)
select
    reading.credential as credential,        -- Fingerprint of the credential, never the token. #not_null
    reading.resource as resource,            -- core (REST), graphql, … #not_null
    reading."limit" as request_limit,        -- Requests, or points, that a window grants.
    reading.remaining as remaining,          -- Those left.
    cast(cast(reading.resets_at as timestamptz) at time zone 'UTC' as timestamp) as resets_at,  -- When the window ends, UTC.
    cast(cast(reading.not_before as timestamptz) at time zone 'UTC' as timestamp) as not_before,  -- Until when GitHub asked to be left alone, UTC.
    reading.refusal_count as refusal_count,  -- Refusals in a row.
    reading.request_count as request_count,  -- Requests that the run made which read this.
    cast(cast(reading.read_at as timestamptz) at time zone 'UTC' as timestamp) as read_at,  -- When it was read, UTC. #not_null
    fetched_at                               -- When it was written down, UTC. #version
from told
