"""Every page keeps its promises: links land, Python blocks print what the page says, commands exist.

How a page marks its blocks, and what is checked: page_checks.py and command_checks.py beside this file.
"""

import re
import tomllib
from pathlib import Path

import pytest
from command_checks import failed_runs, unknown_commands
from page_checks import ROOT, Page, broken_link, broken_links, leftovers, load, parse, wrong_outputs

PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ("README.md", "docs/*.md", "labs/*/README.md")
    for path in ROOT.glob(pattern)
)
CODE = sorted(
    path
    for wing in ("src", "solutions", "tests", "labs")
    for path in (ROOT / wing).rglob("*.py")
    if path.parent != Path(__file__).parent
)
AT_THE_ROOT = Page("README.md", [], "", set())


@pytest.mark.parametrize("path", PAGES)
def test_every_link_lands(path: str) -> None:
    assert broken_links(load(path)) == []


@pytest.mark.parametrize("path", PAGES)
def test_python_blocks_print_what_the_page_says(path: str) -> None:
    problems = wrong_outputs(load(path))
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize("path", PAGES)
def test_every_command_exists(path: str) -> None:
    problems = unknown_commands(load(path))
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize("path", PAGES)
def test_marked_commands_run(path: str) -> None:
    problems = failed_runs(load(path))
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize("path", PAGES)
def test_nothing_is_left_over(path: str) -> None:
    assert leftovers(load(path)) == []


@pytest.mark.parametrize("path", sorted(ROOT.glob("labs/*/lab.toml")), ids=lambda path: path.parent.name)
def test_every_reading_of_a_lab_lands(path: Path) -> None:
    """A step and a behaviour name a heading of the lab's reading."""
    lab = tomllib.loads(path.read_text(encoding="utf-8"))
    targets = {f"{lab['reading']}#{part['read']}" for part in lab["steps"] + lab["behaviours"]}
    assert [problem for target in sorted(targets) if (problem := broken_link(AT_THE_ROOT, target))] == []


def test_every_page_that_code_names_exists() -> None:
    """A failure message that says where to read sends nobody to a heading that is gone."""
    named = {(f.name, link) for f in CODE for link in re.findall(r"docs/\w+\.md(?:#[\w-]+)?", f.read_text("utf-8"))}
    assert [f"{name}: {problem}" for name, link in sorted(named) if (problem := broken_link(AT_THE_ROOT, link))] == []


# The checks themselves can fail ---------------------------------------------------------------------------------------

FENCE = "`" * 3


@pytest.mark.parametrize(
    ("check_page", "text", "complaint"),
    [
        (broken_links, "[here](nowhere.md)", "no such file"),
        (broken_links, "# One\n[two](#two)", "no such heading"),
        (wrong_outputs, f"{FENCE}python\nprint(1)\n{FENCE}\n{FENCE}text\n2\n{FENCE}\n", "this was printed"),
        (wrong_outputs, f"{FENCE}python\nprint(1)\n{FENCE}\n", "no text block"),
        (wrong_outputs, f"# A\n{FENCE}python\nx = 1\n{FENCE}\n# B\n{FENCE}python\nx\n{FENCE}\n", "NameError"),
        (unknown_commands, f"{FENCE}bash\nmake no-such-target\n{FENCE}\n", "no target no-such-target"),
        (unknown_commands, "`python src/no_such_file.py --dtype fp16`", "no file"),
        (unknown_commands, "`torchrun --no-such-option=2`", "knows no --no-such-option"),
        (unknown_commands, f"{FENCE}console\n$ cd . && A=1 pytest --nosuch\n{FENCE}\n", "knows no --nosuch"),
        (failed_runs, f"{FENCE}bash run\nfalse | true\n{FENCE}\n", "exit code 1"),
        (failed_runs, f"{FENCE}bash run\nmake test\n{FENCE}\n", "no make but"),
        (leftovers, "see ../shared/notes.md", "../shared"),
        (leftovers, "TODO: write this", "TODO"),
    ],
)
def test_a_broken_page_is_caught(check_page, text: str, complaint: str) -> None:
    problems = check_page(parse("README.md", text))
    assert len(problems) == 1
    assert complaint in problems[0]


def test_slugs_are_those_of_github() -> None:
    text = "# What `autocast` does, in one line!\n## Twice\n## Twice\n"
    assert parse("README.md", text).anchors == {"what-autocast-does-in-one-line", "twice", "twice-1"}
