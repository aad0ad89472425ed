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
    return "\n".join(
        [
            RULE,
            "Lab 04 Milestone: Mixed Precision Training Complete!",
            f"Precision: {str(dtype).removeprefix('torch.')}",
            f"Using GradScaler: {scaling}",
            f"Initial Loss: {initial_loss:.4f}",
            f"Final Loss:   {final_loss:.4f}",
            f"Skipped Steps: {skipped_steps}{' (due to gradient overflow)' if skipped_steps else ''}",
            f"Memory Reduction: {memory_reduction:.1%}",
            RULE,
        ]
    )
