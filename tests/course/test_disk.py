"""How much a submission has written is seen, whatever it has made of its folder."""

import os
from pathlib import Path

import pytest

from labkit.observe import disk
from labkit.observe.disk import FILES, MIB, overfull, shortage


def test_bytes_of_all_files_together_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "MOST", 2 * MIB)
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    (below / "sparse").touch()
    os.truncate(below / "sparse", 2**40)  # takes nothing
    (below / "one").write_bytes(b"1" * MIB)
    (below / "away").symlink_to(Path(__file__).parents[1])
    assert overfull(tmp_path) == ""
    (tmp_path / "other").write_bytes(b"1" * (MIB + 2**16))
    assert overfull(tmp_path) == "more than 2 MiB"


def test_files_are_counted_too(tmp_path: Path) -> None:
    for number in range(FILES + 1):
        os.link(tmp_path / "0", tmp_path / str(number)) if number else (tmp_path / "0").touch()
    assert overfull(tmp_path) == f"more than {FILES} files"


def test_a_folder_that_is_gone_holds_nothing(tmp_path: Path) -> None:
    assert overfull(tmp_path / "gone") == ""


def test_a_disk_is_short_below_what_grading_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    status = os.statvfs(tmp_path)
    monkeypatch.setattr(disk, "LEAST_LEFT", 0)
    assert shortage(tmp_path) == ""
    monkeypatch.setattr(disk, "LEAST_LEFT", 2 * status.f_blocks * status.f_frsize)
    assert f"the disk of {tmp_path} has" in shortage(tmp_path)
