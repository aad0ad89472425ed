"""The data sets: what they hold, that they never change, and what a damaged file says."""

import hashlib
from pathlib import Path

import pytest
import torch
from torch import nn

from labkit.course.errors import LabError
from labkit.toolbox.datasets import DIGITS_FILE, DIGITS_SHA256, SimpleDataset, digits, digits_split


def test_the_digits_are_the_file_that_the_course_ships() -> None:
    assert hashlib.sha256(DIGITS_FILE.read_bytes()).hexdigest() == DIGITS_SHA256
    assert DIGITS_FILE.stat().st_size < 60_000
    attribution = DIGITS_FILE.with_name("digits.LICENSE.txt").read_text()
    assert "10.24432/C50P49" in attribution
    assert "Attribution 4.0" in attribution


def test_digits_are_images_between_0_and_1_with_their_labels() -> None:
    images, labels = digits()
    assert images.shape == (1797, 64)
    assert images.dtype == torch.float32
    assert (images.min(), images.max()) == (0, 1)
    assert torch.equal(images * 16, (images * 16).round())
    assert labels.shape == (1797,)
    assert labels.dtype == torch.int64
    assert labels.unique().tolist() == list(range(10))
    # A view of the table read from the file would keep all of it alive and count in every memory measurement.
    assert labels.untyped_storage().nbytes() == 1797 * 8


@pytest.mark.parametrize("content", [None, b"", b"not gzip", DIGITS_FILE.read_bytes()[:-1]])
def test_a_missing_or_damaged_file_is_one_clear_line(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "digits.csv.gz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(LabError) as caught:
        digits(path)
    line = str(caught.value)
    assert str(path) in line
    assert "restore it" in line
    assert "\n" not in line
    assert caught.value.exit_code == 1


def test_a_split_holds_every_digit_once() -> None:
    train, test = digits_split()
    assert (len(train), len(test)) == (1438, 359)
    images = torch.cat([train.tensors[0], test.tensors[0]])
    assert torch.equal(images.sum(dim=0), digits().images.sum(dim=0))
    image, label = train[0]
    assert (image.shape, image.dtype, label.shape, label.dtype) == ((64,), torch.float32, (), torch.int64)


def test_a_split_depends_on_its_seed_alone() -> None:
    torch.manual_seed(1)
    first = digits_split(seed=3)[0]
    torch.manual_seed(2)
    assert torch.equal(first.tensors[1], digits_split(seed=3)[0].tensors[1])
    assert not torch.equal(first.tensors[1], digits_split(seed=4)[0].tensors[1])


@pytest.mark.parametrize("fraction", [-0.1, 0, 1, 2])
def test_a_split_needs_a_fraction(fraction: float) -> None:
    with pytest.raises(ValueError, match="test_fraction must lie between 0 and 1"):
        digits_split(fraction)


def test_simple_dataset_is_the_same_at_every_call() -> None:
    torch.manual_seed(1)
    first = SimpleDataset(size=20)
    torch.manual_seed(2)
    second = SimpleDataset(size=20)
    assert len(first) == 20
    assert torch.equal(first.inputs, second.inputs)
    assert torch.equal(first.labels, second.labels)
    inputs, label = first[19]
    assert (inputs.shape, inputs.dtype, label.shape, label.dtype) == ((784,), torch.float32, (), torch.int64)


def test_simple_dataset_leaves_the_global_random_state_alone() -> None:
    before = torch.get_rng_state()
    SimpleDataset(size=20)
    assert torch.equal(before, torch.get_rng_state())


def test_simple_dataset_has_labels_that_carry_over_to_unseen_samples() -> None:
    data = SimpleDataset(size=4000, input_dim=32, output_dim=10)
    assert data.labels.bincount(minlength=10).min() > 0
    inputs, labels = data.inputs[:3000], data.labels[:3000]
    torch.manual_seed(0)
    probe = nn.Linear(32, 10)
    optimizer = torch.optim.Adam(probe.parameters(), lr=0.05)
    for _ in range(200):
        optimizer.zero_grad()
        nn.functional.cross_entropy(probe(inputs), labels).backward()
        optimizer.step()
    correct = (probe(data.inputs[3000:]).argmax(dim=1) == data.labels[3000:]).float().mean()
    # Measured: 0.95. Chance would be about 0.1, and memory of the training half is no help.
    assert correct > 0.8


@pytest.mark.parametrize("argument", ["size", "input_dim", "output_dim"])
def test_simple_dataset_names_the_argument_that_is_too_small(argument: str) -> None:
    with pytest.raises(ValueError, match=f"^{argument} must be at least 1, got 0$"):
        SimpleDataset(**{argument: 0})
