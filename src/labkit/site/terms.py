"""Glossary tips: where a section first uses a term, the term is a link that tells its meaning to the mouse.

The meaning is the term's row of the glossary, and the link leads to that row, for those who have no mouse.
"""

import itertools
import re
from collections.abc import Iterator

from docutils import nodes
from sphinx import addnodes

from labkit.course import pages

# What stands in these is a name, a heading, or a link already.
CODE = (nodes.literal, nodes.literal_block, nodes.math, nodes.raw, addnodes.desc_signature)
NO_PROSE = (*CODE, nodes.reference, nodes.title)


def meanings(glossary: str) -> dict[str, str]:
    """The terms of the glossary, each of a row's synonyms too, with their meanings in plain text."""
    cells = [
        "".join(part.content for part in inline.children or [] if part.type in ("text", "code_inline"))
        for opened, inline in itertools.pairwise(pages.parse(glossary))
        if opened.type == "td_open"
    ]
    rows = zip(cells[::2], cells[1::2], strict=True)
    return {term: meaning for terms, meaning in rows for term in terms.split(", ")}


def anchor(term: str) -> str:
    return f"term-{nodes.make_id(term)}"


def mark_rows(glossary: nodes.document) -> None:
    """Gives every row of the glossary the anchors of its terms."""
    for row in glossary.findall(nodes.row):
        row["ids"] += [anchor(term) for term in row[0].astext().split(", ")]


def link(page: nodes.document, meanings: dict[str, str], glossary: str) -> None:
    """Makes the first use of each term in a section of the page, up to the next heading of level 2, a link.

    `glossary` is the address of the glossary, seen from the page.
    """
    known = {_plain(term): term for term in meanings}
    pattern = _pattern(meanings)
    seen: set[tuple[int, str]] = set()
    for text in list(page.findall(nodes.Text)):
        around = list(_around(text))
        if any(isinstance(node, NO_PROSE) for node in around):
            continue
        section = next(reversed([node for node in around if isinstance(node, nodes.section)][:-1]), page)
        pieces: list[nodes.Node] = []
        rest = 0
        for found in pattern.finditer(text):
            term = known[_plain(found[1])]
            if (key := (id(section), meanings[term])) in seen:
                continue
            seen.add(key)
            tip = nodes.reference(
                "", found[0], refuri=f"{glossary}#{anchor(term)}", internal=True, reftitle=meanings[term]
            )
            tip["classes"] = ["term"]
            pieces += [nodes.Text(text[rest : found.start()]), tip]
            rest = found.end()
        if pieces:
            text.parent.replace(text, [*pieces, nodes.Text(text[rest:])])


def _around(node: nodes.Node) -> Iterator[nodes.Node]:
    while node.parent is not None:
        node = node.parent
        yield node


def _plain(word: str) -> str:
    """A term that is all small letters may begin a sentence; a name like AMP is written as it is."""
    return word.lower() if word[1:].islower() else word


def _pattern(terms: dict[str, str]) -> re.Pattern[str]:
    """Any of the terms as a whole word, the longest first, in the plural too."""
    words = [
        f"[{term[0]}{term[0].upper()}]{re.escape(term[1:])}" if term.islower() else re.escape(term)
        for term in sorted(terms, key=len, reverse=True)
    ]
    return re.compile(rf"(?<![\w-])({'|'.join(words)})(?:s|es)?(?![\w-])")
