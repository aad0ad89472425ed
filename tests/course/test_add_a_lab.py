"""The first day of somebody who adds a lab: files only, in a copy of the repository, and the course takes them up.

The files are the smallest that make a lab; docs/maintainers.md lists them in this order.
"""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from page_checks import ENVIRONMENT, ROOT

FILES = {
    "labs/lab01_tiny/lab.toml": """\
number = 1
title = "Tiny"
stem = "tiny"
reading = "docs/01_tiny.md"
goal = "Double a tensor."

[[steps]]
number = 1
title = "Doubling"
minutes = 5
read = "doubling"
hints = ["What is twice a number?", "A sum of two equal terms.", "`x + x`"]
[steps.todo]
double = "add x to itself"

[[behaviours]]
id = "test_double_is_twice"
step = 1
points = 3
read = "doubling"
why = "Twice is the least that doubling can mean."
""",
    "docs/01_tiny.md": "# Tiny\n\n## Doubling\n\nTwice x is x + x.\n",
    "solutions/tiny.py": '''\
"""Lab 01: tiny."""

from torch import Tensor


def double(x: Tensor) -> Tensor:
    """Twice `x`."""
    return _sum(x, x)


def _sum(x: Tensor, y: Tensor) -> Tensor:
    return x + y
''',
    "tests/scenarios/tiny.py": '''\
"""What the suite of Lab 01 makes the code under test do."""

from torch import Tensor

from labkit.observe.local import Lab


def doubled(lab: Lab, x: Tensor) -> Tensor:
    """What double makes of `x`."""
    return lab.double(x)
''',
    "tests/test_tiny.py": '''\
"""The graded suite of Lab 01."""

from labkit.judge.expect import Tolerance, expect
from scenarios import tiny as lab01

EXACT = Tolerance("doubling moves the exponent only", atol=0.0)


def test_double_is_twice(observe, draw):
    x = draw.normal(4)
    seen = observe(lab01.doubled, x=x)
    expect(seen, "double(x)").close_to(2 * x, EXACT, why="add x to itself")
''',
    "tests/mistakes/tiny/squares.py": '"""squares instead of doubling."""\n\n\ndef double(x):\n    return x * x\n',
}


# Each run of pytest in a process forked from one that has imported torch already: four imports less.
RUNNER = """
import json, sys, tempfile
from pathlib import Path
import pytest
from labkit.observe.child import run_forked

runs = json.load(sys.stdin)
with tempfile.TemporaryDirectory() as scratch:
    outputs = dict(run_forked(lambda run: pytest.main(runs[run]), len(runs), Path(scratch)))
print(json.dumps([outputs[run] for run in range(len(runs))]))
"""
GRADED = ["-q", "--no-header", "-p", "no:cacheprovider", "tests/test_tiny.py"]
RUNS = {
    "solution": [*GRADED, "--impl", "solutions"],
    "stub": GRADED,
    "mistake": [*GRADED, "--impl", "solutions", "--overlay", "tests/mistakes/tiny/squares.py"],
    "checks": ["-q", "-p", "no:cacheprovider", "-k", "lab01"]
    + [f"tests/course/test_{name}.py" for name in ("manifest", "skeleton", "handout", "pages")],
}


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What each of the runs prints in a copy of the repository that has a second lab, its stubs made."""
    copy = tmp_path_factory.mktemp("course") / "copy"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".*", "__pycache__", "runs", "mixed_precision"))
    for name, text in FILES.items():
        path = copy / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    made = python(copy, "-m", "labkit", "skeletons")
    for name in ("labs/lab01_tiny/skeleton.py", "src/tiny.py", "labs/lab01_tiny/README.md"):
        assert f"{name}: written" in made, made
    outputs = json.loads(python(copy, "-c", RUNNER, given=json.dumps(list(RUNS.values()))))
    return dict(zip(RUNS, outputs, strict=True))


def python(copy: Path, *arguments: str, given: str = "") -> str:
    """What Python prints in the copy, with the copy's own labkit."""
    environment = ENVIRONMENT | {"PYTHONPATH": str(copy / "src"), "CI": "true"}
    ran = subprocess.run(
        [sys.executable, *arguments], cwd=copy, env=environment, input=given, capture_output=True, text=True, timeout=90
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_solution_gets_every_point(printed: dict[str, str]) -> None:
    assert "Lab 01: Tiny, solutions/tiny.py" in printed["solution"]
    assert "  3 of   3  1 passed" in printed["solution"]
    assert "Everything passed." in printed["solution"]


def test_stub_gets_none_and_is_told_what_to_do(printed: dict[str, str]) -> None:
    assert "  0 of   3  1 todo" in printed["stub"]
    assert "Next: step 1, write double in src/tiny.py" in printed["stub"]
    assert "Read docs/01_tiny.md#doubling, then: make test-lab01 STEP=1" in printed["stub"]


def test_mistake_is_caught(printed: dict[str, str]) -> None:
    assert "  0 of   3  1 failed" in printed["mistake"]
    assert "cause:    add x to itself" in printed["mistake"]


def test_checks_of_the_course_take_it_up(printed: dict[str, str]) -> None:
    """What tells a maintainer that something is missing is content with these files."""
    assert re.search(r"^\d+ passed, \d+ deselected", printed["checks"], re.MULTILINE), printed["checks"]
