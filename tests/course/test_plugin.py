"""What a graded run prints, writes and exits with, for every kind of file that a student may have."""

import ast
import json
import os
import re
import sys
from collections import Counter
from pathlib import Path

import pytest
import torch
from graded_runs import grade
from page_checks import ROOT
from warm_python import ENVIRONMENT

from labkit.course import manifest
from labkit.judge.diagnosis import misconceptions

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the runs are forked; this system cannot")

LAB = manifest.find("lab04")
SKELETON = (LAB.folder / "skeleton.py").read_text(encoding="utf-8")
SOLUTION = (ROOT / "solutions" / f"{LAB.stem}.py").read_text(encoding="utf-8")
SOFTMAX = [one.id for one in LAB.behaviours if "softmax" in one.id]
CALL_SOFTMAX = ("test_gradients_flow_through_float32_operations", "test_float64_goes_in_and_out")
ONE_TEST = ("test_softmax_of_a_long_row",)


@pytest.fixture
def student(tmp_path: Path):
    """`student(text)` is the folder of a student's file with this text."""

    def folder(text: str) -> Path:
        (tmp_path / f"{LAB.stem}.py").write_text(text, encoding="utf-8")
        return tmp_path

    return folder


def without(text: str, *functions: str) -> str:
    """`text` without these functions."""
    lines = text.splitlines()
    for node in reversed(ast.parse(text).body):
        if isinstance(node, ast.FunctionDef) and node.name in functions:
            del lines[node.lineno - 1 : node.end_lineno]
    return "\n".join(lines) + "\n"


def stubbed(*functions: str) -> str:
    """The solution with the skeleton's stubs of these functions."""
    stubs = [node for node in ast.parse(SKELETON).body if isinstance(node, ast.FunctionDef) and node.name in functions]
    return without(SOLUTION, *functions) + "\n\n".join(ast.unparse(stub) for stub in stubs)


def softmax_that(does: str) -> str:
    """The solution with a softmax whose body is the one line `does`."""
    return without(SOLUTION, "fp32_softmax") + f"\n\ndef fp32_softmax(x, dim=-1):\n    {does}\n"


def states(out: str) -> list[str]:
    """What stands after the points of each step."""
    return re.findall(r"^  \d .*of +\d+  (.*)$", out, re.MULTILINE)


# A whole run ------------------------------------------------------------------------------------------------------


def test_stubs_are_todo_and_the_report_fits_a_screen(student) -> None:
    ran = grade("--impl", student(SKELETON))
    assert ran.code == 1
    counts = Counter(one.step for one in LAB.behaviours)
    assert states(ran.out) == [f"{counts[step.number]} todo" for step in LAB.steps]
    assert f"points   0 of {LAB.points}" in ran.out
    assert "Next: step 1, write mixed_precision_forward" in ran.out
    assert len(ran.out.splitlines()) < 24


def test_solution_earns_every_point(tmp_path: Path) -> None:
    ran = grade("--impl", "solutions", "--json", tmp_path / "report.json")
    assert ran.code == 0
    assert f"points {LAB.points} of {LAB.points}" in ran.out
    assert "Everything passed." in ran.out

    report = json.loads((tmp_path / "report.json").read_text())
    records = report.pop("records")
    options = {"impl": "solutions", "seed": "0", "device": "cpu", "isolation": "none"}
    assert report == options | {"torch": torch.__version__}
    assert sorted(record["id"] for record in records) == sorted(one.id for one in LAB.behaviours)
    assert all(record["state"] == "passed" and record["earned"] == record["points"] > 0 for record in records)
    assert sum(record["earned"] for record in records) == LAB.points
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]


def test_one_step_alone_under_another_seed() -> None:
    ran = grade("--impl", "solutions", "--step", 2, "--seed", 77)
    assert ran.code == 0
    (only,) = states(ran.out)
    assert only == f"{sum(one.step == 2 for one in LAB.behaviours)} passed"
    assert "Step 2 passed." in ran.out


def test_partly_solved_file_is_told_what_blocks_it(student) -> None:
    """Steps 1 and 3 are written; what of the trainer needs step 2 is blocked, not failed."""
    ran = grade("--impl", student(stubbed("create_grad_scaler", "scaled_backward")))
    assert ran.code == 1
    first, second, third, fourth, *_ = states(ran.out)
    assert re.fullmatch(r"\d+ passed", first) and re.fullmatch(r"\d+ passed", fourth)
    assert re.fullmatch(r"\d+ todo", second)
    assert "blocked" in third and "failed" not in third
    assert "Next: step 2, write create_grad_scaler" in ran.out


