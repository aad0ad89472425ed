"""Runs a lab's suite in a process of its own, and tells why one gave no verdict."""

import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from labkit.course.files import shown
from labkit.course.manifest import Lab
from labkit.course.records import Record

FIX = "fix "  # how a problem begins that is in a file of the course


@dataclass(frozen=True)
class Apart:
    """A run of a suite in a process of its own: its records, none where the file cannot be loaded, and how it ended."""

    records: list[Record]
    output: str
    code: int


def graded_apart(lab: Lab, *options: str) -> Apart:
    """Runs the suite in a process of its own, which leaves nothing behind."""
    with TemporaryDirectory(prefix="labkit-graded-", ignore_cleanup_errors=True) as folder:
        report = Path(folder) / "records.json"
        command = [sys.executable, "-m", "pytest", "-q", "--no-header", "-p", "no:cacheprovider"]
        command += [shown(lab.paths.suite, lab.paths.root), "--json", str(report), *options]
        own = {"NO_COLOR": "1", "PYTHONUNBUFFERED": "", "TMPDIR": folder}
        environment = {"OMP_NUM_THREADS": "1"} | os.environ | own
        ran = subprocess.run(
            command, cwd=lab.paths.root, env=environment, capture_output=True, text=True, errors="replace"
        )
        found = json.loads(report.read_text(encoding="utf-8"))["records"] if report.exists() else []
    return Apart([Record.of(record) for record in found], ran.stdout + ran.stderr, ran.returncode)


def why_it_did_not_run(lab: Lab, output: str, code: int | None) -> str:
    """Why a run of the suite gave no verdict: what to fix in the course, or what happened to the run."""
    root = f"{lab.paths.root}{os.sep}"
    errors = re.findall(r"^ERROR:? (.*)", output, re.MULTILINE)
    here = [error for error in errors if error.startswith(root)]
    if here:
        return f"{FIX}{here[0].replace(root, '')}"
    words = [line for line in output.splitlines() if re.search(r"[A-Za-z]", line)]  # not the dots of passed tests
    said = errors or words
    if said and code is not None and code > 0:
        return f"the tests did not run: {said[-1]}; make doctor"
    return f"your code ended Python itself ({ending(code)}); make watch-{lab.name} shows where"


def ending(code: int | None) -> str:
    """How a process ended, in words: "exit code 3", "SIGKILL"."""
    return signal.Signals(-code).name if code is not None and code < 0 else f"exit code {code}"
