"""From which size on half precision is faster here: a matrix product alone, and a whole training step."""

from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any

import torch
from matplotlib import pyplot
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter, LogLocator, NullLocator
from torch import Tensor, nn

from labkit.experiments.style import FORMATS, ORANGE
from labkit.labs.mixed_precision.training import DTYPES
from labkit.toolbox.measure import check_amp_available, interleaved_medians, one_thread

TITLE = "Where 16 bits begin to pay: time against width, on one thread"
TIMED = True
WIDTHS = (32, 64, 128, 256, 512, 1024, 2048)
EMULATED_UP_TO = 256  # wider products in a format that the CPU only emulates take seconds
BATCH = 256
REPEATS = 9
WORK_OF_A_TURN = 2**28  # multiplications: small products are repeated until a clock can see them


def measure(lab: ModuleType) -> dict[str, Any]:
    """Milliseconds of a product of two square matrices, and of a training step of an MLP, at every width."""
    torch.manual_seed(0)
    with one_thread():
        products = [_products(width) for width in WIDTHS]
        steps = [_steps(lab, width) for width in WIDTHS]
    return {
        "unit": "milliseconds, median",
        "threads": 1,
        "native": {name: check_amp_available(dtype, "cpu") for name, dtype in DTYPES.items()},
        "widths": list(WIDTHS),
        "matrix product": {name: [row.get(name) for row in products] for name in DTYPES},
        "training step": {name: [row.get(name) for row in steps] for name in ("fp32", "bf16")},
        "step": f"three Linear layers of this width with GELU, batch {BATCH}, AdamW",
    }


def _affordable(name: str, width: int) -> bool:
    return check_amp_available(DTYPES[name], "cpu") or width <= EMULATED_UP_TO


def _products(width: int) -> dict[str, float]:
    times = max(1, WORK_OF_A_TURN // width**3)
    steps, repeated = {}, {}
    for name, dtype in DTYPES.items():
        if _affordable(name, width):
            repeated[name] = times if check_amp_available(dtype, "cpu") else 1
            steps[name] = partial(_multiply, torch.randn(width, width).to(dtype), repeated[name])
    seconds = interleaved_medians(steps, repeats=REPEATS)
    return {name: _milliseconds(seconds[name] / repeated[name]) for name in steps}


def _multiply(matrix: Tensor, times: int) -> None:
    for _ in range(times):
        matrix @ matrix


def _steps(lab: ModuleType, width: int) -> dict[str, float]:
    batch = torch.randn(BATCH, width), torch.randint(width, (BATCH,))
    names = [name for name in ("fp32", "bf16") if _affordable(name, width)]
    steps = {name: _training_step(lab, width, DTYPES[name], batch) for name in names}
    return {name: _milliseconds(seconds) for name, seconds in interleaved_medians(steps, repeats=REPEATS).items()}


def _training_step(
    lab: ModuleType, width: int, dtype: torch.dtype, batch: tuple[Tensor, Tensor]
) -> Callable[[], object]:
    layers = [nn.Linear(width, width), nn.GELU(), nn.Linear(width, width), nn.GELU(), nn.Linear(width, width)]
    model = nn.Sequential(*layers)
    trainer = lab.MixedPrecisionTrainer(model, dtype=dtype)
    return partial(trainer.train_step, batch, torch.optim.AdamW(model.parameters()), nn.CrossEntropyLoss())


def _milliseconds(seconds: float) -> float:
    return float(f"{seconds * 1e3:.4g}")


def speed_ups(data: dict[str, Any], what: str, name: str = "bf16") -> dict[int, float]:
    """fp32's time over that of format `name` by width, where both were measured; above 1 the format is faster."""
    times = zip(data["widths"], data[what]["fp32"], data[what][name], strict=True)
    return {width: full / half for width, full, half in times if half}


def pays_from(ratios: dict[int, float]) -> int | None:
    """The width from which on a format is faster, at it and at all larger ones; None if not even at the largest."""
    first = None
    for width, ratio in reversed(ratios.items()):
        if ratio <= 1:
            break
        first = width
    return first


def table(data: dict[str, Any]) -> list[list[str]]:
    rows = [["width", "product fp32, ms", "bf16", "fp16", "bf16 speed-up", "step fp32, ms", "bf16", "bf16 speed-up"]]
    for number, width in enumerate(data["widths"]):
        cells = [str(width)]
        for what, names in (("matrix product", ("fp32", "bf16", "fp16")), ("training step", ("fp32", "bf16"))):
            cells += [_figure(data[what][name][number]) for name in names]
            cells.append(_figure(speed_ups(data, what).get(width)))
        rows.append(cells)
    return rows


def _figure(number: float | None) -> str:
    return "-" if number is None else f"{number:.3g}"


def notice(data: dict[str, Any]) -> str:
    sentences = []
    for what in ("matrix product", "training step"):
        ratios = speed_ups(data, what)
        first, least, most = pays_from(ratios), min(ratios), max(ratios)
        where = f"from width {first} on" if first else f"at no width up to {most} for good"
        sentences.append(
            f"A {what} is faster in bf16 {where}: {ratios[least]:.2f} times fp32's speed at width {least}, "
            f"{ratios[most]:.2f} at {most}."
        )
    ratios = speed_ups(data, "matrix product", "fp16")
    reports = "reports" if data["native"]["fp16"] else "reports no"
    return " ".join(sentences) + (
        f" This CPU {reports} fp16 instructions: the product runs at {ratios[max(ratios)]:.2g} times fp32's speed at "
        f"width {max(ratios)}."
    )


def draw(data: dict[str, Any]) -> Figure:
    figure, (times, ratios) = pyplot.subplots(1, 2, figsize=(11, 5))
    for name, milliseconds in data["matrix product"].items():
        measured = [(width, time) for width, time in zip(data["widths"], milliseconds, strict=True) if time]
        times.plot(*zip(*measured, strict=True), "o-", color=FORMATS[name], label=name)
    times.set(title="A product of two square matrices", ylabel="milliseconds", yscale="log")
    times.legend()
    for what, line, colour in (("matrix product", "o-", FORMATS["bf16"]), ("training step", "s--", ORANGE)):
        ratios.plot(*zip(*speed_ups(data, what).items(), strict=True), line, color=colour, label=what)
    ratios.axhline(1, color=pyplot.rcParams["text.color"], linewidth=1.5)
    ratios.text(data["widths"][-1], 0.93, "below: bf16 is slower", ha="right", va="top")
    ratios.set(title="bf16: how many times as fast as fp32", ylabel="fp32's time / bf16's time", yscale="log")
    ratios.yaxis.set_major_locator(LogLocator(10, subs=(1, 2, 5)))
    ratios.yaxis.set_major_formatter(FormatStrFormatter("%g"))
    ratios.yaxis.set_minor_locator(NullLocator())
    ratios.legend()
    for axes in (times, ratios):
        axes.set(xscale="log", xlabel="width")
        axes.set_xticks(data["widths"], data["widths"])
        axes.xaxis.set_minor_locator(NullLocator())
    return figure
