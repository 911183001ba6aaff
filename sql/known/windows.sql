/*
Windows of run creation time that were read to the end.
*/
select
    window_start,
    window_end
from staging.github_windows
where repository_id = $repository_id
order by window_start
