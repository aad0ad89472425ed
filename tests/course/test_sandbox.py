"""A submission that nobody trusts is judged like any other: the same records, or the same line that refuses it."""

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import torch
from graded_runs import grade
from page_checks import ROOT
from small_course import Course, small_course

from labkit.course import manifest
from labkit.course.records import Record, State
from labkit.judge.boxed import Boxes
from labkit.judge.limits import HANGING, LATER, REST_NOT_RUN
from labkit.judge.verdicts import unjudged
from labkit.observe.answer import Answer, Ending
from labkit.observe.isolation import Level, strongest, what_works
from labkit.observe.rank_group import Shape
from labkit.observe.sandbox import Sandbox
from labkit.observe.template import Template
from labkit.observe.values import encode

STEM = "mixed_precision"
LEVELS = [Level.LIMITS, Level.LANDLOCK, Level.BUBBLEWRAP]


def records(tmp_path: Path, level: str, *options: str, **limits: float) -> list[Record]:
    """The records of a run at this level, times aside."""
    written = tmp_path / f"{level}.json"
    ran = grade("--isolation", level, "--json", written, *options, **limits)
    assert written.exists(), ran.out
    report = json.loads(written.read_text())
    assert report["isolation"] == (strongest() if level == "best" else level)
    return [Record.of(record).but(seconds=0.0) for record in report["records"]]


WITH_RANKS = ("--impl", "solutions", "--step", "5")


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> list[Record]:
    """What the solution gets on ranks without a sandbox."""
    return records(tmp_path_factory.mktemp("outside"), "none", *WITH_RANKS)


@pytest.mark.parametrize("level", LEVELS)
def test_the_solution_has_the_same_records_at_every_level(tmp_path: Path, level: Level, outside: list[Record]) -> None:
    """On ranks too."""
    if reason := what_works()[level]:
        pytest.skip(f"--isolation {level} does not work here: {reason}")
    found = records(tmp_path, level, *WITH_RANKS)
    assert {record.state for record in found} == {"passed"}
    assert found == outside


def test_ranks_of_a_sandbox_share_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a GPU for each they compute on the CPU, as they do outside of a sandbox: here without any."""
    if reason := what_works()[Level.LIMITS]:
        pytest.skip(f"--isolation limits does not work here: {reason}")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    lab = manifest.find(STEM)
    sandbox = Sandbox(lab, lab.paths.solution, Level.LIMITS, device="cuda")
    try:
        answer = sandbox.run("a", None, Shape(2), 60.0)  # no job: as soon as the ranks have formed their group
    finally:
        sandbox.close()
    assert answer.ending == Ending.RETURNED, answer.says


def test_the_stubs_have_the_same_records(tmp_path: Path) -> None:
    options = ("--impl", str(tmp_path), "--step", "1")
    (tmp_path / f"{STEM}.py").write_bytes(Path(ROOT, "labs/lab04_mixed_precision/skeleton.py").read_bytes())
    assert records(tmp_path, "best", *options) == records(tmp_path, "none", *options)


@pytest.mark.parametrize(
    "text",
    [
        "import torch\n\nx = 1 / 0\n",
        'print("\N{LATIN SMALL LETTER E WITH ACUTE}")\n'.encode("latin-1"),
    ],
    ids=["raises", "not utf-8"],
)
def test_a_file_that_cannot_be_imported_is_refused_in_the_same_line(tmp_path: Path, text: str | bytes) -> None:
    (tmp_path / f"{STEM}.py").write_bytes(text if isinstance(text, bytes) else text.encode())
    at_best, here = (grade("--impl", tmp_path, "--isolation", level, "--step", "4") for level in ("best", "none"))
    assert at_best.errors == here.errors and len(here.errors) == 1
    assert at_best.code == here.code


def test_a_file_whose_import_does_not_end_is_refused(tmp_path: Path) -> None:
    (tmp_path / f"{STEM}.py").write_text("import itertools\n\nsum(itertools.repeat(0))\n")
    ran = grade("--impl", tmp_path, "--isolation", "best", "--step", "4", loading=1.0)
    assert ran.errors == [f"{tmp_path / STEM}.py, line 3: no answer within 1 s while the file was imported"]


def test_a_submission_that_hangs_and_prints_is_judged_as_everywhere(tmp_path: Path) -> None:
    overlay = tmp_path / "hangs.py"
    overlay.write_text(
        'import time\n\n\ndef fp32_softmax(*args, **kwargs):\n    print("here it stays")\n    time.sleep(600)\n'
    )
    options = ("--impl", "solutions", "--overlay", str(overlay), "--step", "4")
    found = records(tmp_path, "best", *options, timeout=1.0)
    elsewhere = records(tmp_path, "none", *options, timeout=1.0)
    ran = [(one, other) for one, other in zip(found, elsewhere, strict=True) if not other.got.startswith("not run")]
    assert ran and all(one == other for one, other in ran)
    late = [record for record in found if record.state == "timeout"]
    assert any(record.printed == "here it stays\n" for record in late)
    assert len(late) < len(found), "tests of other functions have their verdicts"


def test_what_a_submission_draws_is_the_same_in_a_regrade(tmp_path: Path) -> None:
    overlay = tmp_path / "draws.py"
    overlay.write_text(
        "import random\n\nimport numpy\n\n\ndef fp32_softmax(*args, **kwargs):\n"
        "    raise ValueError(f'{random.random()} {numpy.random.rand()} {torch.rand(())}')\n"
    )
    options = ("--impl", "solutions", "--overlay", str(overlay), "--step", "4", "--seed", "7")
    first = records(tmp_path, "best", *options)
    assert any(record.got.startswith("ValueError: 0.") for record in first)
    assert first == records(tmp_path, "best", *options)


@pytest.mark.skipif(not strongest() or strongest() == Level.NONE, reason="no sandbox works here")
def test_time_without_an_answer_counts(tmp_path: Path) -> None:
    """Else a submission that takes long and then breaks off would look like a slow machine."""
    lab, overlay = manifest.find("lab04"), tmp_path / "ends_its_server.py"
    overlay.write_text("import os\nimport time\n\ntime.sleep(0.5)\nos.kill(os.getppid(), 9)\ntime.sleep(60)\n")
    sandbox = Sandbox(lab, lab.paths.solution, Level(strongest()), overlay)
    try:
        answer = sandbox.run("a", None, Shape(1), 30.0)
        assert answer.ending in (Ending.CRASHED, Ending.TIMEOUT)
        assert sandbox.answering + sandbox.loading >= 0.5
    finally:
        sandbox.close()


TELLS = """
import os
import pathlib
import subprocess

