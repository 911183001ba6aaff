"""Deliveries: how often changes reach an environment, how fast, whether they held, and what runs where."""

from dashboards import cards, delivery_cards, delivery_notices, delivery_tables, filters, panels

delivery_notices.stop_if_nothing_delivered()
delivery_notices.draw_late_servers()

scope = filters.delivery_scope()
is_quiet = delivery_notices.say_if_quiet(scope)

if not is_quiet:
    cards.draw_cards(delivery_cards.delivery_cards(scope))
delivery_tables.draw_live(scope)
panels.draw_deployments(scope)
if not is_quiet:
    delivery_tables.draw_rollbacks(scope)
    delivery_tables.draw_recent(scope)
delivery_tables.draw_completeness(scope)
