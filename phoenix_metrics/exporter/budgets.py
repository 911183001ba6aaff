"""Budgets of phoenix.toml: how much is spent and what the month will come to."""

from phoenix_metrics.exporter.gauges import GaugeCollector


class BudgetsCollector(GaugeCollector):
    """USD of the month; none of a forecast before the first full day.

    phoenix_budget_usd{scope="team",subject="payments"} 400.0
    phoenix_budget_spent_usd{scope="team",subject="payments"} 181.5
    phoenix_budget_forecast_usd{scope="team",subject="payments"} 433.1
    """

    mart = "budgets"
    labels = ("scope", "subject")
    gauges = (
        ("phoenix_budget_usd", "budget_usd"),
        ("phoenix_budget_spent_usd", "spent_usd"),
        ("phoenix_budget_forecast_usd", "forecast_usd"),
    )
    query = """
        select scope, subject, budget_usd, spent_usd, forecast_usd
        from marts.budgets
        order by scope, subject
    """
