"""The Makefile says in one line what is wrong, before anything is installed, and lists what it can do."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from page_checks import ROOT

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="this system has no make")

TEXT = (ROOT / "Makefile").read_text(encoding="utf-8")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A fresh clone of a course of two labs, as far as the Makefile looks at it; nothing is installed there."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    for name in ("lab04_mixed_precision", "lab07_tiny"):
        (tmp_path / "labs" / name).mkdir(parents=True)
        (tmp_path / "labs" / name / "lab.toml").touch()
    return tmp_path


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    # What make hands down to a make that it runs, and what a person may have set, would change what is tested.
    ours = ("PYTHON", "PIP_ARGS", "IMPL", "MAKEFLAGS", "MAKELEVEL", "MFLAGS")
    environment = {name: value for name, value in os.environ.items() if name not in ours} | {"PIP_NO_INDEX": "1"}
    command = ["make", "--no-print-directory", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60)


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def has_venv(folder: Path, python: str = "exit 0") -> None:
    """A .venv that looks ready; its Python does as it is told."""
    script(folder / ".venv" / "bin" / "python", python)
    (folder / ".venv" / "ready").write_text(f"{folder.resolve()}\n")
    for ready in ("ready-course", "ready-bench", "ready-site"):
        (folder / ".venv" / ready).touch()


def assert_refused(done: subprocess.CompletedProcess, *words: str) -> None:
    """One line that says it, and after it only make's own."""
    assert done.returncode != 0
    lines = [line for line in (done.stdout + done.stderr).splitlines() if not re.match(r"make: \*\*\* \[", line)]
    assert len(lines) == 1, lines
    assert [word for word in words if word not in lines[0]] == [], lines[0]


# Help -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [(), ("help",)], ids=["make", "make help"])
def test_help_lists_every_target(copy: Path, arguments: tuple[str, ...]) -> None:
    done = make(copy, *arguments)
    assert done.returncode == 0
    listed = set(re.findall(r"^  (\S+) +\S", done.stdout, re.MULTILINE))
    patterns = {name.replace("%", "04") for name in re.findall(r"^([a-z-]+%):", TEXT, re.MULTILINE)}
    assert patterns >= {f"{name}-lab04" for name in ("test", "run", "demo", "check", "unseen", "proof")}
    assert listed == phony() | patterns
    assert not (copy / ".venv").exists()


def test_help_names_the_labs_that_are_there(copy: Path) -> None:
    assert "The labs here:\n  lab04_mixed_precision\n  lab07_tiny\n" in make(copy, "help").stdout
    shutil.rmtree(copy / "labs" / "lab04_mixed_precision")
    said = make(copy, "help").stdout
    assert "  test-lab07 " in said and "lab04" not in said
    shutil.rmtree(copy / "labs")
    assert make(copy, "help").returncode == 0


def test_help_fits_the_terminal(copy: Path) -> None:
    assert [line for line in make(copy, "help").stdout.splitlines() if len(line) > 80] == []


def test_every_target_that_makes_no_file_is_phony(copy: Path) -> None:
    """Else a file or folder of that name would stop it."""
    targets = set(re.findall(r"^([a-z][a-z-]*):", TEXT, re.MULTILINE))
    assert targets == phony()


def phony() -> set[str]:
    return set(" ".join(re.findall(r"^\.PHONY: (.*)$", TEXT, re.MULTILINE)).split())


# A lab that is not there ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", re.findall(r"^([a-z-]+%):", TEXT, re.MULTILINE))
def test_unknown_lab_is_refused(copy: Path, target: str) -> None:
    has_venv(copy)
    done = make(copy, target.replace("%", "99"))
    assert done.returncode != 0
    (line,) = (done.stdout + done.stderr).splitlines()
    assert line.endswith("there is no lab99; the labs are: lab04 lab07.  Stop.")


def test_options_reach_the_suite(copy: Path) -> None:
    has_venv(copy, 'echo "$@"')
    done = make(copy, "test-lab04", "IMPL=solutions", "STEP=2", "SEED=7", "DEVICE=cuda")
    assert done.returncode == 0
    words = done.stdout.split()
    assert words[:2] == ["-m", "pytest"]
    assert "tests/test_mixed_precision.py" in words
    for option, value in {"--impl": "solutions", "--step": "2", "--seed": "7", "--device": "cuda"}.items():
        assert words[words.index(option) + 1] == value
    words = make(copy, "test-lab04").stdout.split()
    assert words[words.index("--impl") + 1] == "src"
    assert not {"--step", "--seed", "--device"} & set(words)


