"""Alerts: what fires now and whose it is, what was, whether anybody was told, and by which rules."""

from dashboards.alerts import filters, notices, panels, tables

notices.draw_firing()
tables.draw_waiting()

scope = filters.alert_scope()
panels.draw_timeline(scope)
tables.draw_history(scope)
tables.draw_messages(scope)
tables.draw_rules()
