"""Puts into the pages what the experiments measured: below each of their pictures what to notice, and on which machine.

In a page, a picture's dark twin and the quotation right after it are made here, and so is what is between BEGIN and
END, and between `<!-- table of NAME: made by make figures -->` and END. No number that was measured is typed by hand,
so none can be out of date.

NAME is an experiment, or a benchmark: a JSON file in docs/benchmarks with what another machine measured. That is what
an experiment shows (`experiment`, `data`), or the rows of a table (`rows`), or what a command printed (`text`).
"""

import json
import re
import textwrap
from pathlib import Path
from typing import Any

from labkit.course.files import write_whole
from labkit.course.manifest import ROOT
from labkit.experiments.running import Measured, module, owners

FIGURES = ROOT / "docs" / "figures"
BENCHMARKS = ROOT / "docs" / "benchmarks"
BEGIN = "<!-- machine: made by make figures -->"
END = "<!-- end -->"
WIDTH = 130  # of the lines of a quotation

PICTURE = re.compile(
    r"^(?:<picture>.*)?(!\[[^\]\n]*\]\(([^)\n]*(?:figures|benchmarks)/([\w-]+))\.png\))(?:</picture>)?\n+(?:>.*\n+)*",
    re.MULTILINE,
)
TABLE = re.compile(
    rf"^(<!-- table of ([\w-]+): made by make figures -->).*?^{re.escape(END)}", re.DOTALL | re.MULTILINE
)
MACHINE = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)


def pages() -> list[Path]:
    """Every page that may show a picture."""
    return sorted([*(ROOT / "docs").glob("*.md"), *(ROOT / "labs").glob("*/README.md")])


def measured(figures: Path = FIGURES) -> dict[str, Measured]:
    """What each experiment's JSON file in `figures` holds, by its name."""
    return {name: json.loads((figures / f"{name}.json").read_text("utf-8")) for name in owners()}


def benchmarks(folder: Path = BENCHMARKS) -> dict[str, Measured]:
    """What each JSON file in `folder` holds, by its name."""
    return {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(folder.glob("*.json"))}


def brought_up_to_date(text: str, figures: dict[str, Measured], elsewhere: dict[str, Measured]) -> str:
    """The page `text` with the notices and tables of both, and the machine of `figures`; other pictures stay."""
    found = figures | elsewhere

    def with_notice(match: re.Match[str]) -> str:
        picture, path, name = match.groups()
        if name not in found:
            return match[0]
        dark = f'<source media="(prefers-color-scheme: dark)" srcset="{path}-dark.png">'
        return f"<picture>{dark}{picture}</picture>\n\n{quotation(found[name])}\n\n"

    text = PICTURE.sub(with_notice, text)
    text = TABLE.sub(lambda match: f"{match[1]}\n{table(found[match[2]])}\n{END}", text)
    return MACHINE.sub(lambda _: f"{BEGIN}\n{machine(figures)}\n{END}", text)


def quotation(one: Measured) -> str:
    """What to notice about `one`, as a quotation in Markdown."""
    notice = module(one["experiment"]).notice(one["data"])
    lines = textwrap.wrap(notice, WIDTH - 2, break_long_words=False, break_on_hyphens=False)
    return "\n".join(f"> {line}" for line in lines)


def table(one: Measured) -> str:
    """The table of `one` in Markdown, or what it printed, and when, on what and with which versions it was measured."""
    if "text" in one:
        lines = ["```text", *one["text"], "```"]
    else:
        headings, *rows = one["rows"] if "rows" in one else module(one["experiment"]).table(one["data"])
        lines = [f"| {' | '.join(line)} |" for line in (headings, ["---", *("--:" for _ in headings[1:])], *rows)]
    hardware = one["machine"]
    on = f" on {hardware['gpu']}, {hardware['cpu']} with {hardware['cores']} cores," if hardware["gpu"] else ""
    versions = f"PyTorch {hardware['torch']}, Python {hardware['python']}"
    return "\n".join([*lines, "", f"Measured on {one['date']}{on} with {versions}."])


def machine(found: dict[str, Measured]) -> str:
    """On what `found` was measured: the machine of most, then the others with what they measured."""
    names: dict[str, list[str]] = {}
    for name, one in found.items():
        names.setdefault(_described(one["machine"]), []).append(name)
    most, *others = sorted(names, key=lambda described: -len(names[described]))
    also = [f"Another machine measured {_listed(names[other])}: {other}." for other in others]
    return "\n\n".join([f"Measured on: {most}.", *also])


def _listed(names: list[str]) -> str:
    *all_but_last, last = [f"`{name}`" for name in sorted(names)]
    return f"{', '.join(all_but_last)} and {last}" if all_but_last else last


def _described(hardware: dict[str, Any]) -> str:
    gpu = hardware["gpu"] or "no GPU"
    versions = f"PyTorch {hardware['torch']}, Python {hardware['python']}"
    return f"{hardware['cpu']}, {hardware['cores']} cores, {gpu}, {versions}"


def write_pages() -> list[str]:
    """Brings every page up to date with what was measured; says what was written. Raises LabError."""
    figures, elsewhere, said = measured(), benchmarks(), []
    for path in pages():
        old = path.read_text(encoding="utf-8")
        new = brought_up_to_date(old, figures, elsewhere)
        if new != old:
            write_whole(path, new.encode())
            said.append(f"written: {path.relative_to(ROOT)}")
    return said
