"""Takes a page apart and says what is wrong with its links, its Python blocks and its leftovers.

What the info string of a fenced block means:
    ```python         runs; blocks of one section share their names; a ```text block after it is its exact output
    ```python varies  runs; prints what differs from machine to machine, so no output follows it
    ```bash           the commands are checked, see command_checks.py (also ```sh and ```console)
    ```bash run       is also executed, and has to succeed
"""

import functools
import html
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from labkit.course.manifest import ROOT

ENVIRONMENT = os.environ | {
    "PYTHONPATH": str(ROOT / "src"),
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    "OMP_NUM_THREADS": "1",
    "COLUMNS": "200",
    "NO_COLOR": "1",
}


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
    """What stands between two headings of level 1 or 2 (deeper headings belong to the section around them)."""

    title: str
    blocks: list[Block] = field(default_factory=list)


@dataclass
class Page:
    """A page taken apart: its sections, its prose (no fenced blocks), and the anchors that a link may name."""

    path: str
    sections: list[Section]
    prose: str
    anchors: set[str]


def parse(path: str, text: str) -> Page:
    """The page at `path` (relative to the repository), taken apart."""
    page, fence, counts = Page(path, [Section("")], "", set()), None, {}
    for number, line in enumerate(text.splitlines(), start=1):
        ticks = re.match(r" {0,3}(`{3,}|~{3,})\s*(\S*)\s*(.*?)\s*$", line)
        heading = re.match(r"(#{1,6})\s+(.*?)\s*#*\s*$", line)
        if fence is not None:
            if ticks and ticks[1].startswith(fence) and not ticks[2]:
                fence = None
            else:
                page.sections[-1].blocks[-1].text += line + "\n"
        elif ticks:
            fence = ticks[1]
            page.sections[-1].blocks.append(Block(ticks[2], ticks[3], number + 1, ""))
        else:
            page.prose += line + "\n"
            if heading:
                slug = github_slug(heading[2])
                page.anchors.add(f"{slug}-{counts[slug]}" if slug in counts else slug)
                counts[slug] = counts.get(slug, 0) + 1
                if len(heading[1]) <= 2:
                    page.sections.append(Section(heading[2]))
    page.anchors |= set(re.findall(r"<a\s+(?:id|name)=[\"']([^\"']+)", page.prose))
    return page


def github_slug(heading: str) -> str:
    """The anchor that GitHub gives a heading: lower case, punctuation dropped, a hyphen for every space."""
    heading = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    return re.sub(r"[^\w\- ]", "", html.unescape(heading).lower()).replace(" ", "-")


@functools.cache
def load(path: str) -> Page:
    return parse(path, (ROOT / path).read_text(encoding="utf-8"))


def without_code(prose: str) -> str:
    return re.sub(r"(`+)(?!`).+?(?<!`)\1(?!`)", "", prose)


# 1. Links -------------------------------------------------------------------------------------------------------------


def broken_links(page: Page) -> list[str]:
    """Each relative link of the page that lands nowhere."""
    prose = without_code(page.prose)
    targets = re.findall(r"\]\(\s*<?([^)\s>]+)", prose)
    targets += re.findall(r"^ {0,3}\[[^\]]+\]:\s*(\S+)", prose, flags=re.MULTILINE)
    targets += re.findall(r"<(?:a|img)\b[^>]*?\s(?:href|src)=[\"']([^\"']+)", prose)
    return [problem for target in targets if (problem := broken_link(page, target))]


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

# Reads [[source, ...], ...] (sections of blocks), writes the outputs alike; a section ends at its first error.
RUNNER = """
import contextlib, io, json, sys, traceback
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
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", RUNNER],
        input=json.dumps([[block.text for block in blocks] for blocks in sections]),
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=ENVIRONMENT,
        timeout=100,
    )
    if ran.returncode:
        return [f"the blocks of {page.path} ended Python: {ran.stderr[-1000:]}"]
    problems = []
    for section, blocks, results in zip(page.sections, sections, json.loads(ran.stdout), strict=True):
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
    text = page.prose + "".join(block.text for section in page.sections for block in section.blocks)
    outside = re.findall(r"(?<![\w.])(?:\.\./)+shared\b|(?<![\w.])/(?:work|root|home)/\w+", text)
    return outside + re.findall(r"\b(?:TODO|TBD|FIXME|XXX)\b(?=[:(]|$)", without_code(page.prose), flags=re.MULTILINE)
