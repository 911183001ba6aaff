"""The one place where the dashboard reads the clock, and writes moments in the reader's time zone.

Tables and filters are cut at days of UTC, as the marts are; only the writing of a moment follows the reader. Where the
browser tells no zone that is known here, it is UTC.
"""

from datetime import UTC, datetime
from html import escape
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pandas as pd
import streamlit as st

from phoenix_metrics import words


def now() -> datetime:
    """Return the current time, UTC."""
    return datetime.now(UTC)


def zone() -> ZoneInfo:
    """Return the reader's time zone, as the browser tells it."""
    try:
        return ZoneInfo(st.context.timezone or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def moment(at: datetime | None) -> str:
    """Return a moment, UTC if naive, in the reader's zone with the zone's name; for text and table cells."""
    if at is None or pd.isna(at):
        return words.NOTHING
    local = (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(zone())
    return f"{local.day} {local:%b} {local.year} {local:%H:%M} {local:%Z}".replace(" ", words.NBSP)


def instant(at: datetime | None) -> str:
    """Return a recent moment in the reader's zone without year and zone, for tables that say which it is."""
    if at is None or pd.isna(at):
        return words.NOTHING
    return words.instant((at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(zone()))


def moment_html(at: datetime) -> str:
    """Return a moment in the reader's zone as HTML that shows UTC on hover."""
    return f'<time title="{escape(words.moment(at))}">{escape(moment(at))}</time>'


def note() -> str:
    """Say in which zone a column's times are."""
    return f"In your time zone, {zone().key}." if zone().key != "UTC" else "In UTC."