def test_options_reach_the_report(copy: Path) -> None:
    has_venv(copy, 'echo "$@"')
    done = make(copy, "report-lab04", "IMPL=solutions", "ONLY=banner,speed")
    assert done.stdout.split() == ["-m", "labkit", "report", "lab04", "--impl", "solutions", "--only", "banner,speed"]
    assert make(copy, "report-lab04").stdout.split() == ["-m", "labkit", "report", "lab04", "--impl", "src"]


PASSED_ON = {
    "run-lab07": ["run", "lab07", "--nproc", "1", "--impl", "src"],
    "run-lab07 NPROC=2 IMPL=solutions ARGS='--dtype fp16'": (
        ["run", "lab07", "--nproc", "2", "--impl", "solutions", "--dtype", "fp16"]
    ),
    "demo-lab07": ["demo", "lab07"],
    "demo": ["demo", "lab04"],
    "ddp": ["run", "lab04", "--nproc", "2", "--impl", "src", "--strategy", "ddp"],
    "proof-lab07 SEEDS=3": ["proof", "lab07", "--seeds", "3"],
    "proof-lab07 MUTANTS=1": ["proof", "lab07", "--mutants"],
    "unseen-lab07 FOLDER='an answer'": ["unseen", "lab07", "an", "answer"],
    "check-lab07": ["check-lab", "lab07"],
    "new-lab NUMBER=9 STEM=small STEPS=3": ["new-lab", "--number", "9", "--stem", "small", "--steps", "3"],
    "new-lab NUMBER=9 STEM=small": ["new-lab", "--number", "9", "--stem", "small", "--steps", "1"],
}


@pytest.mark.parametrize(("typed", "passed_on"), PASSED_ON.items(), ids=PASSED_ON.keys())
def test_options_reach_labkit(copy: Path, typed: str, passed_on: list[str]) -> None:
    has_venv(copy, 'echo "$@"')
    assert make(copy, *shlex.split(typed)).stdout.split() == ["-m", "labkit", *passed_on]


@pytest.mark.parametrize(
    ("typed", "remedy"),
    [("new-lab", "make new-lab NUMBER=9 STEM=tiny STEPS=3"), ("unseen-lab07", "make unseen-lab07 FOLDER=path")],
)
def test_missing_word_is_asked_for(copy: Path, typed: str, remedy: str) -> None:
    has_venv(copy)
    assert_refused(make(copy, typed), remedy)


def test_tests_say_how_long_they_take_and_lint_first(copy: Path) -> None:
    has_venv(copy, 'echo "$@"')
    first, *others = make(copy, "test").stdout.splitlines()
    minutes = re.fullmatch(
        r"make test: lint, then the course's own tests; (\d+ to \d+ minutes) on two cores, by their speed", first
    )[1]
    assert minutes in (ROOT / "README.md").read_text(encoding="utf-8")
    assert [line.split()[1] for line in others] == ["ruff", "ruff", "mypy", "pytest"]
    assert "--durations=10" in others[-1]


def test_failing_lint_fails_the_tests(copy: Path) -> None:
    has_venv(copy, 'case "$*" in *mypy*) exit 1;; *) echo "$@";; esac')
    done = make(copy, "test")
    assert done.returncode != 0 and "pytest" not in done.stdout


def test_site_that_is_not_right_fails_make(copy: Path) -> None:
    has_venv(copy, 'echo "$@"; case "$*" in *sphinx*) exit 1;; esac')
    done = make(copy, "site-open", "PORT=8001")
    assert done.returncode != 0 and "site-open" not in done.stdout
    has_venv(copy, 'echo "$@"')
    *_, written, opened = make(copy, "site-open", "PORT=8001").stdout.splitlines()
    assert written.startswith("Written: build/site/index.html") and opened == "-m labkit site-open --port 8001"


def test_failing_suite_fails_make(copy: Path) -> None:
    has_venv(copy, '[ "$1" = -c ]')
    assert make(copy, "test-lab04").returncode != 0


# A Python that will not do ----------------------------------------------------------------------------------------


