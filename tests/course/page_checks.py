"""Takes a page apart and says what is wrong with its links, its Python blocks and its leftovers.

What the info string of a fenced block means:
    ```python         runs; blocks of one section share their names; a ```text block after it is its exact output
    ```python varies  runs; prints what differs from machine to machine, so no output follows it
    ```bash           the commands are checked, see command_checks.py (also ```sh and ```console)
    ```bash run       is also executed, and has to succeed
"""

import functools
import json
import re
import urllib.parse
from dataclasses import dataclass, field

from warm_python import ENVIRONMENT, python

from labkit.course import pages
from labkit.course.manifest import ROOT

LIMIT = 400  # seconds for the blocks of a page; on an idle core they take about 10


# Reading a page -------------------------------------------------------------------------------------------------------


@dataclass
class Block:
    """One fenced block: its language, the rest of its info string, its first line's number, and its text."""

    language: str
    mark: str
    line: int
    text: str


@dataclass
class Section:
    """The fenced blocks between two headings of level 1 or 2 (deeper headings belong to the section around them)."""

    blocks: list[Block] = field(default_factory=list)


@dataclass
class Page:
    """A page taken apart. `prose` is its text without code; `code` is what the prose has in backticks."""

    path: str
    sections: list[Section]
    anchors: set[str]
    prose: list[str] = field(default_factory=list)
    code: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)

    @property
    def blocks(self) -> list[Block]:
        return [block for section in self.sections for block in section.blocks]


def parse(path: str, text: str) -> Page:
    """The page at `path` (relative to the repository), taken apart."""
    page = Page(path, [Section()], {slug for slug, _ in pages.headings(text)})
    for token in pages.parse(text):
        if token.type == "heading_open" and token.tag in ("h1", "h2"):
            page.sections.append(Section())
        elif token.type == "fence":
            language, _, mark = token.info.strip().partition(" ")
            page.sections[-1].blocks.append(Block(language, mark.strip(), token.map[0] + 2, token.content))
        for part in token.children or [token]:
            if part.type in ("text", "html_inline", "html_block"):
                page.prose.append(part.content)
            elif part.type == "code_inline":
                page.code.append(part.content)
            if part.type.startswith("html_"):
                page.anchors |= set(re.findall(r"\s(?:id|name)=[\"']([^\"']+)", part.content))
                page.links += re.findall(r"\s(?:href|src)=[\"']([^\"']+)", part.content)
            page.links += [urllib.parse.unquote(part.attrs[name]) for name in ("href", "src") if name in part.attrs]
    return page


@functools.cache
def load(path: str) -> Page:
    return parse(path, (ROOT / path).read_text(encoding="utf-8"))


# 1. Links -------------------------------------------------------------------------------------------------------------


def broken_links(page: Page) -> list[str]:
    """Each relative link of the page that lands nowhere."""
    return [problem for target in page.links if (problem := broken_link(page, target))]


def broken_link(page: Page, target: str) -> str | None:
    if re.match(r"[a-z][a-z+.-]*:", target):
        return None
    path, _, anchor = target.partition("#")
    file = (ROOT / page.path).parent / path
    if path and not file.exists():
        return f"{target}: no such file"
    if (path and file.suffix != ".md") or not anchor:
        return None
    there = load(file.resolve().relative_to(ROOT).as_posix()) if path else page
    return None if anchor in there.anchors else f"{target}: no such heading"


# 2. Python blocks -----------------------------------------------------------------------------------------------------

# What a page promises is what a CPU prints.
ON_A_CPU = ENVIRONMENT | {"CUDA_VISIBLE_DEVICES": ""}

# Reads [[source, ...], ...] (sections of blocks), writes the outputs alike; a section ends at its first error.
RUNNER = """
import contextlib, io, json, sys, traceback, warnings
warnings.simplefilter("ignore")
outputs = []
for number, section in enumerate(json.load(sys.stdin)):
    names, printed = {"__name__": "__main__"}, []
    for source in section:
        stream = io.StringIO()
        with contextlib.redirect_stdout(stream):
            try:
                exec(compile(source, f"<section {number}>", "exec"), names)
            except Exception:
                traceback.print_exc(limit=1, file=stream)
                printed.append({"error": stream.getvalue()})
                break
        printed.append({"output": stream.getvalue()})
    outputs.append(printed)
print(json.dumps(outputs))
"""


def wrong_outputs(page: Page) -> list[str]:
    """Each Python block of the page that fails, or prints something else than the page says."""
    sections = [[block for block in section.blocks if block.language == "python"] for section in page.sections]
    if not any(sections):
        return []
    text = json.dumps([[block.text for block in blocks] for blocks in sections])
    ran = python("-c", RUNNER, environment=ON_A_CPU, text=text, limit=LIMIT)
    if ran.code:
        return [f"the blocks of {page.path} ended Python: {ran.err[-1000:]}"]
    problems = []
    for section, blocks, results in zip(page.sections, sections, json.loads(ran.out), strict=True):
        for block, result in zip(blocks, results, strict=False):
            problem = result.get("error") or compare(block, promised(section, block), result["output"])
            problems += [f"{page.path}:{block.line}: {problem}"] if problem else []
    return problems


def promised(section: Section, block: Block) -> str | None:
    """The text block right after `block`, or None where the next block is of another kind."""
    after = section.blocks[section.blocks.index(block) + 1 :][:1]
    return after[0].text if after and after[0].language == "text" else None


def compare(block: Block, expected: str | None, printed: str) -> str | None:
    if block.mark == "varies":
        return "marked `varies`, yet an output follows" if expected is not None else None
    if printed == (expected or ""):
        return None
    return f"the page says\n{expected or '(no text block)'}\nbut this was printed\n{printed}"


# 3. Leftovers ---------------------------------------------------------------------------------------------------------


def leftovers(page: Page) -> list[str]:
    """Notes to oneself, and paths that exist only where the page was written."""
    prose = "\n".join(page.prose)
    text = "\n".join([prose, *page.code, *page.links, *(block.text for block in page.blocks)])
    outside = re.findall(r"(?<![\w.])(?:\.\./)+shared\b|(?<![\w.])/(?:work|root|home)/\w+", text)
    return outside + re.findall(r"\b(?:TODO|TBD|FIXME|XXX)\b(?=[:(]|$)", prose, flags=re.MULTILINE)
