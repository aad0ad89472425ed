"""Submissions are taken in as Moodle and Canvas export them; what is hostile or unreadable is left, with the reason."""

import csv
import io
import os
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from small_course import BOTH_STEPS, ONE_STEP, STUBS, WRONG, small_course

from labkit.course.errors import LabError
from labkit.course.lab import Lab
from labkit.grade import intake, reading
from labkit.grade.intake import Submission, read_folder
from labkit.grade.results import Outcome, Result
from labkit.grade.table import grades_csv

GOOD = BOTH_STEPS.encode()
Files = Mapping[str, str | bytes]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return small_course(tmp_path_factory.mktemp("course")).lab


def archive(files: Files, compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", compression) as written:
        for name, content in files.items():
            written.writestr(name, content)
    return data.getvalue()


def put(folder: Path, files: Files) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def only(folder: Path, lab: Lab) -> Submission:
    [submission] = read_folder(folder, lab)
    return submission


@pytest.mark.parametrize(
    ("files", "who", "taken"),
    [
        ({"ann/tiny.py": GOOD}, "ann", "tiny.py"),
        ({"ann.py": GOOD}, "ann", "ann.py"),
        ({"ann.zip": archive({"tiny.py": GOOD})}, "ann", "ann.zip/tiny.py"),
        ({"ann/a/b/tiny.py": GOOD}, "ann", "a/b/tiny.py"),
        ({"ann/work.zip": archive({"src/tiny.py": GOOD})}, "ann", "work.zip/src/tiny.py"),
        ({"ann.zip": archive({"src\\tiny.py": GOOD})}, "ann", "ann.zip/src/tiny.py"),
        ({"ann/Tiny.PY": GOOD}, "ann", "Tiny.PY"),
        ({"ann/tiny (1).py": GOOD}, "ann", "tiny (1).py"),
        ({"ann/tiny - Copy (2).py": GOOD}, "ann", "tiny - Copy (2).py"),
        ({"ann/my answer.py": GOOD, "ann/notes.md": "x"}, "ann", "my answer.py"),
        ({"ann/tiny.py": GOOD, "ann/old/tiny.py": WRONG, "ann/tiny (1).py": WRONG}, "ann", "tiny.py"),
        ({"ann/tiny (1).py": WRONG, "ann/tiny (2).py": GOOD}, "ann", "tiny (2).py"),
        ({"ann/a/tiny.py": GOOD, "ann/b/tiny.py": GOOD}, "ann", "a/tiny.py"),
        ({"ann/src/tiny.py": GOOD, "ann/solutions/tiny.py": WRONG}, "ann", "src/tiny.py"),
        ({"ann/__MACOSX/tiny.py": WRONG, "ann/.git/tiny.py": WRONG, "ann/x/tiny.py": GOOD}, "ann", "x/tiny.py"),
        ({"ann.zip": archive({"__MACOSX/._tiny.py": WRONG, "w/tiny.py": GOOD})}, "ann", "ann.zip/w/tiny.py"),
        ({"Ann Li_12345_assignsubmission_file_/tiny.py": GOOD}, "Ann Li_12345", "tiny.py"),
        ({"Ann Li_12345_assignsubmission_file_tiny.py": GOOD}, "Ann Li_12345",
         "Ann Li_12345_assignsubmission_file_tiny.py"),
        ({"Ann_1_assignsubmission_file_/tiny.py": GOOD, "Ann_1_assignsubmission_onlinetext_/t.html": "x"}, "Ann_1",
         "tiny.py"),
        ({"liann_123_4567_tiny.py": GOOD}, "liann_123", "liann_123_4567_tiny.py"),
        ({"liann_LATE_123_4567_tiny.py": GOOD}, "liann_123", "liann_LATE_123_4567_tiny.py"),
        ({"liann_123_45_tiny.py": WRONG, "liann_123_4567_tiny-1.py": GOOD}, "liann_123",
         "liann_123_4567_tiny-1.py"),
        ({"liann_123_4567_tiny.py": WRONG, "liann_123_4568_tiny-2.zip": archive({"tiny.py": GOOD})}, "liann_123",
         "liann_123_4568_tiny-2.zip/tiny.py"),
        ({"ann/tiny.py": GOOD, ".DS_Store": "x", "__MACOSX/x": "x", "Thumbs.db": "x"}, "ann", "tiny.py"),
        ({"=cmd().py": GOOD}, "=cmd()", "=cmd().py"),
        ({"<script>\n\x1b[31m é/tiny.py": GOOD}, "<script>\n\x1b[31m é", "tiny.py"),
    ],
)  # fmt: skip
def test_the_file_that_is_meant_is_taken(files: Files, who: str, taken: str, lab: Lab, tmp_path: Path) -> None:
    submission = only(put(tmp_path, files), lab)
    assert (submission.id, submission.taken, submission.reason) == (who, (taken,), "")
    assert submission.files == {"tiny.py": GOOD}


def test_what_canvas_calls_late_is_late(lab: Lab, tmp_path: Path) -> None:
    put(
        tmp_path,
        {"liann_LATE_123_4567_tiny.py": GOOD, "late_7_8_tiny.py": GOOD, "bo_late_x.py": GOOD, "cy_9_1_a.py": GOOD},
    )
    assert [one.id for one in read_folder(tmp_path, lab) if one.late] == ["liann_123"]


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"ann/notes.txt": "x"}, "there is no tiny.py; notes.txt is not part of this lab and was ignored"),
        ({"ann/tiny.py": " \n"}, "tiny.py is empty"),
        ({"ann/tiny.py": b"#" * (reading.LARGEST + 1)}, "tiny.py has more than 1,000,000 bytes"),
        ({"ann.zip": "PK no archive"}, "ann.zip is not a readable zip archive: zip the files again, or"),
        ({"ann/tiny.ipynb": "{}"}, "there is no tiny.py; tiny.ipynb is a notebook: download its code as a .py file"),
        ({"ann.zip": archive({"Tiny.ipynb": "{}"})}, "ann.zip/Tiny.ipynb is a notebook: download its code"),
        ({"ann/.keep": "x"}, "it holds no file: hand in tiny.py"),
        ({"ann/a.py": "1", "ann/b.py": "2"}, "there is no tiny.py, only a.py, b.py: rename the right file to tiny.py"),
        ({"ann.zip": archive({"tiny.py": GOOD})[:-30]}, "is not a readable zip archive"),
        ({"ann.zip": archive({"../../tiny.py": GOOD})}, "ann.zip names a file outside of the archive: ../../tiny.py"),
        ({"ann.zip": archive({"/etc/tiny.py": GOOD})}, "names a file outside of the archive: /etc/tiny.py"),
        ({"ann.zip": archive({"C:\\tiny.py": GOOD})}, "names a file outside of the archive"),
        ({"ann.zip": archive({"tiny.py": b"\0" * 30_000_000})}, "ann.zip/tiny.py has more than 1,000,000 bytes"),
        ({"ann.zip": archive({f"{n}": "" for n in range(reading.ENTRIES + 1)})}, "ann.zip has more than 2,000 files"),
        ({"ann.zip": archive({"tiny.py": GOOD}, zipfile.ZIP_LZMA)}, "tiny.py is compressed in an unusual way"),
        ({"ann.zip": archive({"in.zip": archive({"tiny.py": GOOD})})}, "ann.zip/in.zip is not part of this lab and"),
        ({"ann.tar.gz": "x"}, "ann.tar.gz is not part of this lab and was ignored"),
        ({"ann.py": GOOD, "ann/tiny.py": WRONG}, "two students have this name: ann, ann.py; keep or rename one"),
        ({f"ann/{n}": "" for n in range(reading.ENTRIES + 1)}, "there is no tiny.py; ann has more than 2,000 files"),
    ],
)  # fmt: skip
def test_what_cannot_be_taken_is_broken_with_the_reason(files: Files, reason: str, lab: Lab, tmp_path: Path) -> None:
    [submission] = read_folder(put(tmp_path, files), lab)
    assert reason in submission.reason
    assert "\n" not in submission.reason
    assert (submission.files, submission.taken) == ({}, ())


