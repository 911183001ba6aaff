"""Both formats show every text letter by letter, whatever it is, and lead nowhere but to pages of the web."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from html.parser import HTMLParser

from hypothesis import example, given, settings
from hypothesis import strategies as st

from phoenix_metrics.report.document import (
    Cell,
    Column,
    Digest,
    Listing,
    Paragraph,
    Plot,
    Plots,
    Section,
    Series,
    Table,
    code,
    link,
    name,
    said,
    strong,
)
from phoenix_metrics.report.formats import ReportFormat
from phoenix_metrics.report.rendering import render, visible
from tests.report import markdown

SPITEFUL = (
    "<script>alert(1)</script>",
    "a|b",
    r"a\|b",
    "a\\",
    "`tick`",
    "``",
    "*bold* _slanted_ __x__ ~~gone~~",
    "[x](javascript:alert(1))",
    "![x](http://127.0.0.1:9/x.png)",
    "&lt;b&gt; &amp; &#60;",
    '"><img src=x onerror=alert(1)>',
    "--> <!-- {{ 7 * 7 }} {% raw %}",
    "# heading",
    "- item",
    "line\nbreak\r\n| cell |",
    "\x1b[31mred\x1b[0m \u202egnp.exe",
    "$x$ :smile: @ada #1",
    "<https://example.com>",
)
texts = st.one_of(st.sampled_from(SPITEFUL), st.text(st.characters(codec="utf-8"), max_size=30))
urls = st.one_of(
    st.none(),
    st.sampled_from(
        (
            "https://github.com/acme/shop/actions/runs/1",
            "https://example.com/a b(c)|d>e\"f'",
            "javascript:alert(1)",
            "data:text/html,x",
            " https://x",
            "//x",
        )
    ),
)
quick = settings(max_examples=150, deadline=None, derandomize=True)


def document(text: str, url: str | None) -> Digest:
    """Return a document that says a text as a name and as words: in a paragraph, an item and a table."""
    table = Table(
        "Names",
        (Column("Name"), Column("Words"), Column("Detail", is_number=True)),
        ((Cell(said(name(text, url))), Cell(said(text)), Cell(said("x"), said(name(text)))),),
    )
    blocks = (Paragraph(said("Name: ", name(text, url))), Listing((said("In words, ", text, "."),)), table)
    return Digest("Title", "Subtitle", "2026-W47", "", (Section("key", "Section", blocks),), said("End"))


@given(text=texts, url=urls)
@example(text="a\\", url=None)
@quick
def test_markdown_shows_every_text_as_it_is(text: str, url: str | None) -> None:
    """A reader of GitHub's Markdown sees the letters of the text, no more cells, no HTML and no other links."""
    written = render(document(text, url), ReportFormat.MARKDOWN)
    shown = seen(text)
    assert markdown.html_in(written) == []
    [[found, words, detail]] = markdown.tables(written)["Names"]
    assert [found.strip(), words.strip(), detail] == [shown or "(no name)", shown, f"x ({shown or '(no name)'})"]
    assert f"Name: {shown or '(no name)'}" in markdown.prose(written)
    assert all(address.startswith(("http://", "https://")) for _, address in markdown.links(written))
    assert len(markdown.links(written)) == (2 if url and url.startswith("http") else 0)


@given(text=texts, url=urls)
@quick
def test_html_shows_every_text_as_it_is(text: str, url: str | None) -> None:
    """A browser sees the letters of the text, the elements of the template and no others."""
    page, plain = Page.of(document(text, url)), Page.of(document("plain", None))
    shown = seen(text)
    assert [one for one in page.elements if one != "a"] == plain.elements
    assert page.texts.count(shown or "(no name)") >= 3
    assert page.handlers == []
    assert all(address.startswith(("http://", "https://")) for address in page.addresses)
    assert len(page.addresses) == (2 if url and url.startswith("http") else 0)


def seen(text: str) -> str:
    """Return how a text looks on one line."""
    return visible(text).strip()


@dataclass
class Page(HTMLParser):
    """An HTML document as a browser takes it: its elements, texts, links, and attributes that run something."""

    elements: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)
    handlers: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    @classmethod
    def of(cls, digest: Digest) -> "Page":
        page = cls()
        page.feed(render(digest, ReportFormat.HTML))
        page.close()
        return page

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        given_attributes = dict(attrs)
        self.handlers += [key for key in given_attributes if key.startswith("on") or key in ("src", "style", "srcset")]
        if tag == "a" and not str(given_attributes["href"]).startswith("#"):
            self.addresses.append(str(given_attributes["href"]))

    def handle_data(self, data: str) -> None:
        self.texts.append(data.strip())


def test_marks_of_sentences() -> None:
    """Strong words, things to type and links look as each format has them."""
    sentence = said(strong("Loud"), ", ", code("[[runners]]"), ", ", link("there", "https://example.com"))
    digest = Digest("T", "S", "2026-W47", "", (Section("key", "Section", (Paragraph(sentence),)),), said("End"))
    assert "**Loud**, `[[runners]]`, [there](https://example.com)\n" in render(digest, ReportFormat.MARKDOWN)
    there = '<a href="https://example.com" rel="noreferrer">there</a>'
    assert f"<p><strong>Loud</strong>, <code>[[runners]]</code>, {there}</p>" in render(digest, ReportFormat.HTML)


def test_a_plot_is_told_in_words() -> None:
    """Who cannot see a plot hears the values of each day, and Markdown leaves it out."""
    days = tuple(date(2026, 11, 30) + timedelta(days=number) for number in range(4))
    series = Series("failure", "bad", (1.0, None, 0.0, 2.0))
    plot = Plot("Runs", "columns", days, days[2], (series,), str, str, (1.0,))
    digest = Digest("T", "S", "2026-W47", "", (Section("key", "Section", (Plots((plot,)),)),), said("End"))
    page = render(digest, ReportFormat.HTML)
    assert "30 Nov: failure 1.0. 1 Dec: nothing. 2 Dec: failure 0.0. 3 Dec: failure 2.0. </desc>" in page
    assert "failure" not in render(digest, ReportFormat.MARKDOWN)
