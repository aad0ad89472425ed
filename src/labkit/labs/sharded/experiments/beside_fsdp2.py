"""The training job on two ranks: what the lab shards beside FSDP2 and DDP, and the timeline of a step."""

from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Any

from matplotlib.figure import Figure

from labkit.course.loading import load_implementation
from labkit.experiments.ranks import on_ranks
from labkit.experiments.timeline import recorded, timeline
from labkit.labs.sharded.training import DDP, FSDP2, HAND, HAND_BF16, PARAMETERS, Run, Settings, beside_fsdp2
from labkit.observe.answer import Answer
from labkit.toolbox.recorder import ALL_GATHER, ALL_REDUCE, REDUCE_SCATTER

TITLE = "Digits learnt on several ranks; bytes for each parameter, calls of one step"
TIMED = True
SETTINGS = Settings()


def measure(lab: ModuleType) -> dict[str, Any]:
    """The trainings on two ranks of this machine. Raises LabError if one fails."""
    return on_ranks(_on_a_rank, lab, asdict(SETTINGS))


def _on_a_rank(job: list[Any]) -> Answer:
    file, settings = job
    return Answer(as_json(beside_fsdp2(load_implementation(Path(file)), Settings(**settings))))


def as_json(runs: dict[str, Run]) -> dict[str, Any]:
    """What table and picture need."""
    return {
        name: {
            "accuracy": run.accuracy,
            "apart": run.apart,
            "seconds": run.seconds,
            "steps": [recorded(step, timeline=name in (HAND, FSDP2)) for step in run.recorded],
        }
        for name, run in runs.items()
    }


def table(data: dict[str, Any]) -> list[list[str]]:
    rows = [["way", "accuracy", "apart", "held", "most", "sent", "calls", "ms"]]
    for name, run in data.items():
        step = run["steps"][0]
        held, most = (f"{step[what] / PARAMETERS:.1f}" for what in ("left", "most"))
        sent = "+".join(f"{bytes / PARAMETERS:.1f}" for bytes in step["kinds"].values() if bytes)
        apart = f"{run['apart']:.0e}" if name != DDP else ""
        calls, ms = str(step["calls"]), f"{1000 * run['seconds']:.0f}"
        rows.append([name, f"{run['accuracy']:.3f}", apart, held, most, sent, calls, ms])
    return rows


def notice(data: dict[str, Any]) -> str:
    ranks = len(data[DDP]["steps"])
    ddp, hand, half = (data[way]["steps"][0] for way in (DDP, HAND, HAND_BF16))
    ring = _in_a_ring(hand) / _in_a_ring(ddp)
    return (
        f"Held is what is left when a step is over, gradients included, and under DDP its buckets. Sent is gathered+"
        f"reduced. On {ranks} ranks your ShardedModel (ZeRO 3) sends {hand['sent'] / ddp['sent']:.1f}x DDP's "
        f"{ddp['sent'] / PARAMETERS:.0f} bytes ({ring:.1f}x in ring terms), with bf16 weights "
        f"{half['sent'] / ddp['sent']:.1f}x ({_in_a_ring(half) / _in_a_ring(ddp):.1f}x), and holds "
        f"{hand['left'] / PARAMETERS:.1f} bytes a parameter: 16 divided by {16 * PARAMETERS / hand['left']:.1f}."
    )


def _in_a_ring(step: dict[str, Any]) -> int:
    """What goes over the network if each call goes round a ring, up to a factor that all calls have in common."""
    kinds = step["kinds"]
    return 2 * kinds[ALL_REDUCE] + kinds[ALL_GATHER] + kinds[REDUCE_SCATTER]


def draw(data: dict[str, Any]) -> Figure:
    return timeline({way: data[way]["steps"] for way in (HAND, FSDP2)}, PARAMETERS)