def test_of_two_files_that_fit_equally_none_is_guessed(lab: Lab, tmp_path: Path) -> None:
    ann, _ = read_folder(put(tmp_path, {"ann/a/tiny.py": GOOD, "ann/b/tiny.py": WRONG, "bob.py": GOOD}), lab)
    assert ann.reason == "which tiny.py is meant, a/tiny.py or b/tiny.py? Keep one" and not ann.files


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"x/Ann_1_assignsubmission_file_/tiny.py": GOOD, "x/Bob_2_assignsubmission_file_/tiny.py": GOOD},
         "{folder}: looks like a class inside one folder; did you mean {folder}/x?"),
        ({"x/ann/tiny.py": GOOD, "x/bob/tiny.py": WRONG},
         "{folder}: looks like a class inside one folder (which tiny.py is meant, ann/tiny.py or bob/tiny.py? Keep "
         "one); did you mean {folder}/x?"),
        ({"tiny.py": GOOD, "notes.txt": "x"},
         "{folder}: holds tiny.py, so it looks like the folder of one student; give the folder in which each student "
         "has a folder, a .py or a .zip"),
        ({"src/tiny.py": GOOD, "docs/x.md": "x"},
         "{folder}: holds src/tiny.py, so it looks like the folder of one student; give the folder in which each "
         "student has a folder, a .py or a .zip"),
    ],
)  # fmt: skip
def test_a_folder_above_or_below_that_of_the_class_is_one_line(
    files: Files, says: str, lab: Lab, tmp_path: Path
) -> None:
    with pytest.raises(LabError) as error:
        read_folder(put(tmp_path, files), lab)
    assert str(error.value) == says.format(folder=tmp_path)


