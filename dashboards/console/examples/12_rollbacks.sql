-- What was rolled back, why, and how long did it take?
select
    started_at,
    service,
    environment,
    kind,
    cause,
    from_revision,
    to_revision,
    round(time_to_restore_seconds / 60, 1) as restored_after_minutes,
    initiated_by,
    evidence
from marts.rollbacks
order by started_at desc
