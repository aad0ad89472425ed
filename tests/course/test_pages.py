"""Every page keeps its promises: links land, Python blocks print what the page says, commands exist.

How a page marks its blocks, and what is checked: page_checks.py and command_checks.py beside this file.
"""

import re
from pathlib import Path

import pytest
from command_checks import failed_runs, unknown_commands
from page_checks import LIMIT, ROOT, Page, broken_link, broken_links, leftovers, load, parse, wrong_outputs

from labkit.course import manifest, pages
from labkit.course.manifest import Lab

LABS = manifest.load_all()
OWNERS = {lab.reading: lab.name for lab in LABS} | {
    path.relative_to(ROOT).as_posix(): lab.name for lab in LABS for path in lab.folder.glob("*.md")
}
SHARED = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "README.md", *ROOT.glob("docs/**/*.md")))
CODE = sorted(
    path
    for directory in ("src", "solutions", "tests", "labs")
    for path in (ROOT / directory).rglob("*.py")
    if path.parent != Path(__file__).parent
)
OUTSIDE = str(Path("..", "shared"))
AT_THE_ROOT = Page("README.md", [], set())

# `-k lab04` selects the pages of Lab 04: its handout, its misconceptions and its reading.
every_page = pytest.mark.parametrize(
    "path", [pytest.param(path, id=f"{OWNERS.get(path, 'shared')}:{path}") for path in sorted({*SHARED, *OWNERS})]
)


@every_page
def test_every_link_lands(path: str) -> None:
    assert broken_links(load(path)) == []


@pytest.mark.timeout(LIMIT + 20)
@every_page
def test_python_blocks_print_what_the_page_says(path: str) -> None:
    problems = wrong_outputs(load(path))
    assert not problems, "\n".join(problems)


@every_page
def test_every_command_exists(path: str) -> None:
    problems = unknown_commands(load(path))
    assert not problems, "\n".join(problems)


@every_page
def test_marked_commands_run(path: str) -> None:
    problems = failed_runs(load(path))
    assert not problems, "\n".join(problems)


@every_page
def test_nothing_is_left_over(path: str) -> None:
    assert leftovers(load(path)) == []


@pytest.mark.parametrize("lab", LABS, ids=lambda lab: lab.name)
def test_every_reading_of_a_lab_lands(lab: Lab) -> None:
    """A step and a behaviour name a heading of the lab's reading."""
    targets = {f"{lab.reading}#{part.read}" for part in (*lab.steps, *lab.behaviours)}
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
        (broken_links, "<img width='9' src='nowhere.svg'>", "no such file"),
        (wrong_outputs, f"{FENCE}python\nprint(1)\n{FENCE}\n{FENCE}text\n2\n{FENCE}\n", "this was printed"),
        (wrong_outputs, f"{FENCE}python\nprint(1)\n{FENCE}\n", "no text block"),
        (wrong_outputs, f"# A\n{FENCE}python\nx = 1\n{FENCE}\n# B\n{FENCE}python\nx\n{FENCE}\n", "NameError"),
        (unknown_commands, f"{FENCE}bash\nmake no-such-target\n{FENCE}\n", "no target no-such-target"),
        (unknown_commands, "`python src/no_such_file.py --dtype fp16`", "no file"),
        (unknown_commands, "`torchrun --no-such-option=2`", "knows no --no-such-option"),
        (unknown_commands, "`python -m labkit no-such-command`", "labkit no-such-command --help fails"),
        (unknown_commands, f"{FENCE}console\n$ cd . && A=1 pytest --nosuch\n{FENCE}\n", "knows no --nosuch"),
        (failed_runs, f"{FENCE}bash run\nfalse | true\n{FENCE}\n", "exit code 1"),
        (failed_runs, f"{FENCE}bash run\nmake test\n{FENCE}\n", "no make but"),
        (leftovers, f"see {OUTSIDE}/notes.md", OUTSIDE),
        (leftovers, "TODO: write this", "TODO"),
    ],
)
def test_a_broken_page_is_caught(check_page, text: str, complaint: str) -> None:
    problems = check_page(parse("README.md", text))
    assert len(problems) == 1
    assert complaint in problems[0]


def test_headings_are_named_and_numbered_as_github_does() -> None:
    text = "# What `autocast` does, in *one* [line](#x)!\n## Twice\n\nTwice\n---\n## Twice-1\n"
    text += "~~~\n# no heading\n~~~\n> # Quoted &amp; `__init__`\n"
    assert pages.headings(text) == [
        ("what-autocast-does-in-one-line", 1),
        ("twice", 2),
        ("twice-1", 4),
        ("twice-1-1", 6),
        ("quoted--__init__", 10),
    ]


def test_blocks_are_found_where_markdown_has_them() -> None:
    """Inside a list a block is indented; a fence of four marks may hold one of three; indented text is no fence."""
    text = "- item\n\n  ~~~python varies\n  x = 1\n  ~~~\n\n````text\n```\n````\n\ntext\n\n    ```bash\n"
    blocks = [(block.language, block.mark, block.line, block.text) for block in parse("README.md", text).blocks]
    assert blocks == [("python", "varies", 4, "x = 1\n"), ("text", "", 8, "```\n")]


def test_links_in_code_are_no_links() -> None:
    text = "`[a](b.md)` ![picture](c.png) [d][e] <img alt='f' src='g.png'>\n\n[e]: h.md#i%20j\n"
    assert parse("README.md", text).links == ["c.png", "h.md#i j", "g.png"]
