"""`python -m labkit COMMAND`: what the Makefile's targets call. Every package adds its own commands."""

import importlib
import importlib.util
import io
import os
import signal
import sys

import click

from labkit.course import screen
from labkit.course.errors import LabError

# The modules with commands; the students' copy lacks some of their packages.
MODULES = (
    *("student.commands", "toolbox.commands", "experiments.commands", "report.commands", "site.commands"),
    *("proof.commands", "grade.commands", "grade.formats.commands", "grade.sample", "author.commands"),
)


@click.group(help="The machinery of the course; `make` lists the commands that people type.")
def cli() -> None:
    pass


for name in MODULES:
    if importlib.util.find_spec(f"labkit.{name.partition('.')[0]}"):
        for command in importlib.import_module(f"labkit.{name}").COMMANDS:
            cli.add_command(command)


def main() -> None:
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # the parent process has closed it
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115  (as long as the process)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal may know only ASCII, or an old code page
            stream.reconfigure(errors="backslashreplace")
    for number in {signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)}:  # Windows has no terminal that hangs up
        if signal.getsignal(number) == signal.SIG_DFL:  # nohup ignores the latter
            signal.signal(number, lambda number, _: sys.exit(128 + number))  # so that what was started is ended too
    try:
        sys.exit(cli(standalone_mode=False))
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort:  # Ctrl-C
        sys.exit(130)
    except (LabError, click.ClickException) as error:
        said = " ".join(error.format_message().split()) if isinstance(error, click.ClickException) else str(error)
        if said:
            screen.say(f"labkit: {said}", sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
