"""The one class that starts processes for code that may hang, crash or start others: `Child`.

A child is forked from this process, so that it need not import torch again, or spawned where forking is not safe. It
writes to a file, has a process group of its own if asked for, tells on a signal where it is, and is ended from outside
together with what it started.
"""

import faulthandler
import functools
import gc
import linecache
import os
import pickle
import random
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from labkit.course.files import open_ordinary
from labkit.course.garbage import none_collected
from labkit.course.loading import line_in_stack
from labkit.course.processes import children_of, end_with, kill_group, usable_cores

TIME_LIMIT = 300.0  # seconds for one job of `run_forked`
LONGEST = 2**20  # bytes of a file that are read
WHERE = 3.0  # seconds for a child to write down where it is
SPAWNED = "from labkit.observe.child import _be_spawned; _be_spawned()"

Job = Callable[[], int | None]  # gives the exit code, None for 0


@dataclass(frozen=True)
class Setting:
    """What a child does before its job.

    `output`: the file for what it prints; None: it prints where this process does. `stack`: the file into which it
    writes where it is, when it is signalled with `signal`. `group`: whether it heads a process group of its own.
    `bound`: the signal that ends it as soon as this process is gone, however that ended; 0: it goes on.
    `close`: descriptors of this process that it must not hold open.
    """

    output: Path | None = None
    stack: Path | None = None
    signal: int = getattr(signal, "SIGUSR1", 0)
    group: bool = True
    bound: int = 0
    close: tuple[int, ...] = ()


class Child:
    """A process that does one job. Its starter calls `poll` until it has ended, or `kill`."""

    def __init__(self, pid: int, setting: Setting) -> None:
        self.pid, self.setting = pid, setting
        self.code: int | None = None  # its exit code, once it has ended; minus the signal that ended it
        if setting.group:
            with suppress(ProcessLookupError, PermissionError):  # it may have ended already
                os.setpgid(pid, pid)  # here as well as there: whichever comes first

    @classmethod
    def fork(cls, job: Job, setting: Setting) -> "Child":
        """Starts `job` in a copy of this process, which must only have imported torch, never computed with it:
        threads do not survive a fork, and the child would wait for them for ever.
        """
        sys.stdout.flush()
        sys.stderr.flush()
        parent = os.getpid()
        pid = os.fork()
        if not pid:
            _be_the_child(job, setting, parent)
        return cls(pid, setting)

    @classmethod
    def spawn(cls, job: Job, setting: Setting, keep: Iterable[int] = ()) -> "Child":
        """Starts `job`, made of functions of modules, in a new Python that holds the descriptors `keep`.

        It is pickled on the way down only: this process, which has run no submission, is the one that writes.
        """
        path = os.pathsep.join(filter(None, sys.path))
        process = subprocess.Popen(
            [sys.executable, "-c", SPAWNED],
            stdin=subprocess.PIPE, env=os.environ | {"PYTHONPATH": path}, pass_fds=tuple(keep),
        )  # fmt: skip
        assert process.stdin is not None, "it is a pipe"
        with suppress(BrokenPipeError), process.stdin as stdin:
            stdin.write(pickle.dumps((job, setting, os.getpid())))
        child = cls(process.pid, setting)
        process.returncode = 0  # `poll` waits for it
        return child

    def poll(self) -> bool:
        """Whether it still runs; what it has left behind is ended with it."""
        if self.code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._ended(status)
        return self.code is None

    def wait(self, seconds: float) -> bool:
        """Whether it still runs after `seconds` at most."""
        end = time.monotonic() + seconds
        while self.poll() and time.monotonic() < end:
            time.sleep(0.001)
        return self.code is None

    def kill(self) -> None:
        """Ends it now, with all that it has started in its group."""
        if self.code is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            if self.setting.group:
                kill_group(self.pid)
            self._ended(os.waitpid(self.pid, 0)[1])

    def where(self, path: Path, below: bool = False) -> tuple[int, str] | None:
        """Line and function of the file at `path` where it is now, C code included, or None if it is elsewhere.

        `below`: its own child is asked in its place, if it has one, which must have inherited what it does on the
        signal. Never both: they would write into the file at the same time, word by word.
        """
        if self.code is not None or self.setting.stack is None or not self.setting.stack.exists():
            return None
        for pid in (children_of(self.pid) if below else []) or [self.pid]:
            with suppress(ProcessLookupError):
                os.kill(pid, self.setting.signal)
        end = time.monotonic() + WHERE
        while time.monotonic() < end and not (found := line_in_stack(path, _read(self.setting.stack))):
            time.sleep(0.02)
        return found

    @property
    def output(self) -> str:
        return _read(self.setting.output)

    @property
    def stack(self) -> str:
        return _read(self.setting.stack)

    def _ended(self, status: int) -> None:
        self.code = os.waitstatus_to_exitcode(status)
        if self.setting.group:
            kill_group(self.pid)


