/*
What GitHub charged for Actions: lines of the billing report, by day, or by month where GitHub gives only sums.

Grain: organization, period, starts_on, product, sku, repository
Newest: fetched_at
GitHub writes "Actions Linux" in the lines and actions_linux in the sums; both are actions_linux here.
*/
with described as (
    select
        fetched_at,
        from_json(
            payload,
            '{"shape": "VARCHAR", "organization": "VARCHAR", "year": "INTEGER", "month": "INTEGER", "date": "VARCHAR", "product": "VARCHAR",
              "sku": "VARCHAR", "unitType": "VARCHAR", "quantity": "DOUBLE", "grossQuantity": "DOUBLE", "pricePerUnit": "DOUBLE",
              "grossAmount": "DOUBLE", "discountAmount": "DOUBLE", "netAmount": "DOUBLE", "repositoryName": "VARCHAR"}'
        ) as line
    from landing.github_billing_usage
),

named as (
    select
        *,
        regexp_replace(lower(trim(line.sku)), '[^a-z0-9]+', '_', 'g') as sku
    from described
)
select
    line.organization as organization,           -- Who is charged. #not_null
    case line.shape when 'usage' then 'day' else 'month' end as period,  -- What the line sums up. #in(day, month)
    coalesce(try_cast(left(line.date, 10) as date), make_date(line.year, line.month, 1)) as starts_on,  -- The day, or the first day of the month. #not_null
    lower(line.product) as product,              -- actions. #not_null
    case when starts_with(sku, 'actions_') then sku else 'actions_' || sku end as sku,  -- What was used, in GitHub's words with underscores: actions_linux, actions_storage, … #not_null
    case
        when coalesce(line.repositoryName, '') = '' or contains(line.repositoryName, '/') then coalesce(line.repositoryName, '')
        else line.organization || '/' || line.repositoryName
    end as repository,                           -- Where, owner/name; empty where the line is about all of them. #not_null
    lower(line.unitType) as unit,                -- What is counted: minutes, gigabytehours, …
    coalesce(line.quantity, line.grossQuantity) as quantity,  -- How much was used, before what is included in the plan; may be a fraction.
    line.pricePerUnit as price_per_unit,         -- USD for one unit.
    line.grossAmount as gross_amount,            -- USD before discounts.
    line.discountAmount as discount_amount,      -- USD that are included in the plan or waived.
    line.netAmount as net_amount,                -- USD charged.
    line.shape as shape,                         -- Which report it comes from. #in(usage, summary)
    fetched_at                                   -- When we read it, UTC. #version
from named
