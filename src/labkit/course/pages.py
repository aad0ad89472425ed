"""Reads the course's Markdown pages. A heading's anchor is the one that GitHub gives it."""

import functools
import itertools
import re

from markdown_it import MarkdownIt
from markdown_it.token import Token

_MARKDOWN = MarkdownIt("commonmark").enable("table")


def parse(text: str) -> list[Token]:
    """The page as markdown-it's tokens: CommonMark and GitHub's tables."""
    return _MARKDOWN.parse(text)


@functools.cache
def headings(text: str) -> list[tuple[str, int]]:
    """Anchor and line number of every heading of the page, in order: [("what-autocast-does", 153), ...]."""
    found: list[tuple[str, int]] = []
    uses: dict[str, int] = {}
    for heading, inline in itertools.pairwise(parse(text)):
        if heading.type == "heading_open":
            assert heading.map is not None, "a heading has its lines"
            slug = name = _slug(inline)
            while slug in uses:  # the second "Example" is example-1
                uses[name] += 1
                slug = f"{name}-{uses[name]}"
            uses[slug] = 0
            found.append((slug, heading.map[0] + 1))
    return found


def title(text: str) -> str:
    """The text of the page's first heading."""
    return next(inline.content for heading, inline in itertools.pairwise(parse(text)) if heading.type == "heading_open")


def _slug(inline: Token) -> str:
    """The text that a reader sees, in lower case, without punctuation and with a hyphen for every space."""
    seen = "".join(part.content for part in inline.children or [] if part.type in ("text", "code_inline"))
    return re.sub(r"[^\w\- ]", "", seen.lower()).replace(" ", "-")
