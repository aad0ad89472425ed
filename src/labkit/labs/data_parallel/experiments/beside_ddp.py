"""The training job on two ranks: the lab's DataParallel beside torch's DDP, and the timeline of one step of each."""

from pathlib import Path
from types import ModuleType
from typing import Any

from matplotlib.figure import Figure

from labkit.course.errors import LabError
from labkit.course.loading import load_implementation
from labkit.experiments.timeline import recorded, timeline
from labkit.labs.data_parallel.training import DDP, HAND, ONE, PARAMETERS, WAYS, Run, Settings, beside_ddp
from labkit.observe.answer import Answer, Ending
from labkit.observe.rank_group import Shape
from labkit.observe.ranks import RankServer

TITLE = "Digits learnt on several ranks; bytes for each parameter, calls of one step"
RANKS = 2
SECONDS = 120.0


def measure(lab: ModuleType) -> dict[str, Any]:
    """The trainings on RANKS ranks of this machine. Raises LabError if one fails."""
    server = RankServer(_on_a_rank, "cpu", clean=False)
    try:
        answers = server.run(str(lab.__file__), Shape(RANKS), SECONDS)
    finally:
        server.close()
    for rank, answer in enumerate(answers):
        if answer.ending != Ending.RETURNED:
            raise LabError(f"rank {rank}: {answer.raised or answer.says}")
    return answers[0].value


def _on_a_rank(file: str) -> Answer:
    return Answer(as_json(beside_ddp(load_implementation(Path(file)), Settings())))


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
    waited = [_share_waited(step) for step in (here, torchs)]
    says = (
        f"{len(data[HAND]['steps'])} ranks end a relative {data[HAND]['apart']:.0e} from the weights of one process "
        f"with the whole batches, and {data[WAYS[1]]['apart']:.0e} with bfloat16 on the wire, for half the bytes. "
        f"DDP holds {(torchs['left'] - here['left']) / PARAMETERS:.1f} bytes a parameter more between two steps: its "
        f"buckets stay. In the step that is drawn, rank 0 waits for {waited[0]:.0%} of the time, under DDP "
        f"{waited[1]:.0%}."
    )
    drifted = [name for name, run in data.items() if run["drift"] > 0]
    if drifted:
        says += f" The ranks' weights differ after the training ({', '.join(drifted)}): they should not, in any bit."
    return says


def _share_waited(step: dict[str, Any]) -> float:
    return sum(end - start for start, end in step["waits"]) / step["seconds"]


def draw(data: dict[str, Any]) -> Figure:
    return timeline({way: data[way]["steps"] for way in (HAND, DDP)}, PARAMETERS)
