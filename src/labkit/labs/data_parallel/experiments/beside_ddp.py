"""The training job on two ranks: the lab's DataParallel beside torch's DDP, and the timeline of one step of each."""

from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Any

from matplotlib.figure import Figure

from labkit.course.loading import load_implementation
from labkit.experiments.ranks import on_ranks
from labkit.experiments.timeline import recorded, timeline
from labkit.labs.data_parallel.training import DDP, HAND, ONE, PARAMETERS, WAYS, Run, Settings, beside_ddp
from labkit.observe.answer import Answer

TITLE = "Digits learnt on several ranks; bytes for each parameter, calls of one step"
TIMED = True
SETTINGS = Settings()


def measure(lab: ModuleType) -> dict[str, Any]:
    """The trainings on two ranks of this machine. Raises LabError if one fails."""
    return on_ranks(_on_a_rank, lab, asdict(SETTINGS))


def _on_a_rank(job: list[Any]) -> Answer:
    file, settings = job
    return Answer(as_json(beside_ddp(load_implementation(Path(file)), Settings(**settings))))


def as_json(runs: dict[str, Run]) -> dict[str, Any]:
    """What table and picture need."""
    return {
        name: {
            "accuracy": run.accuracy,
            "apart": run.apart,
            "drift": run.drift,
            "seconds": run.seconds,
            "steps": [recorded(step, timeline=name in (HAND, DDP)) for step in run.recorded],
        }
        for name, run in runs.items()
    }


def table(data: dict[str, Any]) -> list[list[str]]:
    rows = [["way", "accuracy", "apart", "held", "sent", "calls", "ms a step"]]
    for name, run in data.items():
        step = run["steps"][0] if run["steps"] else None
        bytes = [f"{step[what] / PARAMETERS:.1f}" for what in ("left", "sent")] if step else ["", "0.0"]
        calls = str(step["calls"]) if step else "0"
        apart = f"{run['apart']:.0e}" if name != ONE else ""
        rows.append([name, f"{run['accuracy']:.3f}", apart, *bytes, calls, f"{1000 * run['seconds']:.1f}"])
    return rows


def notice(data: dict[str, Any]) -> str:
    here, torchs = (data[way]["steps"][0] for way in (HAND, DDP))
    waited = [_share_waited(data[way]["steps"]) for way in (HAND, DDP)]
    says = (
        f"{len(data[HAND]['steps'])} ranks end a relative {data[HAND]['apart']:.0e} from the weights of one process "
        f"with the whole batches, and {data[WAYS[1]]['apart']:.0e} with bfloat16 on the wire, for half the bytes. "
        f"DDP holds {(torchs['left'] - here['left']) / PARAMETERS:.1f} bytes a parameter more between two steps: its "
        f"buckets stay. In the step that is drawn, a rank waits for {waited[0]:.0%} of the time, under DDP "
        f"{waited[1]:.0%}."
    )
    drifted = [name for name, run in data.items() if run["drift"] > 0]
    if drifted:
        says += f" The ranks' weights differ after the training ({', '.join(drifted)}): they should not, in any bit."
    return says


def _share_waited(steps: list[dict[str, Any]]) -> float:
    """Of the time of a step, on average over the ranks."""
    shares = [sum(end - start for start, end in step["waits"]) / step["seconds"] for step in steps]
    return sum(shares) / len(shares)


def draw(data: dict[str, Any]) -> Figure:
    return timeline({way: data[way]["steps"] for way in (HAND, DDP)}, PARAMETERS)
