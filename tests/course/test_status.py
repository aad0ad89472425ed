"""`make status` is quick where nothing has changed, and never shows a verdict on anything but the file as it is."""

import errno
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec import structs
from small_course import BOTH_STEPS, MANIFEST, ONE_STEP, STUBS, Course, small_course

from labkit.course import manifest
from labkit.course.records import Record
from labkit.judge import progress
from labkit.student import status


@pytest.fixture
def course(tmp_path: Path) -> Course:
    return small_course(tmp_path)


def records_of(course: Course, state: str = "passed") -> list[Record]:
    """A record of this state for every behaviour of the small lab."""
    return [
        Record("lab07", one.id, one.step, one.points, 0.1, "", state, one.points if state == "passed" else 0)
        for one in course.lab.behaviours
    ]


def test_before_anything_is_written_it_says_where_to_begin(course: Course) -> None:
    ran = course.labkit("status")
    assert (ran.code, ran.err) == (0, "")
    assert "  1 Doubling                       [..........]   0 of   3  1 todo" in ran.out
    assert "points   0 of   7, about 15 min left" in ran.out
    assert "Next: step 1, write double in src/tiny.py (1 todo)" in ran.out
    assert "Read docs/07_tiny.md#doubling, then: make watch-lab07" in ran.out
    assert "make hint-lab07 STEP=1" in ran.out


def test_the_course_begins_with_its_first_lab_unless_another_was_begun(course: Course) -> None:
    labs = [structs.replace(course.lab, number=number, first=number == 4) for number in (2, 4, 6)]
    fresh = [status.Standing(lab, records_of(course, "todo")) for lab in labs]
    assert status._current(fresh) == fresh[1]
    begun = replace(fresh[2], records=records_of(course, "failed"))
    assert status._current([*fresh[:2], begun]) == begun
    done = replace(fresh[1], records=records_of(course))
    assert status._current([fresh[0], done, fresh[2]]) == fresh[0]


def test_changed_file_is_tested_once(course: Course) -> None:
    """The second time nothing is run: torch may not even be imported. With the next change it is again."""
    course.file.write_text(ONE_STEP)
    first = course.labkit("status", TORCH="yes")
    assert "[##########]   3 of   3  1 passed" in first.out
    assert "Next: step 2, write halve in src/tiny.py (1 todo)" in first.out
    again = course.labkit("status")
    assert again.out == first.out
    course.file.write_text(ONE_STEP + "\nx = (\n")
    broken = course.labkit("status", TORCH="yes")
    assert "3 of   3" not in broken.out
    assert "Next: fix src/tiny.py, line 13: '(' was never closed: x = (" in broken.out
    assert course.labkit("status").out == broken.out


def test_tests_that_a_student_runs_are_remembered(course: Course) -> None:
    """Those of one step too; but not under another seed, whose inputs are others."""
    course.file.write_text(BOTH_STEPS)
    course.run("-m", "pytest", "-q", "tests/test_tiny.py", "--seed", "7")
    assert progress.recall(course.lab) == ([], "")
    course.run("-m", "pytest", "-q", "tests/test_tiny.py", "--step", "2")
    stand = status.known(course.lab)
    assert [stand.passed(1), stand.passed(2)] == [False, True]


@pytest.mark.parametrize(
    "changed",
    [
        "src/tiny.py",
        "src/helper_of_mine.py",
        "src/package_of_mine/part.py",
        "tests/test_tiny.py",
        "tests/scenarios/tiny.py",
        "tests/references/tiny.py",
        "labs/lab07_tiny/lab.toml",
        "src/labkit/judge/expect.py",
        "conftest.py",
    ],
)
def test_no_verdict_outlives_a_change(course: Course, changed: str) -> None:
    course.file.write_text(BOTH_STEPS)
    under = progress.fingerprint(course.lab)
    progress.remember(course.lab, under, records_of(course))
    assert status.known(course.lab).passed(2)
    path = course.root / changed
    path.parent.mkdir(exist_ok=True)
    path.write_text((path.read_text() if path.exists() else "") + "\n# changed\n")
    progress.machinery.cache_clear()  # as in the next process
    assert status.known(course.lab).records == []


def test_an_editors_lock_is_no_change(course: Course) -> None:
    under = progress.fingerprint(course.lab)
    (course.root / "src" / ".#tiny.py").symlink_to("nowhere")
    assert progress.fingerprint(course.lab) == under


def test_machinery_is_what_this_process_began_with(course: Course) -> None:
    """Watch imports labkit once: verdicts of its runs are not those of a labkit that was edited since."""
    progress.machinery(course.root)
    under = progress.fingerprint(course.lab)
    path = course.root / "src/labkit/judge/expect.py"
    path.write_text(path.read_text() + "\n# changed\n")
    assert progress.fingerprint(course.lab) == under


def test_verdicts_on_a_file_that_was_saved_meanwhile_are_dropped(course: Course) -> None:
    course.file.write_text(ONE_STEP)
    under = progress.fingerprint(course.lab)
    course.file.write_text(BOTH_STEPS)
    progress.remember(course.lab, under, records_of(course))
    assert progress.recall(course.lab) == ([], "")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"fingerprint": 1}', '{"records": {}, "error": null}'])
