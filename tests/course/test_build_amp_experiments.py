"""The experiments of Lab 06: the report has them all, and what was measured for the pages shows what it should."""

import json
import re

from page_checks import ROOT

from labkit.course import manifest
from labkit.experiments import running
from labkit.report import parts

LAB = manifest.find("build_amp")
NAMES = running.names(LAB)
FIGURES = ROOT / "docs" / "figures"


def test_the_report_has_every_figure_and_asks_for_the_steps_that_it_uses() -> None:
    declared = {part.name: part for part in parts.declared(LAB)}
    assert sorted(declared) == NAMES
    owner = {function.partition(".")[0]: step.number for step in LAB.steps for function in step.todo}
    for name in NAMES:
        source = (LAB.paths.kit / "experiments" / f"{name.replace('-', '_')}.py").read_text(encoding="utf-8")
        if name == "beside-torch":
            source += (LAB.paths.kit / "training.py").read_text(encoding="utf-8")
        used = {owner[function] for function in re.findall(r"\blab\.(\w+)", source)}
        assert used == set(declared[name].needs), name


# What they show, on what was measured for the pages ---------------------------------------------------------------


def data_of(name: str) -> dict:
    return json.loads((FIGURES / f"{name}.json").read_text())["data"]


def test_what_is_built_trains_as_torch_amp_does() -> None:
    data = data_of("beside-torch")
    assert data["parted"] == {"bf16": None, "fp16": None}
    assert running.module("beside-torch").notice(data).count("equal torch.amp's bit by bit") == 2


def test_a_difference_from_torch_amp_is_said() -> None:
    data = data_of("beside-torch")
    data["parted"]["bf16"] = 7
    assert "bf16: losses differ from torch.amp's from step 7 on" in running.module("beside-torch").notice(data)


def test_the_cache_casts_once_and_hysteresis_keeps_the_scale_up() -> None:
    cached, uncached = data_of("cast-cache")["runs"].values()
    assert all(casts == [1, 1] for casts in cached)
    assert uncached == [[uses, uses] for uses in data_of("cast-cache")["uses"]]
    lowest = [min(run["powers"]) for run in data_of("hysteresis")["runs"].values()]
    assert lowest == sorted(set(lowest))


def test_only_accumulate_is_as_near_to_whole_windows_as_rounding() -> None:
    ends = {name: run["apart"][-1] for name, run in data_of("windows").items()}
    assert ends.pop("whole windows") == 0.0
    assert ends.pop("accumulate") < 1e-6
    assert len(ends) == 3 and min(ends.values()) > 1e-2
