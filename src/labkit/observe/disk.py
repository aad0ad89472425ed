"""How much of the disk a submission takes: the system bounds each of its files, and nothing how many it writes."""

import os
from contextlib import suppress
from pathlib import Path

MOST = 256 * 2**20  # bytes that it may have in its folder
FILES = 10_000  # and files and folders
LEAST_LEFT = 2**30  # bytes free on the disk; what it hides, as in a deleted file that is still open, is seen only there
MIB = 2**20


def overfull(folder: Path) -> str:
    """What is too much in the folder of a submission; "" if nothing is. Takes no longer, however much there is."""
    size, count, waiting = 0, 0, [str(folder)]
    while waiting:
        with suppress(OSError), os.scandir(waiting.pop()) as entries:  # it may remove what is looked at
            for entry in entries:
                with suppress(OSError):
                    size += entry.stat(follow_symlinks=False).st_blocks * 512
                    count += 1
                    waiting += [entry.path] if entry.is_dir(follow_symlinks=False) else []
                if count > FILES:
                    return f"more than {FILES} files"
        if size > MOST:
            return f"more than {MOST // MIB} MiB"
    return ""


def shortage(folder: Path) -> str:
    """Why nobody can rely on what is written to this disk now; "" if it has room."""
    status = os.statvfs(folder)
    left = status.f_bavail * status.f_frsize
    if left >= LEAST_LEFT:
        return ""
    return f"the disk of {folder} has {left // MIB} MiB left, of {LEAST_LEFT // MIB} that grading needs; make room"
