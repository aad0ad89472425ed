"""Users that are nobody's for long: as root, each box gets one that no other has."""

import os
from contextlib import suppress
from pathlib import Path

from labkit.course.errors import LabError

OF_A_MOMENT = range(61184, 65520)  # systemd keeps this range for the same purpose
USERS = Path("/run/labkit-users")  # root's: a locked file for each of them that a box has


class Holder:
    """Keeps a user of a moment for this process, until it is closed or the process ends, however it does.

    Raises OSError where another process keeps it, or the file cannot be made. No box can make one, and a box that may
    read all could lock only what a killed process has left: a file goes with its lock.
    """

    def __init__(self, uid: int) -> None:
        import fcntl  # which Windows lacks, where nothing here is called

        self.path = USERS / str(uid)
        self.file = open(self.path, "w")  # noqa: SIM115  (as long as the user is kept)
        try:
            fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not os.path.samestat(os.fstat(self.file.fileno()), os.stat(self.path)):
                raise BlockingIOError("it was closed, and is another's now")
        except OSError:
            self.file.close()
            raise

    def close(self) -> None:
        self.path.unlink(missing_ok=True)
        self.file.close()


def some_uid() -> tuple[int | None, Holder | None]:
    """A user for one box that no other has, and what keeps it until it is closed. None where this is not root.

    Raises:
        LabError: there is none.
    """
    if os.geteuid():
        return None, None
    try:
        USERS.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise LabError(f"isolation: {USERS} cannot be made ({error.strerror}), where root keeps users apart") from None
    start = os.getpid() % len(OF_A_MOMENT)
    for uid in (*OF_A_MOMENT[start:], *OF_A_MOMENT[:start]):
        with suppress(BlockingIOError, FileNotFoundError):
            return uid, Holder(uid)
    raise LabError("isolation: all users of a moment are taken; end other gradings on this machine")
