"""What a report measures, each part in a process of its own: the code under test may raise, hang or end Python."""

import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from labkit.course.errors import LabError
from labkit.course.files import write_json
from labkit.course.kits import kit
from labkit.course.manifest import ROOT, Lab, find

TIME_LIMIT = 300.0  # seconds for one part; the longest takes about one minute

Data = dict[str, Any]  # what a part measured, as JSON


class Kind(StrEnum):
    """How a part is shown."""

    CARD = "card"  # {"title": text, "lines": [[name, value], ...]}
    TABLES = "tables"  # {"tables": [{"title": text, "rows": [headings, row, ...]}, ...]}
    FIGURE = "figure"  # an experiment of the lab: picture, sentence and table


@dataclass(frozen=True)
class Part:
    """A part of a lab's report; the lab's kit has them in `report.PARTS`, in the order of the page.

    Attributes:
        name: what --only calls it; that of the experiment, for a figure.
        needs: the steps that have to pass before it can be measured with a student's file.
        title, caption: the heading, and a sentence on what was measured; a figure's experiment has its own.
        measure: gives the data that its kind asks for, with the lab file at a path; None for a figure.
    """

    name: str
    kind: Kind
    needs: tuple[int, ...]
    title: str = "Figures"
    caption: str = ""
    measure: Callable[[Path], Data] | None = None


@dataclass(frozen=True)
class Measured:
    """What was measured of a part (None: nothing), and the `note` beside it or in its place."""

    part: Part
    data: Data | None
    note: str


def declared(lab: Lab) -> tuple[Part, ...]:
    """The parts of the lab's report; none where the lab has no kit. Raises LabError if importing the kit raised."""
    own = kit(lab, "report")
    return own.PARTS if own else ()


def ask(lab: Lab, name: str, file: Path, limit: float = TIME_LIMIT) -> tuple[Data | None, str]:
    """The part `name` measured with the lab file at `file`; or None, and in a line why there is nothing."""
    with TemporaryDirectory(prefix="labkit-report-") as folder:
        out = Path(folder) / "part.json"
        command = [sys.executable, "-m", "labkit.report.parts", lab.name, name, str(file), str(out)]
        try:
            ran = subprocess.run(
                command, cwd=ROOT, env=os.environ | {"PYTHONIOENCODING": "utf-8"}, capture_output=True,
                encoding="utf-8", errors="replace", timeout=limit,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return None, f"no answer within {limit:g} s"
        if out.exists():
            return json.loads(out.read_text(encoding="utf-8")), ""
        said = ran.stderr.strip().splitlines() or [f"Python ended with code {ran.returncode}"]
        return None, said[-1]


def measured(lab: Lab, name: str, file: Path) -> Data:
    """The part `name`, measured here and now."""
    part = next(part for part in declared(lab) if part.name == name)
    return part.measure(file) if part.measure else _figure(name, file)


def _figure(name: str, file: Path) -> Data:
    """An experiment: its picture for either theme, its table, its sentence."""
    from labkit.experiments import running

    result = running.measure(name, file)
    experiment = running.module(name)
    return {
        "title": result["title"],
        "notice": experiment.notice(result["data"]),
        "rows": experiment.table(result["data"]),
        "light": _data_uri(running.picture(result, dark=False, kind="svg")),
        "dark": _data_uri(running.picture(result, dark=True, kind="svg")),
        "seconds": result["seconds"],
    }


def _data_uri(svg: bytes) -> str:
    return f"data:image/svg+xml;base64,{base64.b64encode(svg).decode()}"


def _main(lab: str, name: str, file: str, out: str) -> None:
    try:
        data = measured(find(lab), name, Path(file))
    except Exception as error:
        kind = "" if isinstance(error, LabError) else f"{type(error).__name__}: "
        sys.exit(f"{kind}{' '.join(str(error).split())}")
    write_json(Path(out), data)


if __name__ == "__main__":
    _main(*sys.argv[1:])
