"""Step 3, a sharded model: one behaviour a test, judged by the values that a scenario brought back."""

from suites.sharded.common import expect_training


def test_sharded_model_trains_like_one_process_with_sgd(observe, draw):
    """SGD with momentum over the shards makes the steps of one process on the batches of both ranks."""
    expect_training(observe, draw, "sharded", "sgd")


def test_sharded_model_trains_like_one_process_with_adamw(observe, draw):
    """So does AdamW, with weight decay."""
    expect_training(observe, draw, "sharded", "adamw")
