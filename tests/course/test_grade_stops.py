"""What stops a batch is one line, and the results that there are stay."""

import json
import os
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from graded_class import WEAK, put, without_times
from small_course import BOTH_STEPS, ONE_STEP, Course, small_course

from labkit.course.errors import LabError
from labkit.grade import batch, commands, results
from labkit.observe.isolation import Level


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Course:
    return small_course(tmp_path_factory.mktemp("course"))


FULL = """
import errno, os, sys
import labkit.grade.results as results

def write(descriptor, data, write=os.write, calls=[]):
    calls.append(data)
    if len(calls) > 1:
        write(descriptor, data[:10])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return write(descriptor, data)

class Os:
    write = staticmethod(write)
    __getattr__ = staticmethod(lambda name: getattr(os, name))

results.os = Os()
import labkit.__main__ as main
main.main()
"""


def test_a_full_disk_is_one_line_and_earlier_results_stay(course: Course, tmp_path: Path) -> None:
    given, out = put(tmp_path / "given", {"a.py": BOTH_STEPS, "b.py": ONE_STEP}), tmp_path / "out"
    ran = course.run("-c", FULL, "grade", "lab07", str(given), "--out", str(out), *WEAK, "--jobs", "1")
    assert ran.code == 1
    _, progress, line = ran.err.splitlines()
    assert progress == "[1/2] a: graded, 7 of 7 points"
    assert (
        line
        == f"labkit: {out}/results.jsonl: cannot be written (No space left on device); the results in it are untouched"
    )
    [a] = without_times(out)
    assert (a["submission"], a["points"]) == ("a", 7)


def test_a_full_disk_for_temporary_files_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    left = lambda folder: SimpleNamespace(free=7_000_000)  # noqa: E731
    monkeypatch.setattr(shutil, "disk_usage", left)
    with pytest.raises(LabError, match=r"7 MB are free for temporary files, and 50 are needed; .* TMPDIR"):
        commands.level_here("none")
    monkeypatch.undo()
    assert commands.level_here("none") == Level.NONE


def refused(course: Course, given: Path, out: Path, *options: str, code: int = 1) -> str:
    """The one line of a batch that cannot go on; torch is not imported for it."""
    lab, *more = options or ("lab07",)
    ran = course.labkit("grade", lab, str(given), "--out", str(out), *(more or WEAK))
    assert (ran.code, ran.out) == (code, "")
    assert ran.err.count("\n") == 1 and "Traceback" not in ran.err
    return ran.err


def test_what_stops_a_batch_is_one_line_and_leaves_the_results(course: Course, tmp_path: Path) -> None:
    given, out = put(tmp_path / "given", {"a.py": BOTH_STEPS}), tmp_path / "out"
    (tmp_path / "empty").mkdir()
    (tmp_path / "short").write_text("abc\n")
    assert "is empty; give the folder in which each student has" in refused(course, tmp_path / "empty", out)
    assert "is no folder" in refused(course, given / "a.py", out)
    assert "there is no lab 'lab99'" in refused(course, given, out, "lab99", *WEAK)
    said = refused(course, given, out, "lab07", "--isolation", "limits", code=2)
    assert "; --accept-weak-isolation grades all the same" in said
    assert "--shard 3/2: give K/N" in refused(course, given, out, "lab07", *WEAK, "--shard", "3/2", code=2)
    assert "lies in the folder of the submissions" in refused(course, given, given / "out")
    assert "the folder cannot be made" in refused(course, given, tmp_path / "short" / "out")
    assert not out.exists()
    out.mkdir()
    assert "a secret has at least 16" in refused(
        course, given, out, "lab07", *WEAK, "--secret-file", f"{tmp_path}/short"
    )
    assert "the secret cannot be read" in refused(
        course, given, out, "lab07", *WEAK, "--secret-file", f"{tmp_path}/none"
    )
    other = results.Result("k", "a", "lab06", 1, 2, results.Outcome.GRADED)
    results.append(out, other)
    assert "holds results of lab06; give each lab a folder of its own" in refused(course, given, out)
    (out / "results.jsonl").write_text("{}\n" * 2)
    assert "results.jsonl, line 1: is no result" in refused(course, given, out)
    assert (out / "results.jsonl").read_text() == "{}\n" * 2


