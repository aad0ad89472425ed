"""The data sets of the labs, and how many labels a model finds: real digits that come with the package, and synthetic
samples. Nothing is downloaded."""

import gzip
import hashlib
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import Dataset, TensorDataset

from labkit.course.errors import LabError

DIGITS_FILE = Path(__file__).with_name("digits.csv.gz")
DIGITS_SHA256 = "09f66e6debdee2cd2b5ae59e0d6abbb73fc2b0e0185d2e1957e9ebb51e23aa22"


class Digits(NamedTuple):
    """Handwritten digits: `images` float32 (1797, 64) in [0, 1], row by row of 8 x 8 pixels; `labels` int64 (1797,)."""

    images: Tensor
    labels: Tensor


def digits(path: Path = DIGITS_FILE) -> Digits:
    """All 1797 handwritten digits of Alpaydin and Kaynak (UCI, doi 10.24432/C50P49), pixels 0..16 divided by 16.

    Raises LabError if the data file is missing or not the one that the course ships.
    """
    try:
        packed = path.read_bytes()
    except OSError as error:
        raise LabError(f"cannot read the digits ({error.strerror}): {path}; restore it from git or reinstall") from None
    if hashlib.sha256(packed).hexdigest() != DIGITS_SHA256:
        raise LabError(f"the digits are damaged (SHA-256 differs): {path}; restore it from git or reinstall")
    lines = gzip.decompress(packed).decode("ascii").splitlines()
    table = torch.tensor([[int(value) for value in line.split(",")] for line in lines])
    return Digits(images=table[:, :64].float() / 16, labels=table[:, 64].clone())


def digits_split(test_fraction: float = 0.2, seed: int = 0) -> tuple[TensorDataset, TensorDataset]:
    """The digits shuffled by `seed` and cut into (train, test); the test set gets round(1797 * test_fraction) of them.

    Items are (float32 (64,), int64 scalar). Raises ValueError unless 0 < test_fraction < 1.
    """
    if not 0 < test_fraction < 1:
        raise ValueError(f"test_fraction must lie between 0 and 1, got {test_fraction}")
    images, labels = digits()
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    test, train = order.tensor_split([round(len(labels) * test_fraction)])
    return TensorDataset(images[train], labels[train]), TensorDataset(images[test], labels[test])


def accuracy(logits: Tensor, labels: Tensor) -> float:
    """The share of (N, classes) `logits` whose largest one is at the label; `labels` are (N,) on the CPU."""
    return (logits.argmax(dim=1).cpu() == labels).float().mean().item()


class SimpleDataset(Dataset[tuple[Tensor, Tensor]]):
    """`size` synthetic samples, the same at every call: items are (float32 (input_dim,), int64 scalar).

    Inputs are standard normal. A label, below `output_dim`, is the index of the largest output of one fixed random
    linear map, so a linear model can learn it; the map depends on the two dimensions only, not on `size`. Raises
    ValueError if an argument is below 1.
    """

    def __init__(self, size: int = 1000, input_dim: int = 784, output_dim: int = 10) -> None:
        for name, value in (("size", size), ("input_dim", input_dim), ("output_dim", output_dim)):
            if value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")
        generator = torch.Generator().manual_seed(0)
        linear_map = torch.randn(input_dim, output_dim, generator=generator)
        self.inputs = torch.randn(size, input_dim, generator=generator)
        self.labels = (self.inputs @ linear_map).argmax(dim=1)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return self.inputs[index], self.labels[index]
