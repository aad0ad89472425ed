"""The command line of a lab file: runs its click command, alone or as a rank of torchrun; every problem is one line."""

import re
import sys
import textwrap
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import click
from rich.console import Console

from labkit.course import manifest
from labkit.course.errors import LabError
from labkit.course.files import shown
from labkit.course.loading import line_in
from labkit.toolbox import distributed
from labkit.toolbox.distributed import Ranks

UNSOLVED = 2  # exit code of a step that is still to be written
INTERRUPTED = 130  # exit code after Ctrl-C, as shells have it

traceback_option = click.option(
    "--traceback", is_flag=True, expose_value=False, help="Show the whole traceback of an error in the lab file."
)


class LabFile(NamedTuple):
    """What a lab's command gets as click's `obj`: the loaded lab file, and this process among torchrun's if it is."""

    module: ModuleType
    ranks: Ranks | None

    @property
    def shown(self) -> str:
        """The path of the file, as a person types it here."""
        return shown(_path(self.module), Path.cwd())


class Ending(NamedTuple):
    """How a command ended: what to say, the exit code, and whether another rank is the reason."""

    line: str = ""
    code: int = 0
    lost_another: bool = False


def main(command: click.Command, module: ModuleType, args: Sequence[str] | None = None) -> None:
    """Runs `command` on the lab file that is loaded as `module`.

    Args:
        command: gets a `LabFile` as click's `obj`, and takes `traceback_option`.
        args: the arguments, by default those of the process.

    Raises:
        SystemExit: code 2 for an unsolved step or a wrong option, 130 after Ctrl-C, 1 for any other problem.
    """
    arguments = sys.argv[1:] if args is None else list(args)
    lab = LabFile(module, distributed.of_torchrun())
    ending = _run(command, lab, arguments)
    if lab.ranks:
        lab.ranks.end(*ending)
    if ending.line:
        click.echo(ending.line, err=True)
    if ending.code:
        sys.exit(ending.code)


def _run(command: click.Command, lab: LabFile, arguments: list[str]) -> Ending:
    ranks = lab.ranks
    try:
        if ranks:
            ranks.meet()
        code = command.main(arguments, _path(lab.module).name, standalone_mode=False, obj=lab)
        if ranks:
            ranks.part()
        return Ending(code=code or 0)  # click has a code of its own, after --help for one
    except click.Abort:
        return Ending(code=INTERRUPTED)
    except click.ClickException as error:
        return Ending(_one_line(error.format_message()), error.exit_code)
    except LabError as error:
        return Ending(_one_line(str(error)), error.exit_code)
    except Exception as error:
        unsolved = unsolved_step(error, lab)
        if unsolved:
            return Ending(_one_line(unsolved), UNSOLVED)
        lost = distributed.lost_another(error) if ranks else None
        if "--traceback" in arguments:
            if ranks is None:
                raise
            return Ending(f"rank {ranks.rank}: {traceback.format_exc()}", 1, bool(lost))
        rank = f"rank {ranks.rank}: " if ranks and ranks.size > 1 else ""
        reason = lost or _describe(error, lab)
        return Ending(_one_line(f"{rank}{reason}; --traceback shows how it came to that"), 1, bool(lost))


def unsolved_step(error: Exception, lab: LabFile) -> str | None:
    """What to do and to read, if `error` is what the stub of an unsolved step raises; else None."""
    match = re.fullmatch(r"Step (\d+): (\S+)", str(error))
    if not isinstance(error, NotImplementedError) or not match:
        return None
    number, function = int(match[1]), match[2]
    line = f"Step {number} is still to be solved: write {function} in {lab.shown}"
    try:
        found = manifest.find(_path(lab.module).stem)
        return f"{line}; read {found.reading}#{found.step(number).read}"
    except (LabError, StopIteration):  # a copy under another name, outside the course
        return line


def _describe(error: Exception, lab: LabFile) -> str:
    """Type, message and line of the lab file; of the file where it arose if the lab file had returned by then."""
    where = line_in(str(lab.module.__file__), error)
    if where:
        where = f"{lab.shown}, {where}"
    else:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{frame.filename}, line {frame.lineno}, after the lab file had returned"
    return f"{where}: {type(error).__name__}: {error}"


def _path(module: ModuleType) -> Path:
    return Path(str(module.__file__)).resolve()


def say(text: str, console: Console) -> None:
    """Prints a paragraph in lines that fit a terminal; a newline at its end leaves an empty line."""
    end = "\n" if text.endswith("\n") else ""
    console.print(textwrap.fill(text, 78) + end)


def _one_line(message: str) -> str:
    return " ".join(message.split())
