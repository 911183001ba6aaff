/*
Groups of an organisation's runners, as last listed.

Grain: organization, runner_group_id
Newest: fetched_at
*/
with described as (
    select
        fetched_at,
        from_json(
            payload,
            '{"id": "BIGINT", "organization": "VARCHAR", "name": "VARCHAR", "visibility": "VARCHAR", "default": "BOOLEAN",
              "inherited": "BOOLEAN", "allows_public_repositories": "BOOLEAN", "restricted_to_workflows": "BOOLEAN"}'
        ) as runner_group
    from landing.github_runner_groups
)
select
    runner_group.organization as organization,   -- Whose it is. #not_null
    runner_group.id as runner_group_id,          -- GitHub's id. #not_null
    runner_group.name as name,                   -- Its name, which jobs carry.
    runner_group.visibility as visibility,       -- Which repositories may use it: all, selected or private.
    runner_group."default" as is_default,        -- Whether new runners go there.
    runner_group.inherited as is_inherited,      -- Whether it comes from the enterprise.
    runner_group.allows_public_repositories as allows_public_repositories,  -- Whether public repositories may use it.
    runner_group.restricted_to_workflows as is_restricted_to_workflows,  -- Whether only selected workflows may use it.
    fetched_at                                   -- When it was last listed, UTC. #version
from described