def test_the_limit_of_a_run_holds_in_a_sandbox_too(course: Course, tmp_path: Path) -> None:
    """It is reached before the first test."""
    given, report = put(tmp_path / "given", {"tiny.py": BOTH_STEPS}), tmp_path / "report.json"
    options = ("--impl", str(given), "--isolation", "limits", "--run-limit", "0.001", "--json", str(report))
    assert course.run("-m", "pytest", "-q", "tests/test_tiny.py", *options).code == 1
    told = [one["got"] for one in json.loads(report.read_text())["records"]]
    assert [text.partition(",")[0] for text in told] == ["the run has reached its limit of 0.001 s"] * 2


@pytest.mark.skipif(results.fcntl is None, reason="this system locks no files")
def test_two_batches_do_not_write_into_one_folder(course: Course, tmp_path: Path) -> None:
    given, out = put(tmp_path / "given", {"a.py": BOTH_STEPS}), tmp_path / "out"
    out.mkdir()
    with results.locked(out):
        assert "another grading writes there; wait for it" in refused(course, given, out)
        ran = course.labkit("merge", str(out), "--out", str(out))
        assert ran.code == 1
    assert not (out / "results.jsonl").exists()


def test_results_go_into_no_folder_of_something_else(course: Course, tmp_path: Path) -> None:
    given, out = put(tmp_path / "given", {"a.py": BOTH_STEPS}), put(tmp_path / "out", {"notes.txt": "x"})
    assert "is not empty and holds no results; give a new folder" in refused(course, given, out)
    results.append(tmp_path, results.Result("k", "a", "lab07", 1, 2, results.Outcome.GRADED))
    ran = course.labkit("merge", str(tmp_path), "--out", str(out))
    assert ran.code == 1 and "is not empty and holds no results" in ran.err
    assert [path.name for path in out.iterdir()] == ["notes.txt"]


NO_SANDBOX = """
import labkit.observe.template as template
template.SERVE = "import nopackage"
import labkit.__main__ as main
main.main()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere no sandbox works")
def test_a_batch_without_a_sandbox_ends_with_one_line(course: Course, tmp_path: Path) -> None:
    given, out = put(tmp_path / "given", {"a.py": BOTH_STEPS, "b.py": ONE_STEP}), tmp_path / "out"
    options = ("--isolation", "limits", "--accept-weak-isolation", "--jobs", "1")
    ran = course.run("-c", NO_SANDBOX, "grade", "lab07", str(given), "--out", str(out), *options)
    assert ran.code == 1
    assert ran.err.splitlines()[1:] == [
        "labkit: the sandbox does not start: ModuleNotFoundError: No module named 'nopackage'; "
        "make doctor tries one; the results so far are kept"
    ]


@pytest.mark.parametrize("name", ["secret", "lock", "results.jsonl"])
def test_what_a_stopped_batch_has_left_is_no_hindrance(name: str, tmp_path: Path) -> None:
    (tmp_path / name).touch()
    commands._make_results_folder(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_one_line(course: Course, tmp_path: Path) -> None:
    given, out = put(tmp_path / "given", {"a.py": BOTH_STEPS}), tmp_path / "out"
    out.mkdir(mode=0o500)
    assert "cannot be written (Permission denied)" in refused(course, given, out)


def test_the_secret_is_nobody_elses(tmp_path: Path) -> None:
    first = batch.read_secret(tmp_path, None)
    assert batch.read_secret(tmp_path, None) == first
    assert len(first) == 64
    assert (tmp_path / "secret").stat().st_mode & 0o077 == 0
