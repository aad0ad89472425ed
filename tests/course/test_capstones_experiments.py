"""The experiments of Lab 07: the report has them all, and what was measured for the pages shows what it should."""

import json
import re

from page_checks import ROOT

from labkit.course import manifest
from labkit.experiments import running
from labkit.report import parts

LAB = manifest.find("capstones")
NAMES = running.names(LAB)
FIGURES = ROOT / "docs" / "figures"
# The files of the kit whose functions an experiment calls, beside its own.
CALLED = {"causal-mask": ("words",), "in-range": ("words",), "seeds": ("images",), "step-time": ("words",)}
LEFT_OUT = {"in-range": {3}, "step-time": {3}}  # they take steps of words, and decode nothing


def test_the_report_has_every_figure_and_asks_for_the_steps_that_it_uses() -> None:
    declared = {part.name: part for part in parts.declared(LAB)}
    assert sorted(declared) == NAMES
    owner = {function.partition(".")[0]: step.number for step in LAB.steps for function in step.todo}
    for name in NAMES:
        files = [LAB.paths.kit / "experiments" / f"{name.replace('-', '_')}.py"]
        files += [LAB.paths.kit / f"{called}.py" for called in CALLED[name]]
        source = "".join(file.read_text(encoding="utf-8") for file in files)
        used = {owner[function] for function in re.findall(r"\blab\.([a-z]\w+|Seq2Seq)\b", source)}
        assert used - LEFT_OUT.get(name, set()) == set(declared[name].needs), name


# What they show, on what was measured for the pages ---------------------------------------------------------------


def data_of(name: str) -> dict:
    return json.loads((FIGURES / f"{name}.json").read_text())["data"]


def test_without_the_mask_the_answer_is_read_and_not_learnt() -> None:
    right, wrong = data_of("causal-mask").values()
    assert wrong["told"][-1][1] > 0.8 and wrong["spelt"][-1][1] < 0.5
    assert right["told"][-1] == right["spelt"][-1]  # all words right: with the mask it is the same question


def test_a_mask_that_is_there_is_no_matter_of_who_says_the_words() -> None:
    said = running.module("causal-mask").notice(data_of("causal-mask"))
    wrong = data_of("causal-mask")["without it"]
    assert f"On its own it spells {wrong['spelt'][-1][1]:.0%}" in said


def test_float16_needs_the_norms_more_than_warmup_and_clipping() -> None:
    data = data_of("in-range")
    skipped = {name: sum(run["norms"].count(None) for run in runs) for name, runs in data.items()}
    ends = {name: max(run["scales"][-1] for run in runs) for name, runs in data.items()}
    others = [name for name in data if name != "without layer norm"]
    assert all(skipped["without layer norm"] > 1.5 * skipped[name] for name in others)
    assert all(ends["without layer norm"] < min(run["scales"][-1] for run in data[name]) for name in others)


def test_seeds_are_further_apart_than_formats() -> None:
    ends = [[run["scores"][-1][1] for run in runs] for runs in data_of("seeds").values()]
    means = [sum(scores) / len(scores) for scores in ends]
    assert all(max(scores) - min(scores) > max(means) - min(means) for scores in ends)


def test_what_a_cpu_without_instructions_says_is_not_what_one_with_them_says() -> None:
    data = data_of("step-time")
    said = {native: running.module("step-time").notice(data | {"native": native}) for native in (True, False)}
    assert "large products in 16 bits pay it back" in said[True] and "no bf16 instructions" in said[False]
    assert all(f"{job['casts']} tensors" in said[True] for job in data["jobs"].values() if job["megaflops"] < 10)
