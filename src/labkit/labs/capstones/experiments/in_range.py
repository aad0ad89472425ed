"""Which of warmup, clipping and layer norm keeps a Transformer's training inside the range of float16."""

import math
import statistics
from types import ModuleType
from typing import Any

import torch
from matplotlib import pyplot
from matplotlib.figure import Figure
from torch import nn
from torch.amp import GradScaler
from torch.optim import Adam

from labkit.experiments.style import BLUE, GREEN, ORANGE, VERMILION
from labkit.labs.capstones import words
from labkit.labs.capstones.experiments.causal_mask import Speller
from labkit.labs.capstones.training import computing
from labkit.toolbox.measure import one_thread

TITLE = "The job words in float16, with warmup, clipping and layer norm, and without each of them"
SEEDS = 3
STEPS = 64
WARMUP = 32
BATCH = 32
WINDOW = 8  # steps whose mean is a point of a curve
ALL, NO_WARMUP, NO_CLIPPING, NO_NORMS = "all three", "without warmup", "without clipping", "without layer norm"
COLOURS = {ALL: GREEN, NO_WARMUP: BLUE, NO_CLIPPING: ORANGE, NO_NORMS: VERMILION}


def measure(lab: ModuleType) -> dict[str, Any]:
    """For each variant and seed: loss, gradient norm (none where it was inf or nan) and loss scale of each step."""
    with one_thread(), computing("fp16", "cpu"):
        return {name: [_run(lab, name, seed) for seed in range(SEEDS)] for name in COLOURS}


def _run(lab: ModuleType, variant: str, seed: int) -> dict[str, Any]:
    torch.manual_seed(seed)
    language = words.Language(lab)
    train = torch.randperm(words.NUMBERS)[: words.TRAIN].tolist()
    model = Speller(language.source_tokens, language.target_tokens, causal=True)
    if variant == NO_NORMS:
        _drop_norms(model)
    optimizer = Adam(model.parameters(), betas=words.BETAS, eps=words.EPS, fused=True)
    scaler = GradScaler("cpu")
    limit = math.inf if variant == NO_CLIPPING else words.MAX_GRAD_NORM
    seen: dict[str, Any] = {"losses": [], "norms": [], "scales": []}
    taken = 0
    for _ in range(STEPS):
        source, target = language.batch([train[pick] for pick in torch.randperm(len(train))[:BATCH].tolist()], "cpu")
        step = max(taken + 1, WARMUP) if variant == NO_WARMUP else taken + 1
        optimizer.param_groups[0]["lr"] = lab.noam(step, words.WIDTH, WARMUP)
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.float16):
            loss = lab.sequence_loss(model(source, target[:, :-1]), target[:, 1:])
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        norm = nn.utils.clip_grad_norm_(model.parameters(), limit).item()
        scaler.step(optimizer)
        scaler.update()
        taken += math.isfinite(norm)
        seen["losses"].append(loss.item())
        seen["norms"].append(norm if math.isfinite(norm) else None)
        seen["scales"].append(scaler.get_scale())
    return seen


def _drop_norms(model: nn.Module) -> None:
    for module in [*model.modules()]:
        for name, child in module.named_children():
            if isinstance(child, nn.LayerNorm):
                setattr(module, name, nn.Identity())


def _skipped(run: dict[str, Any]) -> int:
    return run["norms"].count(None)


def _last_loss(runs: list[dict[str, Any]]) -> float:
    return statistics.mean(statistics.mean(run["losses"][-WINDOW:]) for run in runs)


def _largest_norm(runs: list[dict[str, Any]]) -> float:
    return max(norm for run in runs for norm in run["norms"] if norm is not None)


def _scales(runs: list[dict[str, Any]]) -> str:
    ends = sorted({round(math.log2(run["scales"][-1])) for run in runs})
    return f"2^{ends[0]}" if len(ends) == 1 else f"2^{ends[0]} to 2^{ends[-1]}"


def table(data: dict[str, Any]) -> list[list[str]]:
    rows = [["training", "skipped steps", "scale at the end", "largest gradient norm", "loss at the end"]]
    for name, runs in data.items():
        skipped = " + ".join(str(_skipped(run)) for run in runs)
        rows.append([name, skipped, _scales(runs), f"{_largest_norm(runs):.0f}", f"{_last_loss(runs):.2f}"])
    return rows


def notice(data: dict[str, Any]) -> str:
    skipped = {name: sum(map(_skipped, runs)) for name, runs in data.items()}
    return (
        f"In {len(data[ALL])} trainings of {len(data[ALL][0]['losses'])} steps each, {skipped[ALL]} steps are skipped "
        f"with all three, {skipped[NO_WARMUP]} without warmup, {skipped[NO_CLIPPING]} without clipping, and "
        f"{skipped[NO_NORMS]} without layer norm. The loss scale ends at {_scales(data[ALL])} with all three, and at "
        f"{_scales(data[NO_NORMS])} without layer norm, with a loss of {_last_loss(data[NO_NORMS]):.2f} instead of "
        f"{_last_loss(data[ALL]):.2f}. Without warmup the loss is {_last_loss(data[NO_WARMUP]):.2f}, without clipping "
        f"{_last_loss(data[NO_CLIPPING]):.2f}."
    )


def draw(data: dict[str, Any]) -> Figure:
    figure, (left, middle, right) = pyplot.subplots(1, 3, figsize=(12, 5.8))
    for name, runs in data.items():
        left.plot(*_curve([run["losses"] for run in runs]), color=COLOURS[name], label=name)
        middle.plot(*_curve([run["norms"] for run in runs]), color=COLOURS[name])
        for run in runs:
            right.step(range(1, len(run["scales"]) + 1), run["scales"], where="post", color=COLOURS[name])
    left.set(title="Training loss", xlabel="step", ylabel="cross entropy (nats)", yscale="log")
    left.yaxis.set_major_formatter("{x:g}")
    left.yaxis.set_minor_formatter("{x:g}")
    middle.set(title="Norm of the true gradient", xlabel="step", yscale="log")
    middle.yaxis.set_major_formatter("{x:g}")
    right.set(title="Loss scale, each seed", xlabel="step")
    right.set_yscale("log", base=2)
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


def _curve(curves: list[list[float | None]]) -> tuple[list[int], list[float]]:
    """Steps and means over all seeds and the steps of a window; a window of skipped steps alone is left out."""
    ends, means = [], []
    for end in range(WINDOW, len(curves[0]) + 1, WINDOW):
        values = [value for curve in curves for value in curve[end - WINDOW : end] if value is not None]
        if values:
            ends.append(end)
            means.append(statistics.mean(values))
    return ends, means
