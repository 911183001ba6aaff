-- How complete and how fresh is the data?
select
    source,
    subject,
    state,
    last_success_at,
    complete_since,
    missing_count,
    undetailed_count,
    unpriced_count,
    note
from marts.data_health
order by missing_count desc nulls last, source, subject
