"""The system calls that a submission has no use for, and the seccomp filter that refuses them.

They give memory that no limit counts, or leave something in the kernel or in another process that the next test would
find: a fresh process and an empty folder are no fresh start then.
"""

import errno
import struct
from collections.abc import Sequence

ALLOW, REFUSE, KILL = 0x7FFF0000, 0x00050000, 0x80000000  # SECCOMP_RET_*; to REFUSE, the error's number is added
LOAD, EQUAL, AT_LEAST, ANY_OF, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06  # <linux/bpf_common.h>
NUMBER, ARCHITECTURE, FIRST, THIRD = 0, 4, 16, 32  # where struct seccomp_data has them; the low half of arguments
X32 = 0x40000000  # calls of x86_64 from this number on are the same ones by other numbers
NAMESPACES = 0x7E020000  # the flags CLONE_NEW* of clone: in a namespace of its own, a process may mount memory

MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}  # column below, and AUDIT_ARCH_*
REFUSED = {
    # Memory without a name.
    "memfd_create": (319, 279), "memfd_secret": (447, 447),
    # Memory, messages and counters that outlive a process.
    "shmget": (29, 194), "shmctl": (31, 195), "shmat": (30, 196),
    "msgget": (68, 186), "msgctl": (71, 187), "msgsnd": (69, 189), "msgrcv": (70, 188),
    "semget": (64, 190), "semctl": (66, 191), "semop": (65, 193), "semtimedop": (220, 192),
    "mq_open": (240, 180), "mq_unlink": (241, 181),
    "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219),
    # Namespaces.
    "unshare": (272, 97), "setns": (308, 268),
    # Other processes: memory, descriptors, priority, and the core of another submission.
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "pidfd_getfd": (438, 438),
    "setpriority": (141, 140), "ioprio_set": (251, 30), "sched_setaffinity": (203, 122),
    # What does other calls unseen, or has had many flaws.
    "io_uring_setup": (425, 425), "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282),
}  # fmt: skip
ITSELF_ONLY = {  # allowed to a process that names itself, by a 0
    "prlimit64": (302, 261),
    "sched_setattr": (314, 274), "sched_setparam": (142, 118), "sched_setscheduler": (144, 119),
}  # fmt: skip
CLONE, CLONE3 = (56, 220), (435, 435)

# Other families reach past a namespace of networks (vsock), or have had many flaws; MPTCP passes Landlock's rule.
SOCKET, MPTCP = (41, 198), 262
UNIX, INET, INET6, NETLINK = 1, 2, 10, 16
FAMILIES, LOCAL = (UNIX, INET, INET6, NETLINK), (UNIX, NETLINK)


def known(machine: str) -> bool:
    return machine in MACHINES


def seccomp_filter(machine: str, families: Sequence[int] = FAMILIES) -> bytes:
    """The filter for this machine, as platform.machine() names it: an array of struct sock_filter. Sockets are of these
    families.
    """
    column, architecture = MACHINES[machine]
    refuse = _step(RETURN, REFUSE | errno.EPERM)
    program = [
        _step(LOAD, ARCHITECTURE), _step(EQUAL, architecture, 1, 0), _step(RETURN, KILL),
        _step(LOAD, NUMBER), _step(AT_LEAST, X32, 0, 1), refuse,
    ]  # fmt: skip
    for numbers in REFUSED.values():
        program += [_step(EQUAL, numbers[column], 0, 1), refuse]
    for numbers in ITSELF_ONLY.values():
        program += [
            _step(EQUAL, numbers[column], 0, 4), _step(LOAD, FIRST), _step(EQUAL, 0, 1, 0), refuse,
            _step(RETURN, ALLOW),
        ]  # fmt: skip
    family = [_step(EQUAL, one, len(families) - place, 0) for place, one in enumerate(families)]
    sockets = [
        _step(LOAD, FIRST), *family, refuse,
        _step(LOAD, THIRD), _step(EQUAL, MPTCP, 0, 1), refuse, _step(RETURN, ALLOW),
    ]  # fmt: skip
    program += [
        _step(EQUAL, SOCKET[column], 0, len(sockets)), *sockets,
        # The flags of clone3 lie in memory, which a filter cannot read; without clone3, the C library takes clone.
        _step(EQUAL, CLONE3[column], 0, 1), _step(RETURN, REFUSE | errno.ENOSYS),
        _step(EQUAL, CLONE[column], 0, 3), _step(LOAD, FIRST), _step(ANY_OF, NAMESPACES, 0, 1), refuse,
        _step(RETURN, ALLOW),
    ]  # fmt: skip
    return b"".join(program)


def _step(code: int, operand: int, if_true: int = 0, if_false: int = 0) -> bytes:
    """One struct sock_filter; a comparison skips so many steps."""
    return struct.pack("=HBBI", code, if_true, if_false, operand)
