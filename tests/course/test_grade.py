"""A batch writes each result as it ends, goes on where it was stopped, and grades nothing twice without a reason."""

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import pytest
from small_course import BOTH_STEPS, ONE_STEP, WRONG, Course, small_course

from labkit.course.errors import LabError
from labkit.course.records import Record, State
from labkit.grade import batch, commands, outcomes, results
from labkit.grade.intake import Submission
from labkit.grade.table import grades_csv
from labkit.judge.many import Judged
from labkit.observe.isolation import Level

WEAK = ("--isolation", "none", "--accept-weak-isolation")
# It tells the test which process it is, and where it hangs.
HANGS = ONE_STEP.replace(
    'raise NotImplementedError("Step 2: halve")',
    'import os, pathlib, time\n    pathlib.Path("PID").write_text(str(os.getpid()))\n    time.sleep(1000)',
)
MESSY: dict[str, str | bytes] = {
    "ann/tiny.py": BOTH_STEPS,
    "ann/notes.txt": "x",
    "bob.py": WRONG,
    "cyd.zip": "no archive",
    "dan.py": b"x = '\xe9'",
    "eve.py": b"x = 1\0",
    "fay.py": "def (",
    "gus.py": "import sys\nsys.exit(0)",
    "=cmd()\n\x1b[31m<script>/tiny.py": ONE_STEP,
}


# Whenever it runs it has another temporary folder.
ODD = """import tempfile

def double(x):
    print(tempfile.mkdtemp())
    return x * 3

def halve(x):
    raise ValueError(f"{tempfile.mkdtemp()} {object()}")
"""


