/*
Larger runners that GitHub hosts for an organisation, as last listed.

Grain: organization, hosted_runner_id
Newest: fetched_at
Jobs ask for one by its name, so this says what machine, and what price, a name stands for.
*/
with described as (
    select
        fetched_at,
        from_json(
            payload,
            '{"id": "BIGINT", "organization": "VARCHAR", "name": "VARCHAR", "platform": "VARCHAR", "status": "VARCHAR",
              "runner_group_id": "BIGINT", "maximum_runners": "INTEGER",
              "machine_size_details": {"id": "VARCHAR", "cpu_cores": "INTEGER", "memory_gb": "INTEGER", "storage_gb": "INTEGER"},
              "image_details": {"id": "VARCHAR"}}'
        ) as runner
    from landing.github_hosted_runners
)
select
    runner.organization as organization,         -- Whose it is. #not_null
    runner.id as hosted_runner_id,               -- GitHub's id. #not_null
    runner.name as name,                         -- Its name, by which jobs ask for it.
    runner.platform as platform,                 -- linux-x64, win-x64, linux-arm64, …
    runner.machine_size_details.id as machine_size,  -- GitHub's name of the size, such as 4-core.
    runner.machine_size_details.cpu_cores as cpu_cores,  -- Processor cores.
    runner.machine_size_details.memory_gb as memory_gb,  -- Memory in GB.
    runner.machine_size_details.storage_gb as storage_gb,  -- Disk in GB.
    runner.image_details.id as image,            -- The image it starts from.
    runner.maximum_runners as maximum_count,     -- How many of it may run at a time.
    runner.runner_group_id as runner_group_id,   -- The group it is in.
    runner.status as status,                     -- Ready, Provisioning, …, verbatim.
    fetched_at                                   -- When it was last listed, UTC. #version
from described