# Runs that cannot be ----------------------------------------------------------------------------------------------


def assert_refused(ran, *words: str) -> None:
    """One clear line, no verdict, and an exit code that no script takes for success."""
    assert ran.code not in (0, 1)
    assert len(ran.errors) == 1, ran.out
    assert [word for word in words if word not in ran.errors[0]] == [], ran.errors[0]
    assert "Traceback" not in ran.out
    assert "passed" not in ran.out and "points" not in ran.out, ran.out


def test_unknown_step_is_refused() -> None:
    assert_refused(grade("--impl", "solutions", "--step", 9), "--step 9")


def test_missing_folder_and_missing_file_are_refused(tmp_path: Path) -> None:
    assert_refused(grade("--impl", tmp_path / "nowhere"), "no folder", "nowhere")
    assert_refused(grade("--impl", tmp_path), f"no {LAB.stem}.py")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("def broken(:", ("invalid syntax", "def broken(:")),
        ("1 / 0", ("ZeroDivisionError: division by zero", "1 / 0")),
        ("import no_such_module", ("ModuleNotFoundError", "no_such_module")),
        ("sys.exit(0)", ("SystemExit: 0",)),
        ("raise NotImplementedError('Step 1: all of it')", ("NotImplementedError",)),
    ],
    ids=["syntax error", "exception", "import", "exit", "stub"],
)
def test_file_that_cannot_be_imported_is_refused(student, line: str, words: tuple[str, ...]) -> None:
    folder = student(SKELETON + f"\n{line}\n")
    number = len(SKELETON.splitlines()) + 2
    assert_refused(grade("--impl", folder), str(folder), f"line {number}", *words)


def test_a_refused_file_leaves_no_temporary_files(student, tmp_path: Path) -> None:
    """Nor do the ranks that were started for its tests."""
    (scratch := tmp_path / "scratch").mkdir()
    folder = student(SKELETON + "\nopen(__import__('tempfile').mkstemp()[1]).no_such_name\n")
    assert_refused(grade("--impl", folder, environment=ENVIRONMENT | {"TMPDIR": str(scratch)}), "no_such_name")
    assert list(scratch.iterdir()) == []


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_cuda_is_refused_where_there_is_none() -> None:
    assert_refused(grade("--impl", "solutions", "--device", "cuda"), "--device cuda", "no CUDA device")


def test_path_that_cannot_be_written_costs_only_the_file(tmp_path: Path) -> None:
    path = tmp_path / "no-such-folder" / "report.json"
    ran = grade("--impl", "solutions", "--json", path, tests=ONE_TEST)
    assert ran.code not in (0, 1)
    assert "1 passed" in states(ran.out)
    (line,) = [line for line in ran.out.splitlines() if str(path) in line]
    assert "cannot be written (No such file or directory)" in line
    assert "Traceback" not in ran.out


# Failures ---------------------------------------------------------------------------------------------------------


def failures(out: str) -> dict[str, list[str]]:
    """The lines below the name of each failed test."""
    found: dict[str, list[str]] = {}
    for line in out.splitlines():
        if heading := re.match(r"(test_\w+) \(step \d", line):
            lines = found[heading[1]] = []
        elif re.match(r"  [a-z]+: +\S", line) and found:
            lines.append(line)
    return found


def test_failure_is_four_lines(student) -> None:
    ran = grade("--impl", student(softmax_that("return x")), "--step", 4)
    assert ran.code == 1
    shown = failures(ran.out)
    assert set(SOFTMAX) <= shown.keys() or len(shown) == 5
    for name, lines in shown.items():
        assert [line.split()[0] for line in lines] == ["got:", "expected:", "cause:", "read:"], name
    assert "Next: step 4, fix what test_softmax" in ran.out
    assert "def test_" not in ran.out and "Error" not in ran.out, "pytest's own report of the failure"


def test_missing_function_loses_its_own_tests_only(student, tmp_path: Path) -> None:
    folder = student(without(SOLUTION, "fp32_softmax"))
    ran = grade("--impl", folder, "--step", 4, "--json", tmp_path / "report.json")
    assert ran.code == 1
    failed = {one["id"] for one in json.loads((tmp_path / "report.json").read_text())["records"] if not one["earned"]}
    assert failed == {*SOFTMAX, *CALL_SOFTMAX}
    assert "got:      the file has no fp32_softmax: write it, or restore the stub" in ran.out


