/*
Episodes of alerts, each as the newest evaluation left it.

Grain: alert_id
Newest: updated_at
Every evaluation writes down what it made of each episode that was open, so that episodes outlive restarts and the store.
*/
with told as (
    select
        fetched_at,
        from_json(
            payload,
            '{"alert_id": "VARCHAR", "rule": "VARCHAR", "subject": "VARCHAR", "state": "VARCHAR", "value": "DOUBLE", "threshold": "DOUBLE",
              "sample_count": "BIGINT", "keep_seconds": "DOUBLE", "rests_on": "VARCHAR", "team": "VARCHAR", "note": "VARCHAR",
              "evidence_urls": "VARCHAR", "repository": "VARCHAR", "workflow": "VARCHAR", "runner": "VARCHAR", "service": "VARCHAR",
              "environment": "VARCHAR", "scope": "VARCHAR", "budget": "VARCHAR", "source": "VARCHAR", "started_at": "VARCHAR",
              "held_since": "VARCHAR", "fired_at": "VARCHAR", "cleared_since": "VARCHAR", "ended_at": "VARCHAR", "due_at": "VARCHAR",
              "silenced_until": "VARCHAR", "silence_reason": "VARCHAR", "is_frozen": "BOOLEAN", "updated_at": "VARCHAR"}'
        ) as episode
    from landing.alert_events
)
select
    episode.alert_id as alert_id,                    -- Stands for the episode. #not_null
    episode.rule as rule,                            -- The rule. #not_null
    episode.subject as subject,                      -- Of what it speaks. #not_null
    episode.state as state,                          -- Where it is; dropped if it ended before it fired. #in(pending, firing, resolved, dropped)
    episode.value as value,                          -- The figure when it was last over its limit.
    episode.threshold as threshold,                  -- The limit then.
    episode.sample_count as sample_count,            -- What the figure rested on.
    episode.keep_seconds as keep_seconds,            -- How long it goes on after the figure is not over its limit any more.
    episode.rests_on as rests_on,                    -- What must be read for a verdict.
    episode.team as team,                            -- The team that it concerns.
    episode.note as note,                            -- The figure in words.
    episode.evidence_urls as evidence_urls,          -- Pages that show it, joined with blanks.
    episode.repository as repository,                -- The repository, if it is about one.
    episode.workflow as workflow,                    -- The workflow.
    episode.runner as runner,                        -- The kind of runner.
    episode.service as service,                      -- The service.
    episode.environment as environment,              -- Where it runs.
    episode.scope as scope,                          -- What a budget is for.
    episode.budget as budget,                        -- Which team or repositories it is for.
    episode.source as source,                        -- The source, if it is about one.
    cast(cast(episode.started_at as timestamptz) at time zone 'UTC' as timestamp) as started_at,        -- When the figure was first found over its limit, UTC. #not_null
    cast(cast(episode.held_since as timestamptz) at time zone 'UTC' as timestamp) as held_since,        -- The same, moved on by the time that does not count, UTC. #not_null
    cast(cast(episode.fired_at as timestamptz) at time zone 'UTC' as timestamp) as fired_at,            -- When it fired, UTC.
    cast(cast(episode.cleared_since as timestamptz) at time zone 'UTC' as timestamp) as cleared_since,  -- Since when the figure is not over its limit any more, UTC.
    cast(cast(episode.ended_at as timestamptz) at time zone 'UTC' as timestamp) as ended_at,            -- When it ended, UTC.
    cast(cast(episode.due_at as timestamptz) at time zone 'UTC' as timestamp) as due_at,                -- From when on it was to be told, UTC; NULL while it was silenced all along.
    cast(cast(episode.silenced_until as timestamptz) at time zone 'UTC' as timestamp) as silenced_until,  -- Until when it is silenced, UTC.
    episode.silence_reason as silence_reason,        -- Why.
    coalesce(episode.is_frozen, false) as is_frozen,  -- Whether it stands still because what it rests on is not read. #not_null
    cast(cast(episode.updated_at as timestamptz) at time zone 'UTC' as timestamp) as updated_at,        -- When it was last evaluated, UTC. #not_null
    fetched_at                                       -- When that was written down, UTC. #version
from told
