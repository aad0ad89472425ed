"""Inputs are drawn from the seed and the test's name alone, and are what their names promise."""

import pytest
import torch
from torch import Tensor

from labkit.judge.draw import Draw

KINDS = {
    "normal": lambda draw: draw.normal(3, 4, scale=2.0, dtype=torch.bfloat16),
    "vector": lambda draw: draw.vector(5, norm=3.0),
    "away_from_zero": lambda draw: draw.away_from_zero(4),
    "integers": lambda draw: draw.integers(8, high=100),
    "integer": lambda draw: draw.integer(0, 10**9),
    "number": lambda draw: draw.number(0.0, 1.0),
    "choice": lambda draw: draw.choice(range(10**9)),
    "shuffled": lambda draw: draw.shuffled(range(20)),
    "pattern": lambda draw: draw.pattern(40),
}


def drawn(kind: str, seed: object, test: str) -> list:
    """Two draws in a row, as plain numbers."""
    draw = Draw(seed, test)
    return [one.tolist() if isinstance(one, Tensor) else one for one in (KINDS[kind](draw), KINDS[kind](draw))]


@pytest.mark.parametrize("kind", KINDS)
def test_draws_depend_on_seed_and_test_only(kind: str) -> None:
    torch.manual_seed(1)
    draws = drawn(kind, 3, "test_a")
    torch.manual_seed(2)
    assert drawn(kind, 3, "test_a") == draws
    assert drawn(kind, "3", "test_a") == draws, "a seed from the command line is a string"
    assert drawn(kind, 4, "test_a") != draws
    assert drawn(kind, 3, "test_b") != draws
    assert draws[0] != draws[1], "the second draw repeats the first"


@pytest.mark.parametrize("kind", KINDS)
def test_drawing_leaves_the_generator_of_torch_alone(kind: str) -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    drawn(kind, 0, "test_a")
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("size", [2, 3, 8, 40])
@pytest.mark.parametrize("share", [0.0, 0.4, 0.5, 1.0])
def test_pattern_has_both_kinds(size: int, share: float) -> None:
    """Else a replay, or a submission that always skips, could be right by luck."""
    patterns = [Draw(seed, "test").pattern(size, share) for seed in range(50)]
    assert all(len(pattern) == size and 0 < sum(pattern) < size for pattern in patterns)
    assert all(abs(sum(pattern) - share * size) <= 2 for pattern in patterns)
    assert len({tuple(pattern) for pattern in patterns}) > 1


def test_vector_has_its_norm() -> None:
    for seed in range(20):
        vector = Draw(seed, "test").vector(11, norm=5.0)
        assert vector.shape == (11,)
        assert vector.dtype == torch.float32
        assert vector.double().norm().item() == pytest.approx(5.0, rel=1e-6)


def test_away_from_zero_keeps_its_distance_on_both_sides() -> None:
    values = Draw(0, "test").away_from_zero(1000, low=0.5, high=2.0)
    assert ((values.abs() >= 0.5) & (values.abs() <= 2.0)).all()
    assert 400 < (values > 0).sum() < 600


def test_normal_has_its_scale_shape_and_dtype() -> None:
    values = Draw(0, "test").normal(100, 50, scale=3.0, dtype=torch.float16)
    assert values.shape == (100, 50)
    assert values.dtype == torch.float16
    assert values.double().std().item() == pytest.approx(3.0, rel=0.05)
    assert values.double().mean().item() == pytest.approx(0.0, abs=0.15)


def test_bounds_are_as_documented() -> None:
    draw = Draw(0, "test")
    assert {draw.integer(1, 3) for _ in range(100)} == {1, 2, 3}
    assert set(draw.integers(200, low=1, high=3).tolist()) == {1, 2}
    assert all(2.0 <= draw.number(2.0, 3.0) <= 3.0 for _ in range(100))
    assert sorted(draw.shuffled("abcd")) == list("abcd")
