"""`make reset-lab04`: the skeleton again, and the student's file kept as a dated backup; never without that backup."""

import datetime
import itertools
import os
from pathlib import Path

from labkit.course.errors import LabError
from labkit.course.files import shown, sync_folder, write_whole
from labkit.course.manifest import Lab
from labkit.judge import progress
from labkit.student import hints

BACKUPS = "backups"  # below the root; ignored by git, and `make clean` leaves it alone


def reset(lab: Lab) -> list[str]:
    """Puts the skeleton in the place of the student's file; says where the file went, and how to get it back.

    Raises:
        LabError: there is no skeleton, the file cannot be read, or no backup could be made: then it is as it was.
    """
    root, file, skeleton = lab.paths.root, lab.paths.student, lab.paths.skeleton
    try:
        stubs = skeleton.read_bytes()
    except OSError as error:
        raise LabError(
            f"{shown(skeleton, root)}: cannot be read ({error.strerror}); git checkout brings it back"
        ) from None
    kept = progress.written(lab)
    if kept == stubs:
        return [f"{shown(file, root)} is the skeleton already; nothing to do"]
    said = []
    if kept is not None:
        backup = _back_up(kept, lab)
        said += [f"kept:    {shown(backup, root)}", f"back:    cp {shown(backup, root)} {shown(file, root)}"]
    write_whole(file, stubs)
    hints.forget(lab)
    return [*said, f"written: {shown(file, root)}, the skeleton again; hints start over"]


def _back_up(kept: bytes, lab: Lab) -> Path:
    """The path of a new file that holds `kept`, read back to be sure."""
    folder = lab.paths.root / BACKUPS
    moment = datetime.datetime.now().strftime("%Y-%m-%d_%H-%M-%S")  # no colons: Windows refuses them
    try:
        folder.mkdir(exist_ok=True)
        backup = _new_file(folder, f"{lab.stem}_{moment}")
        _fill(backup, kept)
    except OSError as error:
        why = error.strerror or str(error)
        raise LabError(f"{BACKUPS}/: no backup can be made ({why}), so nothing was reset") from None
    return backup


def _new_file(folder: Path, name: str) -> Path:
    for number in itertools.count(1):
        path = folder / f"{name}{f'_{number}' if number > 1 else ''}.py"
        try:
            path.touch(exist_ok=False)
        except FileExistsError:
            continue
        return path
    raise AssertionError("the numbers do not end")


def _fill(backup: Path, kept: bytes) -> None:
    """Writes the backup to the disk; where that fails, no file is left that only looks like one."""
    try:
        with open(backup, "wb") as file:
            file.write(kept)
            file.flush()
            os.fsync(file.fileno())
        sync_folder(backup.parent)
        if backup.read_bytes() != kept:
            raise OSError("it reads back as something else")
    except OSError:
        backup.unlink()
        raise
