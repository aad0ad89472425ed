"""Every figure stands in a page, says what it shows, and what the page notes below it is what was measured."""

import json
import re

import pytest
from page_checks import ROOT

from labkit.experiments import pages, running

OWNERS = running.owners()
NAMES = [name for name in OWNERS if name != "bytes-per-rank"]  # that one is in docs/distributed.md
FIGURES = ROOT / "docs" / "figures"
NEAR = 12  # lines below a picture in which its command stands
PAGES = pages.pages()
SHOWN = [
    (path, line, match[1], match[2])
    for path in PAGES
    for line, text in enumerate(path.read_text("utf-8").splitlines())
    for match in re.finditer(r"!\[([^\]]*)\]\([^)]*figures/([\w-]+)\.png\)", text)
]


@pytest.mark.parametrize("name", sorted(path.stem for path in FIGURES.glob("*.json")))
def test_every_figure_is_shown_with_its_command(name: str) -> None:
    command = json.loads((FIGURES / f"{name}.json").read_text("utf-8"))["made by"]
    spots = [(path, line) for path, line, _, shown in SHOWN if shown == name]
    assert spots, f"no page shows {name}.png"
    below = [text for path, line in spots for text in path.read_text("utf-8").splitlines()[line : line + NEAR]]
    assert any(f"`{command}`" in text for text in below), f"no page has `{command}` below {name}.png"


@pytest.mark.parametrize("shown", SHOWN, ids=lambda shown: f"{shown[0].stem}-{shown[3]}")
def test_alt_text_says_what_is_seen(shown: tuple) -> None:
    assert len(shown[2].split()) >= 5


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_what_a_page_notes_is_what_was_measured(path) -> None:
    text = path.read_text("utf-8")
    fresh = pages.brought_up_to_date(text, pages.measured(), pages.benchmarks())
    assert fresh == text, "`python -m labkit figures --only-pages` fixes it"


@pytest.mark.parametrize("name", NAMES)
def test_the_reading_quotes_the_notice_word_for_word(name: str) -> None:
    measured = json.loads((FIGURES / f"{name}.json").read_text("utf-8"))
    lines = iter((ROOT / OWNERS[name].reading).read_text("utf-8").splitlines())
    next(line for line in lines if line.endswith(f"(figures/{name}.png)</picture>"))
    assert next(lines) == ""
    quoted = []
    while (line := next(lines)).startswith("> "):
        quoted.append(line[2:])
    assert " ".join(quoted) == running.module(name).notice(measured["data"])


def test_the_reading_names_the_machine_once() -> None:
    text = (ROOT / "docs" / "05_mixed_precision.md").read_text("utf-8")
    cpu = json.loads((FIGURES / "speed.json").read_text("utf-8"))["machine"]["cpu"]
    sentences = text[text.index(pages.BEGIN) : text.index(pages.END, text.index(pages.BEGIN))]
    assert text.count(pages.BEGIN) == text.count("Measured on: ") == sentences.count(cpu) == 1


def test_an_old_notice_is_replaced_and_a_missing_one_is_written() -> None:
    measured = pages.measured()
    picture = "![five words that say something](../figures/speed.png)"
    fresh = pages.brought_up_to_date(f"before\n\n{picture}\n\nafter\n", measured, {})
    dark = '<source media="(prefers-color-scheme: dark)" srcset="../figures/speed-dark.png">'
    whole = f"before\n\n<picture>{dark}{picture}</picture>\n\n"
    assert fresh == f"{whole}{pages.quotation(measured['speed'])}\n\nafter\n"
    assert pages.brought_up_to_date(f"{whole}> old\n> words\n\nafter\n", measured, {}) == fresh
    others = "![five words that say something](figures/by-hand.png)\n\n> by hand\n"
    assert pages.brought_up_to_date(others, measured, {}) == others


def test_an_old_table_is_replaced() -> None:
    measured = pages.measured()
    begin = "<!-- table of memory-at-scale: made by make figures -->"
    fresh = pages.brought_up_to_date(f"before\n\n{begin}\nold\n{pages.END}\n\nafter\n", measured, {})
    assert fresh == f"before\n\n{begin}\n{pages.table(measured['memory-at-scale'])}\n{pages.END}\n\nafter\n"
    assert pages.brought_up_to_date(fresh, measured, {}) == fresh
    assert measured["memory-at-scale"]["date"] in fresh and "| --: |" in fresh


def test_each_machine_is_named_with_what_it_measured() -> None:
    machine = {"cpu": "A", "cores": 2, "gpu": "", "torch": "2.13", "python": "3.11"}
    found = {name: {"machine": machine | {"cpu": cpu}} for name, cpu in zip("abcde", "ABABA", strict=True)}
    text = "{}, 2 cores, no GPU, PyTorch 2.13, Python 3.11."
    both = [f"Measured on: {text.format('A')}", f"Another machine measured `b` and `d`: {text.format('B')}"]
    assert pages.machine(found).split("\n\n") == both
    assert pages.machine({"a": found["a"]}) == both[0]
