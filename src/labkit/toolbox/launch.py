"""Runs a lab file on many processes of this machine through torchrun, and shows what the lab file says and no more."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from labkit.course.errors import LabError

ENDING = 15.0  # seconds that torchrun has to end its ranks after Ctrl-C
# Of a torchrun on one machine. Restarts do not meet old ranks. A name server that gives no answer takes 1 s, not 10, of
# each connection: https://github.com/pytorch/pytorch/issues/159007.
ONE_MACHINE = {"TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1", "RES_OPTIONS": "timeout:1 attempts:1"}


def launch(file: Path, ranks: int, arguments: Sequence[str] = (), port: int | None = None) -> None:
    """Runs the lab file at `file` on `ranks` processes; what rank 0 prints goes to stdout as it comes.

    What ranks and torchrun write to stderr is kept back: the reason for a failure is told in one line.

    Args:
        arguments: the lab file's own options.
        port: where the ranks meet on this machine; None takes a free one.

    Raises:
        LabError: the line of the rank that failed first, with its exit code; 130 after Ctrl-C.
    """
    if port is not None:
        _check_free(port)
    meeting = ["--standalone"] if port is None else ["--master_addr=127.0.0.1", f"--master_port={port}"]
    with tempfile.TemporaryDirectory(prefix="labkit-launch-") as folder:
        command = [sys.executable, "-m", "torch.distributed.run", *meeting, f"--nproc_per_node={ranks}"]
        command += [f"--log-dir={folder}", "--redirects=2", str(file), *arguments]
        environment = {"OMP_NUM_THREADS": "1", **os.environ, **ONE_MACHINE}  # each rank one thread, as torchrun has it
        report = Path(folder, "torchrun.txt")
        with open(report, "wb") as stderr:
            code = _run(command, environment, stderr)
        if code:
            raise _reason(
                Path(folder), report.read_text(errors="replace"), file, f"torchrun ended with exit code {code}"
            )


def _run(command: list[str], environment: dict[str, str], stderr: BinaryIO) -> int:
    process = subprocess.Popen(command, env=environment, stderr=stderr, start_new_session=True)
    try:
        return process.wait()
    except KeyboardInterrupt:
        raise LabError("", 130) from None
    finally:
        if process.poll() is None:
            process.terminate()  # torchrun passes it on to its ranks
            try:
                process.wait(ENDING)
            except subprocess.TimeoutExpired:
                process.kill()  # the ranks see that and end themselves
                process.wait()


def _reason(folder: Path, report: str, file: Path, otherwise: str) -> LabError:
    """Why a run failed: what a rank said, else what became of it, else what torchrun said."""
    said = sorted(folder.rglob("error.json"), key=lambda path: path.stat().st_mtime)
    for path in said[-1:]:
        error = json.loads(path.read_text())
        if isinstance(error["message"], str):
            return LabError(error["message"], error["exit_code"])
    from labkit.course.loading import load_implementation

    try:
        load_implementation(file)  # it may not get as far as its last line, where our own reports begin
    except LabError as error:
        return error
    cause = report.partition("Root Cause")[2]
    code, rank = re.search(r"exitcode\s*:\s*(-?\d+)", cause), re.search(r"rank\s*:\s*(\d+)", cause)
    if code and rank:
        number = int(code[1])
        how = f"was killed by {signal.Signals(-number).name}" if number < 0 else f"ended with exit code {number}"
        return LabError(f"rank {rank[1]} {how}, and torchrun ended the others")
    last = report.strip().splitlines()[-1:]
    return LabError(": ".join([otherwise, *last]))


def _check_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise LabError(
                f"port {port}: {error.strerror}; give another one, or none: a free one is found then"
            ) from None