def test_damaged_memory_is_no_memory(course: Course, text: str) -> None:
    folder = course.root / progress.FOLDER
    folder.mkdir()
    (folder / "verdicts-lab07.json").write_text(text)
    assert progress.recall(course.lab) == ([], "")
    progress.remember(course.lab, progress.fingerprint(course.lab), records_of(course))
    assert len(progress.recall(course.lab)[0]) == 2


def test_verdict_on_a_file_that_was_changed_and_changed_back_is_not_kept(course: Course) -> None:
    """Nobody knows which of the two each test saw."""
    course.file.write_text(BOTH_STEPS)
    under = progress.fingerprint(course.lab)
    course.file.write_text(ONE_STEP)
    course.file.write_text(BOTH_STEPS)
    progress.remember(course.lab, under, records_of(course))
    assert status.known(course.lab).records == []


def test_file_that_is_saved_while_it_is_tested_has_no_verdict(course: Course) -> None:
    saving = "import pathlib\npathlib.Path(__file__).open('a').write('# saved\\n')\n"
    course.file.write_text(BOTH_STEPS + saving)
    said = course.labkit("status", TORCH="yes").out
    assert "points   0 of   7" in said
    assert "Next: src/tiny.py was saved while it was tested: make status again" in said


def test_test_that_gives_no_answer_ends_the_run(course: Course) -> None:
    """The others would wait as long; and while the file is as it is, nobody waits again."""
    path = course.root / "labs/lab07_tiny/lab.toml"
    path.write_text(path.read_text().replace("minutes = 5\n", "minutes = 5\nseconds = 1\n"))
    course.file.write_text(re.sub("raise NotImplementedError.*", "while True:\n        pass", STUBS))
    said = course.labkit("status", TORCH="yes").out
    assert "Next: step 1, fix what test_double_is_twice shows (1 timeout)" in said
    assert course.labkit("status").out == said


def test_timeout_of_a_later_step_hides_no_earlier_one(course: Course) -> None:
    course.file.write_text(ONE_STEP)
    under = progress.fingerprint(course.lab)
    first, second = records_of(course)
    second = replace(second, state="timeout")
    progress.remember(course.lab, under, [second])
    assert not status.known(course.lab).whole
    progress.remember(course.lab, under, [first])
    assert status.known(course.lab).whole


@pytest.mark.parametrize(
    ("ends", "how", "written"),
    [
        pytest.param("_exit(3)", "crashed", STUBS, id="first test"),
        pytest.param("abort()", "crashed", ONE_STEP, id="after a test that passed"),
        pytest.param("kill(os.getpid(), 9)", "out of memory", STUBS, id="as the system does where memory is short"),
    ],
)
def test_code_that_ends_python_is_named(course: Course, ends: str, how: str, written: str) -> None:
    course.file.write_text("import os\n" + re.sub("raise NotImplementedError.*", f"os.{ends}", written))
    said = course.labkit("status", TORCH="yes").out
    assert re.search(rf"Next: step \d, fix what test_\w+ shows \(1 {how}\)", said), said


def test_what_the_machine_lacked_is_not_kept(course: Course) -> None:
    """A broken PyTorch, say: as soon as it is fixed, the file is tested."""
    course.file.write_text(BOTH_STEPS)
    broken = course.root / "broken" / "torch"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise OSError('libcudart.so.12: cannot open shared object file')\n")
    path = os.pathsep.join([str(broken.parent), str(course.root / "src")])
    said = course.labkit("status", TORCH="yes", PYTHONPATH=path).out
    assert "Next: the tests did not run:" in said and "libcudart.so.12" in said
    assert said.rstrip().endswith("make doctor")
    assert "points   7 of   7" in course.labkit("status", TORCH="yes").out


