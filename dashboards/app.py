"""The dashboard: run with `streamlit run dashboards/app.py`.

The pages are in `views/`, each of which puts a page together from the folders beside it. A folder named `pages/` is
Streamlit's older kind of navigation, which would win when the first visitor of a server arrives by the link of a page.
"""

import streamlit as st

from dashboards import access, shell
from phoenix_metrics.errors import PhoenixError

try:
    access.admit()
    shell.configure()
    page = st.navigation(
        [
            st.Page("views/overview.py", title="Overview", default=True),
            st.Page("views/workflow.py", title="Workflow", url_path="workflow"),
            st.Page("views/flakiness.py", title="Flakiness", url_path="flakiness"),
            st.Page("views/cost.py", title="Cost", url_path="cost"),
            st.Page("views/deliveries.py", title="Deliveries", url_path="deliveries"),
            st.Page("views/quality.py", title="Quality", url_path="quality"),
            st.Page("views/alerts.py", title="Alerts", url_path="alerts"),
            st.Page("views/health.py", title="Data health", url_path="health"),
            st.Page("views/sql.py", title="SQL", url_path="sql"),
        ],
        position="top",
    )
    try:
        shell.draw_header(page.title)
        page.run()
    finally:
        access.draw_account()  # also below a page that stops, having nothing to show
except PhoenixError as error:
    st.error(f"This page cannot be drawn: {error}")
