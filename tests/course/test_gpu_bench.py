"""`make bench DEVICE=cuda`, run on the CPU with tiny sizes: what it measures, says, writes and draws."""

import io
import json
import re
import sys
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import pytest
import torch
from page_checks import ROOT
from rich.console import Console

from bench import bench, gpu_bench, gpu_steps
from bench.gpu_workloads import Filling, mlp, transformer
from labkit.course.errors import LabError
from labkit.course.loading import load_implementation
from labkit.experiments.style import saved, themed
from labkit.labs.mixed_precision import rates, work
from labkit.labs.mixed_precision.steps import Batch
from labkit.toolbox import measure

TRANSFORMER = transformer(dim=32, layers=2, heads=2, length=16, batch_size=8)
WIDE = mlp(width=64, layers=3, inputs=32, batch_size=64)


def with_memory_for(samples: int, batch_size: int) -> Filling:
    """A small MLP whose batch fits into memory only up to so many samples."""
    whole = mlp(width=8, layers=1, inputs=8, batch_size=batch_size)

    def batch(size: int, device: str) -> Batch:
        if size > samples:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return whole.batch(size, device)

    return replace(whole, batch=batch)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[gpu_bench.Report, str, Path]:
    """A whole run on the CPU: its report, what it said, and the folder that it wrote to."""
    folder = tmp_path_factory.mktemp("bench")
    console = Console(width=80, file=io.StringIO())
    report = gpu_bench.run_gpu_bench(console, folder, "cpu", (TRANSFORMER, WIDE), product_size=32, repeats=2)
    return report, console.file.getvalue(), folder


@pytest.fixture
def lab() -> object:
    return load_implementation(ROOT / "solutions" / "mixed_precision.py")


def table_rows(said: str) -> list[list[str]]:
    """The cells of all table rows of a step."""
    rows = [[cell.strip() for cell in line.strip("| \n").split("|")] for line in said.splitlines() if "|" in line]
    return [row for row in rows if len(row) == 8 and re.match(r"(fp|bf|tf)\d", row[0])]


# What it measures -------------------------------------------------------------------------------------------------


def test_every_format_trains_every_workload(ran: tuple) -> None:
    report, _, _ = ran
    assert [result.name for result in report.results] == [TRANSFORMER.name, WIDE.name]
    for result in report.results:
        assert [row.format for row in result.rows] == ["fp32", "fp16", "bf16"]
        assert all(row.steps == 2 + 1 + 2 and row.skipped == 0 for row in result.rows)
    assert list(report.products) == ["fp32", "fp16", "bf16"]


def test_figures_of_a_row_belong_together(ran: tuple) -> None:
    report, _, _ = ran
    units = {TRANSFORMER.name: 8 * 16, WIDE.name: 64}
    for result in report.results:
        for row in result.rows:
            assert row.per_second == pytest.approx(units[result.name] / row.seconds)
            assert row.flops_per_second == pytest.approx(result.flops / row.seconds)
            assert row.share == pytest.approx(row.flops_per_second / report.products[row.format])
            assert 0 < row.saved_activation_bytes < row.peak_bytes


def test_16_bits_hold_less(ran: tuple) -> None:
    report, _, _ = ran
    for result in report.results:
        base, *others = result.rows
        assert all(row.peak_bytes < base.peak_bytes for row in others)


def test_operations_are_those_of_the_products() -> None:
    """Forward once and backward twice, except that nothing asks for the gradient of an MLP's inputs."""
    dim, layers, length, vocabulary = 32, 2, 16, 256
    token = layers * (2 * 12 * dim**2 + 2 * 2 * length * dim) + 2 * dim * vocabulary
    assert work.flops_of_a_sample(TRANSFORMER, TRANSFORMER.model(), "cpu") == 3 * length * token
    width, layers, inputs, classes = 64, 3, 32, 10
    first, others = inputs * width, (layers - 1) * width**2 + width * classes
    assert work.flops_of_a_sample(WIDE, WIDE.model(), "cpu") == 2 * (2 * first + 3 * others)


def test_precision_of_float32_products_is_set_and_given_back() -> None:
    matmul, seen = torch.backends.cuda.matmul, []
    before = matmul.fp32_precision

    def fails() -> None:
        with measure.float32_products("tf32"):
            seen.append(matmul.fp32_precision)
            with measure.float32_products("ieee"):
                seen.append(matmul.fp32_precision)
            raise KeyError

    with pytest.raises(KeyError):
        fails()
    assert seen == ["tf32", "ieee"]
    assert matmul.fp32_precision == before


