"""What another machine measured: every file of docs/benchmarks is shown, and is what on_gpu.sh's results come to."""

import json
import re
from pathlib import Path

import pytest
from warm_python import ENVIRONMENT, python

from bench import publish, waiting
from labkit.course.errors import LabError
from labkit.experiments import pages
from labkit.labs.capstones import parity

FOUND = pages.benchmarks()


def test_the_copy_that_make_bench_watches_is_whole() -> None:
    with waiting.solved_course() as root:
        ran = python("-c", "import labkit.student.worker", environment=ENVIRONMENT | {"PYTHONPATH": str(root / "src")})
    assert ran.code == 0, ran.err


@pytest.mark.parametrize("name", FOUND)
def test_each_is_in_a_page_with_its_machine_and_date(name: str) -> None:
    shown = rf"^<!-- table of {name}: |\(benchmarks/{name}\.png\)"
    texts = [path.read_text("utf-8") for path in pages.pages()]
    assert any(re.search(shown, text, re.MULTILINE) for text in texts)
    one = FOUND[name]
    assert one["made by"] and one["date"] in pages.table(one) and one["machine"]["gpu"] in pages.table(one)


def test_no_picture_is_there_without_its_data() -> None:
    drawn = {f"{name}{end}" for name, one in FOUND.items() if "experiment" in one for end in (".png", "-dark.png")}
    assert {path.name for path in pages.BENCHMARKS.glob("*.png")} == drawn


def test_parity_is_what_its_accuracies_come_to() -> None:
    one = FOUND["parity-h100"]
    found = [
        parity.Difference(job, dtype, formats["fp32"], half)
        for job, formats in one["data"].items()
        for dtype, half in formats.items()
        if dtype != "fp32"
    ]
    assert one["rows"] == parity.rows(found)


def test_cross_entropy_on_cuda_has_halfs_digits() -> None:
    for losses in FOUND["cross-entropy-h100"]["data"].values():
        half, full = (abs(losses[kind] / losses["float64"] - 1) for kind in ("half", "float"))
        assert full < 2**-22 and half > 2**-16


def job(name: str, scores: dict[str, list[float]]) -> str:
    runs = [
        {"dtype": dtype, "seed": seed, "scores": [[9, 0.1], [9, score]], "skipped": 0, "seconds": 2.5, "finished": True}
        for dtype, found in scores.items()
        for seed, score in enumerate(found)
    ]
    return json.dumps({"job": name, "steps": 9, "peak bytes": dict.fromkeys(scores, 2_000_000), "runs": runs})


def test_results_become_files(tmp_path: Path) -> None:
    results, out = tmp_path / "results", tmp_path / "out"
    alone, seeds = {"fp32": [0.5], "bf16": [0.6]}, {"fp32": [0.5, 0.6], "bf16": [0.5, 0.7]}
    for kind, scores in {"alone": alone, "parity": seeds}.items():
        (results / f"{kind}-words").mkdir(parents=True)
        (results / f"{kind}-words" / "lab07-words.json").write_text(job("words", scores))
    (results / "compare.log").write_text("Measured on X\n\n| Format |  \nWhat a step of a real model holds: more\n")
    limits = {key: FOUND["formats-h100"][key] for key in ("date", "machine", "made by")}
    report = {"product_size": 64, "products": {"fp32": 2e12}, "results": FOUND["formats-h100"]["data"]}
    (results / "bench-cuda.json").write_text(json.dumps(limits | report))
    written = {path.name: json.loads(path.read_text()) for path in publish.publish(results, "x", out)}
    assert sorted(written) == ["compare-x.json", "formats-x.json", "jobs-x.json", "parity-x.json"]
    assert written["compare-x.json"]["text"] == ["Measured on X", "", "| Format |"]
    assert written["jobs-x.json"]["rows"][1] == ["words", "fp32", "9", "2.5", "2.0", "0", "50.0%"]
    assert written["parity-x.json"]["data"] == {"words": {"fp32": [0.5, 0.6], "bf16": [0.5, 0.7]}}
    assert written["formats-x.json"]["rows"][1][0] == "product of 64 x 64, fp32"
    assert written["formats-x.json"]["rows"][2:] == FOUND["formats-h100"]["rows"][6:]


def test_a_folder_without_results_is_a_line(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"has no bench-cuda\.json: give the folder that results\.tar\.gz unpacks to"):
        publish.publish(tmp_path, "x", tmp_path)
