"""What a process does to itself before it runs a submission: it gives up user, files, network, memory, system calls.

It imports nothing that costs time.
"""

import ctypes
import functools
import os
import platform
import socket
import struct
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from labkit.course.system_calls import FAMILIES, LOCAL, known, seccomp_filter

PR_SET_DUMPABLE, PR_SET_KEEPCAPS, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 4, 8, 22, 38  # <linux/prctl.h>
SECCOMP_MODE_FILTER = 2  # <linux/seccomp.h>
CAPABILITY_VERSION, CAP_DAC_READ_SEARCH = 0x20080522, 2  # <linux/capability.h>
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # <asm-generic/unistd.h>, the same on every architecture
READ, WRITE_FILE = 0b1101, 0b10  # execute, read file, read dir; write file: <linux/landlock.h>
RIGHTS = {1: 13, 2: 14, 3: 15, 5: 16}  # how many rights on files a version of Landlock knows
TCP, SIGNALS_AND_SOCKETS = 0b11, 0b11  # bind and connect, since 4; abstract sockets and signals, since 6
SIGNALS_SINCE = 6
# CLONE_NEW* of <linux/sched.h>: mounts, control groups, host name, messages, processes, network; and that of users.
NAMESPACES, USERS = 0x20000 | 0x2000000 | 0x4000000 | 0x8000000 | 0x20000000 | 0x40000000, 0x10000000
DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")

MEMORY = 2 * 2**30  # bytes that a process may take besides what it has imported
FILE, DESCRIPTORS, PROCESSES = 64 * 2**20, 256, 128
UNCOUNTED = "memory that no limit counts"


@dataclass(frozen=True)
class Confinement:
    """What a process gives up: its user for `uid`, and with `landlock` all files but `readable` and the `writable`
    folders, of which the first is its home; with `beside`, its namespaces for those of this process.

    Root alone can take another user; `uid` is None where this process isn't root. `reads`: the other user may keep
    root's right to read, where it could not read this Python without it.
    """

    writable: tuple[str, ...]
    uid: int | None = None
    landlock: bool = False
    readable: tuple[str, ...] = ()
    reads: bool = False
    beside: int | None = None

    def join(self) -> None:
        """Takes the namespaces; of processes, what this process forks from now on.

        Raises:
            OSError: the system refuses.
        """
        if self.beside is None:
            return
        process = os.pidfd_open(self.beside)
        try:
            _check(_libc().setns(process, NAMESPACES | (USERS if self.uid is None else 0)))
        finally:
            os.close(process)

    def enter(self) -> None:
        """Confines this process and all that it starts, for good.

        Raises:
            OSError: the system refuses.
        """
        hide(False)  # else the next file is root's
        with suppress(OSError):  # if memory is short, the system ends what runs a submission first, not the judge
            Path("/proc/self/oom_score_adj").write_text("1000")
        _prctl(PR_SET_NO_NEW_PRIVS, 1)
        if self.landlock:
            devices = [path for path in DEVICES if os.path.exists(path)]
            restrict_files(read=[*self.readable, "/proc", *devices], write=[*self.writable, "/dev/null"])
        if self.uid is not None:
            _become(self.uid, self.reads)
        else:
            _keep_rights(0)
        restrict_calls()
        os.chdir(self.writable[0])


def landlock_version() -> int:
    """The version of Landlock that the kernel speaks; 0 if it has none."""
    return max(0, _libc().syscall(CREATE_RULESET, None, 0, 1))


def restrict_files(read: Iterable[str], write: Iterable[str]) -> None:
    """From now on, of all files this process may read those, and change what is below `write`; and it may signal only
    itself and what it starts.
    """
    version = landlock_version()
    known = max(count for since, count in RIGHTS.items() if since <= version)
    ruleset = _ruleset(version, files=2**known - 1, scoped=SIGNALS_AND_SOCKETS)
    for paths, rights in ((read, READ), (write, 2**known - 1)):
        for path in paths:
            _allow(ruleset, path, rights)
    _restrict(ruleset)


def restrict_worker(network: bool) -> None:
    """From now on, this process may signal only what it starts itself; sockets of a network only if `network`."""
    version = landlock_version()
    if not network:
        restrict_calls(LOCAL)
    tcp = TCP if version >= 4 and not network else 0
    if tcp or version >= SIGNALS_SINCE:
        _restrict(_ruleset(version, tcp=tcp, scoped=SIGNALS_AND_SOCKETS))