@pytest.mark.parametrize(
    ("capability", "names", "fp8"),
    [
        ((7, 0), ["fp32", "fp16"], False),
        ((8, 0), ["fp32", "tf32", "fp16", "bf16"], False),
        ((9, 0), ["fp32", "tf32", "fp16", "bf16"], True),
    ],
)
def test_formats_are_those_of_the_gpu(
    capability: tuple[int, int], names: list[str], fp8: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)
    monkeypatch.setattr(rates, "check_amp_available", lambda dtype, device: capability >= (8, 0))
    assert [one.name for one in rates.formats("cuda")] == names
    assert rates.has_fp8("cuda") == fp8
    assert not rates.has_fp8("cpu")


def test_fp8_product_runs() -> None:
    matrix = torch.randn(32, 32).to(torch.float8_e4m3fn)
    rates.multiply(matrix, matrix, "ieee")


# Memory that does not suffice -------------------------------------------------------------------------------------


def test_batch_is_halved_until_it_fits(lab: object) -> None:
    said: list[str] = []
    measured = partial(gpu_steps.measure, lab, device="cpu", products=dict.fromkeys(("fp32", "fp16", "bf16"), 1e9))
    workload = with_memory_for(2, batch_size=8)
    one = partial(measured, workload, repeats=1)
    result = gpu_steps.measure_what_fits(workload, "cpu", lambda size: one(size=size), said.append)
    assert result.batch_size == 2
    assert [re.findall(r"batch of (\d+) .* (\d+) instead", line) for line in said] == [[("8", "4")], [("4", "2")]]


def test_no_memory_at_all_is_said(lab: object) -> None:
    workload = with_memory_for(0, batch_size=2)
    with pytest.raises(LabError, match="not even a batch of one fits"):
        gpu_steps.measure_what_fits(workload, "cpu", lambda size: workload.batch(size, "cpu"), print)


# What it says, writes and draws -----------------------------------------------------------------------------------


def test_tables_show_the_records(ran: tuple) -> None:
    report, said, _ = ran
    rows = [(result.rows[0], row) for result in report.results for row in result.rows]
    shown = table_rows(said)
    assert len(shown) == len(rows)
    for (base, row), cells in zip(rows, shown, strict=True):
        assert cells[0] == row.format
        assert cells[2] == f"{base.seconds / row.seconds:.2f}x"
        assert cells[5] == f"{row.peak_bytes / base.peak_bytes:.0%}"
        assert cells[7] == f"{row.share:.0%}"


def test_limits_are_judged_on_bf16(ran: tuple) -> None:
    report, said, _ = ran
    for result, most in zip(report.results, (60, 55), strict=True):
        base, half = result.rows[0], result.rows[-1]
        speed, memory = gpu_bench.limits(result)
        assert (speed.value, speed.limit, speed.at_least) == (base.seconds / half.seconds, 2.1, True)
        assert (memory.value, memory.limit, memory.at_least) == (100 * half.peak_bytes / base.peak_bytes, most, False)
        assert str(speed) in said and str(memory) in said
        assert str(speed).endswith("kept" if speed.value >= 2.1 else "MISSED")


def test_data_are_the_report_with_machine_and_date(ran: tuple) -> None:
    report, said, folder = ran
    data = json.loads((folder / "bench-cpu.json").read_text())
    assert data.pop("made by") == "make bench DEVICE=cpu"
    assert data == json.loads(json.dumps(asdict(report)))
    assert data["machine"]["torch"] == torch.__version__ and "tf32" not in data["machine"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", data["date"]) and f"Measured on {report.heading()}" in said


def test_picture_has_a_bar_for_each_row_and_panel(ran: tuple) -> None:
    report, _, folder = ran
    assert (folder / "bench-cpu.png").read_bytes().startswith(b"\x89PNG")
    with themed():
        figure = gpu_bench.draw(report)
    for panel in figure.axes:
        assert sum(map(len, panel.containers)) == sum(len(result.rows) for result in report.results)
    assert report.heading() in figure.get_suptitle()
    saved(figure)  # closes it


# The command ------------------------------------------------------------------------------------------------------


def test_no_gpu_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(LabError, match="torch finds no CUDA GPU"):
        bench.main(["--device", "cuda"])
    assert not capsys.readouterr().out


def test_rivals_that_are_not_installed_are_said(
    lab: object, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("lightning_fabric", "accelerate"):
        monkeypatch.setitem(sys.modules, name, None)
    assert bench.rivals(lab) == []
    (line,) = capsys.readouterr().out.splitlines()
    assert "Lightning Fabric" in line and "Accelerate" in line and "not installed" in line


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU here: the tests above ran on the CPU alone")
def test_it_runs_on_the_gpu(tmp_path: Path) -> None:
    report = gpu_bench.run_gpu_bench(Console(), tmp_path, "cuda", (TRANSFORMER, WIDE), product_size=64, repeats=2)
    for result in report.results:
        assert [row.format for row in result.rows] == [one.name for one in rates.formats("cuda")]
        assert all(row.peak_bytes > row.saved_activation_bytes > 0 for row in result.rows)
    assert ("fp8" in report.products) == rates.has_fp8("cuda")
    assert (tmp_path / "bench-cuda.png").exists()
