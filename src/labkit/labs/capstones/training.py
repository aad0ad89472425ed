"""What the three jobs share: formats, how a training goes, and all trainings of a job."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field
from types import ModuleType
from typing import Any, Protocol

import torch

from labkit.toolbox.emulation import RoundedProducts
from labkit.toolbox.measure import check_amp_available, hardware, interleaved_medians, step_memory

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
FP16_BUDGET = 30.0  # seconds; float16 is left out by default where one training would take longer

Advance = Callable[[], object]  # called once for each training step


@dataclass
class Run:
    """How one training went, or how far it got.

    Attributes:
        losses: pairs of step and training loss; a step counts from 1.
        scores: pairs of step and accuracy on what was not trained on.
        skipped: steps whose gradients were inf or nan.
        seconds: of training and measuring.
        samples: what the model makes of some of the unseen inputs, in a form of the job's own.
    """

    dtype: str
    seed: int
    losses: list[tuple[int, float]] = field(default_factory=list)
    scores: list[tuple[int, float]] = field(default_factory=list)
    skipped: int = 0
    seconds: float = 0.0
    samples: list[dict[str, Any]] = field(default_factory=list)
    finished: bool = False

    @property
    def score(self) -> float:
        """The accuracy at the end."""
        return self.scores[-1][1]

    @property
    def steps(self) -> int:
        """How far it got."""
        return max((points[-1][0] for points in (self.losses, self.scores) if points), default=0)


class Job(Protocol):
    """A training of the lab's: what it learns, on which data, and by which functions of the lab file."""

    name: str
    title: str
    metric: str  # what a score is the share of
    sources: list[str]  # of data and weights, with licence and checksum
    steps: int  # optimizer steps of a training

    def train(self, lab: ModuleType, seed: int, run: Run, advance: Advance) -> None:
        """Trains in the run's format from the seed's weights, and fills `run` as it goes."""
        ...

    def one_step(self, lab: ModuleType, dtype: torch.dtype) -> Callable[[], object]:
        """A function that does one training step, with a model that is used for nothing else."""
        ...

    def tell(self, samples: list[dict[str, Any]]) -> list[str]:
        """The samples of a run as lines."""
        ...


@dataclass
class Trained:
    """All trainings of a job, also those that Ctrl-C has cut short.

    Attributes:
        peaks: bytes of a training step in each format.
        emulated: the formats whose products this CPU has no instructions for; their times say nothing about them.
    """

    job: Job
    device: str = "cpu"
    runs: list[Run] = field(default_factory=list)
    peaks: dict[str, int] = field(default_factory=dict)

    @property
    def emulated(self) -> list[str]:
        return [dtype for dtype in DTYPES if is_emulated(dtype, self.device)]

    def finished(self, dtype: str) -> list[Run]:
        """The whole trainings in a format, by seed."""
        return [run for run in self.runs if run.dtype == dtype and run.finished]

    @property
    def dtypes(self) -> list[str]:
        """The formats with at least one whole training."""
        return [dtype for dtype in DTYPES if self.finished(dtype)]

    def as_json(self) -> dict[str, Any]:
        return {
            "job": self.job.name,
            "metric": self.job.metric,
            "sources": self.job.sources,
            "steps": self.job.steps,
            "machine": hardware(),
            "peak bytes": self.peaks,
            "emulated": self.emulated,
            "runs": [asdict(run) for run in self.runs],
        }


def is_emulated(dtype: str, device: str) -> bool:
    """Whether the machine lacks instructions for the format: PyTorch's own way round that is many times slower."""
    return device == "cpu" and not check_amp_available(DTYPES[dtype], "cpu")


def computing(dtype: str, device: str) -> AbstractContextManager[Any]:
    """While it lasts, products in the format are computed by the instructions that the machine has."""
    return RoundedProducts() if is_emulated(dtype, device) else nullcontext()


def chosen(job: Job, lab: ModuleType, device: str) -> list[str]:
    """The formats to train in when none was asked for: float16 on a GPU, and where one training is quick in it."""
    if device == "cuda":
        return list(DTYPES)
    with computing("fp16", device):
        seconds = interleaved_medians({"fp16": job.one_step(lab, torch.float16)}, repeats=2, warmup=1)["fp16"]
    return [dtype for dtype in DTYPES if dtype != "fp16" or seconds * job.steps <= FP16_BUDGET]


def train_all(lab: ModuleType, trained: Trained, dtypes: list[str], seeds: int, advance: Advance) -> None:
    """Trains in each format from each seed. Formats take turns, so that a change in machine load hits all alike.

    What Ctrl-C cuts short is in `trained` as far as it got.
    """
    job, device = trained.job, trained.device
    for dtype in dtypes:
        with computing(dtype, device):
            trained.peaks[dtype] = step_memory(job.one_step(lab, DTYPES[dtype]), device).peak_bytes
    for seed in range(seeds):
        for dtype in dtypes:
            run = Run(dtype, seed)
            trained.runs.append(run)
            start = time.perf_counter()
            try:
                with computing(dtype, device):
                    job.train(lab, seed, run, advance)
                run.finished = True
            finally:
                run.seconds = time.perf_counter() - start
