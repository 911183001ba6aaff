"""The saved questions: `examples/` holds one a file, the question itself in its first line."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).with_name("examples")


@dataclass(frozen=True)
class Example:
    """A question that teams ask, and the query that answers it."""

    question: str
    query: str


@cache
def examples() -> tuple[Example, ...]:
    """Return the saved questions in the order of their files; the first is the one that the page opens with."""
    texts = [path.read_text(encoding="utf-8").strip() for path in sorted(FOLDER.glob("*.sql"))]
    return tuple(Example(text.splitlines()[0].removeprefix("-- "), text) for text in texts)
