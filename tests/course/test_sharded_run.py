"""The job of Lab 03 on ranks that stand for torchrun's: what it prints and draws, and a line for what can be wrong."""

import re
import shutil
from functools import partial
from pathlib import Path

import commandline
import pytest
import torch
from commandline import Finished, refused
from gang import torchrun
from page_checks import ROOT
from torch import distributed as dist

from labkit.course.errors import LabError
from labkit.course.loading import load_implementation
from labkit.labs.sharded import commands, report
from labkit.labs.sharded.training import (
    DDP,
    FSDP2,
    FSDP2_BF16,
    HAND,
    HAND_BF16,
    PARAMETERS,
    WAYS,
    ZERO1,
    step_of_one_rank,
)
from labkit.toolbox.distributed import check_batch
from labkit.toolbox.forked import on_ranks
from labkit.toolbox.posing import posing_as_one_of
from labkit.toolbox.recorder import ALL_GATHER, ALL_REDUCE, REDUCE_SCATTER, Call, Step, record

SOLUTION = ROOT / "solutions" / "sharded.py"
STUBS = ROOT / "labs" / "lab03_sharded" / "skeleton.py"
run = partial(torchrun, file=SOLUTION)
alone = partial(commandline.run, main=commands.main)
ROW = re.compile(r"^\| (\S.*?) +\| +(\d\.\d{3}) \|(.*)\|$", re.MULTILINE)


@pytest.fixture
def lab_file(tmp_path: Path):
    """Makes a lab file out of the solution and a piece of code behind it; gives its path."""

    def make(code: str) -> Path:
        path = tmp_path / "sharded.py"
        path.write_text(f"{SOLUTION.read_text('utf-8').partition('if __name__')[0]}\n{code}\n", encoding="utf-8")
        return path

    return make


# The job ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Finished, Path]:
    picture = tmp_path_factory.mktemp("run") / "timeline.png"
    return run(2, "--steps", 2, "--batch-size", 8, "--predict", 6, "--plot", picture), picture


def test_it_trains_six_ways_and_prints_what_each_holds_and_sends(finished: tuple[Finished, Path]) -> None:
    assert (finished[0].code, finished[0].err) == (0, "")
    rows = {name: [cell.strip() for cell in rest.split("|")] for name, _, rest in ROW.findall(finished[0].out)}
    assert list(rows) == list(WAYS)
    held, sent, calls = ({way: rows[way][column] for way in WAYS} for column in (1, 3, 4))
    # Weights, gradients and two moments in float32: 16, and DDP's buckets. ZeRO 1 has float32 masters, too.
    assert held == {DDP: "20.0", ZERO1: "14.0", HAND: "8.0", HAND_BF16: "8.0", FSDP2: "8.0", FSDP2_BF16: "8.0"}
    three, half = "8.0+4.0", "4.0+4.0"
    assert sent == {DDP: "4.0", ZERO1: half, HAND: three, HAND_BF16: half, FSDP2: three, FSDP2_BF16: half}
    assert calls[HAND] == calls[FSDP2] == "12"  # four units, each gathered twice and scattered once
    apart = {way: float(rows[way][0] or 0) for way in WAYS}
    assert max(apart[way] for way in (ZERO1, HAND, FSDP2)) < 1e-4 < apart[HAND_BF16] < 0.1


def test_it_asks_first_and_compares(finished: tuple[Finished, Path]) -> None:
    text = " ".join(finished[0].out.split())
    assert text.index("How many bytes does a rank hold for each parameter") < text.index("| accuracy |")
    assert "You say 6." in text
    assert "Held for each parameter: 8.0 bytes, you said 6." in text
    assert "sends 3.0x DDP's 4 bytes (1.5x in ring terms), with bf16 weights 2.0x (1.0x)" in text


def test_it_computes_the_table_for_many_ranks(finished: tuple[Finished, Path]) -> None:
    computed = finished[0].out.partition("computed, not run")[2]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in computed.splitlines() if f" {HAND} " in line]
    held = {int(ranks): float(bytes) for ranks, _, bytes, *_ in rows}
    assert held == {8: 2.0, 64: 0.25, 1024: 0.02}  # 16 / N
    ring = {int(row[0]): (float(row[4]), float(row[5])) for row in rows}
    assert ring == {8: (12.0, 10.5), 64: (12.0, 11.81), 1024: (12.05, 12.04)}  # (N - 1) / N, and padding


def test_it_draws_and_fits_the_terminal(finished: tuple[Finished, Path]) -> None:
    out, picture = finished[0].out, finished[1]
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert max(len(line) for line in out.splitlines() if str(picture) not in line) <= 80


def test_memory_that_is_never_freed_shows(lab_file) -> None:
    kept = load_implementation(lab_file("_Flat.free = lambda self: None"))
    right, wrong = (step_of_one_rank(lab, HAND, 8).left / PARAMETERS for lab in (load_implementation(SOLUTION), kept))
    assert 2.0 <= right < 2.1 and wrong > right + 3.9  # the whole weights stay


