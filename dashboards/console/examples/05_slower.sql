-- What got slower, by how much, and between which commits?
select
    coalesce(job, workflow) as what,
    round(before_p50_seconds) as before_seconds,
    round(after_p50_seconds) as after_seconds,
    round(difference_seconds) as slower_by_seconds,
    measure,
    changed_at,
    last_head_sha,
    first_head_sha,
    p_value,
    first_html_url
from marts.duration_changes
where is_latest and difference_seconds > 0
order by slower_by_seconds desc
