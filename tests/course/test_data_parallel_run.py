"""The job of Lab 02 on ranks that stand for torchrun's: what it prints and draws, and a line for what can be wrong."""

import json
import re
import sys
from functools import partial
from pathlib import Path

import commandline
import pytest
import torch
from commandline import Finished, refused
from gang import on_ranks, torchrun
from page_checks import ROOT
from torch import distributed as dist

from labkit.course.errors import LabError
from labkit.course.loading import load_implementation
from labkit.labs.data_parallel import commands, report, training
from labkit.labs.data_parallel.experiments import beside_ddp as experiment
from labkit.labs.data_parallel.training import (
    DDP,
    DDP_BF16,
    HAND,
    HAND_BF16,
    ONE,
    PARAMETERS,
    WAYS,
    Settings,
    beside_ddp,
)
from labkit.toolbox.launch import launch
from labkit.toolbox.recorder import Call, Step, record

SOLUTION = ROOT / "solutions" / "data_parallel.py"
STUBS = ROOT / "labs" / "lab02_data_parallel" / "skeleton.py"
run = partial(torchrun, file=SOLUTION)
ROW = re.compile(r"^\| (\S.*?) +\| +(\d\.\d{3}) \|(.*)\|$", re.MULTILINE)


@pytest.fixture
def lab_file(tmp_path: Path):
    """Makes a lab file out of the solution and a piece of code behind it; gives its path."""

    def make(code: str) -> Path:
        path = tmp_path / "data_parallel.py"
        main = 'if __name__ == "__main__":'
        path.write_text(SOLUTION.read_text("utf-8").replace(main, f"{code}\n\n{main}"), encoding="utf-8")
        return path

    return make


# The job ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Finished, Path]:
    picture = tmp_path_factory.mktemp("run") / "timeline.png"
    return run(2, "--steps", 3, "--batch-size", 8, "--predict", 8, "--plot", picture), picture


def test_it_trains_five_ways_and_prints_what_each_sends(finished: tuple[Finished, Path]) -> None:
    out = finished[0].out
    assert (finished[0].code, finished[0].err) == (0, "")
    rows = {name: [cell.strip() for cell in rest.split("|")] for name, _, rest in ROW.findall(out)}
    assert list(rows) == [ONE, *WAYS]
    sent, held = ({way: float(rows[way][column]) for way in WAYS} for column in (2, 1))
    assert sent == {HAND: 4.0, HAND_BF16: 2.0, DDP: 4.0, DDP_BF16: 2.0}
    assert held[HAND] == 12.0 and held[DDP] == 16.0  # weights, gradients, momentum; DDP's buckets
    assert float(rows[HAND][0]) < 1e-6 < float(rows[HAND_BF16][0]) < 1e-2
    assert "weights differ" not in out


def test_it_asks_first_and_compares(finished: tuple[Finished, Path]) -> None:
    text = " ".join(finished[0].out.split())
    assert text.index("How many bytes does a rank send for each parameter") < text.index("| accuracy |")
    assert "You say 8." in text
    assert "Sent for each parameter: 4.0 bytes, you said 8; with bfloat16 2.0." in text


def test_it_computes_the_table_for_many_ranks(finished: tuple[Finished, Path]) -> None:
    computed = finished[0].out.partition("computed, not run")[2]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in computed.splitlines() if "32 |" in line]
    # 2 (N - 1) / N times the 4 bytes go over the network, in 2 (N - 1) messages for each of 5 buckets.
    assert rows == [
        ["8", "fp32", "5", "4.0", "7.0", "70", "96"],
        ["64", "fp32", "5", "4.0", "7.9", "630", "768"],
        ["1024", "fp32", "5", "4.0", "8.0", "10230", "12292"],
    ]


def test_it_draws_and_fits_the_terminal(finished: tuple[Finished, Path]) -> None:
    out, picture = finished[0].out, finished[1]
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert max(len(line) for line in out.splitlines() if str(picture) not in line) <= 80


def _print_the_runs(file: Path) -> None:
    dist.init_process_group("gloo")
    runs = beside_ddp(load_implementation(file), Settings(steps=1, batch_size=6))
    if dist.get_rank() == 0:
        print(json.dumps(experiment.as_json(runs)))
    dist.destroy_process_group()


def test_of_three_ranks_those_that_drift_apart_are_named(lab_file) -> None:
    file = lab_file(
        "class DataParallel(DataParallel):\n"
        "    def _finish(self):\n"
        "        super()._finish()\n"
        "        next(self.parameters()).grad.mul_(1 + dist.get_rank())"
    )
    runs = json.loads(on_ranks(3, _print_the_runs, file).out)
    assert [len(runs[way]["steps"]) for way in WAYS] == [3] * 4
    assert runs[DDP]["apart"] < 1e-6 < runs[DDP_BF16]["apart"] < 1e-2
    assert f"The ranks' weights differ after the training ({HAND}, {HAND_BF16})" in experiment.notice(runs)


