/*
States that deployments came into, each told once by GitHub.

Grain: status_id
Newest: updated_at, fetched_at
*/
with described as (
    select
        repository_id,
        fetched_at,
        from_json(
            payload,
            '{"id": "BIGINT", "deployment_id": "BIGINT", "state": "VARCHAR", "environment": "VARCHAR", "description": "VARCHAR",
              "created_at": "VARCHAR", "updated_at": "VARCHAR", "creator": {"login": "VARCHAR"}}'
        ) as told
    from landing.github_deployment_statuses
)
select
    told.id as status_id,                  -- GitHub's id. #not_null
    told.deployment_id as deployment_id,   -- The deployment. #not_null
    repository_id,                         -- The repository it is of. #not_null
    told.state as state,                   -- queued, in_progress, success, failure, error, inactive, …, verbatim.
    told.environment as environment,       -- Where to, in its creator's words.
    told.description as description,       -- What its creator said.
    told.creator.login as creator,         -- Who said it.
    cast(cast(told.created_at as timestamptz) at time zone 'UTC' as timestamp) as created_at,  -- When it came into this state, UTC. #not_null
    cast(cast(told.updated_at as timestamptz) at time zone 'UTC' as timestamp) as updated_at,  -- When GitHub last touched the status, UTC.
    fetched_at as first_seen_at,           -- When we first read it, UTC. #earliest
    fetched_at                             -- When we read it, UTC. #version
from described
