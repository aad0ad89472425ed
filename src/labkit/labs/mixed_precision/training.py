"""Trains a model on the digits with the lab's own trainer, step by step, so that it can stop and go on anywhere."""

import math
import random
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DistributedSampler

from labkit.course.errors import LabError
from labkit.labs.mixed_precision.banner import milestone_banner
from labkit.labs.mixed_precision.steps import Subject, memory
from labkit.toolbox.datasets import accuracy, digits_split
from labkit.toolbox.distributed import Ranks
from labkit.toolbox.history import StepRecord, mean_loss
from labkit.toolbox.models import SimpleModel, SmallCNN

DTYPES: dict[str, torch.dtype] = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
MODELS: dict[str, Callable[[], nn.Module]] = {
    "mlp": lambda: SimpleModel(input_dim=64, hidden_dim=128, output_dim=10, num_layers=3),
    "cnn": SmallCNN,
}
STRATEGIES = ("ddp", "fsdp")


@dataclass(frozen=True)
class Settings:
    """What decides a training's outcome bit by bit, together with the machine and its number of threads.

    `batch_size` counts the samples of all ranks; `init_scale` None keeps the trainer's own scaler; `max_grad_norm` None
    does not clip; `strategy`, one of STRATEGIES, is what spreads the training over ranks, None in a process alone.
    """

    dtype: str = "fp16"
    model: str = "mlp"
    epochs: int = 15
    batch_size: int = 256
    lr: float = 2e-3
    init_scale: float | None = None
    max_grad_norm: float | None = None
    seed: int = 0
    strategy: str | None = None


