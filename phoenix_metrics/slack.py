"""Slack's markup: text, names and links as its messages take them, whatever they are made of, and its limits."""

MOST_LETTERS = 3000  # of a section's text: docs.slack.dev/reference/block-kit/blocks/section-block
MOST_LETTERS_OF_HEADERS = 150
MOST_BLOCKS = 50
# Nowhere documented: from about 13,200 letters of blocks on the answer is msg_blocks_too_long (slackapi/bolt-js#2509).
MOST_LETTERS_OF_BLOCKS = 12_000

_LIKE_A_BACKTICK = "\u02cb"


def escaped(text: str) -> str:
    """Return text in which nothing is a link, a mention or a command."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def code(text: str) -> str:
    """Return text letter by letter; a backtick cannot be written there, so a sign like it stands in its place."""
    return f"`{escaped(text.replace('`', _LIKE_A_BACKTICK))}`"


def link(url: str, text: str) -> str:
    """Return words that lead to a page."""
    return f"<{escaped(url)}|{escaped(text)}>"


def length(text: str) -> int:
    """Return how many letters text is to Slack, which may count signs such as emoji twice."""
    return len(text.encode("utf-16-le")) // 2
