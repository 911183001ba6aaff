/*
What a minute on each kind of runner costs, from when to when: prices of phoenix.toml, else GitHub's list prices.

Grain: sku, valid_from
Of the prices of a day that of phoenix.toml holds, the newest first. A runner of one's own that is not on GitHub's list may have its price from
the rule that names it, the first that has one. A day without a price has no row, and a price that is not in force none either.
*/
with known as (
    select
        sku,
        cast(usd_per_minute as decimal(12, 8)) as usd_per_minute,
        coalesce(cast(valid_from as date), date '1970-01-01') as valid_from,
        cast(valid_to as date) as valid_to,
        source,
        2 as rank
    from seeds.runner_prices
    where kind <> 'disabled'
    union all
    select
        sku,
        cast(usd_per_minute as decimal(12, 8)),
        coalesce(cast(valid_from as date), date '1970-01-01'),
        null,
        'phoenix.toml',
        1
    from seeds.own_prices
    union all
    select
        sku,
        cast(usd_per_minute as decimal(12, 8)),
        coalesce(cast(valid_from as date), date '1970-01-01'),
        null,
        'phoenix.toml',
        cast(rank as bigint) - 1000000
    from seeds.own_runners
    where usd_per_minute is not null and sku not in (select sku from seeds.runner_prices)
),

kinds as (
    select
        sku,
        max(kind) as kind
    from seeds.runner_prices
    where kind <> 'disabled'
    group by sku
),

changes as (
    select
        sku,
        valid_from as changed_on
    from known
    union
    select
        sku,
        valid_to + 1
    from known
    where valid_to is not null
),

stretches as (
    select
        sku,
        changed_on,
        lead(changed_on) over (partition by sku order by changed_on) as next_on
    from changes
),

holding as (
    select
        stretches.*,
        known.usd_per_minute,
        known.source
    from stretches
    inner join known
        on known.sku = stretches.sku
        and stretches.changed_on >= known.valid_from
        and (known.valid_to is null or stretches.changed_on <= known.valid_to)
    qualify row_number() over (
        partition by stretches.sku, stretches.changed_on order by known.rank, known.valid_from desc, known.usd_per_minute
    ) = 1
)
select
    holding.sku as sku,                                 -- What the runner is billed as. #not_null
    holding.changed_on as valid_from,                   -- First UTC day of the price; 1970-01-01 if it always held. #not_null
    holding.next_on - 1 as valid_to,                    -- Last day; NULL if it still holds.
    coalesce(kinds.kind, 'own') as kind,                -- Whose runner it is: GitHub's, one's own, or one that phoenix.toml names. #not_null #in(standard, larger, self_hosted, own)
    holding.usd_per_minute as usd_per_minute,           -- USD for a minute, before discounts. #not_null
    holding.source as source                            -- Where the price stands. #not_null
from holding
left join kinds on kinds.sku = holding.sku