class Training:
    """A training on the digits with AdamW, and where it stands.

    Attributes:
        epoch, batch: the next step is batch number `batch` of epoch `epoch`, both from 0.
        history: a record of every step so far.
    """

    def __init__(
        self,
        lab: ModuleType,
        settings: Settings,
        device: str = "cpu",
        ranks: Ranks | None = None,
    ) -> None:
        """
        Args:
            lab: a loaded lab file; its MixedPrecisionTrainer makes the steps.
            ranks: the processes, joined already, that train together by `settings.strategy`.

        Raises:
            LabError: the training data is empty, `device` is cuda and there is none, or the batch does not split
                evenly over the ranks.
        """
        check_device(device)
        self.train_set, self.test_set = digits_split()
        if len(self.train_set) == 0:
            raise LabError("the training data is empty: there is nothing to train on")
        size = ranks.size if ranks else 1
        if settings.batch_size % size:
            below = settings.batch_size // size * size
            raise LabError(
                f"--batch-size {settings.batch_size}: {size} ranks share a batch evenly, so it has to be a multiple of "
                f"{size}; give {below or size}"
            )
        self.lab, self.settings, self.device, self.ranks = lab, settings, device, ranks
        self.sampler: DistributedSampler[Any] = DistributedSampler(
            self.train_set, size, ranks.rank if ranks else 0, seed=settings.seed
        )
        random.seed(settings.seed)
        torch.manual_seed(settings.seed)
        self.model = self._wrapped(MODELS[settings.model]().to(device))
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=settings.lr)
        self.criterion = nn.CrossEntropyLoss()
        self.trainer = lab.MixedPrecisionTrainer(self.model, dtype=DTYPES[settings.dtype])
        if settings.init_scale is not None:
            self.trainer.scaler = lab.create_grad_scaler(init_scale=settings.init_scale, device=device)
        self.epoch, self.batch = 0, 0
        self.history: list[StepRecord] = []

    @property
    def batches_per_epoch(self) -> int:
        return math.ceil(len(self.train_set) / self.settings.batch_size)

    @property
    def finished(self) -> bool:
        return self.epoch >= self.settings.epochs

    def _wrapped(self, model: nn.Module) -> nn.Module:
        """`model`, equal on all ranks, as the lab spreads it over them."""
        if self.settings.strategy == "ddp":
            return self.lab.wrap_ddp(model)
        if self.settings.strategy == "fsdp":
            return self.lab.wrap_fsdp(model, DTYPES[self.settings.dtype])
        return model

    def next_batch(self) -> tuple[Tensor, Tensor]:
        """Images and labels of the next step, this rank's share of them.

        The order of an epoch's samples follows from seed and epoch alone, and a step's samples are the same on any
        number of ranks (a last batch that does not split evenly takes samples from the beginning).
        """
        self.sampler.set_epoch(self.epoch)
        share = self.settings.batch_size // self.sampler.num_replicas
        return self.train_set[list(self.sampler)[self.batch * share :][:share]]

    def step(self) -> None:
        """Trains on the next batch.

        Raises:
            LabError: `train_step` returned something else than a loss and whether the step was skipped.
        """
        batch = self.next_batch()
        scale = self.trainer.scaler.get_scale()
        gave = self.trainer.train_step(batch, self.optimizer, self.criterion, self.settings.max_grad_norm)
        if not isinstance(gave, tuple) or [type(part) for part in gave] != [float, bool]:  # no banner of wrong numbers
            raise LabError(f"train_step returned {gave!r}, not (loss, step_skipped), a float and a bool: see its tests")
        loss, samples = self._of_all_ranks(gave[0], len(batch[1]))
        self.history.append(StepRecord(loss, gave[1], scale, samples))
        self.batch += 1
        if self.batch == self.batches_per_epoch:
            self.epoch, self.batch = self.epoch + 1, 0

    def _of_all_ranks(self, loss: float, samples: int) -> tuple[float, int]:
        """The mean loss over the samples of all ranks whose loss is finite, and their number."""
        if self.ranks is None:
            return loss, samples
        finite = math.isfinite(loss)
        total, counted = self.ranks.add_up(loss * samples if finite else 0.0, samples if finite else 0)
        return (total / counted if counted else math.nan), int(counted)

    def epoch_records(self, epoch: int) -> list[StepRecord]:
        return self.history[epoch * self.batches_per_epoch :][: self.batches_per_epoch]

    def epoch_line(self, epoch: int) -> str:
        """The epoch that has just finished in one line, with the accuracy and the loss scale of now."""
        records = self.epoch_records(epoch)
        return (
            f"epoch {epoch + 1:3}/{self.settings.epochs}  loss {mean_loss(records):.4f}  "
            f"test accuracy {self.accuracy():.3f}  loss scale {self.trainer.scaler.get_scale():g}  "
            f"skipped {sum(record.skipped for record in records)}"
        )

    @torch.no_grad()
    def accuracy(self) -> float:
        """The share of the test digits that the model names correctly, computed in the precision of training."""
        images, labels = self.test_set.tensors
        self.model.eval()  # train_step sets the training mode itself
        logits = self.lab.mixed_precision_forward(self.model, images.to(self.device), DTYPES[self.settings.dtype])
        return accuracy(logits, labels)

    def failure(self) -> str:
        """Why a training that has ended came to nothing: its loss stays inf or nan; else ""."""
        steps = len(self.history)
        finite = next((number for number in range(steps, 0, -1) if math.isfinite(self.history[number - 1].loss)), 0)
        if finite == steps:
            return ""
        fell = f"the loss scale fell to {self.trainer.scaler.get_scale():g}, which did not help"
        scaler = fell if self.scaling else f"{self.settings.dtype} has no scaler"
        skipped = f"{self.skipped} of {steps} steps were skipped, as their gradients were inf or nan ({scaler}); "
        return (
            f"the training diverged: from step {finite + 1} on its loss is inf or nan; "
            f"{skipped if self.skipped else ''}lower --lr, now {self.settings.lr:g}"
        )

    def remarks(self) -> list[str]:
        """What the banner's figures do not say of a training that has ended."""
        if self.skipped == len(self.history):
            scale = self.trainer.scaler.get_scale()
            return [f"Every step was skipped: the loss scale, {scale:g} now, has yet to fall; train longer"]
        rose = self.final_loss > self.history[0].loss
        return ["The loss rose: this training learned nothing; lower --lr, or train longer"] if rose else []

    @property
    def scaling(self) -> bool:
        return self.trainer.scaler.is_enabled()

    @property
    def skipped(self) -> int:
        return sum(record.skipped for record in self.history)

    @property
    def final_loss(self) -> float:
        """The mean loss of the last whole epoch."""
        return mean_loss(self.epoch_records(self.epoch - 1))

    def banner(self) -> str:
        """The milestone's banner: loss of the first step and mean of the last epoch, memory measured now."""
        return milestone_banner(
            dtype=DTYPES[self.settings.dtype],
            scaling=self.scaling,
            initial_loss=self.history[0].loss,
            final_loss=self.final_loss,
            skipped_steps=self.skipped,
            memory_reduction=memory_reduction(self.lab, self.settings, self.device, self.ranks),
        )

    def state_dict(self) -> dict[str, Any]:
        """All that decides how the training goes on, of types that `torch.load(weights_only=True)` accepts."""
        return {
            "settings": asdict(self.settings),
            "trainer": self.trainer.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "epoch": self.epoch,
            "batch": self.batch,
            "history": [tuple(record) for record in self.history],
            "random": {
                "python": random.getstate(),
                "torch": torch.get_rng_state(),
                "cuda": torch.cuda.get_rng_state_all() if self.device == "cuda" else [],
            },
            "threads": torch.get_num_threads(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes back to where `state_dict` was taken, its number of threads included: sums depend on it."""
        torch.set_num_threads(state["threads"])
        self.trainer.load_state_dict(state["trainer"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.epoch, self.batch = state["epoch"], state["batch"]
        self.history = [StepRecord(*record) for record in state["history"]]
        random.setstate(state["random"]["python"])
        torch.set_rng_state(state["random"]["torch"])
        if self.device == "cuda" and state["random"]["cuda"]:
            torch.cuda.set_rng_state_all(state["random"]["cuda"])


def check_device(device: str) -> None:
    """Raises LabError if `device` is cuda and there is none."""
    if device == "cuda" and not torch.cuda.is_available():
        raise LabError("--device cuda: torch finds no CUDA GPU on this machine; leave the option out to use the CPU")


def memory_reduction(lab: ModuleType, settings: Settings, device: str = "cpu", ranks: Ranks | None = None) -> float:
    """The share of a step's peak memory that `settings.dtype` saves against fp32, measured; negative if it adds.

    On many ranks each measures its own step. A learning rate or loss scale of the settings at which no step is made
    must not decide what is measured: both are the usual ones. Raises LabError if no step is made even so.
    """
    peak = {}
    for dtype in ("fp32", settings.dtype):
        usual = replace(settings, dtype=dtype, lr=Settings.lr, init_scale=None)
        training = Training(lab, usual, device, ranks=ranks)
        subject = Subject(training.trainer, DTYPES[dtype], training.optimizer, training.criterion)
        peak[dtype] = memory(subject, training.next_batch(), device).peak_bytes
    return 1 - peak[settings.dtype] / peak["fp32"]
