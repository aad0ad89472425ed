"""Step 5, FSDP2: one behaviour a test, judged by the values that a scenario brought back."""

from suites.sharded.common import expect_training


def test_fsdp2_trains_like_one_process(observe, draw):
    """SGD and AdamW over the model's parameters make the steps of one process on the batches of both ranks."""
    for name in ("sgd", "adamw"):
        expect_training(observe, draw, "fsdp2", name)
