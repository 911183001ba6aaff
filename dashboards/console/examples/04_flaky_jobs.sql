-- Which jobs fail by chance, how surely, and where is the evidence?
select
    job,
    flaky_count,
    observation_count,
    round(flaky_ratio, 4) as flaky_ratio,
    round(ratio_low, 4) as ratio_low,
    round(ratio_high, 4) as ratio_high,
    round(lost_seconds / 3600, 1) as lost_hours,
    repository,
    workflow,
    last_seen_at,
    failed_url,
    passed_url
from marts.flaky_jobs
where is_ranked and not is_healed
order by score desc nulls last
