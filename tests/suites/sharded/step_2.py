"""Step 2, a sharded optimizer: one behaviour a test, judged by the values that a scenario brought back."""

from suites.sharded.common import expect_training


def test_zero1_trains_like_one_process_with_sgd(observe, draw):
    """SGD with momentum on two ranks makes the steps of one process on the batches of both."""
    expect_training(observe, draw, "zero1", "sgd")


def test_zero1_trains_like_one_process_with_adamw(observe, draw):
    """So does AdamW, with weight decay."""
    expect_training(observe, draw, "zero1", "adamw")
