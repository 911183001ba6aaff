/*
Alerts: one row for each episode of a rule and a subject, from when the figure went over its limit until it was not any more.

Grain: alert_id
Pending until it has held for as long as the rule says, firing from then on; resolved when the figure was within its limit for as long as the
rule keeps firing. What ended before it fired is no alert and has no row. An episode of what a source that is stale tells stands still.
*/
select
    events.alert_id as alert_id,                        -- Stands for the episode. #not_null
    events.rule as rule,                                -- The rule, by the name that Prometheus's has. #not_null
    events.subject as subject,                          -- Of what it speaks: a workflow, a service and where it runs, a source, …; all for everything together. #not_null
    case
        when events.state = 'firing' and events.silenced_until is not null then 'silenced'
        else events.state
    end as state,                                       -- Where it is; silenced while it fires and phoenix.toml keeps it quiet. #not_null #in(pending, firing, silenced, resolved)
    events.value as value,                              -- The figure when it was last over its limit: a ratio, seconds, USD or a count; NULL if there is none.
    events.threshold as threshold,                      -- The limit then, in the same unit.
    events.sample_count as sample_count,                -- What the figure rested on: runs, jobs, days, …
    events.started_at as started_at,                    -- When the figure was first found over its limit, UTC. #not_null
    events.ended_at as ended_at,                        -- When it was resolved, UTC; NULL while it is open.
    events.fired_at as fired_at,                        -- When it fired, UTC; NULL while it is pending.
    events.cleared_since as cleared_since,              -- Since when the figure is within its limit again, UTC; NULL while it is not.
    events.updated_at as updated_at,                    -- When it was last evaluated, UTC. #not_null
    events.is_frozen and events.ended_at is null as is_frozen,  -- Whether it stands still because what it rests on is not read. #not_null
    rules.unit as unit,                                 -- Unit of value and threshold. #in(ratio, seconds, usd, count)
    rules.severity as severity,                         -- How bad.
    events.note as note,                                -- The figure in words.
    events.evidence_urls as evidence_urls,              -- Pages of runs or jobs that show it, joined with blanks.
    events.repository as repository,                    -- The repository, if it is about one.
    events.workflow as workflow,                        -- The workflow.
    events.runner as runner,                            -- The kind of runner.
    events.service as service,                          -- The service.
    events.environment as environment,                  -- Where it runs.
    events.scope as scope,                              -- What a budget is for.
    events.budget as budget,                            -- Which team or repositories it is for.
    events.source as source,                            -- The source, if it is about one.
    events.team as team,                                -- The team that it concerns.
    events.due_at as due_at,                            -- From when on it was to be told, UTC; NULL while pending, and if it was silenced all along.
    events.silenced_until as silenced_until,            -- Until when it is silenced, or was when it ended, UTC.
    events.silence_reason as silence_reason,            -- Why.
    rules.meaning as meaning,                           -- What the rule means.
    rules.runbook as runbook                            -- Where it says what to do.
from staging.alert_events as events
left join seeds.alert_rules as rules on rules.rule = events.rule
where events.state <> 'dropped'
