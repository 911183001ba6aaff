/*
What the runners that jobs asked for are billed as, by which rule, and what a minute of each costs on the day.

Grain: day, owner, label_set, runner_group, runner_prefix, started_on
Rebuilt by: day
Anew with: marts.known_runners
The first rule that matches holds: rules of phoenix.toml in their order, over labels and the group's name; the label self-hosted; a larger
runner that GitHub lists, by a label or, where a job names none, by how its runner's name begins; a group of self-hosted runners; then the
labels of seeds.runner_labels. GitHub's standard runners are in no group but its own, so elsewhere their labels prove nothing.
The price is that of the day on which the job began: of the rule that matched, else of marts.runner_prices.
What no rule names has no SKU, and no price.
*/
with asked as (
    select distinct
        attempts.day,
        lower(split_part(repositories.repository, '/', 1)) as owner,
        coalesce(jobs.label_set, '?') as label_set,
        lower(coalesce(jobs.runner_group, '')) as runner_group,
        case
            when jobs.label_set = '' and jobs.runner_name like '%\_%' escape '\' then lower(regexp_replace(jobs.runner_name, '_[^_]*$', ''))
            else ''
        end as runner_prefix,
        coalesce(cast(coalesce(jobs.first_step_at, jobs.started_at) as date), attempts.day) as started_on
    from staging.github_jobs as jobs
    inner join (select distinct run_id, day from staging.github_run_attempts) as attempts on attempts.run_id = jobs.run_id
    inner join staging.github_repositories as repositories on repositories.repository_id = jobs.repository_id
),

demands as (
    select distinct
        owner,
        label_set,
        runner_group,
        runner_prefix
    from asked
),

matched as (
    select
        demands.*,
        cast(rules.rank as bigint) - 1000000 as rank,
        concat('phoenix.toml: ', rules.match) as rule,
        rules.sku,
        false as is_estimated,
        cast(rules.usd_per_minute as decimal(12, 8)) as usd_per_minute,
        cast(rules.valid_from as date) as valid_from
    from demands
    inner join seeds.own_runners as rules
        on regexp_matches(demands.label_set, concat('(^|,)', rules.pattern, '(,|$)'))
        or (demands.runner_group <> '' and regexp_matches(demands.runner_group, concat('^', rules.pattern, '$')))
    union all
    select
        demands.*,
        case known.subject when 'label' then 20 else 30 end,
        known.rule,
        known.sku,
        false,
        null,
        null
    from demands
    inner join marts.known_runners as known on known.owner = demands.owner
    where
        (known.subject = 'label' and (contains(concat(',', demands.label_set, ','), concat(',', known.name, ',')) or demands.runner_prefix = known.name))
        or (known.subject = 'group' and demands.runner_group = known.name)
    union all
    select
        demands.*,
        labels.rank,
        labels.rule,
        labels.sku,
        labels.is_estimated,
        null,
        null
    from demands
    inner join seeds.runner_labels as labels
        on (labels.subject = 'label' and regexp_matches(demands.label_set, concat('(^|,)(', labels.pattern, ')(,|$)')))
        or (labels.subject = 'group' and regexp_matches(demands.runner_group, concat('^(', labels.pattern, ')$')))
    where not labels.is_standard or demands.runner_group in ('', 'github actions')
),

resolved as (
    select
        asked.*,
        matched.rule,
        matched.sku,
        matched.is_estimated,
        matched.usd_per_minute as rule_price
    from asked
    left join matched
        on matched.owner = asked.owner
        and matched.label_set = asked.label_set
        and matched.runner_group = asked.runner_group
        and matched.runner_prefix = asked.runner_prefix
        and (matched.valid_from is null or asked.started_on >= matched.valid_from)
    qualify row_number() over (
        partition by asked.day, asked.owner, asked.label_set, asked.runner_group, asked.runner_prefix, asked.started_on
        order by matched.rank, matched.sku
    ) = 1
),

kinds as (
    select distinct
        sku,
        kind
    from marts.runner_prices
)
select
    resolved.day as day,                                                                          -- UTC day on which the runs of the jobs were created. #not_null
    resolved.owner as owner,                                                                      -- Owner of the repository, in lower case. #not_null
    resolved.label_set as label_set,                                                              -- Labels the jobs asked for, in lower case; ? where they were not read. #not_null
    resolved.runner_group as runner_group,                                                        -- Group of the runner, in lower case; empty if none took the job. #not_null
    resolved.runner_prefix as runner_prefix,                                                      -- Start of the runner's name, where the job names no label. #not_null
    resolved.started_on as started_on,                                                            -- UTC day on which the jobs began. #not_null
    resolved.sku as runner_sku,                                                                   -- What the runner is billed as; NULL if no rule names it.
    resolved.rule as sku_rule,                                                                    -- The rule that matched.
    coalesce(resolved.is_estimated, false) as is_sku_estimated,                                   -- Whether the SKU is a guess by the name, or has no price of its own. #not_null
    case when resolved.sku is not null then coalesce(kinds.kind, 'own') end as runner_kind,       -- Whose runner it is: GitHub's, one's own, or one that phoenix.toml names. #in(standard, larger, self_hosted, own)
    coalesce(resolved.rule_price, prices.usd_per_minute) as usd_per_minute,                       -- USD for a minute on that day; NULL if unknown.
    case
        when resolved.rule_price is not null then 'phoenix.toml'
        when prices.usd_per_minute is not null then prices.source
    end as price_source                                                                           -- Where the price stands.
from resolved
left join kinds on kinds.sku = resolved.sku
left join marts.runner_prices as prices
    on prices.sku = resolved.sku
    and resolved.started_on >= prices.valid_from
    and (prices.valid_to is null or resolved.started_on <= prices.valid_to)
