"""Puts into the pages what the experiments measured: below each of their pictures what to notice, and on which machine.

In a page, a picture's dark twin and the quotation right after it are made here, and so is what is between BEGIN and
END, and between `<!-- table of NAME: made by make figures -->` and END. No number that was measured is typed by hand,
so none can be out of date.
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
BEGIN = "<!-- machine: made by make figures -->"
END = "<!-- end -->"
WIDTH = 130  # of the lines of a quotation

PICTURE = re.compile(
    r"^(?:<picture>.*)?(!\[[^\]\n]*\]\(([^)\n]*figures/([\w-]+))\.png\))(?:</picture>)?\n+(?:>.*\n+)*", re.MULTILINE
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


def brought_up_to_date(text: str, found: dict[str, Measured]) -> str:
    """The page `text` with the notices, tables and machine of `found`; other pictures than theirs stay as they are."""

    def with_notice(match: re.Match[str]) -> str:
        picture, path, name = match.groups()
        if name not in found:
            return match[0]
        dark = f'<source media="(prefers-color-scheme: dark)" srcset="{path}-dark.png">'
        return f"<picture>{dark}{picture}</picture>\n\n{quotation(found[name])}\n\n"

    text = PICTURE.sub(with_notice, text)
    text = TABLE.sub(lambda match: f"{match[1]}\n{table(found[match[2]])}\n{END}", text)
    return MACHINE.sub(lambda _: f"{BEGIN}\n{machine(found)}\n{END}", text)


def quotation(one: Measured) -> str:
    """What to notice about `one`, as a quotation in Markdown."""
    notice = module(one["experiment"]).notice(one["data"])
    lines = textwrap.wrap(notice, WIDTH - 2, break_long_words=False, break_on_hyphens=False)
    return "\n".join(f"> {line}" for line in lines)


def table(one: Measured) -> str:
    """The table of `one` in Markdown, and when and with which versions it was measured."""
    headings, *rows = module(one["experiment"]).table(one["data"])
    lines = [headings, ["---", *("--:" for _ in headings[1:])], *rows]
    hardware = one["machine"]
    when = f"Measured on {one['date']} with PyTorch {hardware['torch']}, Python {hardware['python']}."
    return "\n".join([*(f"| {' | '.join(line)} |" for line in lines), "", when])


def machine(found: dict[str, Measured]) -> str:
    """On what `found` was measured, in a sentence; each machine once where there are several."""
    return "\n".join(dict.fromkeys(_sentence(one["machine"]) for one in found.values()))


def _sentence(hardware: dict[str, Any]) -> str:
    gpu = hardware["gpu"] or "no GPU"
    return (
        f"Measured on: {hardware['cpu']}, {hardware['cores']} cores, {gpu}, PyTorch {hardware['torch']}, "
        f"Python {hardware['python']}."
    )


def write_pages() -> list[str]:
    """Brings every page up to date with docs/figures; says what was written. Raises LabError."""
    found, said = measured(), []
    for path in pages():
        old = path.read_text(encoding="utf-8")
        new = brought_up_to_date(old, found)
        if new != old:
            write_whole(path, new.encode())
            said.append(f"written: {path.relative_to(ROOT)}")
    return said