def put(folder: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def grade(course: Course, given: Path, out: Path, *options: str) -> subprocess.CompletedProcess:
    return course.labkit("grade", "lab07", str(given), "--out", str(out), *WEAK, *options, TORCH="yes")


def rows(out: Path) -> dict[str, dict[str, str]]:
    with open(out / "grades.csv", newline="", encoding="utf-8") as file:
        return {row["submission"]: row for row in csv.DictReader(file)}


def without_times(out: Path, last: int = 0) -> list[dict]:
    """The `last` lines of the results, or all of them, by submission, times aside."""
    lines = [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()][-last:]
    for line in lines:
        for one in (line, *line["records"]):
            assert one.pop("seconds") >= 0
    return sorted(lines, key=lambda line: line["submission"])


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Course:
    return small_course(tmp_path_factory.mktemp("course"))


@pytest.mark.timeout(300)
def test_a_messy_folder_is_graded_and_graded_again_where_it_changed(tmp_path: Path) -> None:
    course, given, out = small_course(tmp_path / "course"), put(tmp_path / "given", MESSY), tmp_path / "out"
    ran = grade(course, given, out)
    assert ran.code == 0
    assert all(code == 10 or code >= 32 for code in (ran.out + ran.err).encode())
    lines = ran.out.splitlines()
    assert "- ann: tiny.py; notes.txt is not part of this lab and was ignored" in lines
    assert "8 submissions to lab07: 0 graded before, 8 to grade in isolation none" in lines
    assert lines[-7:] == [
        "- cyd: broken: there is no tiny.py; cyd.zip is not a readable zip archive: zip the files again, or hand in "
        "the .py file itself (File is not a zip file)",
        "- dan: broken: tiny.py: invalid or missing encoding declaration; save the file as UTF-8",
        "- eve: broken: tiny.py: source code string cannot contain null bytes; save the file as UTF-8",
        "- fay: broken: tiny.py, line 1: invalid syntax: def (",
        "- gus: broken: tiny.py, line 2: sys.exit(0): SystemExit: 0",
        f"8 results in {out}: 3 graded, 5 broken.",
        "Written: grades.csv, junit.xml, class.html, students, results.jsonl.",
    ]  # fmt: skip
    weak, *told = ran.err.splitlines()
    assert weak == "WEAK isolation none: submissions can reach files and the network here"
    assert len(told) == 8
    assert {name: (row["points"], row["state"]) for name, row in rows(out).items()} == {
        "ann": ("7", "graded"), "bob": ("0", "graded"), "cyd": ("0", "broken"), "dan": ("0", "broken"),
        "eve": ("0", "broken"), "fay": ("0", "broken"), "gus": ("0", "broken"),
        "'=cmd()\\n\\x1b[31m<script>": ("3", "graded"),
    }  # fmt: skip
    assert {row["max_points"] for row in rows(out).values()} == {"7"}
    assert "=cmd()\n\x1b[31m<script>" in {line["submission"] for line in without_times(out)}
    check_junit(out / "junit.xml")
    before, size = without_times(out), (out / "results.jsonl").stat().st_size
    again = course.labkit("grade", "lab07", str(given), "--out", str(out), *WEAK)  # without torch: nothing is judged
    assert (again.code, again.err.count("\n")) == (0, 1)
    assert "8 submissions to lab07: 8 graded before, 0 to grade" in again.out
    assert (out / "results.jsonl").stat().st_size == size
    put(given, {"bob.py": ONE_STEP})
    assert "7 graded before, 1 to grade" in grade(course, given, out).out
    assert rows(out)["bob"]["points"] == "3"
    [bob] = [one for one in results.read(out) if one.result.submission == "bob"]
    assert bob.earlier is not None and (bob.earlier.points, bob.result.points) == (0, 3)
    suite = course.lab.paths.suite
    suite.write_text(suite.read_text() + "\n# changed\n")
    put(given, {"bob.py": WRONG})
    assert "0 graded before, 8 to grade" in grade(course, given, out).out
    assert [line | {"key": ""} for line in without_times(out, last=8)] == [line | {"key": ""} for line in before]


def check_junit(path: Path) -> None:
    suites = {suite.get("name"): suite for suite in ElementTree.parse(path).getroot()}
    assert len(suites) == 8

    def points(element: ElementTree.Element) -> list[str | None]:
        return [one.get("value") for one in element.findall("properties/property") if "points" in one.get("name", "")]

    def counts(name: str) -> tuple[str | None, ...]:
        return tuple(suites[name].get(key) for key in ("tests", "failures", "errors", "skipped"))

    assert points(suites["ann"]) == ["7", "7"]
    assert [points(case) for case in suites["ann"].findall("testcase")] == [["3", "3"], ["4", "4"]]
    assert counts("ann") == ("2", "0", "0", "0")
    assert counts("bob") == ("2", "1", "0", "1")
    assert counts("fay") == ("1", "0", "1", "0")
    error = suites["fay"].find("testcase/error")
    assert error is not None and error.get("message") == "tiny.py, line 1: invalid syntax: def ("
    assert "=cmd()\\n\\x1b[31m<script>" in suites


@pytest.mark.timeout(300)
def test_shards_merged_equal_the_whole_and_a_second_grading_the_first(course: Course, tmp_path: Path) -> None:
    given = put(tmp_path / "given", MESSY | {"bob.py": ODD})
    (tmp_path / "secret").write_text("s" * 32)
    secret = ("--secret-file", str(tmp_path / "secret"))
    whole, one, two, merged = (tmp_path / name for name in ("whole", "one", "two", "merged"))
    assert grade(course, given, whole, *secret).code == 0
    assert (
        "4 submissions to lab07: 0 graded before, 4 to grade"
        in grade(course, given, one, *secret, "--shard", "1/2").out
    )
    assert grade(course, given, two, *secret, "--shard", "2/2").code == 0
    for _ in range(2):  # once more changes nothing
        ran = course.labkit("merge", str(one), str(two), "--out", str(merged))
        assert (ran.code, ran.out.splitlines()[-2]) == (0, f"8 results in {merged}: 3 graded, 5 broken.")
    assert without_times(merged) == without_times(whole)
    refused = course.labkit("merge", str(one), "--out", str(whole))
    assert refused.code == 1 and "has results that are in none of the others" in refused.err
    refused = course.labkit("merge", str(one), str(tmp_path), "--out", str(merged))
    assert refused.code == 1 and "holds no results.jsonl" in refused.err


def start(course: Course, given: Path, out: Path) -> subprocess.Popen:
    scratch = out.parent  # a batch that is killed leaves its copies there
    command = [sys.executable, "-m", "labkit", "grade", "lab07", str(given), "--out", str(out), *WEAK, "--jobs", "1"]
    # A shell in the background ignores Ctrl-C for what it starts.
    default = lambda: signal.signal(signal.SIGINT, signal.default_int_handler)  # noqa: E731
    return subprocess.Popen(
        command, cwd=course.root, env=course.environment(TMPDIR=str(scratch)), preexec_fn=default,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip


def wait_for(what: Callable[[], object]) -> None:
    end = time.monotonic() + 60
    while not what():
        assert time.monotonic() < end, "it does not come"
        time.sleep(0.05)


def ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.mark.timeout(300)
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a batch does not see what has ended")
def test_a_stopped_and_a_killed_batch_go_on_with_what_is_left(course: Course, tmp_path: Path) -> None:
    pid, out = tmp_path / "pid", tmp_path / "out"
    given = put(tmp_path / "given", {"a.py": BOTH_STEPS, "b.py": HANGS.replace("PID", str(pid)), "c.py": WRONG})
    for number, stop in enumerate((signal.SIGINT, signal.SIGKILL)):
        pid.unlink(missing_ok=True)
        batch = start(course, given, out)
        wait_for(lambda: pid.exists() and pid.read_text())
        batch.send_signal(stop)
        said, _ = batch.communicate(timeout=60)
        wait_for(lambda: ended(int(pid.read_text())))
        assert batch.returncode == (130 if stop == signal.SIGINT else -signal.SIGKILL)
        assert f"{number} graded before, {3 - number} to grade" in said
        if stop == signal.SIGINT:
            assert said.splitlines()[-1] == "Stopped: 1 of 3 are graded; the same command again goes on."
            assert set(rows(out)) == {"a"}
    whole = (out / "results.jsonl").read_bytes()
    assert [line["submission"] for line in without_times(out)] == ["a"]
    (out / "results.jsonl").write_bytes(whole + whole[: len(whole) // 2])  # half a line
    put(given, {"b.py": ONE_STEP})
    assert "1 graded before, 2 to grade" in grade(course, given, out).out
    assert (out / "results.jsonl").read_bytes().startswith(whole)
    assert {name: row["points"] for name, row in rows(out).items()} == {"a": "7", "b": "3", "c": "0"}


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


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("<object object at 0x7f1c2a3b4c5d>", "<object object at 0x...>"),
        ("/tmp/tmpa1_b2c3d/x", "/tmp/tmp.../x"),
        ("/var/labkit-judge-a1_b2c3d/labkit-sandbox-a1_b2c3d/home/x",
         "/var/labkit-judge-.../labkit-sandbox-.../home/x"),
        ("/scratch/labkit-grade-x/0/tiny.py, line 3", "tiny.py, line 3"),
        ("bits 0x3f800000", "bits 0x3f800000"),
        ("name 'tmp_weights' is not defined", "name 'tmp_weights' is not defined"),
        ("loss = 0.12345678", "loss = 0.12345678"),
    ],
)  # fmt: skip
def test_what_changes_whenever_it_runs_is_not_kept(said: str, kept: str) -> None:
    judged = outcomes.cleaned(Judged((LOST.but(got=said, printed=said),), said), Path("/scratch/labkit-grade-x/0"))
    assert (judged.records[0].got, judged.records[0].printed, judged.error) == (kept, kept, kept)


ANN = Submission("ann", {"tiny.py": b"x = 1\n"})
LOST = Record("lab07", "test_double_is_twice", 1, 3, 0.1, "docs", state=State.FAILED)
HALF = Record("lab07", "test_halve_is_half", 2, 4, 0.1, "docs", state=State.PASSED, earned=4)


@pytest.mark.parametrize(
    ("judged", "outcome", "reason"),
    [
        (Judged((LOST, HALF)), "graded", ""),
        (Judged((LOST, HALF.but(state=State.GRADER_ERROR))), "grader_error", "no verdict on test_halve_is_half"),
        (Judged((LOST,)), "grader_error", "no verdict on test_halve_is_half"),
        (Judged((LOST, HALF), isolation="limits"), "grader_error", "it ran in isolation limits, not none"),
        (Judged(error="tiny.py, line 1: KeyError: 2"), "broken", "tiny.py, line 1: KeyError: 2"),
        (Judged(error="tiny.py: importing the file did not end within 20 s"), "timeout",
         "tiny.py: importing the file did not end within 20 s"),
        (Judged(error="tiny.py, line 1: while True: OutOfTime: no answer within 20 s"), "timeout",
         "tiny.py, line 1: while True: the import did not end within 20 s"),
        (Judged(error="isolation: no user is left"), "grader_error", "isolation: no user is left"),
        (Judged(error="ended at its limit of 9 s", ended=False), "timeout", "ended at its limit of 9 s"),
        (Judged(error="says who?", ended=False), "grader_error", "the process that graded it ended without verdicts"),
    ],
)  # fmt: skip
def test_what_is_not_the_submissions_fault_is_no_zero(
    judged: Judged, outcome: str, reason: str, course: Course
) -> None:
    state, says = outcomes.outcome(course.lab, Level.NONE, ANN.files, judged)
    assert (state, says) == (outcome, reason)
    result = results.Result("key", "ann", "lab07", 3, 7, state, says, records=judged.records)
    [row] = csv.DictReader(io.StringIO(grades_csv([result])))
    assert (row["points"] == "") == (outcome == "grader_error")


def test_a_grader_error_is_graded_again_and_changes_no_earlier_result(course: Course, tmp_path: Path) -> None:
    setting = batch.Setting(course.lab, tmp_path, b"s" * 32, Level.NONE)
    [(key, _)] = batch.pending(setting, [ANN])
    good = results.Result(key, "ann", "lab07", 4, 7, results.Outcome.GRADED)
    failed = replace(good, points=0, state=results.Outcome.GRADER_ERROR)
    for line in (good, failed):
        results.append(tmp_path, line)
    assert batch.pending(setting, [ANN]) == [(key, ANN)]
    results.append(tmp_path, replace(good, points=7))
    assert batch.pending(setting, [ANN]) == []
    assert results.read(tmp_path) == [results.Standing(replace(good, points=7), good)]


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1"])
def test_no_cell_is_a_formula(name: str) -> None:
    result = results.Result("k", name, "lab07", 0, 7, results.Outcome.BROKEN, reason=name)
    [row] = csv.DictReader(io.StringIO(grades_csv([result])))
    for cell in (row["submission"], row["reason"]):
        assert cell[0] in "'\\"
        assert cell.isprintable()


def test_the_secret_is_nobody_elses(tmp_path: Path) -> None:
    first = batch.read_secret(tmp_path, None)
    assert batch.read_secret(tmp_path, None) == first
    assert len(first) == 64
    assert (tmp_path / "secret").stat().st_mode & 0o077 == 0
