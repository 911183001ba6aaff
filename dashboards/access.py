"""Who may see the dashboard: nothing is drawn or asked for anybody else.

Where a login is set up, Streamlit sends people to their identity provider and keeps what that says of them in a signed
cookie. Whether they may come in is decided here, at every run of the app.
"""

from collections.abc import Mapping

import streamlit as st
from streamlit.errors import StreamlitAuthError

from dashboards import data
from phoenix_metrics.errors import SettingsError
from phoenix_metrics.settings import Settings


def admit() -> None:
    """Let through who may see the dashboard, and stop the page for all others.

    Raises SettingsError if the login cannot work: then nobody comes in.
    """
    settings = data.settings()
    login = settings.login
    if login is None:
        return
    if not getattr(st.user, "is_logged_in", False):
        _ask_to_log_in(login.providers)
        st.stop()
    refusal = refused(st.user.to_dict(), settings)
    if refusal:
        st.set_page_config(page_title="Phoenix Metrics")
        st.text(refusal)
        st.button("Log out", on_click=st.logout)
        st.stop()


def refused(claims: Mapping[str, object], settings: Settings) -> str | None:
    """Return in a sentence why somebody may not see the dashboard, None if they may.

    A provider that says that an address is not verified is taken at its word; one that says nothing vouches for it.
    """
    email = claims.get("email")
    if not isinstance(email, str) or not email:
        return "Your login tells no e-mail address, so nobody can say whether you may see this dashboard."
    if claims.get("email_verified", True) not in (True, "true"):
        return f"Your address {email} is not verified by who logged you in, so it cannot be let in."
    if not settings.admits(email):
        return f"You are logged in as {email}, who may not see this dashboard; ask whoever runs it to add your address."
    return None


def draw_account() -> None:
    """Draw who is logged in, and a button that logs out, at the page's foot; nothing without a login."""
    if data.settings().dashboard_login_file is None:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="account"):
        st.text(f"Logged in as {st.user.email}.", width="content")
        st.button("Log out", type="tertiary", on_click=st.logout)


def _ask_to_log_in(providers: tuple[str, ...]) -> None:
    st.set_page_config(page_title="Phoenix Metrics")
    st.text("Log in to see this dashboard.")
    for provider in providers:
        if st.button(f"Log in with {provider}" if provider else "Log in", type="primary", key=f"login {provider}"):
            try:
                st.login(provider or None)
            except StreamlitAuthError as error:
                raise SettingsError(f"the login does not work ({error}); start this by `phoenix dashboard`") from None