def test_the_version_that_was_graded_is_in_the_table(lab: Lab, tmp_path: Path) -> None:
    files = {"ann/tiny.py": GOOD, "ann/old/tiny.py": WRONG, "ann/utils.py": "", "bob/tiny (1).py": GOOD}
    results = [
        Result("k", one.id, "lab07", 7, 7, Outcome.GRADED, files=one.taken, left=one.left)
        for one in read_folder(put(tmp_path, files), lab)
    ]
    rows = list(csv.DictReader(io.StringIO(grades_csv(results))))
    assert [row["files"] for row in rows] == ["tiny.py (not used: old/tiny.py)", "tiny (1).py"]


def test_a_header_that_lies_about_a_size_unpacks_no_more(lab: Lab, tmp_path: Path) -> None:
    data = archive({"tiny.py": b"\0" * 3_000_000})
    size = (3_000_000).to_bytes(4, "little")
    assert data.count(size) == 2
    put(tmp_path, {"ann.zip": data.replace(size, (100).to_bytes(4, "little"))})
    assert "ann.zip/tiny.py cannot be unpacked (Bad CRC-32" in only(tmp_path, lab).reason


def test_no_more_is_unpacked_than_it_takes_to_say_that_it_is_too_much(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two megabytes can hold two gigabytes, which all look like the file that is meant."""
    read = []
    monkeypatch.setattr(reading, "_bounded", lambda data, most: read.append(len(data)) or data)
    many = archive({f"{n}/tiny.py": b"#" * 1000 for n in range(1000)})
    ann = intake.read_one("ann", [put(tmp_path, {"ann.zip": many}) / "ann.zip"], lab)
    assert ann.reason == "which tiny.py is meant? There are 1000 of them. Keep one"
    assert len(read) == 2, "the archive itself, and one file"


def test_a_submission_of_many_archives_is_not_opened_to_the_last(lab: Lab, tmp_path: Path) -> None:
    put(tmp_path, {f"ann/{n:03d}.zip": archive({"notes.txt": ""}) for n in range(reading.ARCHIVES + 1)})
    put(tmp_path, {"ann/tiny.py": GOOD})
    told = dict(only(tmp_path, lab).left)
    assert told[f"{reading.ARCHIVES:03d}.zip"] == "was not opened: it is one of more than 20 archives"
    assert "000.zip/notes.txt" in told


def test_a_long_name_is_shown_in_part(lab: Lab, tmp_path: Path) -> None:
    name = "/".join(["folder"] * 600) + "/tiny.py"
    put(tmp_path, {"ann.zip": archive({name: GOOD, name.replace("tiny.py", "a.txt"): "x"})})
    found = only(tmp_path, lab)
    assert found.files == {"tiny.py": GOOD}
    [taken], [(left, _)] = found.taken, found.left
    assert len(taken) <= intake.LONGEST and taken.startswith("ann.zip/folder") and taken.endswith("folder/tiny.py")
    assert len(left) <= intake.LONGEST and left.endswith("a.txt")


@pytest.mark.parametrize("said", [1, 0xFFFF])
def test_a_directory_with_too_many_entries_is_not_parsed(
    said: int, lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever number its end says: a parser goes by the directory's size, and makes an object for each entry."""
    data = archive({"tiny.py": GOOD})
    start = data.index(reading.ENTRY)
    size = data.rindex(b"PK\5\6") - start
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, said, said, size * (reading.ENTRIES + 1), start, 0)
    put(tmp_path, {"ann.zip": data[:start] + data[start : start + size] * (reading.ENTRIES + 1) + end})
    monkeypatch.setattr(zipfile, "ZipFile", lambda *given: pytest.fail("it was parsed"))
    assert "ann.zip has more than 2,000 files" in only(tmp_path, lab).reason


