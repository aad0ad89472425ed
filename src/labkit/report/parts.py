"""What a report measures, each part in a process of its own: the code under test may raise, hang or end Python."""

import base64
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from labkit.course.errors import LabError
from labkit.course.files import write_json
from labkit.course.kits import kit
from labkit.course.manifest import ROOT, Lab, find

TIME_LIMIT = 300.0  # seconds for one part; the longest takes about one minute


def needed(lab: Lab) -> dict[str, tuple[int, ...]]:
    """The parts of the lab's report, in order, each with the steps that it needs; none where the lab has no kit."""
    own = kit(lab, "report")
    return own.NEEDED if own else {}


@dataclass(frozen=True)
class Part:
    """What was measured, as `data` for the page (None: nothing), and the `note` beside it or in its place."""

    name: str
    data: dict[str, Any] | None
    note: str


def ask(name: str, file: Path, limit: float = TIME_LIMIT) -> tuple[dict[str, Any] | None, str]:
    """The part `name` measured with the lab file at `file`; or None, and in a line why there is nothing."""
    with TemporaryDirectory(prefix="labkit-report-") as folder:
        out = Path(folder) / "part.json"
        command = [sys.executable, "-m", "labkit.report.parts", name, str(file), str(out)]
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


def measured(name: str, file: Path) -> dict[str, Any]:
    """The part `name`, measured here and now, as the page shows it."""
    own = kit(find(file.stem), "report").MEASURED.get(name)
    return own(file) if own else _figure(name, file)


def _figure(name: str, file: Path) -> dict[str, Any]:
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


def _main(name: str, file: str, out: str) -> None:
    try:
        data = measured(name, Path(file))
    except Exception as error:
        kind = "" if isinstance(error, LabError) else f"{type(error).__name__}: "
        sys.exit(f"{kind}{' '.join(str(error).split())}")
    write_json(Path(out), data)


if __name__ == "__main__":
    _main(*sys.argv[1:])