def line_text(path: Path, found: tuple[int, str] | None) -> str:
    """A place as `Answer.where` has it: "line 12: text"; "" for None."""
    return f"line {found[0]}: {linecache.getline(str(path), found[0]).strip()}" if found else ""


def how_it_ended(code: int) -> str:
    """An exit code in words: "exit code 0", "ended by SIGABRT"."""
    if code >= 0:
        return f"exit code {code}"
    name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
    return f"ended by {name}"


def run_forked(
    job: Callable[[int], object],
    count: int,
    scratch: Path,
    limit: float | None = None,
    workers: int | None = None,
    apart: bool = False,
) -> Iterator[tuple[int, str]]:
    """Runs `job(0)` to `job(count - 1)`, a forked child each, as many at once as there are cores if `workers` is None;
    yields each number with what it printed, as they end. A job that takes longer than `limit`, by default `TIME_LIMIT`,
    is killed, and its text says so last. No child goes on where this process is gone. `apart` keeps each child and what
    it starts on one core, the least used: what it makes slow then is not another that has a core of its own.
    """
    workers, waiting, seconds = workers or usable_cores(), list(range(count)), limit or TIME_LIMIT
    apart = apart and min(workers, count) > 1
    outputs = [scratch / f"output-{index}" for index in range(count)]
    running: dict[int, tuple[Child, float, int | None]] = {}  # its deadline, and its core
    gc.freeze()  # no garbage collector need walk through all of torch, a child's or ours: half a second a run of pytest
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                index = waiting.pop(0)
                setting = Setting(output=outputs[index], bound=signal.SIGKILL)
                core = _least_used([taken for _, _, taken in running.values()]) if apart else None
                child = Child.fork(functools.partial(_do, job, index, core), setting)
                running[index] = (child, time.monotonic() + seconds, core)
            for index, (child, deadline, _) in list(running.items()):
                if child.poll():
                    if time.monotonic() > deadline:
                        child.kill()
                    continue
                del running[index]
                late = child.code == -signal.SIGKILL and time.monotonic() > deadline
                text = child.output + f"\nended at its limit of {seconds:g} s\n" * late
                outputs[index].unlink(missing_ok=True)
                yield index, text
            time.sleep(0.01)
    finally:
        for child, *_ in running.values():
            child.kill()


def _least_used(taken: list[int | None]) -> int | None:
    """The core that the fewest have taken; None where the system does not say which there are."""
    if not hasattr(os, "sched_getaffinity"):
        return None
    cores = list(os.sched_getaffinity(0))
    random.shuffle(cores)  # another batch of this machine chooses too
    return min(cores, key=taken.count)


def _do(job: Callable[[int], object], index: int, core: int | None) -> None:
    if core is not None:
        os.sched_setaffinity(0, {core})
    job(index)  # whatever it gives is no exit code


def _be_spawned() -> None:
    with none_collected():  # it may import torch
        job, setting, parent = pickle.load(sys.stdin.buffer)
    _be_the_child(job, setting, parent)


def _be_the_child(job: Job, setting: Setting, parent: int) -> None:
    """Does the job, and never returns."""
    code = 1
    try:
        if setting.group:
            os.setpgid(0, 0)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        if setting.bound:
            end_with(parent, setting.bound)
        for number in setting.close:
            os.close(number)
        if setting.output is not None:
            _redirect(setting.output)
        if setting.stack is not None and setting.signal:
            hidden = setting.stack.with_suffix(".new")  # seen only once the signal no longer ends this process
            stack = open(hidden, "w")  # noqa: SIM115  (as long as the process)
            faulthandler.register(setting.signal, file=stack, all_threads=False)
            if setting.output is not None:
                faulthandler.enable(stack)  # else pytest's, which is inherited, writes a crash to the terminal
            hidden.rename(setting.stack)
        code = job() or 0
    except BaseException:
        traceback.print_exc()
    finally:
        with suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _redirect(output: Path) -> None:
    """Descriptors 1 and 2 to the file; nobody types at a child that prints into one."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    try:
        written = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    except FileNotFoundError:  # its starter has removed the folder, and is about to end it
        os._exit(1)
    for source, target in ((nothing, 0), (written, 1), (written, 2)):
        os.dup2(source, target)


def _read(path: Path | None) -> str:
    """The last of the file, whatever the code under test has made of its name: a link, a FIFO, or more than fits."""
    if path is None:
        return ""
    try:
        file = open_ordinary(path)
    except OSError:
        return ""
    if file is None:
        return ""
    with file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - LONGEST))
        return file.read(LONGEST).decode(errors="replace")
