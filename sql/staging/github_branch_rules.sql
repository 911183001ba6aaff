/*
What must hold before a change gets into a repository's default branch: rulesets or, where there are none, classic protection.

Grain: repository_id, branch
Newest: fetched_at
Each reading replaces the one before it as a whole.
*/
with described as (
    select
        repository_id,
        fetched_at,
        from_json(
            payload,
            '{"branch": "VARCHAR",
              "rules": [{"type": "VARCHAR",
                         "parameters": {"strict_required_status_checks_policy": "BOOLEAN",
                                        "required_status_checks": [{"context": "VARCHAR", "integration_id": "BIGINT"}]}}],
              "classic": {"protected": "BOOLEAN",
                          "protection": {"required_status_checks": {"contexts": ["VARCHAR"],
                                                                    "checks": [{"context": "VARCHAR", "app_id": "BIGINT"}]}}}}'
        ) as answer
    from landing.github_branch_rules
),

told as (
    select
        repository_id,
        fetched_at,
        answer.branch as branch,
        answer.rules as rules,
        answer.classic.protected as is_protected,
        answer.classic.protection.required_status_checks as classic,
        [rule.parameters for rule in answer.rules if rule.type = 'required_status_checks'] as demands
    from described
)
select
    repository_id,                                       -- The repository. #not_null
    branch,                                              -- Its default branch. #not_null
    case when len(rules) > 0 then 'rulesets' when is_protected then 'classic' else 'none' end as protection,  -- What guards it. #in(rulesets, classic, none)
    list_sort(list_distinct([rule.type for rule in rules])) as rule_types,  -- Kinds of rules in force, of rulesets only.
    case
        when len(rules) > 0 or not is_protected
            then [{'context': one.context, 'app_id': one.integration_id} for one in flatten([demand.required_status_checks for demand in demands])]
        when classic.checks is not null
            then [{'context': one.context, 'app_id': nullif(one.app_id, -1)} for one in classic.checks]
        else [{'context': one, 'app_id': cast(null as bigint)} for one in classic.contexts]
    end as required_checks,                              -- Checks that must pass, and the app that must report each; NULL where protection does not show them.
    coalesce(list_bool_or([demand.strict_required_status_checks_policy for demand in demands]), false) as is_strict,  -- Whether a ruleset wants them to pass on the newest state of the branch.
    fetched_at                                           -- When we read it, UTC. #version
from told
