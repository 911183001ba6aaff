/*
Service level objectives of phoenix.toml: which share of a workflow's decided runs should succeed.

Grain: repository, workflow
Of the objectives that match a workflow the first one counts; a workflow that none matches has no row.
*/
select
    workflows.repository as repository,                     -- owner/name. #not_null
    workflows.workflow as workflow,                         -- Name of the workflow. #not_null
    objectives.success_ratio as success_ratio               -- Share of successes and failures that should be successes. #not_null
from marts.workflows as workflows
inner join seeds.objectives as objectives
    on lower(workflows.repository) like lower(objectives.repository_pattern)
    and lower(workflows.workflow) like lower(objectives.workflow_pattern)
qualify row_number() over (partition by workflows.repository, workflows.workflow order by objectives.rank) = 1
