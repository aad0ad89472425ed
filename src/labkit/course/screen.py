"""Writes lines to any terminal: wrapped to its width, in colour only where that is wanted, in ASCII."""

import os
import re
import shutil
import sys
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TextIO

from rich.console import Console
from rich.text import Text

WIDEST = 100  # columns; longer lines are hard to read
NARROWEST = 40
# What a message may bring along that is no text: colours and titles for a terminal, and single control characters.
CONTROLS = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[ -/]*[0-~]?|[\x00-\x08\x0b-\x1f\x7f-\x9f]"
)


# A command that a reader copies: it is not broken where it fits into a line.
COMMAND = re.compile(r"\bmake [a-z][\w-]*(?: [A-Z_]+=[\w./-]+)*|\S*python -m pytest(?: \S+)+")
JOINED = "\xa0"  # which textwrap takes for no space


@dataclass(frozen=True)
class Line:
    """One line before it is wrapped; what does not fit hangs below, `indent` columns in. `style` is one of rich's."""

    text: str
    style: str = ""
    indent: int = 0


def width() -> int:
    """Columns to write in: those of the terminal, 80 where there is none."""
    return max(NARROWEST, min(shutil.get_terminal_size((80, 24)).columns, WIDEST))


def pieces(line: Line, columns: int) -> list[str]:
    """The line as it is written: without control characters, wrapped to `columns` if it has an indent."""
    line = replace(line, text=CONTROLS.sub("", line.text).expandtabs())
    return wrapped(line, columns) if line.indent else [line.text]


def wrapped(line: Line, columns: int) -> list[str]:
    """The line in pieces of at most `columns`; a command stays whole, and so does a longer word, a path or a name."""
    start = line.text[: len(line.text) - len(line.text.lstrip())]
    room = columns - line.indent

    def joined(command: re.Match[str]) -> str:
        return command[0].replace(" ", JOINED) if len(command[0]) <= room else command[0]

    found = textwrap.wrap(
        COMMAND.sub(joined, line.text.strip()),
        columns,
        initial_indent=start,
        subsequent_indent=" " * line.indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [piece.replace(JOINED, " ") for piece in found] or [""]


def visible(text: str) -> str:
    """A text of others for one line: what is no printable character, a new line too, is written as Python does."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def show(lines: Iterable[Line | str]) -> None:
    """Writes the lines to standard output."""
    console = _console()
    columns = width()
    for line in lines:
        line = Line(line) if isinstance(line, str) else line
        for piece in pieces(line, columns):
            console.print(Text(piece, style=line.style), soft_wrap=True)


def say(text: str, stream: TextIO | None = None) -> None:
    """Writes a message, to standard output by default: wrapped on a terminal, elsewhere in the lines that it has."""
    stream = stream or sys.stdout
    indent = 4 if stream.isatty() else 0
    for line in text.splitlines():
        for piece in pieces(Line(line, indent=indent), width()):
            print(piece, file=stream)


def progress(text: str) -> None:
    """Writes one line on a terminal over the one before; nothing elsewhere."""
    if sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb":
        sys.stderr.write(f"\r\033[K{text}")
        sys.stderr.flush()


def plain() -> bool:
    """Whether to write nothing but text: no terminal, one that can do no more, or NO_COLOR (https://no-color.org)."""
    return not sys.stdout.isatty() or bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") in ("dumb", "unknown")


def _console() -> Console:
    """A console that writes no escape sequence at all where `plain` says so."""
    return Console(
        file=sys.stdout, color_system=None if plain() else "auto", highlight=False, emoji=False, legacy_windows=False
    )
