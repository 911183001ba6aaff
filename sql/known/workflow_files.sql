/*
Workflow files of each repository as they were last seen there, with their blobs; NULL where another reader read one.
*/
select
    repository_id,
    path,
    case when reader = $reader then sha end as sha
from staging.github_workflow_files
where sha is not null
qualify row_number() over (partition by repository_id, path order by fetched_at desc) = 1
