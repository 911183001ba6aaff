"""Values that settings take: how a text becomes one, and what is accepted."""

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import islice, pairwise
from pathlib import Path
from typing import Annotated
from urllib.parse import unquote
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, BeforeValidator, Field, HttpUrl, SecretStr, TypeAdapter, ValidationError
from pydantic_settings import NoDecode

_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")
# What goes with the runs.
CONTEXT = ("releases", "pull_requests", "deployments", "annotations", "rules", "runners", "billing", "workflow_files")
_HEADER = re.compile(r"[\w!#$%&'*+.^`|~-]+", re.ASCII)
_CLASS = re.compile(r"[a-z][a-z0-9_]*")
_HOUR = 60  # minutes
_PEOPLE = re.compile(r"[^@\s,]*@[^@\s,.]+(\.[^@\s,.]+)+")  # somebody's address, or @ and a domain for all in it
_SKU = re.compile(r"[a-z0-9_]+")
_SPAN = re.compile(r"(\d+)([smhd])")
_CRON = re.compile(r"[\dA-Za-z*/,-]+( [\dA-Za-z*/,-]+){4}")
_MOST_OFTEN = timedelta(minutes=5)  # GitHub starts no workflow more often
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def _split(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _repositories(value: object) -> object:
    names = _split(value)
    for name in names if isinstance(names, tuple | list) else ():
        if not _REPOSITORY.fullmatch(str(name)):
            raise ValueError("a comma-separated list of owner/name")
    return names


def _context(value: object) -> object:
    names = _split(value)
    parts = tuple(names) if isinstance(names, tuple | list) else ()
    if parts == ("none",):
        return ()
    if set(parts) - set(CONTEXT):
        raise ValueError(f"a comma-separated list of {', '.join(CONTEXT)}, or none")
    return names


def _people(value: object) -> object:
    names = _split(value)
    parts = [str(name).lower() for name in names] if isinstance(names, tuple | list) else []
    if not all(_PEOPLE.fullmatch(part) for part in parts):
        raise ValueError("e-mail addresses and domains, comma-separated, such as ada@example.com,@example.org")
    return tuple(parts)


def _globs(value: object) -> object:
    names = _split(value)
    return () if names == ("none",) else names


def _words(value: object) -> object:
    words = _split(value)
    if not isinstance(words, tuple | list) or not all(isinstance(word, str) for word in words):
        raise ValueError("a list of texts")
    return words


def _glob(value: str) -> str:
    if "[" in value:  # a pattern in SQL cannot say it
        raise ValueError("a glob of * and ?, such as shop-*")
    return value


def _sku(value: str) -> str:
    if not _SKU.fullmatch(value):
        raise ValueError("a name of small letters, digits and _, such as linux_4_core or our_gpu_box")
    return value


def _usd(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal) or value < 0:
        raise ValueError("an amount of US dollars, such as 0.008")
    return Decimal(str(value))


def class_name(value: str) -> str:
    """Return the name of a class of failures as it was given, if it can be one."""
    if not _CLASS.fullmatch(value):
        raise ValueError("a word of small letters, digits and _, such as licence_server")
    return value


def _crons(value: object) -> object:
    return (value,) if isinstance(value, str) else value


def checked_cron(value: str) -> str:
    """Return a cron expression in its usual form. Raises ValueError with what is accepted."""
    text = " ".join(value.split())
    if not _CRON.fullmatch(text):
        raise ValueError('five fields such as "0 2 * * *"')
    try:
        starts = list(islice(CronSim(text, datetime(2024, 1, 1, tzinfo=UTC)), 300))
    except CronSimError as error:
        raise ValueError(f'five fields such as "0 2 * * *" ({error})') from None
    if any(after - before < _MOST_OFTEN for before, after in pairwise(starts)):
        raise ValueError("at least 5 minutes between two starts, as GitHub has it")
    return text


def checked_timezone(value: str) -> str:
    """Return the name of a time zone. Raises ValueError with what is accepted."""
    try:
        return ZoneInfo(value).key
    except (KeyError, ValueError, OSError):
        raise ValueError("a time zone such as UTC or Europe/Berlin") from None


def _span(value: object) -> object:
    if isinstance(value, str):
        match = _SPAN.fullmatch(value.strip())
        if match is None:
            raise ValueError("a whole number with a unit, such as 30m, 6h or 90d")
        return timedelta(**{_UNITS[match[2]]: int(match[1])})
    return value


def _since(value: object) -> object:
    if isinstance(value, str):
        try:
            return date.fromisoformat(value.strip())
        except ValueError:
            pass
        match = _SPAN.fullmatch(value.strip())
        if match is None or match[2] != "d":
            raise ValueError("a date such as 2026-01-31, or a number of days such as 90d")
        return timedelta(days=int(match[1]))
    return value


def _divisor_of_hour(value: int) -> int:
    if value < 1 or _HOUR % value:
        raise ValueError("whole minutes that divide an hour, such as 1, 5 or 15")
    return value


def _url(value: object) -> object:
    if isinstance(value, str):
        try:
            TypeAdapter(HttpUrl).validate_python(value)
        except ValidationError:
            raise ValueError("an address such as https://github.example.com/api/v3") from None
        return value.rstrip("/")
    return value


def _webhook(value: SecretStr | None) -> SecretStr | None:
    if value is not None and not _is_address(value.get_secret_value()):
        raise ValueError("an address such as https://hooks.slack.com/services/…")
    return value


def _webhooks(value: SecretStr | None) -> SecretStr | None:
    urls = value.get_secret_value().split(",") if value is not None else []
    if not all(_is_address(url.strip()) for url in urls if url.strip()):
        raise ValueError("a comma-separated list of addresses such as https://alerts.example.com/hook")
    return value


def _is_address(text: str) -> bool:
    try:
        TypeAdapter(HttpUrl).validate_python(text)
    except ValidationError:
        return False
    return True


def headers_of(text: str) -> dict[str, str]:
    """Return HTTP headers written as `name=value,name=value`, where values may have percent escapes.

    Raises ValueError, without the text in it, when they are not.
    """
    found = {}
    for part in filter(None, map(str.strip, text.split(","))):
        name, equals, value = part.partition("=")
        found[name.strip()] = decoded = unquote(value.strip())
        if not (equals and _HEADER.fullmatch(name.strip()) and decoded.isascii() and decoded.isprintable()):
            raise ValueError("HTTP headers as name=value, comma-separated, such as Authorization=Bearer%20abc")
    return found


def _headers(value: SecretStr | None) -> SecretStr | None:
    headers_of(value.get_secret_value() if value is not None else "")
    return value


def _moment(value: datetime) -> datetime:
    return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


Folder = Annotated[Path, AfterValidator(lambda path: path.expanduser().absolute())]
Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
Images = Annotated[tuple[str, ...] | None, NoDecode, BeforeValidator(_globs)]
Glob = Annotated[str, AfterValidator(_glob)]
Sku = Annotated[str, AfterValidator(_sku)]
Usd = Annotated[Decimal, BeforeValidator(_usd)]
Words = Annotated[tuple[str, ...], BeforeValidator(_words)]
Patterns = Annotated[tuple[Glob, ...], BeforeValidator(_words)]
Context = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_context)]
Globs = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_globs)]
People = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_people)]
Repositories = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_repositories)]
Cron = Annotated[str, AfterValidator(checked_cron)]
Crons = Annotated[tuple[Cron, ...], BeforeValidator(_crons), Field(min_length=1)]
TimeZone = Annotated[str, AfterValidator(checked_timezone)]
Span = Annotated[timedelta, BeforeValidator(_span)]
Since = Annotated[date | timedelta, BeforeValidator(_since)]
Url = Annotated[str, BeforeValidator(_url)]
Webhook = Annotated[SecretStr | None, AfterValidator(_webhook)]
Webhooks = Annotated[SecretStr | None, AfterValidator(_webhooks)]
Headers = Annotated[SecretStr | None, AfterValidator(_headers)]
Moment = Annotated[datetime, AfterValidator(_moment)]
Minutes = Annotated[int, AfterValidator(_divisor_of_hour)]
Port = Annotated[int, Field(ge=1, le=65535)]
