"""Reads single keys from a terminal, and writes a footer that gives way to whatever is printed."""

import os
import re
import signal
import sys
from collections.abc import Callable
from contextlib import suppress

from labkit.course import screen

if sys.platform != "win32":
    import termios

END, INTERRUPT, ESC = "\x04", "\x03", "\x1b"
ESCAPE = r"\x1b(\[[0-9;]*[A-Za-z~]|O[A-Za-z]|.)?"  # what a terminal sends for an arrow, Home, F3, Alt with a key


class Keys:
    """While entered: keys come at once and are not echoed, and Ctrl-C comes as a key, so that `make` ends quietly too.

    Without a terminal there are no keys, and `on` is False.
    """

    def __init__(self) -> None:
        self.on = sys.platform != "win32" and sys.stdin.isatty() and sys.stdout.isatty()

    def __enter__(self) -> "Keys":
        if self.on:
            self.before = termios.tcgetattr(0)
            signal.signal(signal.SIGCONT, lambda *_: self._set())
            self._set()
        return self

    def __exit__(self, *error: object) -> None:
        if self.on:
            signal.signal(signal.SIGCONT, signal.SIG_DFL)
            termios.tcsetattr(0, termios.TCSADRAIN, self.before)

    def fileno(self) -> int:
        return 0

    def read(self) -> str:
        """The key that was pressed, ESC for an arrow and the like; END where the terminal is gone.

        Of several at once, a text that was pasted, only those that end everything count.
        """
        try:
            pressed = os.read(0, 4096).decode(errors="replace")
        except OSError:
            return END
        pressed = re.sub(ESCAPE, ESC, pressed) or END
        return pressed if len(pressed) == 1 else "".join(key for key in pressed if key in (END, INTERRUPT))

    def _set(self) -> None:
        mode = termios.tcgetattr(0)
        mode[3] &= ~(termios.ICANON | termios.ECHO)
        mode[6] = list(mode[6])
        mode[6][termios.VINTR] = b"\0"
        mode[6][termios.VMIN], mode[6][termios.VTIME] = 1, 0
        with suppress(termios.error):  # in the background: the shell keeps its terminal
            termios.tcsetattr(0, termios.TCSADRAIN, mode)


class Footer:
    """The last line of a terminal that can erase a line; nothing elsewhere."""

    def __init__(self) -> None:
        self.on = sys.stdout.isatty() and os.environ.get("TERM", "dumb") not in ("dumb", "unknown")
        self.text = ""

    def set(self, *texts: str) -> None:
        """Shows the first of the texts that fits, or what fits of the last."""
        room = screen.width() - 1
        text = next((text for text in texts if len(text) <= room), texts[-1][:room])
        if self.on and text != self.text:
            self.text = text
            self._write(f"\r\033[K{text}")

    def around(self, write: Callable[[], None]) -> None:
        """Calls `write` with the footer out of the way."""
        if self.on:
            self._write("\r\033[K")
        write()
        sys.stdout.flush()
        if self.on:
            self._write(self.text)

    def clear(self) -> None:
        self.set("")

    def _write(self, text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()
