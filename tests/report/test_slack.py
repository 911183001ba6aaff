"""The short form for Slack: word for word, every text as it is, and within Slack's limits, however long a report is."""

import json
import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from phoenix_metrics.report.document import (
    Block,
    Cell,
    Column,
    Digest,
    Listing,
    Paragraph,
    Section,
    Table,
    name,
    said,
    strong,
)
from phoenix_metrics.report.rendering import visible
from phoenix_metrics.report.slack import COLUMNS, slack_body
from phoenix_metrics.settings import CHECKOUT
from phoenix_metrics.warehouse.snapshot import SnapshotReader
from phoenix_metrics.words import moment
from tests.report.test_alerts import alarmed  # noqa: F401  # a fixture
from tests.report.test_formats import SPITEFUL, urls

EXPECTED = Path(__file__).parent / "expected_slack.txt"
LIKE_A_BACKTICK = "\u02cb"
DASHBOARD = "http://127.0.0.1:8501"
MARKUP = re.compile(r"<(https?://[^|<> ]+)\|([^<>]*)>")
texts = st.one_of(st.sampled_from(SPITEFUL), st.text(st.characters(codec="utf-8"), max_size=600))


def told(body: dict[str, Any]) -> list[str]:
    """Return the texts of the blocks."""
    return [block["text"]["text"] if "text" in block else _context(block) for block in body["blocks"]]


def _context(block: dict[str, Any]) -> str:
    return "\n".join(element["text"] for element in block["elements"])


def check(body: dict[str, Any]) -> None:
    """Hold a message against Slack's limits: blocks, letters of each and of all, and nothing empty."""
    assert body["text"].strip()
    assert 0 < len(body["blocks"]) <= 50
    for block in body["blocks"]:
        pieces = block["elements"] if block["type"] == "context" else [block["text"]]
        assert len(pieces) <= 10
        for piece in pieces:
            assert 0 < len(piece["text"].encode("utf-16-le")) / 2 <= (150 if block["type"] == "header" else 3000)
            assert piece["type"] == ("plain_text" if block["type"] == "header" else "mrkdwn")
            if piece["type"] == "mrkdwn":
                assert "<" not in MARKUP.sub("", piece["text"])
    assert len(json.dumps(body["blocks"], ensure_ascii=False).encode("utf-16-le")) / 2 <= 12_000


def test_the_whole_short_form(home: Path, digest: Digest) -> None:
    """The summary as in the other formats, the first rows of each part as lines, and what is not known."""
    reader = SnapshotReader(home)
    published = moment(reader.current().published_at)
    reader.close()
    body = slack_body(digest, DASHBOARD)
    check(body)
    expected = EXPECTED.read_text(encoding="utf-8").replace("PUBLISHED", published)
    assert "\n\n".join(told(body)) + "\n" == expected
    assert body["text"] == "CI/CD from 16 to 22 Nov 2026, 7 whole days, UTC, beside 9 to 15 Nov 2026"
    assert [block["type"] for block in body["blocks"]] == ["header", "context", *["section"] * 10, "context"]


def test_alerts_lead_to_their_pages(alarmed: Digest) -> None:  # noqa: F811  # the fixture
    """Those that fire come first; names have their letters, though Slack would take some for markup."""
    [alerts] = [text for text in told(slack_body(alarmed, DASHBOARD)) if text.startswith("*Alerts*")]
    lines = alerts.replace("\u00a0", " ").splitlines()
    assert lines[1].startswith("6 alerts fired since 16 Nov 2026")
    page = "https://github.com/acme/shop/actions/runs"
    assert lines[2] == (
        "• `CICDPipelineFailureRate`: of what `acme/shop CI`, state firing, fired 23 Nov 2026 03:00 UTC, "
        f"figure 25.0 % (n = 24), pages <{page}/1|1>, <{page}/2|2>"
    )
    assert [line.partition(":")[0] for line in lines[3:]] == [
        "• `CICDBudgetBurn`",
        "• `CICDDeploymentStuck`",
        "• and 3 more",
    ]


