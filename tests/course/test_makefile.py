"""The Makefile says in one line what is wrong, before anything is installed, and lists what it can do."""

import os
import re
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
    """A fresh clone, as far as the Makefile looks at it; nothing is installed there."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    for manifest in ROOT.glob("labs/*/lab.toml"):
        folder = tmp_path / "labs" / manifest.parent.name
        folder.mkdir(parents=True)
        shutil.copy(manifest, folder)
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
    for ready in ("ready", "ready-course", "ready-bench"):
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
    phony = set(re.search(r"^\.PHONY: (.*)$", TEXT, re.MULTILINE)[1].split())
    patterns = {name.replace("%", "04") for name in re.findall(r"^([a-z-]+%):", TEXT, re.MULTILINE)}
    assert patterns >= {"test-lab04", "proof-lab04"}
    assert listed == phony | patterns
    assert not (copy / ".venv").exists()


def test_every_target_that_makes_no_file_is_phony(copy: Path) -> None:
    """Else a file or folder of that name would stop it."""
    targets = set(re.findall(r"^([a-z][a-z-]*):", TEXT, re.MULTILINE))
    assert targets == set(re.search(r"^\.PHONY: (.*)$", TEXT, re.MULTILINE)[1].split())


# A lab that is not there ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", re.findall(r"^([a-z-]+%):", TEXT, re.MULTILINE))
def test_unknown_lab_is_refused(copy: Path, target: str) -> None:
    has_venv(copy)
    done = make(copy, target.replace("%", "99"))
    assert done.returncode != 0
    (line,) = (done.stdout + done.stderr).splitlines()
    assert "there is no lab99; there is lab04" in line


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


# An installation that stopped half-way ----------------------------------------------------------------------------


def test_failed_installation_is_tried_again(copy: Path) -> None:
    """Without a network pip fails: the .venv is there, but not ready."""
    pip = script(copy / "pip-fails", 'case "$*" in *pip*) echo no network; exit 1;; *) exit 0;; esac')
    python = script(copy / "python3", f'[ "$2" = venv ] && mkdir -p .venv/bin && cp {pip} .venv/bin/python; exit 0')
    for _ in range(2):
        done = make(copy, "demo", f"PYTHON={python}")
        assert done.returncode != 0
        assert "no network" in done.stdout
        assert not (copy / ".venv" / "ready").exists()


def test_venv_whose_python_has_gone_is_made_anew(copy: Path) -> None:
    has_venv(copy, "exit 127")
    assert_refused(make(copy, "demo", "PYTHON=/nonexistent"), "there is no /nonexistent")
    assert (copy / ".venv").exists()  # whoever asks for nothing but help has lost nothing
    assert "-m venv --clear .venv" in make(copy, "--dry-run", "demo").stdout


def test_newer_requirements_are_installed(copy: Path) -> None:
    has_venv(copy)
    os.utime(copy / ".venv" / "ready", (1e9, 1e9))  # in 2001
    assert_refused(make(copy, "demo", "PYTHON=/nonexistent"), "there is no /nonexistent")
