"""The command line of Lab 06's file: the training job, the classic bugs, and a clear line for what can be wrong."""

import re
from functools import partial
from pathlib import Path

import commandline
import pytest
from commandline import Finished, refused
from page_checks import ROOT

from labkit.course.loading import load_implementation
from labkit.labs.build_amp import breaks, commands, training
from labkit.labs.build_amp.panels import RIGHT, WRONG
from labkit.toolbox.history import StepRecord

SOLUTION = ROOT / "solutions" / "build_amp.py"
STUBS = ROOT / "labs" / "lab06_build_amp" / "skeleton.py"
lab = load_implementation(SOLUTION)
run = partial(commandline.run, lab, main=commands.main)
ROW = re.compile(r"^\| (\S.*?) +\| +(\d\.\d{4}) \| +(\S+)% \| +(\d+) \| +(\S+) \|.*\|$", re.MULTILINE)


def lab_file(folder: Path, code: str):
    """A lab file out of the solution and a piece of code behind it, loaded."""
    path = folder / "build_amp.py"
    path.write_text(f"{SOLUTION.read_text(encoding='utf-8').partition('if __name__')[0]}\n{code}\n", encoding="utf-8")
    return load_implementation(path)


# --train ----------------------------------------------------------------------------------------------------------


def test_training_prints_a_row_for_each_way_and_draws(tmp_path: Path) -> None:
    picture = tmp_path / "run.png"
    finished = run("--train", "--steps", 10, "--plot", picture)
    assert (finished.code, finished.err) == (0, "")
    rows = {name: rest for name, *rest in ROW.findall(finished.out)}
    assert list(rows) == ["fp32", "bf16, built here", "bf16, torch.amp", "fp16, built here", "fp16, torch.amp"]
    assert rows["bf16, built here"] == rows["bf16, torch.amp"]
    assert rows["fp16, built here"] == rows["fp16, torch.amp"]
    skips, scale = rows["fp16, built here"][2:]
    assert int(skips) > 0 and scale == f"2^{24 - int(skips)}"
    assert "bf16: losses of all 10 steps equal torch.amp's bit by bit." in " ".join(finished.out.split())
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert max(len(line) for line in finished.out.splitlines() if str(picture) not in line) <= 80


def test_options_reach_the_training(tmp_path: Path) -> None:
    def losses(*more: object) -> list[str]:
        plot = tmp_path / "run.svg"
        return [row[1] for row in ROW.findall(run("--train", "--steps", 10, "--plot", plot, "--dtype", *more).out)]

    plain, seed = losses("bf16"), losses("bf16", "--seed", 1)
    assert len(plain) == len(seed) == 3 and plain != seed


def test_float16_that_would_take_too_long_is_emulated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "FP16_BUDGET", 0.0)
    finished = run("--train", "--dtype", "fp16", "--steps", 10, "--plot", tmp_path / "run.png")
    assert [name for name, *_ in ROW.findall(finished.out)][1:] == [
        "emulated fp16, built here",
        "emulated fp16, torch.amp",
    ]
    assert "emulated fp16: losses and loss scales of all 10 steps equal" in " ".join(finished.out.split())


def test_a_scaler_that_does_not_back_off_parts_from_torch(tmp_path: Path) -> None:
    code = "class DynamicLossScaler(DynamicLossScaler):\n    def update(self):\n        StaticLossScaler.update(self)\n"
    data = training.beside_torch(lab_file(tmp_path, code), training.Settings(("fp16",), steps=10))
    assert data["parted"] == {"fp16": 1}


def test_first_difference_is_a_step() -> None:
    one = [StepRecord(2.0, False, 8.0, 4)] * 3
    other = [*one[:2], StepRecord(2.0, False, 4.0, 4)]
    assert training.first_difference(one, one) is None
    assert training.first_difference(one, other) == 3


def test_unsolved_steps_are_named() -> None:
    stubs = load_implementation(STUBS)
    finished = commandline.run(stubs, "--train", main=commands.main)
    assert refused(finished).startswith("Step 1 is still to be solved: write ")
    assert finished.code == 2


