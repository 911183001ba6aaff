"""Deliveries: how often changes reach an environment, how fast, whether they held, and what runs where."""

from dashboards.cards import draw_cards
from dashboards.deliveries import cards, filters, notices, panels, tables

notices.stop_if_nothing_delivered()
notices.draw_late_servers()

scope = filters.delivery_scope()
is_quiet = notices.say_if_quiet(scope)

if not is_quiet:
    draw_cards(cards.delivery_cards(scope))
tables.draw_live(scope)
panels.draw_deployments(scope)
if not is_quiet:
    panels.draw_lead_times(scope)
    tables.draw_rollbacks(scope)
    tables.draw_recent(scope)
tables.draw_completeness(scope)
