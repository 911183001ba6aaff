"""The digest in a format: Markdown, or one HTML file that needs nothing from elsewhere.

Names of workflows, branches and tests are whatever somebody chose. So nothing reaches a document but by the escaping of
its format: of HTML Jinja's own, of Markdown one that stands in its place, so that neither can be forgotten.
"""

import re
from functools import cache
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from phoenix_metrics.report.document import Digest, Sentence
from phoenix_metrics.report.formats import ReportFormat
from phoenix_metrics.report.plots import picture

TEMPLATES = Path(__file__).parent / "templates"

_SPECIAL = re.compile(r"[\\`*\[\]|~$]|<(?=[A-Za-z/!?])|&(?=#?\w+;)|(?<![0-9A-Za-z])_|_(?![0-9A-Za-z])")
_BREAK = re.compile(r"[ \t-\r\x1c-\x1f\x85\u2028\u2029]+")
_UNSEEN = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)  # what moves a cursor or turns a line
_URL = re.compile(r"https?://", re.IGNORECASE)
_IN_URLS = ":/?#[]@!$&'*+,;=%~"


def render(digest: Digest, form: ReportFormat) -> str:
    """Return a digest in a format."""
    return _environment(form).get_template(f"digest{form.suffix}").render(digest=digest)


@cache
def _environment(form: ReportFormat) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        finalize=_markdown if form is ReportFormat.MARKDOWN else _seen,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"safe_url": safe_url, "picture": picture, "phrase": _phrase, "table_phrase": _table_phrase}
    return environment


def safe_url(url: str | None) -> str:
    """Return an address of the web so that it can stand in any format, nothing if it is of another kind."""
    return quote(url, safe=_IN_URLS) if url and _URL.match(url) else ""


def visible(text: str) -> str:
    """Return text on one line, with a sign in place of each character that would only show in what follows it."""
    return _UNSEEN.sub("\ufffd", _BREAK.sub(" ", text))


def _seen(value: object) -> object:
    return value if isinstance(value, Markup) else visible(str(value))


def _markdown(value: object) -> Markup:
    """Return a value so that Markdown shows it as it is."""
    return value if isinstance(value, Markup) else Markup(_SPECIAL.sub(r"\\\g<0>", visible(str(value))))  # noqa: S704


def _phrase(sentence: Sentence) -> Markup:
    """Return a sentence as Markdown."""
    return Markup("").join(_part(part.text, part.kind, part.url, in_table=False) for part in sentence)


def _table_phrase(sentence: Sentence) -> Markup:
    """Return a sentence as Markdown that can stand in a table."""
    return Markup("").join(_part(part.text, part.kind, part.url, in_table=True) for part in sentence)


def _part(text: str, kind: str, url: str | None, *, in_table: bool) -> Markup:
    shown = _markdown(text)
    if kind in ("name", "code") and not (in_table and re.search(r"[\\|]", text)):
        shown = _verbatim(text)  # in a table a pipe ends the cell even there
    if kind == "strong":
        shown = Markup("**{}**").format(shown)
    address = safe_url(url)
    return Markup(f"[{shown}]({address})") if address else shown  # noqa: S704


def _verbatim(text: str) -> Markup:
    """Return text between as many backticks as it needs."""
    text = visible(text).strip()
    fence = "`" * (max(map(len, re.findall("`+", text)), default=0) + 1)
    room = " " if text.startswith("`") or text.endswith("`") else ""
    return Markup(f"{fence}{room}{text}{room}{fence}")  # noqa: S704
