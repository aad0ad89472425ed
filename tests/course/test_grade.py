"""A batch writes each result as it ends, goes on where it was stopped, and grades nothing twice without a reason."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
from graded_class import WEAK, grade, put, rows, without_times
from small_course import BOTH_STEPS, ONE_STEP, WRONG, Course, small_course

from labkit.grade import results

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
