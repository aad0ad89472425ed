"""Real torchrun: our line comes first, two machines meet, and a job that loses a rank ends as if it had not.

KILLS=20 kills at that many random moments instead of at one; docs/maintainers.md has the whole command. Where one rank
shows it, there is one: each costs the seconds in which it imports torch.
"""

import contextlib
import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from commandline import ROOT, SOLUTION
from gang import learnt, torchrun
from test_distributed_checkpoint import SETTINGS, equal

from labkit.labs.mixed_precision.sharded_checkpoint import TrainingFolder
from labkit.toolbox.launch import ONE_MACHINE

pytestmark = pytest.mark.filterwarnings("ignore:torch.distributed is disabled:UserWarning")

TORCHRUN = (sys.executable, "-m", "torch.distributed.run")
KILLS = int(os.environ.get("KILLS", "1"))
DEADLINE = 110.0  # seconds for one torchrun
OWN = {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT / "src"), "PYTHONUNBUFFERED": "1"}
ENVIRONMENT = os.environ | ONE_MACHINE | OWN


@contextlib.contextmanager
def started(folder: Path, *args: object, program: tuple[str, ...] = TORCHRUN) -> Iterator[subprocess.Popen[str]]:
    """A torchrun (or another `program`) with these arguments; fails if a process of it is left at the end. What it
    writes as temporary files, and leaves where it is killed, is in the folder.
    """
    command = [*program, *map(str, args)]
    own = {"LABKIT_TEST": str(folder), "TMPDIR": str(folder)}
    with open(folder / "err", "w") as err:
        process = subprocess.Popen(
            command, cwd=ROOT, env=ENVIRONMENT | own, stdout=subprocess.PIPE, stderr=err, text=True
        )
    try:
        yield process
        process.communicate(timeout=DEADLINE)
    finally:
        process.kill()
        process.wait()
    end = time.monotonic() + 5
    while (left := processes_of(folder)) and time.monotonic() < end:
        time.sleep(0.1)
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert not left


def processes_of(folder: Path) -> list[int]:
    """The processes that carry this folder in their environment."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if f"LABKIT_TEST={folder}\0".encode() in path.read_bytes():
                found.append(int(path.parent.name))
    return found


def ranks_of(torchrun: subprocess.Popen[str]) -> list[int]:
    children = Path(f"/proc/{torchrun.pid}/task/{torchrun.pid}/children")
    return [int(pid) for pid in children.read_text().split()]


def last_step(run: Path) -> int:
    """The step that a job would go on from, 0 at its beginning."""
    found = TrainingFolder(run).newest()
    return int(found.name.removeprefix("step-")) if found else 0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


RUN = ("run", "lab04", "--strategy")


def labkit(*args: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "labkit", *map(str, args)]
    return subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, timeout=DEADLINE)


def test_make_target_shows_the_training_alone() -> None:
    finished = labkit(*RUN, "ddp", "--nproc", 2, "--impl", "solutions", *SETTINGS, "--epochs", 1)
    assert (finished.returncode, finished.stderr) == (0, "")
    assert learnt(finished.stdout) == learnt(torchrun(2, *SETTINGS, "--epochs", 1).out)


def test_make_target_shows_an_unsolved_step_alone(tmp_path: Path) -> None:
    lab = (ROOT / "labs/lab04_mixed_precision/skeleton.py").read_text()
    (tmp_path / "mixed_precision.py").write_text(lab)
    finished = labkit(*RUN, "ddp", "--nproc", 2, "--impl", tmp_path)
    assert (finished.returncode, finished.stdout) == (2, "")
    assert re.fullmatch(r"Step \d is still to be solved: write .*; read docs/.*\n", finished.stderr)


def test_make_target_shows_what_is_wrong_with_a_broken_file(tmp_path: Path) -> None:
    broken = tmp_path / "mixed_precision.py"
    broken.write_text("import torch\nx = = 1\n")
    finished = labkit(*RUN, "ddp", "--nproc", 1, "--impl", tmp_path)
    assert (finished.returncode, finished.stdout) == (1, "")
    assert finished.stderr == f"{broken}, line 2: invalid syntax: x = = 1\n"


def test_our_line_is_the_first_that_torchrun_shows(tmp_path: Path) -> None:
    with started(tmp_path, "--standalone", "--nproc_per_node=1", SOLUTION, "--checkpoint", "docs") as process:
        process.wait(DEADLINE)
    assert process.returncode != 0
    lines = [line for line in (tmp_path / "err").read_text().splitlines() if line]
    assert "holds other files" in lines[0]
    assert sum("Traceback" in line for line in lines) <= 1  # torchrun's own, after it


def test_ranks_end_when_torchrun_is_killed(tmp_path: Path) -> None:
    with started(tmp_path, "--standalone", "--nproc_per_node=1", SOLUTION, "--epochs", 100000) as process:
        process.stdout.readline()
        assert len(ranks_of(process)) == 1
        process.kill()


def test_torchrun_ends_with_the_command_that_started_it(tmp_path: Path) -> None:
    program = (sys.executable, "-m", "labkit")
    job = (*RUN, "ddp", "--nproc", 1, "--impl", "solutions", "--epochs", 100000)
    with started(tmp_path, *job, program=program) as process:
        process.stdout.readline()
        process.terminate()
    assert process.returncode == 128 + signal.SIGTERM


def test_two_machines_train_together(tmp_path: Path) -> None:
    """Two agents on loopback, as docs/distributed.md has it for two nodes."""
    port = free_port()
    meeting = ("--nnodes=2", "--nproc_per_node=1", "--rdzv_backend=c10d", f"--rdzv_endpoint=127.0.0.1:{port}")
    job = (*meeting, "--rdzv_id=job1", "--local_addr=127.0.0.1", SOLUTION, *SETTINGS, "--epochs", 1)
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
    with started(folders[0], *job) as one, started(folders[1], *job) as two:
        printed = [process.communicate(timeout=DEADLINE)[0] for process in (one, two)]
    assert one.returncode == two.returncode == 0, [(folder / "err").read_text() for folder in folders]
    assert sorted(map(learnt, printed)) == [[], learnt(torchrun(2, *SETTINGS, "--epochs", 1).out)]


@pytest.mark.timeout(120 * KILLS)
@pytest.mark.parametrize("strategy", ["fsdp", "ddp"][:KILLS])
def test_a_job_that_loses_a_rank_ends_as_an_undisturbed_one(strategy: str, tmp_path: Path) -> None:
    straight = tmp_path / "straight"
    training = (*SETTINGS, "--epochs", 7, "--strategy", strategy, "--checkpoint-every", 1, "--checkpoint")
    assert torchrun(2, *training, straight).err == ""
    for kill in range(-(-KILLS // 2)):
        folder = tmp_path / str(kill)
        folder.mkdir()
        run = folder / "run"
        job = ("--standalone", "--nproc_per_node=2", "--max-restarts=1", SOLUTION, *training, run)
        with started(folder, *job) as process:
            step = random.randint(1, 9)  # of 21: it must not come to its end before it is killed
            while last_step(run) < step:
                assert process.poll() is None, (folder / "err").read_text()
                time.sleep(0.005)
            time.sleep(random.uniform(0.0, 0.1))
            os.kill(random.choice(ranks_of(process)), signal.SIGKILL)
            seen = last_step(run)  # a moment after the kill
            out, _ = process.communicate(timeout=DEADLINE)
        assert process.returncode == 0, (folder / "err").read_text()
        steps = int(re.search(r"^resumed from .* after (\d+) steps", out, re.M)[1])
        assert step <= seen <= steps < 21
        assert equal(straight, run)
