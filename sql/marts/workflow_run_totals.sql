/*
Settled attempts of workflow runs by the conclusion they settled with.

Grain: repository, workflow, conclusion
Counts attempts seen settled within 6 hours of their end; late ones, of a backfill or a gap, are counted beside them. An attempt is
counted by the conclusion it was first seen settled with, even when it is run on after an approval, so a total never falls. Every
workflow has a row for every conclusion.
*/
with settled as (
    select
        repository,
        workflow,
        coalesce(settled_conclusion, 'unknown') as conclusion,
        count(*) filter (where not is_late) as attempt_count,
        count(*) filter (where is_late) as late_attempt_count
    from marts.run_attempts
    where outcome <> 'open' or settled_conclusion is not null  -- a run that waited for approval settles, then opens again
    group by repository, workflow, coalesce(settled_conclusion, 'unknown')
),

expected as (
    select
        workflows.repository,
        workflows.workflow,
        conclusions.conclusion
    from marts.workflows as workflows
    cross join seeds.conclusions as conclusions
    union
    select
        repository,
        workflow,
        conclusion
    from settled
)
select
    expected.repository as repository,                              -- owner/name. #not_null
    expected.workflow as workflow,                                  -- Name of the workflow. #not_null
    expected.conclusion as conclusion,                              -- GitHub's conclusion, verbatim. #not_null
    coalesce(attempt_count, 0) as attempt_count,                    -- Attempts seen settled within 6 hours of their end. #counter
    coalesce(late_attempt_count, 0) as late_attempt_count           -- Attempts seen settled later than 6 hours after their end. #counter
from expected
left join settled
    on settled.repository = expected.repository
    and settled.workflow = expected.workflow
    and settled.conclusion = expected.conclusion
