"""The whole digest of the story, word for word; that its figures are right is for `test_figures.py` to show."""

from pathlib import Path

from phoenix_metrics.report.document import Digest, Paragraph, Table
from phoenix_metrics.report.formats import ReportFormat
from phoenix_metrics.report.rendering import render
from phoenix_metrics.warehouse.snapshot import SnapshotReader
from phoenix_metrics.words import moment

EXPECTED = Path(__file__).parent / "expected.md"


def test_the_whole_digest(home: Path, digest: Digest) -> None:
    """Each section in its order, with its words, figures, links and remarks."""
    reader = SnapshotReader(home)
    published = moment(reader.current().published_at)
    reader.close()
    expected = EXPECTED.read_text(encoding="utf-8").replace("PUBLISHED", published)
    assert render(digest, ReportFormat.MARKDOWN).splitlines() == expected.splitlines()


def test_both_formats_say_the_same(digest: Digest) -> None:
    """Every sentence and every cell of the document is in the Markdown and in the HTML."""
    markdown, html = (render(digest, form) for form in ReportFormat)
    for section in digest.sections:
        assert f"## {section.title}\n" in markdown
        assert f'<h2 id="{section.key}-heading">{section.title}</h2>' in html
        for block in section.blocks:
            sentences = [block.words] if isinstance(block, Paragraph) else []
            if isinstance(block, Table):
                sentences += [sentence for row in block.rows for cell in row for sentence in (cell.words, cell.detail)]
            for part in (part for sentence in sentences for part in sentence):
                assert part.text in markdown.replace("\\", "")
                assert part.text in html.replace("&#39;", "'").replace("&lt;", "<")
