"""Lab 06: [write: what the lab is about, in one line]."""

from torch import Tensor

__all__ = ["part_1", "part_2", "part_3", "part_4", "part_5"]


# Step 1: [write: title 1]


def part_1(x: Tensor) -> Tensor:
    """[write: what part_1 gives, its shapes, dtypes and errors]: `x` plus 1."""
    # TODO: [write: what part_1 has to do, in one line]
    raise NotImplementedError("Step 1: part_1")


# Step 2: [write: title 2]


def part_2(x: Tensor) -> Tensor:
    """[write: what part_2 gives, its shapes, dtypes and errors]: `x` plus 2."""
    # TODO: [write: what part_2 has to do, in one line]
    raise NotImplementedError("Step 2: part_2")


# Step 3: [write: title 3]


def part_3(x: Tensor) -> Tensor:
    """[write: what part_3 gives, its shapes, dtypes and errors]: `x` plus 3."""
    # TODO: [write: what part_3 has to do, in one line]
    raise NotImplementedError("Step 3: part_3")


# Step 4: [write: title 4]


def part_4(x: Tensor) -> Tensor:
    """[write: what part_4 gives, its shapes, dtypes and errors]: `x` plus 4."""
    # TODO: [write: what part_4 has to do, in one line]
    raise NotImplementedError("Step 4: part_4")


# Step 5: [write: title 5]


def part_5(x: Tensor) -> Tensor:
    """[write: what part_5 gives, its shapes, dtypes and errors]: `x` plus 5."""
    # TODO: [write: what part_5 has to do, in one line]
    raise NotImplementedError("Step 5: part_5")
