/*
Digests of the descriptions that are stored, so that an unchanged one is not landed again.
*/
select payload_digest from staging.github_repositories where repository_id = $repository_id
union all
select payload_digest from staging.github_workflows where repository_id = $repository_id