# --break ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"TRACKER_STEPS": 60, "HANDLER_STEPS": 60, "MASTER_STEPS": 40, "EPOCHS": 2}.items():
        monkeypatch.setattr(breaks, name, value)


@pytest.mark.parametrize("name", breaks.BREAKS)
def test_a_bug_is_shown_in_a_sentence_and_a_picture(name: str, quick: None, tmp_path: Path) -> None:
    picture = tmp_path / "bug.png"
    finished = run("--break", name, "--plot", picture)
    assert (finished.code, finished.err) == (0, "")
    assert finished.out.startswith(f"{name}: {breaks.BREAKS[name].bug[:20]}")
    assert " ".join(finished.out.split()).count(" instead of ") == 2
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert max(len(line) for line in finished.out.splitlines() if str(picture) not in line) <= 80


def shown(name: str) -> breaks.Shown:
    return breaks.BREAKS[name].run(lab, 0, lambda: None)


def test_a_tracker_that_is_not_reset_skips_more(quick: None) -> None:
    losses, scales = shown("tracker-not-reset").panels
    assert len(scales.marked[WRONG]) > len(scales.marked[RIGHT]) > 0
    assert losses.last(WRONG) > losses.last(RIGHT)


def test_one_tiny_entry_ruins_the_weights(quick: None) -> None:
    losses, weights = shown("gradients-times-1e7").panels
    struck = weights.marked[WRONG][0][0]
    before = [(step, value) for step, value in weights.curves[WRONG] if step < struck]
    assert before == weights.curves[RIGHT][: len(before)]
    assert weights.last(WRONG) > 100 * weights.last(RIGHT) and losses.last(WRONG) > 100 * losses.last(RIGHT)


def test_masters_from_halves_stay(quick: None) -> None:
    losses, changed = shown("masters-from-halves").panels
    assert changed.last(WRONG) < changed.last(RIGHT)
    assert losses.last(WRONG) > losses.last(RIGHT)


def test_a_dropped_window_is_half_of_the_steps(quick: None) -> None:
    _, steps = shown("last-window-dropped").panels
    assert (steps.last(WRONG), steps.last(RIGHT)) == (2, 4)


@pytest.mark.parametrize("args", [("--break",), ("--break", "--seed", 1)])
def test_break_without_a_name_lists_all(args: tuple) -> None:
    finished = run(*args)
    assert (finished.code, finished.err) == (0, "")
    lines = finished.out.splitlines()
    assert [line.split()[0] for line in lines] == list(breaks.BREAKS)
    assert max(map(len, lines)) <= 80


# What can be wrong ------------------------------------------------------------------------------------------------


def one_line(finished: Finished) -> str:
    assert finished.code == 2
    return refused(finished)


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ("", "give one of --train and --break NAME"),
        ("--train --break tracker-not-reset", "give one of --train and --break NAME"),
        ("--break bug", "there is no bug 'bug'; --break without a NAME lists them"),
        ("--break tracker-not-reset --steps 20", "--break takes no --steps"),
        ("--break tracker-not-reset --dtype fp16", "--break takes no --dtype"),
        ("--train --dtype fp32", "'fp32' is not one of 'bf16', 'fp16'"),
        ("--train --steps 9", "9 is not in the range x>=10"),
        ("--train --seed -1", "-1 is not in the range"),
    ],
)
def test_wrong_options_are_a_line(args: str, says: str) -> None:
    assert says in one_line(run(*args.split()))


def test_a_picture_that_cannot_be_is_a_line_before_any_training(tmp_path: Path) -> None:
    assert "the name must end in .png, .pdf, .svg" in refused(run("--train", "--plot", tmp_path / "run.txt"))
    (tmp_path / "file").write_text("")
    assert "--plot" in refused(run("--break", "tracker-not-reset", "--plot", tmp_path / "file" / "run.png"))


def test_demo_is_the_training_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(commands, "DEFAULTS", training.Settings(("bf16",), steps=10))
    commands.demo(SOLUTION, tmp_path / "runs")
    assert "bf16, torch.amp" in capsys.readouterr().out
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["lab06-train.png"]