def test_an_archive_with_a_password_is_said(lab: Lab, tmp_path: Path) -> None:
    data = bytearray(archive({"tiny.py": GOOD}))
    data[data.index(b"PK\x01\x02") + 8] |= 1
    data[6] |= 1
    put(tmp_path, {"ann.zip": bytes(data)})
    assert "password" in only(tmp_path, lab).reason


@pytest.mark.timeout(20)  # a FIFO that is opened waits for ever
def test_links_and_fifos_are_left_unopened(lab: Lab, tmp_path: Path) -> None:
    put(tmp_path / "other", {"tiny.py": GOOD})
    folder = put(tmp_path / "given", {"ann/notes.txt": "x"})
    os.mkfifo(folder / "ann" / "tiny.py")
    os.mkfifo(folder / "bob.py")
    (folder / "cyd.py").symlink_to(tmp_path / "other" / "tiny.py")
    (folder / "dan").symlink_to(tmp_path / "other")
    (folder / "eve").mkdir()
    (folder / "eve" / "inside").symlink_to(tmp_path / "other")
    linked = zipfile.ZipInfo("tiny.py")
    linked.external_attr = 0o120777 << 16
    with zipfile.ZipFile(folder / "fay.zip", "w") as written:
        written.writestr(linked, "/etc/passwd")
    reasons = {one.id: one.reason for one in read_folder(folder, lab)}
    assert reasons == {
        "ann": "there is no tiny.py; tiny.py is no ordinary file; notes.txt is not part of this lab and was ignored",
        "bob": "there is no tiny.py; bob.py is no ordinary file",
        "cyd": "there is no tiny.py; cyd.py is a link",
        "dan": "there is no tiny.py; dan is a link",
        "eve": "there is no tiny.py; inside is a link",
        "fay": "there is no tiny.py; fay.zip/tiny.py is a link",
    }


@pytest.mark.timeout(20)
def test_a_fifo_that_takes_the_place_of_a_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "tiny.py")
    with pytest.raises(reading.Refused, match="no ordinary file"):
        reading._read(tmp_path / "tiny.py")


def test_a_name_that_is_no_utf8_is_kept_as_text(lab: Lab, tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xe9va.py")).write_bytes(GOOD)
    assert only(tmp_path, lab).id == "\\xe9va"


def test_what_was_left_is_told_and_bounded(lab: Lab, tmp_path: Path) -> None:
    put(tmp_path, {"ann/tiny.py": GOOD, "ann/tiny (1).py": WRONG, "ann/a.txt": "x"})
    assert only(tmp_path, lab).left == (
        ("a.txt", "is not part of this lab and was ignored"),
        ("tiny (1).py", "was not used: another version was graded"),
    )
    put(tmp_path, {f"ann/a{n}.txt": "x" for n in range(100)})
    left = only(tmp_path, lab).left
    assert len(left) == intake.SHOWN + 1
    assert left[-1] == ("...", f"and {102 - intake.SHOWN} more")


def test_files_on_which_the_lab_builds_are_taken_too(lab: Lab, tmp_path: Path) -> None:
    from msgspec.structs import replace

    builds = replace(lab, builds_on=("small",))
    put(tmp_path, {"ann/tiny.py": GOOD, "ann/small.py": STUBS, "bob/small.py": STUBS})
    ann, bob = read_folder(tmp_path, builds)
    assert (ann.taken, set(ann.files)) == (("small.py", "tiny.py"), {"small.py", "tiny.py"})
    assert bob.reason == "there is no tiny.py, only small.py: rename the right file to tiny.py"
    assert bob.left == (("small.py", "was not used"),)


def test_the_digest_follows_what_would_be_graded(lab: Lab, tmp_path: Path) -> None:
    put(tmp_path, {"ann/tiny.py": GOOD})
    before = only(tmp_path, lab).digest
    put(tmp_path, {"ann/notes.txt": "x"})
    assert only(tmp_path, lab).digest == before
    put(tmp_path, {"ann/tiny.py": ONE_STEP})
    assert only(tmp_path, lab).digest != before


def test_a_folder_that_holds_nothing_gets_one_line(lab: Lab, tmp_path: Path) -> None:
    put(tmp_path, {".DS_Store": "x"})
    with pytest.raises(LabError, match="is empty; give the folder in which each student has") as error:
        read_folder(tmp_path, lab)
    assert "\n" not in str(error.value)
    with pytest.raises(LabError, match="none: is no folder"):
        read_folder(tmp_path / "none", lab)
