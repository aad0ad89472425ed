"""A program in a terminal of its own, as a person has it: what it shows can be waited for, keys can be pressed."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from pathlib import Path

COLUMNS, ROWS = 80, 24


class Terminal:
    """`text` is everything that was shown so far, escape sequences included."""

    def __init__(self, command: list[str], folder: Path, environment: dict[str, str]) -> None:
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self.mode = termios.tcgetattr(theirs)
        self.slave, self.descriptor, self.text, self.read_up_to = theirs, ours, "", 0
        self.process = subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, cwd=folder, env=environment, start_new_session=True
        )

    def press(self, keys: str) -> None:
        os.write(self.descriptor, keys.encode())

    def wait_for(self, pattern: str, seconds: float = 30.0) -> str:
        """What is shown from the last match to the end of this one. Fails, with all of it, if it does not come."""
        end = time.monotonic() + seconds
        while not (found := re.compile(pattern, re.DOTALL).search(self.text, self.read_up_to)):
            left = end - time.monotonic()
            assert left > 0, f"no {pattern!r} within {seconds} s; shown:\n{self.text[-3000:]}"
            self._read(min(left, 0.5))
        shown, self.read_up_to = self.text[self.read_up_to : found.end()], found.end()
        return shown

    def ended(self, seconds: float = 10.0) -> int:
        """The exit code; fails if the program does not end."""
        end = time.monotonic() + seconds
        while self.process.poll() is None:
            assert time.monotonic() < end, f"still running; shown:\n{self.text[-3000:]}"
            self._read(0.1)
        self._read(0.1)
        return self.process.returncode

    def restored(self) -> bool:
        """Whether the terminal is set as it was before."""
        return termios.tcgetattr(self.slave) == self.mode

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
        os.close(self.descriptor)
        os.close(self.slave)

    def _read(self, seconds: float) -> None:
        if select.select([self.descriptor], [], [], seconds)[0]:
            self.text += os.read(self.descriptor, 65536).decode(errors="replace").replace("\r\n", "\n")


def working_folders() -> str:
    """The working folders of all processes that can be seen; nothing where there is no /proc."""
    folders = []
    for process in os.listdir("/proc") if os.path.isdir("/proc/self") else []:
        try:
            folders.append(os.readlink(f"/proc/{process}/cwd"))
        except OSError:
            continue
    return "\n".join(folders)
