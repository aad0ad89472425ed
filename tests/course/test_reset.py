"""A reset keeps what the student wrote; where that cannot be done, nothing is reset."""

import errno
import os
import re
from pathlib import Path

import pytest
from small_course import ONE_STEP, STUBS, Course, small_course

from labkit.course.errors import LabError
from labkit.student import hints, reset


@pytest.fixture
def course(tmp_path: Path) -> Course:
    return small_course(tmp_path)


def backups(course: Course) -> list[Path]:
    return sorted((course.root / "backups").glob("*"))


def test_file_is_kept_and_the_skeleton_put_in_its_place(course: Course) -> None:
    course.file.write_text(ONE_STEP)
    ran = course.labkit("reset", "lab07")
    assert (ran.code, ran.err) == (0, "")
    (backup,) = backups(course)
    assert backup.read_text() == ONE_STEP
    assert course.file.read_text() == STUBS
    assert f"cp backups/{backup.name} src/tiny.py" in ran.out


def test_name_of_the_backup_is_a_date_that_every_system_takes(course: Course) -> None:
    course.file.write_text(ONE_STEP)
    reset.reset(course.lab)
    assert re.fullmatch(r"tiny_\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d\.py", backups(course)[0].name)


def test_no_backup_is_ever_overwritten(course: Course) -> None:
    """Several within the same second too."""
    for number in range(4):
        course.file.write_text(f"# {number}\n")
        reset.reset(course.lab)
    assert sorted(path.read_text() for path in backups(course)) == [f"# {number}\n" for number in range(4)]


def test_without_a_backup_nothing_is_reset(course: Course) -> None:
    course.file.write_text(ONE_STEP)
    (course.root / "backups").write_text("a file where the folder should be")
    with pytest.raises(LabError, match=r"no backup can be made .*, so nothing was reset"):
        reset.reset(course.lab)
    assert course.file.read_text() == ONE_STEP


def no_space(descriptor: int) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def cut_off(descriptor: int) -> None:
    os.truncate(descriptor, 5)


@pytest.mark.parametrize(
    ("fsync", "why"), [(no_space, os.strerror(errno.ENOSPC)), (cut_off, "it reads back as something else")]
)
def test_backup_that_is_not_whole_leaves_the_file(course: Course, monkeypatch, fsync, why: str) -> None:
    course.file.write_text(ONE_STEP)
    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(LabError, match=rf"^backups/: no backup can be made \({why}\), so nothing was reset$"):
        reset.reset(course.lab)
    assert course.file.read_text() == ONE_STEP
    assert backups(course) == []


def test_what_is_no_file_is_left_where_it_is(course: Course) -> None:
    """A folder, a pipe (which nobody waits for) or a link to nowhere in the file's place."""
    for number, make in enumerate((Path.mkdir, os.mkfifo, lambda path: path.symlink_to("nowhere"))):
        course.file.rename(course.root / f"away-{number}")
        make(course.file)
        with pytest.raises(LabError, match=r"^src/tiny\.py is not a file: move it away, then make reset-lab07$"):
            reset.reset(course.lab)
        assert "Next: src/tiny.py is not a file: move it away" in course.labkit("status").out


def test_skeleton_is_left_alone(course: Course) -> None:
    assert reset.reset(course.lab) == ["src/tiny.py is the skeleton already; nothing to do"]
    assert backups(course) == []


def test_missing_file_is_restored(course: Course) -> None:
    course.file.unlink()
    assert reset.reset(course.lab)[0].startswith("written: src/tiny.py")
    assert course.file.read_text() == STUBS
    assert backups(course) == []


def test_file_that_is_no_text_is_kept_as_it_is(course: Course) -> None:
    course.file.write_bytes(b"\xff\x00\r\n")
    reset.reset(course.lab)
    assert backups(course)[0].read_bytes() == b"\xff\x00\r\n"


def test_missing_skeleton_is_said(course: Course) -> None:
    (course.root / "labs/lab07_tiny/skeleton.py").unlink()
    course.file.write_text(ONE_STEP)
    with pytest.raises(LabError, match=r"skeleton\.py: cannot be read"):
        reset.reset(course.lab)
    assert course.file.read_text() == ONE_STEP


def test_hints_begin_anew(course: Course) -> None:
    hints.next_hint(course.lab, 1)
    course.file.write_text(ONE_STEP)
    reset.reset(course.lab)
    assert not any("the idea" in line.text for line in hints.next_hint(course.lab, 1))
