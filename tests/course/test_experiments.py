"""The experiments: each measures, and shows what it measured; the committed figures are theirs and no others."""

import json
import subprocess
import threading
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from click.testing import CliRunner
from msgspec import structs
from page_checks import ROOT
from rich.console import Console
from test_at_scale import SMALL_CASES

from labkit.course import manifest
from labkit.course.errors import LabError
from labkit.course.files import shown
from labkit.experiments import commands, running
from labkit.labs.build_amp import training
from labkit.labs.data_parallel import training as data_parallel
from labkit.labs.mixed_precision.roofline import Sizes
from labkit.labs.sharded import training as sharded

OWNERS = running.owners()
SOLUTION = ROOT / "solutions" / "mixed_precision.py"
FIGURES = ROOT / "docs" / "figures"

# What makes a measurement small enough for a test; where nothing stands, it is quick as it is.
QUICK = {
    "formats": {"STEPS": 10, "BATCH": 64, "FP16_BUDGET": 0.0},
    "ladder": {"CASES": SMALL_CASES[:1], "PRODUCT": 16, "REPEATS": 1},
    "loss-scale": {"EPOCHS": 2},
    "master-weights": {"STEPS": 40},
    "small-updates": {"STEPS": 4},
    "memory-at-scale": {"CASES": SMALL_CASES},
    "roofline": {"CASES": SMALL_CASES[:1], "SIZES": Sizes(16, 2**10, (4, 16), 2**12), "REPEATS": 1},
    "speed": {"WIDTHS": (16, 32, 512), "REPEATS": 1, "BATCH": 8, "WORK_OF_A_TURN": 2**16},
    "sensitive": {"ROWS": 4, "COLUMNS": 64, "TERMS": 64},
    "beside-ddp": {"SETTINGS": data_parallel.Settings(steps=1, batch_size=8)},
    "beside-fsdp2": {"SETTINGS": sharded.Settings(steps=1, batch_size=8)},
    "beside-torch": {"Settings": lambda: training.Settings(steps=10)},
    "bf16-sum": {"ENTRIES": 8},
    "cast-cache": {"USES": (1, 2, 4, 6), "WIDTH": 32},
    "hysteresis": {"STEPS": 120},
    "lost-layers": {"BATCH": 256, "POWERS": (0, 12, 40)},
    "running-statistics": {"STEPS": {0.1: 10, 0.01: 10}},
    "windows": {"EPOCHS": 2},
    "in-range": {"SEEDS": 1, "STEPS": 16, "BATCH": 8},
    "causal-mask": {"STEPS": 4, "MEASURED": 2, "TEST": 8},
    "seeds": {"SEEDS": 2, "EPOCHS": 1, "DTYPES": {"fp32": torch.float32, "bf16": torch.bfloat16}},
    "step-time": {"REPEATS": 1, "ROWS": 2, "BATCH": 2, "SIDE": 8},
}


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, constants in QUICK.items():
        for constant, value in constants.items():
            monkeypatch.setattr(running.module(name), constant, value)
    memory = running.module("memory")
    monkeypatch.setattr(memory, "MODELS", {name: replace(one, batch_size=2) for name, one in memory.MODELS.items()})


@pytest.mark.parametrize("name", OWNERS)
def test_it_measures_and_shows(name: str, quick: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    running.run(name, OWNERS[name].paths.solution, tmp_path, Console(width=80))
    said = capsys.readouterr().out
    assert "Notice: " in said and "|-" in said
    light, dark = (tmp_path / f"{name}{end}.png" for end in ("", "-dark"))
    assert light.read_bytes().startswith(b"\x89PNG") and dark.read_bytes() != light.read_bytes()
    measured = json.loads((tmp_path / f"{name}.json").read_text())
    assert measured["made by"] == f"python -m labkit experiment {name}"
    assert measured["machine"]["torch"]


@pytest.mark.parametrize("name", OWNERS)
def test_committed_figure_is_of_a_real_run_of_the_solution(name: str) -> None:
    measured = json.loads((FIGURES / f"{name}.json").read_text())
    assert measured["lab file"] == shown(OWNERS[name].paths.solution, ROOT)
    assert measured["seconds"] < 60
    experiment = running.module(name)
    headings, *rows = experiment.table(measured["data"])
    assert rows and all(len(row) == len(headings) for row in rows)
    assert experiment.notice(measured["data"])


def test_no_figure_stands_that_no_command_makes() -> None:
    made = running.owners()
    assert sorted(path.name for path in FIGURES.iterdir()) == sorted(
        f"{name}{end}" for name in made for end in (".json", ".png", "-dark.png")
    )


def test_one_name_in_two_labs_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    lab = manifest.find("lab04")
    monkeypatch.setattr(running, "load_all", lambda: [lab, structs.replace(lab, number=9)])
    with pytest.raises(
        LabError, match=r"two labs have an experiment 'accumulate': rename one of them, in .*experiments"
    ):
        running.owner("speed")


def test_an_unknown_name_lists_all() -> None:
    with pytest.raises(LabError, match=r"there is no experiment 'speeed'; there is .*accumulate, audit, bits, "):
        running.module("speeed")


def test_a_folder_that_cannot_be_is_a_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LabError, match=r"--out .*cannot be made"):
        running.run("accumulate", SOLUTION, tmp_path / "file" / "folder", Console())


def test_fsdp_holds_half_of_what_ddp_holds_and_the_page_shows_what_is_measured() -> None:
    held = running.measure("bytes-per-rank", SOLUTION)["data"]
    assert held == json.loads((FIGURES / "bytes-per-rank.json").read_text())["data"]
    assert held["DDP"] == held["one process"] * 2
    for ddp, fsdp in zip(held["DDP"], held["FSDP2"], strict=True):
        assert all(fsdp[part] <= 0.55 * ddp[part] for part in ddp)


def test_figures_are_measured_side_by_side_but_for_those_that_are_timed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    met, alone = threading.Barrier(2, timeout=10), threading.Lock()

    def ran(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        name = command[command.index("experiment") + 1]
        if name.startswith("timed"):
            assert alone.acquire(blocking=False)
            time.sleep(0.02)
            alone.release()
        else:
            assert not alone.locked()
            met.wait()  # for the other one
        return subprocess.CompletedProcess(command, int(name == "timed-c"), f"{name} is measured\n")

    names = ["plain-a", "timed-a", "timed-b", "plain-b", "timed-c", "timed-d"]
    monkeypatch.setattr(running, "owners", lambda: dict.fromkeys(names))
    monkeypatch.setattr(running, "module", lambda name: SimpleNamespace(TIMED=name.startswith("timed")))
    monkeypatch.setattr(commands.subprocess, "run", ran)
    monkeypatch.setattr(commands.os, "cpu_count", lambda: 2)
    result = CliRunner().invoke(commands.figures, ["--out", str(tmp_path)])
    assert result.exit_code == 1
    said = [line for line in result.output.splitlines() if line]
    assert said == [f"{name} is measured" for name in ("plain-a", "plain-b", "timed-a", "timed-b", "timed-c")]
