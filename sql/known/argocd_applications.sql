/*
Applications of an Argo CD server as they were last read, and how they were last seen.
*/
with applications as (
    select *
    from staging.argocd_applications
    where instance = $instance
),

sightings as (
    select *
    from staging.argocd_sightings
    where instance = $instance
)
select
    coalesce(applications.namespace, sightings.namespace) as namespace,
    coalesce(applications.application, sightings.application) as application,
    coalesce(applications.project, '') as project,
    coalesce(sightings.uid, applications.uid) as uid,
    applications.digest as digest,
    applications.probe as probe,
    sightings.state as state,
    coalesce(applications.has_rollouts, false) as has_rollouts
from applications
full outer join sightings
    on sightings.namespace = applications.namespace and sightings.application = applications.application
