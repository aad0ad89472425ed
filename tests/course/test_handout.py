"""The handouts keep up: the table of steps is the manifest's, and every run that is shown still goes like that.

A ```console block shows a command and what it prints when the lab file is the one that its info string names:
`skeleton`, `solutions`, or a mistake of `tests/mistakes` on top of the solution. A line `...` stands for any lines.
Whole numbers are exact; decimals may differ by a quarter, since rounding is the processor's business.
"""

import math
import re
import shlex
import shutil
from pathlib import Path

import pytest
from gang import torchrun
from graded_runs import grade
from msgspec import structs
from page_checks import Block, load
from small_course import small_course
from warm_python import python

from labkit.course import manifest
from labkit.course.errors import LabError
from labkit.course.handout import BEGIN, END, handout_of, table, write_handout
from labkit.course.manifest import Lab

LABS = manifest.load_all()
RUNS = [
    (lab, block)
    for lab in LABS
    for section in load(f"labs/{lab.folder.name}/README.md").sections
    for block in section.blocks
    if block.language == "console"
]
NUMBER = r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?"


@pytest.mark.parametrize("lab", LABS, ids=lambda lab: lab.name)
def test_table_of_steps_is_up_to_date(lab: Lab) -> None:
    text = lab.paths.handout.read_text(encoding="utf-8")
    assert handout_of(lab, text) == text, "run: make skeletons"


@pytest.mark.parametrize(
    ("lab", "block"), RUNS, ids=lambda part: f"line {part.line}" if type(part) is Block else part.name
)
def test_shown_run_is_true(lab: Lab, block: Block, tmp_path: Path) -> None:
    command, _, shown = block.text.partition("\n")
    printed = run(lab, command.removeprefix("$ "), block.mark, tmp_path)
    assert alike(shown, printed), f"line {block.line} shows\n{shown}\nbut this was printed\n{printed}"


def run(lab: Lab, command: str, author: str, folder: Path) -> str:
    """What `command` of a handout prints with the file of `author` in the place of the student's, here in `folder`."""
    source = lab.paths.skeleton if author == "skeleton" else lab.paths.solution
    file = folder / f"{lab.stem}.py"
    shutil.copy(source, file)
    program, *words = shlex.split(command)
    if program == "make":
        assert words[0] == f"test-{lab.name}"
        options: list[object] = ["--impl", folder]
        if author not in ("skeleton", "solutions"):
            (mistake,) = lab.paths.mistakes.glob(f"*/{author}.py")
            options += ["--overlay", mistake]
        for word in words[1:]:
            name, _, value = word.partition("=")
            options += [f"--{name.lower()}", value]
        printed = grade(*options, suite=lab.paths.suite).out
    elif program == "torchrun":
        assert words[0] == "--nproc-per-node=2" and words[1] == f"src/{lab.stem}.py"
        ran = torchrun(2, *words[2:], file=file)
        printed = ran.out + ran.err
    else:
        assert (program, words[0]) == ("python", f"src/{lab.stem}.py")
        ran = python(file, *words[1:])
        printed = ran.out + ran.err
    printed = re.sub(r"^ *file:///.*\n", "", printed, flags=re.MULTILINE)  # pages of a site that was built here
    return printed.replace(str(file), f"src/{lab.stem}.py").replace(f" IMPL={folder}", "")


def alike(shown: str, printed: str) -> bool:
    """Whether `printed` is what the page shows, up to what the head of this file allows."""
    numbers = re.findall(NUMBER, shown)
    lines = [
        r"(?:.*\n)*?"
        if line.strip() == "..."
        else f"({NUMBER})".join(re.escape(part) for part in re.split(NUMBER, line.rstrip())) + " *\n"
        for line in shown.splitlines()
    ]
    match = re.fullmatch("".join(lines), printed)
    return match is not None and all(map(close, numbers, match.groups()))


def close(shown: str, printed: str) -> bool:
    return shown == printed or ("." in shown and math.isclose(float(shown), float(printed), rel_tol=0.25, abs_tol=0.01))


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ("loss 0.31\n...\nskipped 6\n", "loss 0.30\na\nb\nskipped 6\n", True),
        ("loss 0.31\n", "loss 0.62\n", False),
        ("skipped 6\n", "skipped 7\n", False),
        ("loss 0.31\n", "Loss 0.31\n", False),
        ("a\n", "a\nb\n", False),
    ],
)
def test_a_run_that_changed_is_noticed(shown: str, printed: str, same: bool) -> None:
    assert alike(shown, printed) == same


@pytest.fixture
def tiny(tmp_path: Path) -> Lab:
    return small_course(tmp_path).lab


def test_only_the_table_is_replaced(tiny: Lab) -> None:
    new = f"before\n{BEGIN}\n{table(tiny)}\n{END}\nafter\n"
    assert handout_of(tiny, f"before\n{BEGIN}\nold\n{END}\nafter\n") == new


@pytest.mark.parametrize("text", ["", BEGIN, f"{END}\n{BEGIN}\n", f"{BEGIN}{END}{BEGIN}{END}"])
def test_a_handout_without_its_markers_is_refused(tiny: Lab, text: str) -> None:
    with pytest.raises(LabError, match=r"README\.md: the table of steps stands between"):
        handout_of(tiny, text)


@pytest.mark.parametrize("lab", LABS, ids=lambda lab: lab.name)
def test_table_sums_what_the_manifest_says(lab: Lab) -> None:
    rows = table(lab).splitlines()
    assert len(rows) == len(lab.steps) + 3
    cells = [[cell.strip() for cell in row.split("|")] for row in rows[2:]]
    assert sum(int(row[3]) for row in cells[:-1]) == int(cells[-1][3]) == lab.minutes
    assert sum(int(row[4]) for row in cells[:-1]) == int(cells[-1][4]) == lab.points


def test_class_of_several_methods_is_named_once(tiny: Lab) -> None:
    todo = dict.fromkeys(("Thing.half", "Thing.whole", "double"), "write it")
    step = structs.replace(tiny.steps[0], todo=todo)
    assert "| `Thing.half`, `.whole`, `double` |" in table(structs.replace(tiny, steps=(step,)))


def test_a_lab_without_a_handout_gets_a_beginning(tiny: Lab) -> None:
    tiny.paths.handout.unlink()
    assert write_handout(tiny) == ["labs/lab07_tiny/README.md: written"]
    assert table(tiny) in tiny.paths.handout.read_text(encoding="utf-8")
    assert write_handout(tiny) == ["labs/lab07_tiny/README.md: up to date"]
