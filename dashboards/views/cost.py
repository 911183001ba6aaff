"""Cost: where the money goes, how much is wasted, what the month will come to, and what else would cost."""

from dashboards.cards import draw_cards
from dashboards.cost import bill, budgets, cards, filters, notices, panels, waste, what_if

scope = filters.cost_scope()
notices.stop_if_empty(scope)
notices.draw_reach(scope)

draw_cards(cards.cost_cards(scope))
notices.draw_gaps(scope)
panels.draw_over_time(scope)
panels.draw_breakdown(scope)
waste.draw_waste(scope)
budgets.draw_budgets()
bill.draw_bill(scope)
panels.draw_unpriced(scope)
what_if.draw_what_if(scope)