def test_demo_is_the_job_on_two_ranks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    launched = []
    monkeypatch.setattr(commands, "launch", lambda *arguments: launched.append(arguments))
    commands.demo(SOLUTION, tmp_path / "runs")
    assert launched == [(SOLUTION, 2, ["--plot", str(tmp_path / "runs" / "lab02-timeline.png")])]


# What is recorded -------------------------------------------------------------------------------------------------


def test_waiting_is_a_gap_while_a_call_is_under_way() -> None:
    operations = [(0.0, 1.0), (3.0, 4.0), (4.00001, 5.0), (6.0, 7.0)]
    calls = [Call("allreduce", 8, 0.5, 2.0), Call("allreduce", 8, 6.5, None)]
    step = Step(8.0, {"forward": 2.0, "backward": 8.0}, operations, calls)
    assert step.waits() == [(1.0, 2.0), (7.0, 8.0)]
    assert step.computing() == {"forward": [(0.0, 1.0)], "backward": [(3.0, 5.0), (6.0, 7.0)]}
    assert step.sent == 16


def _print_a_recorded_step() -> None:
    dist.init_process_group("gloo")
    kept = torch.zeros(4)

    def step(ended: object) -> None:
        kept.add_(1)
        dist.all_reduce(torch.zeros(6, dtype=torch.bfloat16))
        dist.all_gather_into_tensor(torch.zeros(20), torch.zeros(10))
        dist.barrier()

    (recorded,) = record(step)
    if dist.get_rank() == 0:
        print([(call.name, call.bytes, call.end is not None) for call in recorded.calls], recorded.held[0][1])
    dist.destroy_process_group()


def test_calls_are_recorded_with_the_bytes_of_the_whole_tensor() -> None:
    out = on_ranks(2, _print_a_recorded_step).out
    assert out == "[('allreduce', 12, True), ('allgather_base', 80, True)] 16\n"


def test_a_pose_sends_what_a_rank_sends() -> None:
    step = training.step_of_one_rank(load_implementation(SOLUTION), HAND, 64)
    assert step.sent == 4 * PARAMETERS and not dist.is_initialized()


def test_a_torch_without_a_group_to_pose_in_is_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.testing._internal.distributed.fake_pg", None)
    with pytest.raises(LabError, match=r"no table for many ranks: PyTorch \S+ has no group to pose in"):
        training.step_of_one_rank(load_implementation(SOLUTION), HAND, 8)


def test_the_report_needs_every_step() -> None:
    assert {part.name: part.needs for part in report.PARTS}["beside-ddp"] == (1, 2, 3, 4, 5)
    assert experiment.TITLE


RANK_1 = """
import os, time
class DataParallel(DataParallel):
    def forward(self, images):
        if dist.get_rank() == 1:
            {}
        return super().forward(images)
"""

# What can be wrong ------------------------------------------------------------------------------------------------


def test_one_process_is_a_line() -> None:
    says = "one process has nobody to average with: make run-lab02 NPROC=2, or torchrun --nproc-per-node=2 "
    alone = commandline.run(load_implementation(SOLUTION), main=commands.main)
    assert alone.code == 2 and refused(alone).startswith(says)
    assert refused(run(1)).startswith(says)


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ("--batch-size 1", "--batch-size 1: 2 ranks need a sample each; give 2 or more"),
        ("--batch-size 7", "2 ranks share a batch evenly; give a multiple of 2"),
        ("--batch-size 2000", "--batch-size 2000: there are 1438 samples to train on"),
        ("--predict -1", "-1.0 is not in the range x>=0"),
        ("--plot run.txt", "the name must end in .png, .pdf, .svg"),
        ("--steps 0", "0 is not in the range x>=1"),
    ],
)
def test_wrong_options_are_one_line_of_all_ranks_together(args: str, says: str) -> None:
    assert says in refused(run(2, *args.split()))


def refused_after(finished: Finished) -> str:
    """The one line of a run that had said what it would do."""
    assert finished.err.count("\n") == 1 and "Traceback" not in finished.err
    return finished.err


def test_unsolved_steps_are_named(tmp_path: Path) -> None:
    file = tmp_path / "data_parallel.py"
    file.write_bytes(STUBS.read_bytes())
    stubs = torchrun(2, file=file)
    assert stubs.code == 2
    assert refused_after(stubs).startswith("Step 3 is still to be solved: write DataParallel.__init__ in ")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("return 1 + 'a'", r"rank 1: \S+data_parallel.py, line \d+ .*: return 1 \+ 'a'.*: TypeError: unsupported"),
        ("time.sleep(100)", r"rank 0: waited 6 s for another rank: .*; no word from rank 1$"),
    ],
)
def test_a_rank_that_raises_or_is_late_is_named(line: str, says: str, lab_file) -> None:
    failed = torchrun(2, "--steps", 1, file=lab_file(RANK_1.format(line)), timeout=6)
    assert failed.code != 0
    assert re.search(says, refused_after(failed).strip())


def test_a_rank_that_dies_is_named_by_the_real_torchrun(lab_file) -> None:
    with pytest.raises(LabError, match=r"^rank 1 was killed by SIGKILL, and torchrun ended the others$"):
        launch(lab_file(RANK_1.format("os.kill(os.getpid(), 9)")), 2, ["--steps", "1"])