def test_misnamed_function_is_asked_for_by_name(student) -> None:
    text = SOLUTION.replace("def fp32_softmax", "def fp32_soft_max")
    ran = grade("--impl", student(text), tests=ONE_TEST)
    assert ran.code == 1
    assert "got:      the file has no fp32_softmax: did you misname it? The file has fp32_soft_max" in ran.out


@pytest.mark.parametrize(
    ("body", "state", "shown"),
    [
        ("raise NotImplementedError('Step 4: fp32_softmax')", "1 todo", "write fp32_softmax"),
        ("raise NotImplementedError('later')", "1 failed", "NotImplementedError: later, line"),
        ("return x.to('meta').to('cpu')", "1 failed", "NotImplementedError: Cannot copy out of meta tensor"),
        ("import pytest; pytest.skip('not today')", "1 failed", "Skipped: not today, line"),
        ("import pytest; pytest.exit('done', returncode=0)", "1 failed", "Exit: done, line"),
        ("sys.exit(0)", "1 failed", "SystemExit: 0, line"),
        ("raise ValueError('Timeout must be positive')", "1 failed", "ValueError: Timeout must be positive"),
        ("import time; time.sleep(60)", "1 timeout", "no answer within 0.5 s"),
        ("while True: pass", "1 timeout", "look for an endless loop"),
        ("while True: pass", "1 timeout", ": while True: pass"),
    ],
)  # fmt: skip
def test_ways_not_to_answer(student, body: str, state: str, shown: str) -> None:
    """Only the stub's own words mean "not written yet"; a way out of the test is no way to pass it."""
    ran = grade("--impl", student(softmax_that(body)), tests=ONE_TEST, timeout=0.5 if state == "1 timeout" else None)
    assert ran.code == 1
    assert states(ran.out) == [state]
    assert shown in ran.out


@pytest.mark.parametrize(
    ("step", "says"), [(4, "Step 4 passed. Next: 5, Many processes: make test-"), (5, "Step 5 passed.")]
)
def test_a_step_that_passed_names_the_next(step: int, says: str) -> None:
    ran = grade("--impl", "solutions", "--step", step)
    assert ran.code == 0
    assert says in ran.out


def test_one_timeout_ends_a_students_run(student) -> None:
    """The tests after it might wait as long."""
    ran = grade("--impl", student(softmax_that("while True: pass")), "--step", 4, "--one-timeout", timeout=1.5)
    assert ran.code != 0
    (said,) = states(ran.out)
    assert re.search(r"\b1 timeout\b", said)
    assert "Interrupted: test_softmax" in ran.out


def test_what_python_stops_at_one_line_is_shown_once(student) -> None:
    ran = grade("--impl", student(softmax_that("return torch.softmaxed(x, dim)")), "--step", 4)
    assert ran.out.count("has no attribute 'softmaxed'; it has 'softmax'") == 1
    (line,) = [line for line in ran.out.splitlines() if line.startswith("  same in:")]
    number, _, names = line.removeprefix("  same in:  ").partition(" more: ")
    tests = {*SOFTMAX, *CALL_SOFTMAX}
    assert int(number) == len(tests) - 1 and set(names.split(", ")) < {*tests, "..."}


EPOCH = ("test_epoch_trains_on_every_batch",)


def test_exception_that_a_scenario_caught_is_told_with_its_line(student) -> None:
    """Scenarios go on after an exception, to see what is left, and the reader of the failure needs the exception."""
    text = SOLUTION.replace("self.train_step(batch, optimizer, criterion, max_grad_norm)", "self.train_step(batch)")
    assert text != SOLUTION
    ran = grade("--impl", student(text), tests=EPOCH)
    assert "got:      TypeError: MixedPrecisionTrainer.train_step() missing 2 required" in ran.out
    assert "line " in ran.out and "self.train_step(batch)" in ran.out
    assert "expected: no exception" in ran.out
    assert "cause:    this call and the signature of what it calls differ" in ran.out


def test_what_the_code_prints_stands_below_its_failure(student) -> None:
    ran = grade("--impl", student(softmax_that("print('x is', x.shape); return x")), tests=ONE_TEST)
    assert "  printed:  x is torch.Size" in ran.out
    assert "x is" not in grade("--impl", "solutions", tests=ONE_TEST).out