def test_the_report_needs_every_step() -> None:
    assert {part.name: part.needs for part in report.PARTS} == dict.fromkeys(
        ("beside-fsdp2", "sharded-step"), (1, 2, 3, 4, 5)
    )


# What both labs' jobs are made of ---------------------------------------------------------------------------------


def test_a_storage_that_is_emptied_is_not_held() -> None:
    kept = torch.zeros(10)

    def step(ended: object) -> None:
        kept.untyped_storage().resize_(40)
        kept.zero_()
        kept.untyped_storage().resize_(0)
        torch.zeros(1)

    with posing_as_one_of(2):
        (recorded,) = record(step)
    assert recorded.most == 40 and recorded.left == 0


def test_calls_count_by_their_whole_tensor_and_by_their_kind_on_a_ring() -> None:
    calls = [Call("allreduce", 8, 0.0), Call("allgather_base", 80, 0.0), Call("reduce_scatter_base", 40, 0.0)]
    step = Step(calls=calls)
    assert [step.sent_by(kind) for kind in (ALL_REDUCE, ALL_GATHER, REDUCE_SCATTER)] == [8, 80, 40]
    assert step.on_a_ring(4) == 0.75 * (2 * 8 + 80 + 40)


def test_ranks_for_a_page_answer_in_order() -> None:
    assert on_ranks(lambda rank: [rank, dist.get_world_size()], 3) == [[0, 3], [1, 3], [2, 3]]


@pytest.mark.parametrize(
    ("line", "says"),
    [("raise ValueError('no')", "rank 1 raised ValueError: no"), ("__import__('os')._exit(3)", "rank 1 died")],
)
def test_a_rank_of_a_page_that_fails_is_named(line: str, says: str) -> None:
    def work(rank: int) -> None:
        if rank == 1:
            exec(line)

    with pytest.raises(LabError, match=says):
        on_ranks(work)


# What can be wrong ------------------------------------------------------------------------------------------------


def test_one_process_is_a_line() -> None:
    says = "one process has nobody to shard with: make run-lab03 NPROC=2, or torchrun --nproc-per-node=2 "
    one = alone(load_implementation(SOLUTION))
    assert one.code == 2 and refused(one).startswith(says)


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ("--predict -1", "-1.0 is not in the range x>=0"),
        ("--steps 0", "0 is not in the range x>=1"),
    ],
)
def test_wrong_options_are_a_line(args: str, says: str) -> None:
    assert says in refused(alone(load_implementation(SOLUTION), *args.split()))


@pytest.mark.parametrize(
    ("size", "says"),
    [
        (1, "--batch-size 1: 2 ranks need a sample each; give 2 or more"),
        (7, "--batch-size 7: 2 ranks share a batch evenly; give a multiple of 2"),
        (200, "--batch-size 200: there are 100 samples to train on"),
    ],
)
def test_a_batch_that_does_not_split_is_refused(size: int, says: str) -> None:
    with pytest.raises(LabError, match=says):
        check_batch(size, ranks=2, samples=100)


def test_more_ranks_than_samples_are_one_line_of_all_ranks_together() -> None:
    assert "--batch-size 1: 2 ranks need a sample each" in refused(run(2, "--batch-size", 1))


def refused_after(finished: Finished) -> str:
    """The one line of a run that had said what it would do."""
    assert finished.err.count("\n") == 1 and "Traceback" not in finished.err
    return finished.err


def test_unsolved_steps_are_named(tmp_path: Path) -> None:
    file = tmp_path / "sharded.py"
    shutil.copy(STUBS, file)
    stubs = torchrun(2, file=file)
    assert stubs.code == 2
    assert refused_after(stubs).startswith("Step 2 is still to be solved: write ShardedOptimizer.__init__ in ")


@pytest.mark.parametrize(
    ("line", "timeout", "says"),
    [
        ("return 1 + 'a'", None, r"^rank 1: \S+sharded.py, line \d+: return 1 \+ 'a': TypeError: unsupported"),
        ("time.sleep(100)", 6, r"^rank 0: waited 6 s for another rank: .*; no word from rank 1$"),
    ],
)
def test_a_rank_that_raises_or_is_late_is_named(line: str, timeout: int | None, says: str, lab_file) -> None:
    file = lab_file(
        f"import time\n"
        f"class ShardedOptimizer(ShardedOptimizer):\n"
        f"    def step(self):\n"
        f"        if dist.get_rank() == 1:\n"
        f"            {line}\n"
        f"        return super().step()"
    )
    failed = torchrun(2, "--steps", 1, "--batch-size", 2, file=file, timeout=timeout)
    assert failed.code != 0
    assert re.search(says, refused_after(failed).strip())
