"""The lines that close a finished Lab 04 training."""

import torch

RULE = "=" * 60


def milestone_banner(
    dtype: torch.dtype,
    scaling: bool,
    initial_loss: float,
    final_loss: float,
    skipped_steps: int,
    memory_reduction: float,
) -> str:
    """The milestone as text: losses are unscaled means, `memory_reduction` is a share (0.25 = a quarter less)."""
    name = str(dtype).removeprefix("torch.")
    why = "due to gradient overflow" if scaling else f"inf or nan gradients; {name} has no loss scaler"
    return "\n".join(
        [
            RULE,
            "Lab 04 Milestone: Mixed Precision Training Complete!",
            f"Precision: {name}",
            f"Using GradScaler: {scaling}",
            f"Initial Loss: {initial_loss:.4f}",
            f"Final Loss:   {final_loss:.4f}",
            f"Skipped Steps: {skipped_steps}{f' ({why})' if skipped_steps else ''}",
            f"Memory Reduction: {memory_reduction:.1%}",
            RULE,
        ]
    )
