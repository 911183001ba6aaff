/*
Images of ours that an operation of Argo CD brought, one for each service.

Grain: deployment_id, service
What an operation applied (sync_result) or could not apply (sync_failed) goes before what ran after it (summary), which only a full sync
that succeeded may claim. Dry runs bring nothing, and entries of the history say nothing of images.
*/
with brought as (
    select
        operations.deployment_id,
        images.image,
        images.image_source,
        images.fetched_at,
        min(case when images.image_source = 'summary' then 1 else 0 end) over (partition by operations.deployment_id) as best_source
    from staging.argocd_operation_images as images
    inner join marts.operations as operations
        on operations.instance = images.instance and operations.uid = images.uid and operations.started_at = images.started_at
    inner join marts.images as ours on ours.image = images.image
    where
        images.revision_key in ('', operations.revision)
        and operations.kind <> 'dry_run'
        and (images.image_source <> 'summary' or (operations.kind = 'full' and operations.status = 'succeeded'))
)
select
    brought.deployment_id as deployment_id,        -- The operation. #not_null
    images.service as service,                     -- What the image is an image of. #not_null
    images.image as image,                         -- The image, whole. #not_null
    images.version as version,                     -- What tells versions apart; NULL for tags that move.
    images.code_sha as code_sha,                   -- The commit of the code that its tag names, 7 to 40 digits.
    images.code_repository as code_repository,     -- The repository on GitHub whose packages it is among, owner/name.
    brought.image_source as image_source           -- Where it was read. #in(sync_result, sync_failed, summary)
from brought
inner join marts.images as images on images.image = brought.image
where case when brought.image_source = 'summary' then 1 else 0 end = brought.best_source
qualify row_number() over (
    partition by brought.deployment_id, images.service
    order by
        brought.image_source desc, brought.fetched_at desc nulls last, images.digest is null,
        (images.version is not null) desc, brought.image desc
) = 1
