/*
Our minutes and cost beside GitHub's bill, by day, SKU and repository, with the difference; nothing is scaled to fit.

Grain: organization, period, starts_on, repository, sku
Ours are the jobs that GitHub charges: those of its larger runners, and of its standard ones for private repositories. They count on the day
they began, as the bill is read; one that runs over midnight may be billed on the next. Runners that no rule names stand under unknown, as
they may be what the bill has more. A day between the first and the last that the bill tells of, without a line, is billed 0. Of a
repository that is not measured ours is NULL. Where GitHub gives only sums by month, they are of the whole organisation, and ours is that
of its repositories that are measured.
*/
with lines as (
    select
        lower(organization) as organization,
        period,
        starts_on,
        lower(repository) as repository,
        sku,
        sum(quantity) as billed_minutes,
        sum(gross_amount) as billed_gross_usd,
        sum(discount_amount) as billed_discount_usd,
        sum(net_amount) as billed_net_usd
    from staging.github_billing_usage
    where product = 'actions' and unit = 'minutes'
    group by lower(organization), period, starts_on, lower(repository), sku
),

covered as (
    select
        lower(organization) as organization,
        min(starts_on) as first_on,
        max(starts_on) as last_on
    from staging.github_billing_usage
    where period = 'day'
    group by lower(organization)
),

settled as (
    select
        lower(organization) as organization,
        cast(max(fetched_at) - interval 5 days as date) as settled_on
    from staging.github_billing_usage
    group by lower(organization)
),

charged as (
    select
        lower(split_part(repository, '/', 1)) as organization,
        lower(repository) as repository,
        used_on,
        case when runner_sku = 'unknown' then 'unknown' else concat('actions_', runner_sku) end as sku,
        billed_minutes,
        cost_usd,
        unpriced_count
    from marts.usage_daily
    where price_basis = 'github' or runner_sku = 'unknown'
),

ours as (
    select
        charged.organization,
        'day' as period,
        charged.used_on as starts_on,
        charged.repository,
        charged.sku,
        sum(charged.billed_minutes) as minutes,
        sum(charged.cost_usd) as cost_usd,
        sum(charged.unpriced_count) as unpriced_count
    from charged
    inner join covered on covered.organization = charged.organization
    where charged.used_on between covered.first_on and covered.last_on
    group by charged.organization, charged.used_on, charged.repository, charged.sku
    union all
    select
        charged.organization,
        'month' as period,
        months.starts_on,
        '' as repository,
        charged.sku,
        sum(charged.billed_minutes) as minutes,
        sum(charged.cost_usd) as cost_usd,
        sum(charged.unpriced_count) as unpriced_count
    from charged
    inner join (select distinct organization, starts_on from lines where period = 'month') as months
        on months.organization = charged.organization and months.starts_on = cast(date_trunc('month', charged.used_on) as date)
    group by charged.organization, months.starts_on, charged.sku
),

compared as (
    select
        coalesce(ours.organization, lines.organization) as organization,
        coalesce(ours.period, lines.period) as period,
        coalesce(ours.starts_on, lines.starts_on) as starts_on,
        coalesce(ours.repository, lines.repository) as repository,
        coalesce(ours.sku, lines.sku) as sku,
        ours.minutes,
        ours.cost_usd,
        coalesce(ours.unpriced_count, 0) as unpriced_count,
        coalesce(ours.sku = 'unknown', false) as is_unknown,
        coalesce(lines.billed_minutes, 0) as billed_minutes,
        coalesce(lines.billed_gross_usd, 0) as billed_gross_usd,
        coalesce(lines.billed_discount_usd, 0) as billed_discount_usd,
        coalesce(lines.billed_net_usd, 0) as billed_net_usd
    from ours
    full join lines
        on lines.organization = ours.organization
        and lines.period = ours.period
        and lines.starts_on = ours.starts_on
        and lines.repository = ours.repository
        and lines.sku = ours.sku
),

measured as (
    select
        compared.*,
        names.repository as shown_repository,
        compared.repository = '' or names.repository is not null as is_measured,
        coalesce(compared.starts_on < settled.settled_on, false) as is_settled
    from compared
    left join settled on settled.organization = compared.organization
    left join (select lower(repository) as lower_name, max(repository) as repository from staging.github_repositories group by lower(repository)) as names
        on names.lower_name = compared.repository
)
select
    organization,                                                                                 -- Who is charged, in lower case. #not_null
    period,                                                                                       -- What the row sums up. #not_null #in(day, month)
    starts_on,                                                                                    -- The day of use, or the first day of the month. #not_null
    coalesce(shown_repository, repository) as repository,                                         -- owner/name; empty where the bill is about all of them. #not_null
    sku,                                                                                          -- actions_linux, … in the words of the bill; unknown where no rule names the runner. #not_null
    is_measured,                                                                                  -- Whether we measure the repository.
    is_settled,                                                                                   -- Whether the bill of that day was read over five days later, so that it does not change any more.
    case when is_measured then coalesce(cast(minutes as bigint), 0) end as minutes,                               -- Our billed minutes; NULL where we do not measure.
    case when is_measured and not is_unknown then coalesce(cast(cost_usd as decimal(18, 8)), 0) end as cost_usd,  -- Our cost in USD, as far as known; NULL for unknown runners.
    cast(unpriced_count as bigint) as unpriced_count,                                             -- Our jobs whose cost is not known.
    billed_minutes,                                                                               -- GitHub's minutes, before what a plan includes.
    billed_gross_usd,                                                                             -- GitHub's USD before discounts: what ours is to be compared with.
    billed_discount_usd,                                                                          -- GitHub's USD that a plan includes or that are waived.
    billed_net_usd,                                                                               -- GitHub's USD charged.
    case when is_measured then coalesce(cast(minutes as bigint), 0) - billed_minutes end as drift_minutes,        -- Ours less GitHub's.
    case when is_measured and not is_unknown then round(coalesce(cast(cost_usd as double), 0) - billed_gross_usd, 6) end as drift_usd  -- Our cost less GitHub's gross.
from measured