def test_missing_python_is_refused(copy: Path) -> None:
    assert_refused(make(copy, "demo", "PYTHON=/nonexistent"), "there is no /nonexistent", "make PYTHON=")
    assert not (copy / ".venv").exists()


def test_old_python_is_refused(copy: Path) -> None:
    old = script(copy / "python3.9", '[ "$1" = --version ] && echo "Python 3.9.18"')
    assert_refused(make(copy, "demo", f"PYTHON={old}"), "is Python 3.9.18", "needs 3.11, 3.12 or 3.13")
    assert not (copy / ".venv").exists()


def test_python_without_venv_is_refused(copy: Path) -> None:
    bare = script(copy / "python3", f'case "$*" in *venv*) exit 1;; *) exec {sys.executable} "$@";; esac')
    assert_refused(make(copy, "demo", f"PYTHON={bare}"), "has no venv module", "apt install python3-venv")
    assert not (copy / ".venv").exists()


# An installation that stopped half-way, or was made elsewhere ------------------------------------------------------


def test_failed_installation_is_one_line_and_tried_again(copy: Path) -> None:
    """Without a network pip fails: the .venv is there, but not ready."""
    said = "WARNING: retrying\nERROR: No matching distribution found for torch==2.13.0\nWARNING: no network"
    pip = script(copy / "pip-fails", f'case "$*" in *pip*) echo "{said}"; exit 1;; *) exit 0;; esac')
    python = script(copy / "python3", f'[ "$2" = venv ] && mkdir -p .venv/bin && cp {pip} .venv/bin/python; exit 0')
    for _ in range(2):
        done = make(copy, "demo", f"PYTHON={python}")
        assert done.returncode != 0
        lines = [line for line in (done.stdout + done.stderr).splitlines() if not re.match(r"make: \*\*\* \[", line)]
        assert [line.partition(":")[0] for line in lines] == ["Setting up .venv once", "make"]
        assert "ERROR: No matching distribution found for torch==2.13.0" in lines[1]
        assert (copy / ".venv" / "pip.log").read_text().startswith("WARNING: retrying")
        assert not (copy / ".venv" / "ready").exists()
    section = re.search(r"see '(.+?)' in README", lines[1])[1]
    assert f"## {section}\n" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_venv_whose_python_has_gone_is_rebuilt(copy: Path) -> None:
    has_venv(copy, "exit 127")
    assert_refused(make(copy, "demo", "PYTHON=/nonexistent"), "there is no /nonexistent")
    assert (copy / ".venv").exists()  # nobody loses anything by asking for help
    assert "-m venv --clear .venv" in make(copy, "--dry-run", "demo").stdout


def test_venv_of_a_clone_that_was_renamed_is_rebuilt(copy: Path) -> None:
    """It would look for labkit where the clone was."""
    has_venv(copy)
    assert "venv" not in make(copy, "--dry-run", "status").stdout.replace(".venv", "")
    moved = copy.rename(copy.with_name("moved"))
    assert "-m venv --clear .venv" in make(moved, "--dry-run", "status").stdout
    python = script(moved / "python3", 'case "$*" in *venv*) mkdir -p .venv/bin;; esac; exit 0')
    script(moved / ".venv" / "bin" / "python", 'echo "$@"')
    done = make(moved, "status", f"PYTHON={python}")
    assert done.stdout.splitlines() == [
        "Setting up .venv again, because this folder or its Python has moved: a few minutes, most of it PyTorch",
        "-c import matplotlib.pyplot, pytest, torch._dynamo, torch.distributed.fsdp",
        "-m labkit status",
    ]
    assert make(moved, "status").stdout.splitlines() == ["-m labkit status"]


def test_linked_venv_is_not_emptied(copy: Path, tmp_path: Path) -> None:
    """It belongs to another folder: setting up here would clear it there."""
    other = tmp_path / "other"
    has_venv(other)
    (copy / ".venv").symlink_to(other / ".venv")
    assert_refused(make(copy, "status"), f".venv is a link to {other / '.venv'}", "rm .venv")
    assert (other / ".venv" / "ready").exists()


def test_newer_requirements_are_installed(copy: Path) -> None:
    has_venv(copy)
    os.utime(copy / ".venv" / "ready", (1e9, 1e9))  # in 2001
    assert_refused(make(copy, "demo", "PYTHON=/nonexistent"), "there is no /nonexistent")
