"""What a deep network learns in each format, and in float16 without loss scaling."""

from types import ModuleType
from typing import Any

from matplotlib import pyplot
from matplotlib.figure import Figure

from labkit.experiments.style import FORMATS
from labkit.labs.mixed_precision.deep import BATCH, RUNS, UNSCALED, DeepRun, float16_is_quick, train_deep
from labkit.toolbox.history import mean_loss
from labkit.toolbox.measure import one_thread

TITLE = "Six sigmoid layers learn digits in each format"
TIMED = True
STEPS = 500
LEARNING_RATE = 1e-2
WINDOW = 10  # steps whose mean is a point of a curve
FP16_BUDGET = 15.0  # seconds for the two float16 trainings; if they take longer, emulation
LINES = {"fp32": ("-", 5.0), "bf16": ("-", 2.2), "fp16": ("--", 2.2), UNSCALED: ("-", 2.2)}


def measure(lab: ModuleType) -> dict[str, Any]:
    """Four trainings on the same batches from the same weights; a float16 that is slow here is emulated."""
    with one_thread():
        emulated = not float16_is_quick(lab, STEPS, FP16_BUDGET)
        runs = {name: _kept(train_deep(lab, name, emulated, STEPS, LEARNING_RATE, BATCH)) for name in RUNS}
    return {"emulated": emulated, "steps": list(range(WINDOW, STEPS + 1, WINDOW)), "runs": runs}


def _kept(run: DeepRun) -> dict[str, Any]:
    return {
        "losses": [mean_loss(run.records[end - WINDOW : end]) for end in range(WINDOW, STEPS + 1, WINDOW)],
        "final": run.final_loss,
        "accuracy": run.accuracy,
        "zeros": run.zeros,
        "skipped": run.skipped,
        "seconds": run.seconds,
    }


def table(data: dict[str, Any]) -> list[list[str]]:
    rows = [["format", "loss", "correct", "zeros in the first gradient", "skipped", "seconds"]]
    for name, run in data["runs"].items():
        shares = f"{run['accuracy']:.0%}", f"{run['zeros']:.0%}"
        rows.append([_label(name, data), f"{run['final']:.3f}", *shares, str(run["skipped"]), f"{run['seconds']:.1f}"])
    return rows


def notice(data: dict[str, Any]) -> str:
    runs = data["runs"]
    plain, others = runs[UNSCALED], [run for name, run in runs.items() if name != UNSCALED]
    losses, correct = [run["final"] for run in others], [run["accuracy"] for run in others]
    emulation = " (emulated: this machine is slow in fp16)" if data["emulated"] else ""
    return (
        f"Without loss scaling fp16{emulation} ends at a loss of {plain['final']:.3f} and {plain['accuracy']:.0%} "
        f"correct: {plain['zeros']:.0%} of the first layer's gradient are exactly zero. fp16 with loss scaling, bf16 "
        f"without and fp32 end between {min(losses):.3f} and {max(losses):.3f}, with {min(correct):.0%} to "
        f"{max(correct):.0%} correct. Guessing among ten digits costs ln 10 = 2.303."
    )


def draw(data: dict[str, Any]) -> Figure:
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(12, 6), width_ratios=[2, 1])
    for name, run in data["runs"].items():
        line, width = LINES[name]
        left.plot(data["steps"], run["losses"], line, color=FORMATS[name], linewidth=width, label=_label(name, data))
    left.set(title="Loss", xlabel="step", ylabel="cross entropy (nats)", ylim=(0, None))
    left.legend(loc="lower left")
    shares = [100 * run["accuracy"] for run in data["runs"].values()]
    names = [_label(name, data).replace(", ", ",\n") for name in data["runs"]]
    bars = right.barh(names, shares, color=[FORMATS[name] for name in data["runs"]])
    right.bar_label(bars, fmt="%.0f%%", padding=4)
    right.invert_yaxis()
    right.set(title="Test digits named correctly", xlabel="percent", xlim=(0, 118), xticks=range(0, 101, 25))
    right.grid(False, axis="y")
    return figure


def _label(name: str, data: dict[str, Any]) -> str:
    """A format's name in table and picture, which says what was emulated and what was scaled."""
    emulated = "emulated " if data["emulated"] and name.startswith("fp16") else ""
    return f"{emulated}{name}{', loss scaling' if name == 'fp16' else ''}"
