"""This process among those that torchrun started: it joins them, adds numbers up with them, and leaves with one line.

Whatever waits for another rank has an end: `TIMEOUT`, or the end of torchrun itself.
"""

import json
import os
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import NoReturn

import torch
import torch.distributed as dist
from torch.distributed.rendezvous import rendezvous

from labkit.course.errors import LabError
from labkit.course.processes import end_with

TIMEOUT = timedelta(seconds=60)  # for one wait for the other ranks
GRACE = 5.0  # seconds: torchrun ends the other ranks within a fraction of one once the first has failed

_FAILED = "labkit/failed"  # the store's key for the rank that failed first
_WAITED = "labkit/waited"  # and, with a rank's number, for one that has waited for another in vain

_PAIR_CLOSED = "application timeout caused pair closure"  # what gloo tells the calls in flight as one times out


class Ranks:
    """This process, one of `size`.

    Attributes:
        rank, size: its number among all processes, from 0, and how many there are.
        local_rank, local_size: the same on this machine.
    """

    def __init__(self) -> None:
        """Reads what torchrun says in the environment and begins to watch that torchrun is there."""
        self.rank, self.size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
        self.local_rank, self.local_size = int(os.environ["LOCAL_RANK"]), int(os.environ["LOCAL_WORLD_SIZE"])
        self._store: dist.Store | None = None
        end_with(os.getppid())  # torchrun

    def meet(self) -> None:
        """Reaches the store that all ranks share. Raises LabError if nobody is there within `TIMEOUT`."""
        try:
            store, _, _ = next(rendezvous("env://", timeout=TIMEOUT))
        except Exception as error:
            address = f"{os.environ['MASTER_ADDR']}:{os.environ['MASTER_PORT']}"
            reason = str(error).splitlines()[0]
            raise LabError(f"rank {self.rank} cannot meet the other ranks at {address}: {reason}") from None
        self._store = dist.PrefixStore(f"attempt-{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}", store)

    def join(self, device: str) -> None:
        """Forms the group: nccl with a GPU for each rank of the machine if `device` is "cuda", else gloo.

        Raises LabError if there are fewer GPUs than ranks here.
        """
        cuda = device == "cuda"
        if cuda:
            check_gpus(self.local_size)
            torch.cuda.set_device(self.local_rank)
        dist.init_process_group(
            "nccl" if cuda else "gloo",
            store=self._store,
            rank=self.rank,
            world_size=self.size,
            timeout=TIMEOUT,
            device_id=torch.device("cuda", self.local_rank) if cuda else None,
        )
        self._device = torch.device("cuda", self.local_rank) if cuda else torch.device("cpu")

    def add_up(self, *numbers: float) -> list[float]:
        """The sums of `numbers` over all ranks, in float64."""
        sums = torch.tensor(numbers, dtype=torch.float64, device=self._device)
        dist.all_reduce(sums)
        return sums.tolist()

    def part(self) -> None:
        """Waits for all ranks to be done and takes the group apart."""
        if dist.is_initialized():
            dist.barrier()
            dist.destroy_process_group()

    def end(self, line: str, code: int, lost_another: bool = False) -> NoReturn:
        """Ends the process; of all ranks that fail only the first writes its `line`, to stderr.

        The others stay silent until torchrun ends them: what they met follows from the first one's end.

        Args:
            line, code: what to say, "" for nothing, and the exit code.
            lost_another: the reason is another rank's silence, so that rank may speak first.
        """
        if code:
            if lost_another:
                line += self._silent_ranks()
            if self._failed_first():
                _tell_torchrun(line, code)
            else:
                time.sleep(GRACE)
                line = ""
        if line:
            print(line, file=sys.stderr)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)  # a process that unwinds further sometimes aborts in the teardown of its group

    def _failed_first(self) -> bool:
        if self._store is None:
            return True
        try:
            return self._store.compare_set(_FAILED, "", str(self.rank)) == str(self.rank).encode()
        except Exception:  # the rank that held the store has gone before
            return False

    def _silent_ranks(self) -> str:
        """Gives the others GRACE to speak first; then which of them have not noticed anything either."""
        if self._store is None:
            return ""
        end = time.monotonic() + GRACE
        try:
            self._store.set(f"{_WAITED}/{self.rank}", "")
            while time.monotonic() < end and not self._store.check([_FAILED]):
                time.sleep(0.05)
            silent = [str(rank) for rank in range(self.size) if not self._store.check([f"{_WAITED}/{rank}"])]
        except Exception:  # as above: the store has gone
            time.sleep(max(0.0, end - time.monotonic()))
            return ""
        return f"; no word from rank {', '.join(silent)}" if silent else ""


def of_torchrun() -> Ranks | None:
    """This process among its ranks; None if torchrun did not start it."""
    return Ranks() if dist.is_available() and dist.is_torchelastic_launched() else None


def check_gpus(ranks: int) -> None:
    """Raises LabError if this machine has fewer GPUs than `ranks`."""
    gpus = torch.cuda.device_count()
    if gpus < ranks:
        raise LabError(
            f"--device cuda: {ranks} ranks on this machine and {gpus} GPU{'' if gpus == 1 else 's'}, each rank needs "
            f"its own; give torchrun --nproc_per_node={gpus or 1}{'' if gpus else ' and leave --device out'}"
        )


def check_batch(batch_size: int, ranks: int, samples: int) -> None:
    """Raises LabError unless each rank gets as many samples of a batch as the others, and the data set has a batch."""
    option = f"--batch-size {batch_size}"
    if batch_size > samples:
        raise LabError(f"{option}: there are {samples} samples to train on")
    if batch_size < ranks:
        raise LabError(f"{option}: {ranks} ranks need a sample each; give {ranks} or more")
    if batch_size % ranks:
        raise LabError(f"{option}: {ranks} ranks share a batch evenly; give a multiple of {ranks}")


def lost_another(error: BaseException) -> str | None:
    """What to say if `error` is the group's: another rank ended or did not come; None for any other error."""
    text = str(error).lower()
    if not (isinstance(error, dist.DistError) or "gloo" in text or _PAIR_CLOSED in text):
        return None
    if "timed out" in text or "timeout" in text:
        return (
            f"waited {TIMEOUT.total_seconds():g} s for another rank: it hangs, or takes another way through "
            "the code (every rank has to make the same collective calls: forward, backward, scaler.step, state_dict)"
        )
    return "lost its connection to another rank: that one was killed, or cannot be reached"


def _tell_torchrun(line: str, code: int) -> None:
    """Leaves the reason where torchrun looks for it: its closing report, and `launch`, show the line then."""
    path = os.environ.get("TORCHELASTIC_ERROR_FILE")
    if path:
        Path(path).write_text(json.dumps({"message": line, "timestamp": int(time.time()), "exit_code": code}))