def restrict_calls(families: Sequence[int] = FAMILIES) -> None:
    """From now on, this process and all that it starts cannot make the calls of `system_calls`, and its sockets are of
    these families.

    Raises:
        OSError: the kernel takes no filter, or none is known for this machine.
    """
    machine = platform.machine()
    if not known(machine):
        raise OSError(f"no filter of system calls is known for {machine}")
    program = seccomp_filter(machine, families)
    steps = ctypes.create_string_buffer(program, len(program))
    whole = struct.pack("HP", len(program) // 8, ctypes.addressof(steps))  # struct sock_fprog
    try:
        _prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, whole)
    except OSError as error:
        raise OSError(error.errno, f"the kernel takes no filter of system calls ({error.strerror})") from None


def restrict_resources(seconds: float, others: int, memory: bool) -> None:
    """Limits on memory, processes, files and time for this process and each that it starts.

    `others`: the processes and threads that its user has otherwise, as the system counts them all.
    """
    import resource  # which Windows lacks, where nothing here is called

    size, data = _memory()
    most = {
        resource.RLIMIT_CPU: int(seconds) + 1,
        resource.RLIMIT_FSIZE: FILE,
        resource.RLIMIT_NOFILE: DESCRIPTORS,
        resource.RLIMIT_NPROC: PROCESSES + others,
        resource.RLIMIT_CORE: 0,
    }
    if memory:  # that of this machine: a GPU's driver reserves far more addresses than there is memory
        most |= {resource.RLIMIT_DATA: data + MEMORY, resource.RLIMIT_AS: size + MEMORY}  # the latter: shared memory
    for what, limit in most.items():
        hard = resource.getrlimit(what)[1]
        limit = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(what, (limit, limit))


def hide(hidden: bool) -> None:
    """Whether other processes of the same user may read and change the memory of this one."""
    _prctl(PR_SET_DUMPABLE, int(not hidden))


def reached(files: Iterable[str], port: int) -> list[str]:
    """Which of these files this process can read, "network" if it can connect to the port of this machine, and
    `UNCOUNTED` if it gets that.
    """
    found = []
    for path in files:
        with suppress(OSError):
            Path(path).read_bytes()
            found.append(path)
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        found.append("network")
    with suppress(OSError):
        os.close(os.memfd_create("probe"))
        found.append(UNCOUNTED)
    return found


def processes_of(uid: int) -> int:
    """How many processes and threads the user has."""
    count = 0
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            count += len(os.listdir(folder / "task")) if folder.stat().st_uid == uid else 0
    return count


def _become(uid: int, reads: bool) -> None:
    """Takes the user `uid` and drops all of root's rights, but one if it `reads` and cannot read this Python, as below
    /root: to read. Landlock binds that right too. Without Landlock, a submission then reads what root can, also what
    lies outside of its namespace of mounts: there is no such right in bubblewrap.
    """
    _prctl(PR_SET_KEEPCAPS, 1)
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    rights = 0
    try:
        Path(os.__file__).read_bytes()
    except PermissionError:
        if not reads:
            raise
        rights = 1 << CAP_DAC_READ_SEARCH
    _keep_rights(rights)


def _keep_rights(rights: int) -> None:
    """Of root's rights only those; in a namespace of users, a process that has joined it has them all."""
    header = struct.pack("=Ii", CAPABILITY_VERSION, 0)
    _check(_libc().capset(header, struct.pack("=6I", rights, rights, 0, 0, 0, 0)))


def _memory() -> tuple[int, int]:
    """Bytes of address space, and of data in it, that this process has."""
    status = Path("/proc/self/status").read_text()
    found = dict(line.split(":", 1) for line in status.splitlines())
    return tuple(int(found[name].split()[0]) * 1024 for name in ("VmSize", "VmData"))  # type: ignore[return-value]


def _ruleset(version: int, files: int = 0, tcp: int = 0, scoped: int = 0) -> int:
    """A new set of rules; a kernel that knows no signals is asked for none."""
    size = 24 if version >= SIGNALS_SINCE else 16 if version >= 4 else 8
    return _check(_libc().syscall(CREATE_RULESET, struct.pack("=QQQ", files, tcp, scoped), size, 0))


def _allow(ruleset: int, path: str, rights: int) -> None:
    number = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if not os.path.isdir(path):
            rights &= READ & ~0b1000 | WRITE_FILE | 1 << 14  # truncate; the others are rights on folders
        _check(_libc().syscall(ADD_RULE, ruleset, 1, struct.pack("=Qi", rights, number), 0))
    finally:
        os.close(number)


def _restrict(ruleset: int) -> None:
    try:
        _check(_libc().syscall(RESTRICT_SELF, ruleset, 0))
    finally:
        os.close(ruleset)


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _prctl(option: int, value: int, more: bytes | None = None) -> None:
    _check(_libc().prctl(option, value, more, None, None))


def _check(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
