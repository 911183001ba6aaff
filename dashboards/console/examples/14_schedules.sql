-- Which scheduled runs came late, or not at all?
select
    expected_at,
    repository,
    workflow,
    state,
    round(delay_seconds / 60, 1) as late_by_minutes
from marts.scheduled_starts
where state in ('late', 'missed')
order by expected_at desc