def test_the_columns_that_are_told_exist() -> None:
    """A column that gets another name would silently be missing."""
    for key, labels in COLUMNS.items():
        text = (CHECKOUT / "phoenix_metrics" / "report" / f"{key}.py").read_text(encoding="utf-8")
        assert f'Section("{key}"' in text
        assert {label for label in labels if f'Column("{label}"' not in text} == set()


def digest_with(*sections: Section, notice: str = "") -> Digest:
    return Digest("Title", "Subtitle", "2026-W47", notice, sections, said("End"))


@given(text=texts, url=urls)
@example(text="`", url=None)
@example(text="&" * 600, url="https://example.com/" + "&" * 700)
@example(text="<!channel>", url=None)
@settings(max_examples=200, deadline=None, derandomize=True)
def test_every_text_is_shown_as_it_is(text: str, url: str | None) -> None:
    """Nobody is mentioned and nothing linked but by us; of a long text the beginning is shown."""
    table = Table("Names", (Column("Job"), Column("n")), ((Cell(said(name(text, url))), Cell(said(text))),))
    blocks = (Paragraph(said("Name: ", name(text, url), ".")), Paragraph(said("In words: ", text)), table)
    body = slack_body(digest_with(Section("flaky", text, blocks), notice=text), DASHBOARD)
    check(body)
    whole = "\n".join(told(body))
    shown = visible(text)[:450]
    named = shown.strip().replace("`", LIKE_A_BACKTICK) or "(no name)"
    links = [(unescape(found), unescape(words)) for found, words in MARKUP.findall(whole)]
    assert {found for found, _ in links} <= {DASHBOARD, *([links[0][0]] if url and url.startswith("http") else [])}
    plain = unescape(MARKUP.sub(lambda found: f"`{found[2].replace('`', LIKE_A_BACKTICK)}`", whole))
    assert f"In words: {shown}" in plain
    assert re.search(rf"Name: ` *{re.escape(named)}…? *`\.", plain)


words = st.lists(st.text('ab &<"\\é😀', max_size=900), max_size=4).map(lambda texts: said(*texts))
blocks = st.one_of(
    words.map(Paragraph),
    st.lists(words, max_size=30).map(lambda items: Listing(tuple(items))),
    st.lists(words.map(lambda text: (Cell(text), Cell(text))), max_size=12).map(
        lambda rows: Table("Rows", (Column("Job"), Column("n")), tuple(rows))
    ),
)
keys = st.sampled_from(["flaky", "workflows", "unknown"])
sections = st.builds(
    lambda key, title, found: Section(key, title, tuple(found)),
    keys,
    st.text(max_size=40),
    st.lists(blocks, max_size=5),
)


@given(found=st.lists(sections, min_size=1, max_size=60))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_any_report_fits(found: list[Section]) -> None:
    """However many parts, rows and letters there are."""
    first = Section("summary", "In short", (Paragraph(said("All is well.")),))
    last = Section("completeness", "How complete this is", (Paragraph(said("Something is not known.")),))
    body = slack_body(digest_with(first, *found, last), DASHBOARD)
    check(body)
    written = told(body)
    assert written[2] == "*In short*\nAll is well."
    assert written[-2] == "*How complete this is*\nSomething is not known."


@pytest.mark.parametrize(("letters", "shown"), [(10, 3), (300, 2), (800, 1), (2000, 0)])
def test_rows_give_way_before_parts_do(letters: int, shown: int) -> None:
    """Where a message gets too long, every part tells less, and says how much it leaves out."""
    block: Block = Listing(
        tuple(
            said(strong(f"Item {number} "), *["x" * 400] * (letters // 400), "x" * (letters % 400))
            for number in range(8)
        )
    )
    parts = [Section(str(number), f"Part {number}", (block,)) for number in range(12)]
    written = told(
        slack_body(digest_with(Section("summary", "In short", (Paragraph(said("Short.")),)), *parts), DASHBOARD)
    )
    assert sum(text.startswith("*Part ") for text in written) == 12
    for text in written:
        if text.startswith("*Part "):
            assert [text.count("• *Item"), text.count(f"and {8 - shown} more")] == [shown, 1]
