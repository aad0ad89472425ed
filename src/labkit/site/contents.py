"""In which order the site has the pages, and what Sphinx has to know of them beyond their Markdown."""

from collections.abc import Iterator
from pathlib import Path

from labkit.course.manifest import load_all

ROOT_PAGE = "README"
GLOSSARY = "docs/glossary"
TOOLBOX = "docs/toolbox"
LABS, SHARED, INSTRUCTORS, MAINTAINERS = "Labs", "For every lab", "Instructors", "Maintainers"  # headings


def contents(root: Path, pages: set[str]) -> dict[str, list[str]]:
    """Every page but the first, by the heading over it; `pages` are the names of those that are there.

    A students' copy has no pages for instructors, so a heading may have none.
    """
    order = {
        LABS: [],
        SHARED: ["docs/distributed", GLOSSARY, "docs/troubleshooting"],
        INSTRUCTORS: ["docs/instructors"],
        MAINTAINERS: ["docs/maintainers", TOOLBOX, "CONTRIBUTING", "CHANGELOG"],
    }
    for lab in load_all(root):
        folder = f"labs/{lab.folder.name}"
        answers = f"{folder}/misconceptions"
        own = sorted(name for name in pages if name.startswith(f"{folder}/"))
        order[LABS] += [f"{folder}/README", lab.reading.removesuffix(".md"), *own]
        order[INSTRUCTORS].append(answers)
        order[LABS] = [name for name in dict.fromkeys(order[LABS]) if name != answers]
    placed = {name for group in order.values() for name in group}
    order[SHARED] += sorted(pages - placed - {ROOT_PAGE})
    return {heading: [name for name in group if name in pages] for heading, group in order.items()}


def toctrees(order: dict[str, list[str]]) -> str:
    """The order as Sphinx reads it at the end of the first page; GitHub never sees it."""
    blocks = [
        "\n".join(("```{toctree}", ":hidden:", f":caption: {heading}", "", *(f"/{name}" for name in group), "```"))
        for heading, group in order.items()
        if group
    ]
    return "\n\n" + "\n\n".join(blocks) + "\n"


def toolbox(root: Path) -> str:
    """A section for every module of the toolbox, which autodoc fills from its docstrings."""
    return "\n\n" + "\n\n".join(f"## {name}\n\n```{{eval-rst}}\n{_module(name)}```" for name in _modules(root)) + "\n"


def _modules(root: Path) -> Iterator[str]:
    for path in sorted((root / "src" / "labkit" / "toolbox").glob("*.py")):
        if path.stem not in ("__init__", "commands"):  # the latter are make's
            yield path.stem


def _module(name: str) -> str:
    return f".. automodule:: labkit.toolbox.{name}\n   :members:\n"