def test_file_that_cannot_be_read_is_said(course: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    def read_bytes(path: Path) -> bytes:
        raise PermissionError(errno.EACCES, "Permission denied", path)

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    assert status.known(course.lab).error == "src/tiny.py cannot be read (Permission denied): fix its permissions"


def test_record_of_another_version_is_no_record(course: Course) -> None:
    under = progress.fingerprint(course.lab)
    progress.remember(course.lab, under, records_of(course))
    path = course.root / progress.FOLDER / "verdicts-lab07.json"
    path.write_text(path.read_text().replace('"seconds"', '"duration"'))
    assert progress.recall(course.lab) == ([], "")
    path.write_text(path.read_text().replace('"duration"', '"seconds"').replace('"earned": 3', '"earned": null'))
    assert progress.recall(course.lab) == ([], "")


def test_missing_file_is_said_with_its_remedy(course: Course) -> None:
    course.file.unlink()
    ran = course.labkit("status")
    assert ran.code == 0
    assert "src/tiny.py is not there; make reset-lab07 puts the skeleton in" in ran.out


def test_it_ends_when_everything_passes(course: Course) -> None:
    said = [line.text for line in status.lines(status.Standing(course.lab, records_of(course)))]
    assert "Everything passed." in said
    assert not any("Next:" in text for text in said)


# A course of several labs -----------------------------------------------------------------------------------------


def add_lab(course: Course, number: int, stem: str, **changes: str) -> None:
    """Another lab like the small one; `changes` replace text in its manifest."""
    text = MANIFEST.replace("number = 7", f"number = {number}").replace('"tiny"', f'"{stem}"')
    for old, new in {'title = "Tiny"': f'title = "{stem.title()}"', **changes}.items():
        assert old in text
        text = text.replace(old, new)
    folder = course.root / "labs" / f"lab{number:02d}_{stem}"
    folder.mkdir()
    (folder / "lab.toml").write_text(text)
    for path in (folder / "skeleton.py", course.root / "src" / f"{stem}.py"):
        path.write_text(STUBS)
    for path in (folder / "README.md", course.root / "tests" / f"test_{stem}.py"):
        path.write_text("")


def remember(course: Course, stem: str, state: str) -> None:
    """The student has changed the file of `stem`, and its tests have ended so."""
    lab = manifest.find(stem, course.root)
    lab.paths.student.write_text(BOTH_STEPS)
    records = [
        Record(lab.name, one.id, one.step, one.points, 0.1, "", state, one.points if state == "passed" else 0)
        for one in lab.behaviours
    ]
    progress.remember(lab, progress.fingerprint(lab), records)


def shown(course: Course) -> list[str]:
    return [line.text for line in status.course_lines(course.root)]


def test_the_course_has_one_next_step(course: Course) -> None:
    """That of the lab that was begun, which alone shows its steps."""
    for number, stem in ((3, "small"), (8, "wide")):
        add_lab(course, number, stem)
    assert [text for text in shown(course) if text.startswith("Next")] == [
        "Next, in lab03: step 1, write double in src/small.py (1 todo)"
    ]
    remember(course, "tiny", "failed")
    said = shown(course)
    assert [text for text in said if text.startswith("Next")] == [
        "Next, in lab07: step 1, fix what test_double_is_twice shows (1 failed)"
    ]
    assert sum(text.startswith("  1 Doubling") for text in said) == 1
    assert "Lab 03: Small                        [..........]   0 of   7  about 15 min left" in said
    remember(course, "tiny", "passed")
    assert [text for text in shown(course) if text.startswith("Next")] == [
        "Next, in lab03: step 1, write double in src/small.py (1 todo)"
    ]
    assert "Lab 07: Tiny                         [##########]   7 of   7" in shown(course), "no minutes when done"


def test_a_wrong_manifest_is_said_and_the_others_work(course: Course) -> None:
    add_lab(course, 3, "small")
    path = course.root / "labs/lab03_small/lab.toml"
    path.write_text(path.read_text().replace("minutes = 5", 'minutes = "five"'))
    said = shown(course)
    assert any(text.startswith("labs/lab03_small/lab.toml: ") and "minutes" in text for text in said)
    assert any(text.startswith("Next: step 1, write double in src/tiny.py") for text in said)


def test_a_missing_package_skips_its_steps_aloud(course: Course) -> None:
    add_lab(course, 3, "small", **{'title = "Halving"': 'title = "Halving"\nneeds = ["no-such-package"]'})
    add_lab(course, 5, "late", **{'goal = "Be small."': 'goal = "Be small."\nneeds = ["no-such-package"]'})
    said = shown(course)
    assert "  2 Halving                        [..........]   0 of   0  1 skipped" in said
    assert any(text.endswith("points   0 of   3, 4 more with no-such-package, about 5 min left") for text in said)
    assert any(text.endswith("pip install no-such-package") for text in said)
    assert any("Lab 05: Late" in text and text.endswith("0 of   0") for text in said), "nothing is left to do there"


def test_minutes_are_what_is_left(course: Course) -> None:
    first, second = records_of(course)
    assert status.Standing(course.lab, [first, second]).minutes_left() == 0
    assert status.Standing(course.lab, [first]).minutes_left() == 10
    assert status.Standing(course.lab).minutes_left() == 15


def test_a_failure_is_shown_with_its_help(course: Course) -> None:
    said = [line.text for line in status.next_lines(status.Standing(course.lab, records_of(course, "failed")))]
    assert said[0] == "Next: step 1, fix what test_double_is_twice shows (1 failed)"
    assert "make hint-lab07 STEP=1, or why it matters: make explain-lab07 TEST=double_is_twice" in said[2]


def test_it_fits_every_terminal(course: Course) -> None:
    """80 columns, no colour where there is no terminal, nothing but ASCII; a screen that knows no more is no error."""
    path = course.root / "labs/lab07_tiny/lab.toml"
    path.write_text(
        path.read_text().replace('title = "Halving"', 'title = "Halb\u00e9 und noch l\u00e4nger als alles andere"')
    )
    ran = course.labkit("status", PYTHONIOENCODING="ascii", NO_COLOR="")
    assert ran.code == 0 and "Halb\\xe9" in ran.out
    assert "\x1b" not in ran.out
    assert max(len(line.replace("\\xe9", "e").replace("\\xe4", "a")) for line in ran.out.splitlines()) <= 80
