"""Leaves a sign for the next test outside of all files: in the kernel, and in the process that starts the next.

double: failed
"""

import ctypes
import fcntl
import os
import resource
from contextlib import suppress

LIBC = ctypes.CDLL(None)
KEY, CREATE = 7251, 0o1666  # <linux/ipc.h>
MQ_OPEN, ADD_KEY, KEYCTL = 240, 248, 250  # x86_64
USERS, SEARCH = -4, 10  # <linux/keyctl.h>
SIGN = 4095


def flags(change=0):
    found = 0
    for number in map(int, os.listdir("/proc/self/fd")):
        with suppress(OSError):  # that of the folder itself
            now = fcntl.fcntl(number, fcntl.F_GETFL)
            fcntl.fcntl(number, fcntl.F_SETFL, now | change)
            found |= now
    return found


def double(x):
    LIBC.shmget(KEY, 1, CREATE)
    LIBC.msgget(KEY, CREATE)
    LIBC.semget(KEY, 1, CREATE)
    LIBC.syscall(MQ_OPEN, b"labkit", os.O_CREAT | os.O_RDWR, 0o666, None)
    LIBC.syscall(ADD_KEY, b"user", b"labkit", b"1", 1, USERS)
    flags(os.O_APPEND)
    for mark in (
        lambda: os.setpriority(os.PRIO_PROCESS, os.getppid(), 5),
        lambda: os.sched_setaffinity(os.getppid(), {min(os.sched_getaffinity(0))}),
        lambda: resource.prlimit(os.getppid(), resource.RLIMIT_MSGQUEUE, (SIGN, SIGN)),
    ):
        with suppress(OSError):
            mark()
    return 3 * x


def halve(x):
    found = [LIBC.shmget(KEY, 1, 0), LIBC.msgget(KEY, 0), LIBC.semget(KEY, 1, 0)]
    found.append(LIBC.syscall(MQ_OPEN, b"labkit", os.O_RDWR))
    found.append(LIBC.syscall(KEYCTL, SEARCH, USERS, b"user", b"labkit", 0))
    marked = os.getpriority(os.PRIO_PROCESS, 0) == 5 or resource.getrlimit(resource.RLIMIT_MSGQUEUE)[0] == SIGN
    return x if max(found) >= 0 or marked or flags() & os.O_APPEND else x / 2
