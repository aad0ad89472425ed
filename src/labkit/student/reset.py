"""`make reset-lab04`: the skeleton again, and the student's file kept as a dated backup; never without that backup."""

import datetime
from pathlib import Path

from labkit import progress
from labkit.errors import LabError
from labkit.files import shown, write_whole
from labkit.manifest import ROOT, Lab
from labkit.student import hints

BACKUPS = "backups"  # below the root; ignored by git, and `make clean` leaves it alone


def reset(lab: Lab, root: Path = ROOT) -> list[str]:
    """Puts the skeleton in the place of the student's file; says where the file went, and how to get it back.

    Raises:
        LabError: there is no skeleton, or no backup could be made: then the file is as it was.
    """
    file, skeleton = progress.student_file(lab, root), lab.folder / "skeleton.py"
    try:
        stubs = skeleton.read_bytes()
    except OSError as error:
        raise LabError(
            f"{shown(skeleton, root)}: cannot be read ({error.strerror}); git checkout brings it back"
        ) from None
    kept = _read(file, root)
    if kept == stubs:
        return [f"{shown(file, root)} is the skeleton already; nothing to do"]
    said = []
    if kept is not None:
        backup = _back_up(kept, lab, root)
        said += [f"kept:    {shown(backup, root)}", f"back:    cp {shown(backup, root)} {shown(file, root)}"]
    write_whole(file, stubs)
    hints.forget(lab, root)
    return [*said, f"written: {shown(file, root)}, the skeleton again; hints begin anew"]


def _read(file: Path, root: Path) -> bytes | None:
    """What the student has written; None if the file is not there."""
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LabError(f"{shown(file, root)}: cannot be read ({error.strerror}), so it is left as it is") from None


def _back_up(kept: bytes, lab: Lab, root: Path) -> Path:
    """The path of a new file that holds `kept`, read back to be sure."""
    folder = root / BACKUPS
    moment = datetime.datetime.now().strftime("%Y-%m-%d_%H-%M-%S")  # no colons: Windows refuses them
    try:
        folder.mkdir(exist_ok=True)
        for count in range(1, 1000):
            backup = folder / f"{lab.stem}_{moment}{f'_{count}' if count > 1 else ''}.py"
            try:
                backup.touch(exist_ok=False)
            except FileExistsError:
                continue
            write_whole(backup, kept)
            if backup.read_bytes() != kept:
                break
            return backup
    except OSError as error:
        raise LabError(f"{BACKUPS}/: no backup can be made ({error.strerror}), so nothing was reset") from None
    raise LabError(f"{BACKUPS}/: no backup can be made, so nothing was reset")
