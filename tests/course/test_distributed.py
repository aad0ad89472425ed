"""Training on many ranks: it equals one process, and whatever goes wrong on any rank is one line and an end."""

import re
import socket
from pathlib import Path

import pytest
import torch
from commandline import SOLUTION, refused, run, solution
from gang import learnt, torchrun

from labkit.course.errors import LabError
from labkit.toolbox import distributed
from labkit.toolbox.launch import launch

QUICK = ("--epochs", 1, "--batch-size", 480)


@pytest.fixture
def lab_file(tmp_path: Path):
    """Makes a lab file out of the solution and a piece of code behind its functions; gives its path."""

    def make(code: str) -> Path:
        path = tmp_path / "mixed_precision.py"
        main = 'if __name__ == "__main__":'
        path.write_text(SOLUTION.read_text().replace(main, f"{code}\n\n\n{main}"))
        return path

    return make


def losses(out: str) -> list[float]:
    return [float(loss) for loss in re.findall(r"^epoch .* loss (\S+)  test", out, re.M)]


@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_many_ranks_train_as_one_process_does(strategy: str, ranks: int) -> None:
    more = ("--dtype", "fp16", *QUICK, "--init-scale", 2.0**24)
    alone, together = run(solution(), *more), torchrun(ranks, *more, "--strategy", strategy)
    assert (together.code, together.err) == (0, "")
    assert together.out.count("epoch ") == 1 and together.out.count("Milestone") == 1  # only rank 0 prints
    # The same samples in each step, summed in another order; a third rank adds two samples to the last batch.
    assert losses(together.out) == pytest.approx(losses(alone.out), rel=0.01 if ranks == 3 else 0.001)
    skips = r"^Skipped Steps: .*$"
    assert re.search(skips, together.out, re.M)[0] == re.search(skips, alone.out, re.M)[0] != "Skipped Steps: 0"


def test_a_training_that_diverges_is_one_line_of_all_ranks_together() -> None:
    finished = torchrun(2, "--dtype", "fp32", *QUICK, "--lr", 1e30)
    assert finished.code == 1 and "Milestone" not in finished.out and finished.err.count("\n") == 1
    assert finished.err.startswith("the training diverged: from step 2 on its loss is inf or nan; 2 of 3 steps")


def test_ddp_is_what_torchrun_gets_without_a_strategy() -> None:
    assert learnt(torchrun(2, *QUICK).out) == learnt(torchrun(2, *QUICK, "--strategy", "ddp").out) != []


def test_a_strategy_needs_torchrun() -> None:
    line = refused(run(solution(), "--strategy", "fsdp"))
    assert "torchrun --nproc_per_node=2 solutions/mixed_precision.py --strategy fsdp" in line.replace(
        f"{Path.cwd()}/", ""
    )


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ("--batch-size 1", "--batch-size 1: 2 ranks share a batch evenly, so it has to be a multiple of 2; give 2"),
        ("--batch-size 7", "give 6"),
        ("--nonsense", "No such option"),
        ("--strategy zero", "'zero' is not one of 'ddp', 'fsdp'"),
        ("--compare", "measure one process: leave torchrun out"),
        ("--checkpoint /nowhere/run", "there is no folder /nowhere"),
        ("--checkpoint Makefile", "is a file; under torchrun give a folder"),
        ("--checkpoint docs", "holds other files"),
        ("--resume docs", "holds no checkpoint"),
    ],
)
def test_a_wrong_option_is_one_line_of_all_ranks_together(args: str, says: str) -> None:
    assert says in refused(torchrun(2, *args.split()))


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (
            "[../third_party/gloo/gloo/transport/tcp/unbound_buffer.cc:81] Timed out waiting 6000ms for recv",
            "waited 60 s",
        ),
        ("Application timeout caused pair closure", "waited 60 s"),  # of a call in flight beside the one above
        ("[../third_party/gloo/gloo/transport/tcp/pair.cc:547] Connection closed by peer", "lost its connection"),
    ],
)
def test_what_gloo_says_of_another_rank(error: str, says: str) -> None:
    assert distributed.lost_another(RuntimeError(error)).startswith(says)
    assert distributed.lost_another(RuntimeError("a timeout of the learner's own")) is None


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_cuda_without_a_gpu_is_one_line_of_all_ranks_together() -> None:
    assert "no CUDA GPU" in refused(torchrun(2, "--device", "cuda"))


@pytest.mark.parametrize(("gpus", "way_out"), [(1, "--nproc_per_node=1"), (0, "leave --device out")])
def test_more_ranks_than_gpus_is_refused(gpus: int, way_out: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    with pytest.raises(LabError, match=f"2 ranks on this machine and {gpus} GPU.*{way_out}"):
        distributed.check_gpus(2)


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs 2 GPUs: nccl, set_device and device ids are untested")
@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_two_gpus_train_as_two_processes_on_the_cpu_do(strategy: str) -> None:
    gpus = torchrun(2, *QUICK, "--strategy", strategy, "--device", "cuda")
    assert losses(gpus.out) == pytest.approx(losses(torchrun(2, *QUICK, "--strategy", strategy).out), rel=0.01)


@pytest.mark.parametrize("name", ["wrap_ddp", "wrap_fsdp"])
def test_an_unsolved_step_is_one_line_of_all_ranks_together(name: str, lab_file) -> None:
    file = lab_file(f"def {name}(*args):\n    raise NotImplementedError('Step 5: {name}')")
    finished = torchrun(2, "--strategy", name.removeprefix("wrap_"), file=file)
    assert finished.code == 2
    assert refused(finished).startswith(f"Step 5 is still to be solved: write {name} in ")


def test_an_error_on_one_rank_in_mid_training_is_its_line_alone(lab_file) -> None:
    file = lab_file(
        "class MixedPrecisionTrainer(MixedPrecisionTrainer):\n"
        "    def train_step(self, *args):\n"
        "        self.steps = getattr(self, 'steps', 0) + 1\n"
        "        return 1 + 'a' if self.steps == 3 and dist.get_rank() == 1 else super().train_step(*args)"
    )
    finished = torchrun(2, "--epochs", 100, file=file)
    assert finished.code == 1 and finished.err.count("\n") == 1
    assert re.match(r"rank 1: \S+mixed_precision.py, line \d+: return 1 \+ 'a' .*: TypeError: unsupp", finished.err)


def test_a_rank_that_hangs_is_one_line_after_the_time_out(lab_file) -> None:
    file = lab_file(
        "class MixedPrecisionTrainer(MixedPrecisionTrainer):\n"
        "    def train_step(self, *args):\n"
        "        import time\n"
        "        return time.sleep(100) if dist.get_rank() == 1 else super().train_step(*args)"
    )
    finished = torchrun(2, file=file, timeout=2)
    line = refused(finished)
    assert line.startswith("rank 0: waited 2 s for another rank: it hangs, or takes another way")
    assert line.endswith("; no word from rank 1\n")


def test_a_busy_port_is_one_line_before_anything_starts() -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        with pytest.raises(LabError, match=f"port {port}: Address already in use; give another one, or none"):
            launch(SOLUTION, 2, ["--strategy=ddp"], port=port)
