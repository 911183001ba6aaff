/*
Deployments that GitHub was told of, as it last described each of them.

Grain: deployment_id
Newest: updated_at, fetched_at
*/
with described as (
    select
        repository_id,
        fetched_at,
        from_json(
            payload,
            '{"id": "BIGINT", "sha": "VARCHAR", "ref": "VARCHAR", "task": "VARCHAR", "environment": "VARCHAR", "service": "VARCHAR",
              "created_at": "VARCHAR", "updated_at": "VARCHAR", "creator": {"login": "VARCHAR"}}'
        ) as deployment
    from landing.github_deployments
)
select
    deployment.id as deployment_id,           -- GitHub's id. #not_null
    repository_id,                            -- The repository it is of. #not_null
    deployment.sha as sha,                    -- The commit that was deployed.
    deployment.ref as ref,                    -- The branch, tag or commit it was asked for.
    deployment.task as task,                  -- deploy, or what its creator calls it.
    deployment.environment as environment,    -- Where to, in its creator's words.
    deployment.service as service,            -- The service that its creator's payload names; NULL where it names none.
    deployment.creator.login as creator,      -- Who created it.
    cast(cast(deployment.created_at as timestamptz) at time zone 'UTC' as timestamp) as created_at,  -- When it was created, UTC. #not_null
    cast(cast(deployment.updated_at as timestamptz) at time zone 'UTC' as timestamp) as updated_at,  -- When GitHub last touched it, UTC.
    fetched_at                                -- When we read it, UTC. #version
from described
