"""Tables of quality: all schedules."""

import pandas as pd
import streamlit as st

from dashboards import clock, data
from dashboards.tables import draw, number
from phoenix_metrics import words


def draw_schedules(frame: pd.DataFrame) -> None:
    """Draw the workflows that have to start by a schedule, with how many starts came."""
    draw(
        frame.assign(state=frame["state"].map(words.STARTS), where=frame["repository"] + " · " + frame["workflow"]),
        {
            "where": st.column_config.TextColumn("Workflow", width="medium"),
            "state": st.column_config.TextColumn("Newest start", help=data.definition("schedules.state")),
            "cron": st.column_config.TextColumn("Has to start", help=data.definition("schedules.cron")),
            "expected_count": number("Expected", data.definition("schedules.expected_count")),
            "on_time_count": number("In time", data.definition("schedules.on_time_count")),
            "late_count": number("Late", data.definition("schedules.late_count")),
            "missed_count": number("Missed", data.definition("schedules.missed_count")),
            "disabled_count": number("Disabled", data.definition("schedules.disabled_count")),
            "delay_p95_seconds": number("Delay, p95", data.definition("schedules.delay_p95_seconds")),
            "last_missed_at": number("Last missed", data.definition("schedules.last_missed_at") + " " + clock.note()),
        },
        {
            "expected_count": words.count,
            "on_time_count": words.count,
            "late_count": words.count,
            "missed_count": words.count,
            "disabled_count": words.count,
            "delay_p95_seconds": words.duration,
            "last_missed_at": clock.moment,
        },
        "Scheduled workflows with the starts expected, in time, late and missed",
    )
