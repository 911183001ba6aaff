/*
Images of ours that were deployed, and what the name of each tells.

Grain: image
A service is the last segment of its image's repository; ours are the images that a prefix in seeds.image_prefixes names, or all of them
where there is none. A digest, or a tag that holds a commit, a version or a date, stands still and tells versions apart; all other tags move.
*/
with written as (
    select image from staging.argocd_operation_images
    union
    select unnest(string_split(images, ' ')) as image from staging.argocd_rollouts
    union
    select unnest(string_split(images, ' ')) as image from staging.argocd_replica_sets
),

prefixes as (
    select prefix
    from seeds.image_prefixes
    where prefix <> ''
),

parts as (
    select
        image,
        nullif(regexp_extract(image, '@(sha[0-9]+:[0-9a-f]+)$', 1), '') as digest,
        regexp_replace(regexp_replace(image, '@.*$', ''), ':[^:/]+$', '') as image_repository,
        nullif(regexp_extract(regexp_replace(image, '@.*$', ''), ':([^:/]+)$', 1), '') as tag
    from written
    where
        image <> ''
        and (
            exists (select 1 from prefixes where starts_with(written.image, prefixes.prefix))
            or not exists (select 1 from prefixes)
        )
),

told as (
    select
        *,
        regexp_extract(image_repository, '([^/]+)$', 1) as service,
        replace(coalesce(tag, ''), '_', '-') as words
    from parts
)
select
    told.image as image,                                              -- The image, as it is written in the workload. #not_null
    told.service as service,                                          -- What it is an image of. #not_null
    told.image_repository as image_repository,                        -- It without tag and digest. #not_null
    told.tag as tag,                                                  -- Its tag.
    told.digest as digest,                                            -- Its digest.
    case
        when told.digest is not null then told.digest
        when
            regexp_matches(told.words, '\bg?[0-9a-f]{7,40}\b')
            or regexp_matches(told.words, '\bv?[0-9]+\.[0-9]+\.[0-9]+')
            or regexp_matches(told.words, '\b20[0-9]{2}-[01][0-9]-[0-3][0-9]\b')
            then told.tag
    end as version,                                                   -- What tells versions apart: the digest, else a tag that stands still; NULL for tags that move.
    nullif(
        regexp_extract(regexp_replace(told.words, '\b[0-9]{8,39}\b', '', 'g'), '\bg?([0-9a-f]{7,40})\b', 1), ''
    ) as code_sha,                                                    -- The commit of the code that its tag names, 7 to 40 digits.
    nullif(regexp_extract(told.image_repository, '^ghcr\.io/([^/]+/[^/]+)', 1), '') as code_repository  -- The repository on GitHub whose packages it is among, owner/name.
from told
where told.service <> ''