def test_known_mistake_is_named() -> None:
    known = {one.name: one for one in misconceptions(LAB)}
    if not known:
        pytest.skip(f"make proof-{LAB.name} has not written {LAB.folder / 'misconceptions.json'}")
    mistake = ROOT / "tests" / "mistakes" / LAB.stem / "2_loss_scaling" / "clip_before_unscale.py"
    ran = grade("--impl", "solutions", "--overlay", mistake, "--step", 2)
    assert ran.code == 1
    (line,) = [line for line in ran.out.splitlines() if line.startswith("This looks like: ")]
    assert known[mistake.stem].says in line


# Code that no exception stops ---------------------------------------------------------------------------------------

# A regular expression that takes an eternity, in C code that holds the interpreter's lock.
ETERNAL = "import re; re.match('(a+)+b', 'a' * 60)"


@pytest.mark.parametrize(
    ("body", "state", "shown"),
    [
        (ETERNAL, "1 timeout", f": {ETERNAL}"),
        ("torch.linalg.svd(torch.randn(6000, 6000))", "1 timeout", ": torch.linalg.svd(torch.randn(6000, 6000))"),
        ("import signal, time; signal.signal(signal.SIGALRM, signal.SIG_IGN); time.sleep(600)", "1 timeout", ", line "),
        ("import os; print('bye', flush=True); os._exit(0)", "1 crashed", "ended Python itself (exit code 0)"),
        ("import os; os.abort()", "1 crashed", "(ended by SIGABRT)"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "1 memory", "(ended by SIGKILL: the system"),
        ("return x.to_sparse()", "1 malformed", "returned a torch.sparse_coo tensor on cpu"),
        ("raise MemoryError", "1 memory", "out of memory (MemoryError)"),
    ],
    ids=["regex", "svd", "ignored alarm", "exit", "abort", "kill", "sparse", "memory"],
)  # fmt: skip
def test_ways_to_end_python(student, tmp_path: Path, body: str, state: str, shown: str) -> None:
    """The verdict stands, and the tests after it run."""
    one = ONE_TEST[0]
    other = next(one.id for one in LAB.behaviours if "layer_norm" in one.id)
    folder, path = student(softmax_that(body)), tmp_path / "report.json"
    limit = 2.0 if state == "1 timeout" else None
    ran = grade("--impl", folder, "--json", path, tests=(one, other), timeout=limit)
    assert ran.code == 1
    records = {record["id"]: record for record in json.loads(path.read_text())["records"]}
    assert f"1 {records[one]['state']}" == state and records[other]["state"] == "passed"
    assert shown in records[one]["got"] or shown in ran.out


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says which processes a child has left")
@pytest.mark.parametrize("after", ["while True: pass", "return 1.0"], ids=["hangs", "returns"])
def test_what_the_code_starts_ends_with_it(student, tmp_path: Path, after: str) -> None:
    """Also what has left its session."""
    started = tmp_path / "started"
    body = "import pathlib, subprocess\n    left = subprocess.Popen(['sleep', '600'], start_new_session=True)\n"
    body += f"    pathlib.Path({str(started)!r}).write_text(str(left.pid))\n    {after}"
    grade("--impl", student(softmax_that(body)), tests=ONE_TEST[:1], timeout=1.0)
    with pytest.raises(ProcessLookupError):
        os.kill(int(started.read_text()), 0)


@pytest.mark.parametrize("line", ["while True: pass", ETERNAL])
def test_import_without_end_is_refused(student, line: str) -> None:
    folder = student(SKELETON + f"\n{line}\n")
    number = len(SKELETON.splitlines()) + 2
    assert_refused(grade("--impl", folder, loading=1.0), str(folder), f"line {number}", line)


def test_file_that_ends_python_at_import_is_refused(student) -> None:
    folder = student("import os\n\nos._exit(0)\n")
    assert_refused(
        grade("--impl", folder), str(folder), "your code ended Python itself (exit code 0) while the file was imported"
    )


def test_two_timeouts_are_enough_for_a_step(student, tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    ran = grade(
        "--impl", student(softmax_that("while True: pass")), "--json", path, tests=(*SOFTMAX, *ONE_TEST), timeout=1.0
    )
    assert ran.code == 1
    records = [record for record in json.loads(path.read_text())["records"] if record["id"] in SOFTMAX]
    assert {record["state"] for record in records} == {"timeout"}
    waited = [record for record in records if record["got"].startswith("no answer within 1 s")]
    assert len(waited) == 2
    assert {record["got"] for record in records if record not in waited} == {
        "not run, because 2 earlier tests of this step did not finish"
    }
