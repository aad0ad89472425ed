"""Puts what on_gpu.sh measured into docs/benchmarks, for docs/benchmarks.md: python -m bench.publish FOLDER NAME.

FOLDER is what its results.tar.gz unpacks to, NAME the machine's. Then `python -m labkit figures --only-pages`.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.gpu_bench import page_rows
from labkit.course.errors import LabError
from labkit.course.files import make_folder, write_json
from labkit.experiments import running
from labkit.experiments.pages import BENCHMARKS
from labkit.labs.capstones import parity

SHOWN = {"ladder": "ladder-cuda.json", "roofline": "roofline-cuda.json", "step-time": "step-time.json"}
Measured = running.Measured


def publish(results: Path, name: str, out: Path = BENCHMARKS) -> list[Path]:
    """Writes `out`/WHAT-`name`.json for all that there is, with pictures where an experiment draws them.

    Raises LabError if `results` lacks the limits, which say when and on what all was measured.
    """
    if not (results / "bench-cuda.json").is_file():
        raise LabError(f"{results} has no bench-cuda.json: give the folder that results.tar.gz unpacks to")
    limits = _read(results / "bench-cuda.json")
    made = {key: limits[key] for key in ("date", "machine")}
    make_folder(out, "publish:")
    written = []
    for what, found in (
        ("formats", made | {"made by": limits["made by"], "data": limits["results"], "rows": page_rows(limits)}),
        ("compare", made | {"made by": "make compare-lab04 DEVICE=cuda", "text": _compared(results)}),
        ("jobs", made | {"made by": "make run-lab07 ARGS=...", "rows": _jobs(results)}),
        ("parity", made | {"made by": "make parity-lab07 DEVICE=cuda", **_parity(results)}),
    ):
        written.append(out / f"{what}-{name}.json")
        write_json(written[-1], found)
    for what, file in SHOWN.items():
        if (results / file).is_file():
            running.write(_read(results / file), out, f"{what}-{name}")
            written.append(out / f"{what}-{name}.json")
    return written


def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text("utf-8"))


def _compared(results: Path) -> list[str]:
    """The lines of `--compare` on what it trained; what it counts besides is the same on every machine."""
    measured = (results / "compare.log").read_text("utf-8").partition("What a step of a real model holds")[0]
    return [line.rstrip() for line in measured.strip().splitlines()]


def _runs(results: Path, kind: str) -> Iterator[tuple[dict[str, Any], str, list[dict[str, Any]]]]:
    """Of each job in folders KIND-*: what it wrote, and the whole trainings of each format."""
    for path in sorted(results.glob(f"{kind}-*/lab07-*.json")):
        job = _read(path)
        for dtype in dict.fromkeys(run["dtype"] for run in job["runs"]):
            yield job, dtype, [run for run in job["runs"] if run["dtype"] == dtype and run["finished"]]


def _jobs(results: Path) -> list[list[str]]:
    rows = [["job", "format", "steps", "seconds", "peak MB", "skipped", "accuracy"]]
    for job, dtype, (run,) in _runs(results, "alone"):
        peak, accuracy = job["peak bytes"][dtype] / 1e6, run["scores"][-1][1]
        cells = [str(job["steps"]), f"{run['seconds']:.1f}", f"{peak:.1f}", str(run["skipped"]), f"{accuracy:.1%}"]
        rows.append([job["job"], dtype, *cells])
    return rows


def _parity(results: Path) -> Measured:
    """The accuracies of each job and format by seed, and the table of their differences."""
    scores: dict[str, dict[str, list[float]]] = {}
    for job, dtype, runs in _runs(results, "parity"):
        scores.setdefault(job["job"], {})[dtype] = [run["scores"][-1][1] for run in runs]
    found = [
        parity.Difference(job, dtype, formats["fp32"], half)
        for job, formats in scores.items()
        for dtype, half in formats.items()
        if dtype != "fp32"
    ]
    return {"data": scores, "rows": parity.rows(found)}


if __name__ == "__main__":
    try:
        print(*publish(Path(sys.argv[1]), sys.argv[2]), sep="\n")
    except LabError as error:
        sys.exit(f"publish: {error}")
    except IndexError:
        sys.exit("publish: give the folder of the results and the machine's name")
