"""What Lab 06 builds against torch.amp: a scaler's part of a step, and a forward pass under autocast."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import torch

from bench.limits import Measured
from labkit.course import manifest
from labkit.course.loading import load_implementation
from labkit.toolbox.measure import interleaved_medians
from labkit.toolbox.models import SmallTransformer

TURNS = 20


def amp_parts() -> list[Measured]:
    """Both at the size of the small transformer."""
    lab = load_implementation(manifest.find("build_amp").paths.solution)
    return [scaler_step(lab), autocast_forward(lab)]


def scaler_step(lab: ModuleType) -> Measured:
    """Unscale, step and update with AdamW: the gradients are there already."""
    scalers = {"built": lab.DynamicLossScaler(), "torch": torch.amp.GradScaler("cpu")}
    seconds = interleaved_medians({name: _step(scaler) for name, scaler in scalers.items()}, repeats=TURNS)
    what = f"lab06, scaler against GradScaler: step with AdamW, {1e3 * seconds['torch']:.1f} ms"
    return Measured(what, seconds["built"] / seconds["torch"], "x", 1.1)


def _step(scaler: Any) -> Callable[[], object]:
    model = SmallTransformer()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.0)
    scaler.scale(model(torch.zeros(1, 1, dtype=torch.int64)).sum()).backward()

    def step() -> None:
        scaler.unscale_(optimizer)
        scaler.step(optimizer)
        scaler.update()

    return step


def autocast_forward(lab: ModuleType) -> Measured:
    """In bfloat16, on 4 x 64 tokens: a forward pass so short that what Python adds to it shows."""
    model, tokens = SmallTransformer(), torch.randint(256, (4, 64))

    def under(region: Callable[[], Any]) -> Callable[[], object]:
        def forward() -> None:
            with region():
                model(tokens)

        return forward

    passes = {
        "built": under(lambda: lab.Autocast(torch.bfloat16)),
        "torch": under(lambda: torch.autocast("cpu", torch.bfloat16)),
    }
    seconds = interleaved_medians(passes, repeats=TURNS)
    what = f"lab06, Autocast against torch.autocast: forward, {1e3 * seconds['torch']:.1f} ms"
    return Measured(what, seconds["built"] / seconds["torch"], "x", 1.5)
