"""The login of the dashboard: Streamlit's file of secrets, checked before anybody is asked, and whom it lets in."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from phoenix_metrics.errors import SettingsError
from phoenix_metrics.settings.tables import PREFIX

VARIABLE, ALLOW = f"{PREFIX}DASHBOARD_LOGIN_FILE", f"{PREFIX}DASHBOARD_ALLOW"
CALLBACK = "/oauth2callback"  # where Streamlit takes people back
SHORTEST_SECRET = 32  # letters: 128 bits as hexadecimal digits
LOOPBACK = ("127.0.0.1", "::1", "localhost")
_PROVIDER = ("client_id", "client_secret", "server_metadata_url")
_ADDRESS = re.compile(r"[^@\s,]+@[^@\s,]+")


@dataclass(frozen=True)
class Login:
    """Who says who somebody is: the file that Streamlit reads, and the providers in it, "" for one without a name."""

    file: Path
    providers: tuple[str, ...]


def read_login(file: Path) -> Login:
    """Return the login that a file describes. Raises SettingsError, which tells no secret, if it cannot work."""
    try:
        auth = tomllib.loads(file.read_text(encoding="utf-8")).get("auth")
    except (OSError, UnicodeDecodeError) as error:
        raise _wrong(file, f"cannot be read ({type(error).__name__}); name a readable TOML file") from None
    except tomllib.TOMLDecodeError:
        raise _wrong(file, "is not valid TOML") from None
    if not isinstance(auth, dict):
        raise _wrong(file, "has no table [auth]; README says what belongs there")
    _check_callback(file, auth.get("redirect_uri"))
    if len(str(auth.get("cookie_secret", ""))) < SHORTEST_SECRET:
        made = f"at least {SHORTEST_SECRET} letters, such as `openssl rand -hex 32` makes"
        raise _wrong(file, f"cookie_secret of [auth] is to have {made}")
    named = {name: table for name, table in auth.items() if isinstance(table, dict) and name != "client_kwargs"}
    providers = named or {"": auth}
    for name, table in providers.items():
        _check_provider(file, name, table)
    return Login(file, tuple(providers))


def is_admitted(email: str, allowed: Sequence[str]) -> bool:
    """Whether an e-mail address, or the whole domain it is of, is among those that may log in; letters may be large."""
    address = email.lower()
    if not _ADDRESS.fullmatch(address):
        return False
    return address in allowed or address[address.index("@") :] in allowed


def check_login(login_file: Path | None, allowed: Sequence[str]) -> None:
    """Raise SettingsError where a login lets nobody in, or where there is a list of people but no login."""
    if login_file is not None and not allowed:
        raise SettingsError(f"{ALLOW}: not set, though {VARIABLE} is; name the e-mail addresses and domains let in")
    if allowed and login_file is None:
        raise SettingsError(f"{VARIABLE}: not set, though {ALLOW} is; without it nobody is asked who they are")


def _check_callback(file: Path, redirect_uri: object) -> None:
    address = urlsplit(redirect_uri) if isinstance(redirect_uri, str) else None
    if address is None or not address.hostname or not address.path.endswith(CALLBACK):
        raise _wrong(file, f"redirect_uri of [auth] is to be the dashboard's public address and {CALLBACK}")
    if address.scheme != "https" and address.hostname not in LOOPBACK:
        raise _wrong(file, "redirect_uri of [auth] is to be https: what logs people in would be sent in the clear")


def _check_provider(file: Path, name: str, table: Mapping[str, Any]) -> None:
    missing = [key for key in _PROVIDER if not isinstance(table.get(key), str) or not table[key]]
    if missing:
        raise _wrong(file, f"[{'auth.' + name if name else 'auth'}] lacks {', '.join(missing)}")


def _wrong(file: Path, what: str) -> SettingsError:
    return SettingsError(f"{VARIABLE}={file}: {what}")
