"""Runs an experiment: measures, prints table and sentence, writes the data and the picture, in light and in dark."""

import json
import textwrap
import time
from datetime import date
from pathlib import Path
from types import ModuleType
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from labkit.course.errors import LabError
from labkit.course.files import check_writable, make_folder, write_json, write_whole
from labkit.course.kits import kit
from labkit.course.loading import load_implementation
from labkit.course.manifest import ROOT, Lab, load_all
from labkit.experiments.style import saved, themed
from labkit.toolbox.commandline import UNSOLVED, LabFile, unsolved_step
from labkit.toolbox.measure import hardware

Measured = dict[str, Any]  # what a JSON file of an experiment holds: its data, and on what they were measured


def names(lab: Lab) -> list[str]:
    """The lab's experiments, in alphabetical order."""
    files = (lab.paths.kit / "experiments").glob("[!_]*.py")
    return sorted(path.stem.replace("_", "-") for path in files)


def owners() -> dict[str, Lab]:
    """Every experiment of the course and its lab. Raises LabError if two labs have one of the same name."""
    found: dict[str, Lab] = {}
    for lab in load_all():
        for name in names(lab):
            if name in found:
                folders = " and ".join(str(one.paths.kit / "experiments") for one in (found[name], lab))
                raise LabError(f"two labs have an experiment {name!r}: rename one of them, in {folders}")
            found[name] = lab
    return found


def owner(name: str) -> Lab:
    """The lab that has the experiment `name`. Raises LabError if there is none."""
    all_names = owners()
    if name not in all_names:
        raise LabError(f"there is no experiment {name!r}; there is {', '.join(all_names) or 'none'}")
    return all_names[name]


def module(name: str) -> ModuleType:
    """The module of the experiment `name`. Raises LabError if no lab has it, or if importing it raised."""
    found = kit(owner(name), f"experiments.{name.replace('-', '_')}")
    assert found, "an experiment's name is that of a file in a kit"
    return found


def measure(name: str, file: Path) -> Measured:
    """Runs the experiment `name` with the lab file at `file`.

    Raises:
        LabError: the file cannot be loaded, or a step that the experiment needs is not written.
    """
    lab = load_implementation(file)
    start = time.perf_counter()
    try:
        data = module(name).measure(lab)
    except NotImplementedError as error:
        if unsolved := unsolved_step(error, LabFile(lab, None)):
            raise LabError(unsolved, UNSOLVED) from None
        raise
    return {
        "experiment": name,
        "title": module(name).TITLE,
        "made by": f"python -m labkit experiment {name}",
        "lab file": str(file.relative_to(ROOT) if file.is_relative_to(ROOT) else file),
        "date": date.today().isoformat(),
        "machine": hardware(),
        "seconds": round(time.perf_counter() - start, 1),
        "data": json.loads(json.dumps(data)),  # as it is read again: keys are strings, tuples are lists
    }


def picture(measured: Measured, dark: bool = False, kind: str = "png") -> bytes:
    """The experiment's picture as a file's bytes; in the same look for the same data."""
    with themed(dark):
        return saved(module(measured["experiment"]).draw(measured["data"]), kind)


def show(measured: Measured, console: Console) -> None:
    """Prints title, table and what to notice."""
    experiment = module(measured["experiment"])
    headings, *rows = experiment.table(measured["data"])
    table = Table(box=box.MARKDOWN)
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="right" if number else "left", overflow="fold")
    for row in rows:
        table.add_row(*row)
    console.print(f"{measured['title']}\n", markup=False)
    console.print(table)
    console.print(textwrap.fill(f"Notice: {experiment.notice(measured['data'])}", 78), markup=False)


def run(name: str, file: Path, folder: Path, console: Console) -> None:
    """All of it; the data go to `folder`/NAME.json, the picture to `folder`/NAME.png and, in dark, NAME-dark.png.

    Raises:
        LabError: the lab file cannot be loaded, or `folder` cannot be written.
    """
    make_folder(folder, "--out")
    for path in files(folder, name):
        check_writable(path, "--out")
    with console.status(f"measuring: {name}, up to a minute"):
        measured = measure(name, file)
    show(measured, console)
    write(measured, folder, name)
    console.print(f"Picture: {folder / name}.png, data: {name}.json ({measured['seconds']} s)", markup=False)


def files(folder: Path, name: str) -> list[Path]:
    """Where data and pictures go."""
    return [folder / f"{name}{end}" for end in (".json", ".png", "-dark.png")]


def write(measured: Measured, folder: Path, name: str) -> None:
    """Writes the data and the picture, in light and in dark."""
    data, light, dark = files(folder, name)
    write_json(data, measured)
    write_whole(light, picture(measured))
    write_whole(dark, picture(measured, dark=True))
