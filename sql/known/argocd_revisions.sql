/*
Commits that need not be asked for: those that Argo CD told of, and those it could not tell of a short while ago.
*/
select
    repo_url,
    revision
from staging.argocd_revisions
where committed_at is not null or fetched_at >= $since
