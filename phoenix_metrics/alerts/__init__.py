"""Alerts for those without Prometheus: episodes of what the rules say, and their delivery."""
