"""Finds what the pages and commands of the students' copy tell them to use, and the copy lacks."""

import re
from collections.abc import Iterator
from pathlib import Path

from labkit.course import pages

LACKED = re.compile(r"IMPL=solutions|--impl[ =]solutions|(?<![\w/-])solutions/|(?<!\w)tests/course")
READ = (".md", ".ipynb", ".jinja", ".py")  # and the labs' manifests, whose hints are shown


def lacking(copy: Path) -> list[str]:
    """A line for each thing that is named and is not there: a solution, a test of the course, a target of make."""
    makefile = copy / "Makefile"
    rules = re.findall(r"^([a-z][\w%-]*):(?!=)", makefile.read_text(encoding="utf-8"), re.MULTILINE)
    targets = re.compile("|".join(rule.replace("%", r"\w+") for rule in rules))
    read = [path for path in copy.rglob("*") if path.suffix in READ]
    found = []
    for path in sorted([makefile, *copy.glob("labs/*/lab.toml"), *read]):
        name, text = path.relative_to(copy).as_posix(), path.read_text(encoding="utf-8")
        for number, line in enumerate(text.splitlines(), 1):
            found += [f"{name}, line {number}: names {match[0]}" for match in LACKED.finditer(line)]
        if path.suffix == ".md":
            absent = [target for target in _makes(text) if not targets.fullmatch(target)]
            found += [f"{name}: `make {target}` is not in the copy's Makefile" for target in absent]
    return found


def _makes(text: str) -> Iterator[str]:
    """The targets of make that a page's code names."""
    for token in pages.parse(text):
        for part in token.children or [token]:
            if part.type in ("code_inline", "code_block", "fence"):
                yield from re.findall(r"^(?:\$ )?make ([a-z][\w-]*)", part.content, re.MULTILINE)
