"""The formats of a report, and which of them a file's name asks for."""

from enum import StrEnum
from pathlib import Path

from phoenix_metrics.errors import SettingsError


class ReportFormat(StrEnum):
    """How a report is written."""

    MARKDOWN = "markdown"
    HTML = "html"

    @property
    def suffix(self) -> str:
        """How the names of such files end."""
        return _SUFFIXES[self]


_SUFFIXES = {ReportFormat.MARKDOWN: ".md", ReportFormat.HTML: ".html"}


def format_of(output: Path | None) -> ReportFormat:
    """Return the format that a file's name asks for, Markdown without a file. Raises SettingsError for other names."""
    for form, suffix in _SUFFIXES.items():
        if output is None or output.suffix.lower() == suffix:
            return form
    raise SettingsError(f"--output {output}: name a file that ends in .md or .html, or say which with --format")