def double(x):
    pathlib.Path(os.environ["HOME"], "mine").touch()
    pathlib.Path("/dev/shm", f"labkit-{os.getuid()}").touch()
    subprocess.Popen(["/bin/sleep", "600"], start_new_session=True)
    return x

def halve(x):
    return [os.listdir(os.environ["HOME"]), os.environ["HOME"] == os.environ["TMPDIR"] == os.getcwd()]
"""


@pytest.fixture(scope="module")
def telling(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Course, Template]]:
    course = small_course(tmp_path_factory.mktemp("telling"))
    course.file.write_text(TELLS)
    with Template(course.lab) as template:
        yield course, template


@pytest.mark.parametrize("level", LEVELS)
def test_boxes_of_one_template_share_nothing_but_what_is_imported(
    telling: tuple[Course, Template], level: Level
) -> None:
    if reason := what_works()[level]:
        pytest.skip(f"--isolation {level} does not work here: {reason}")
    course, template = telling

    def asked(sandbox: Sandbox, test: str, scenario: str) -> Answer:
        return sandbox.run(test, ["scenarios.tiny", scenario, encode({"x": 1})], Shape(1), 30.0)

    one, other = (Sandbox(course.lab, course.file, level, template=template) for _ in range(2))
    assert asked(one, "a", "doubled").value == 1
    files, at_home = asked(other, "a", "halved").value
    assert "mine" not in files and at_home
    assert one.box.uid is None or one.box.uid != other.box.uid
    one.close()
    assert asked(other, "b", "halved").ending == Ending.RETURNED
    other.close()
    assert template.process.poll() is None


def test_after_a_test_without_an_answer_the_others_have_less_time(tmp_path: Path) -> None:
    """Where the manifest does not set their time: a submission that hangs everywhere must not hold up the class."""
    lab = manifest.find("lab04")
    first, second, *_ = lab.behaviours
    own = msgspec.structs.replace(second, seconds=20.0)
    boxes = Boxes(Level.NONE)
    boxes.sandboxes[lab.stem] = Sandbox(lab, lab.paths.solution, Level.NONE)
    try:
        before = boxes.observer_for(lab, first, "a")
        boxes.take(unjudged(lab, first).but(state=State.TIMEOUT, seconds=30.0))
        after, with_own = boxes.observer_for(lab, first, "b"), boxes.observer_for(lab, own, "c")
        boxes.take(unjudged(lab, first).but(state=State.TIMEOUT, seconds=HANGING))
        rest = boxes.observer_for(lab, second, "d")
    finally:
        boxes.close()
    assert (before.seconds, after.seconds, with_own.seconds) == (lab.seconds_for(first), LATER, 20.0)
    assert after.left == LATER < before.left
    assert rest.run(print, {}) == Answer(ending=Ending.TIMEOUT, says=REST_NOT_RUN)


def test_a_level_that_a_gpu_does_not_have_is_refused() -> None:
    ran = grade("--impl", "solutions", "--isolation", "landlock", "--device", "cuda")
    assert ran.code != 0 and len(ran.errors) == 1
