"""The filter of system calls, run here step by step as the kernel would, for machines that these tests do not run on
too; `hostile` shows on the kernel itself that it binds.
"""

import errno
import struct

import pytest

from labkit.course import system_calls
from labkit.course.system_calls import (
    ALLOW,
    CLONE,
    CLONE3,
    FAMILIES,
    ITSELF_ONLY,
    KILL,
    MACHINES,
    MPTCP,
    REFUSE,
    REFUSED,
    SOCKET,
    X32,
)

REFUSED_BY = REFUSE | errno.EPERM
READ, FORK, THREAD = (0, 63), 17, 0x3D0F00  # the call read; flags of clone as the C library gives them
NEW_USER = 0x10000000


def verdict(machine: str, number: int, first: int = 0, architecture: int | None = None, third: int = 0) -> int:
    """What the filter returns for a call with this first argument."""
    data = struct.pack("=IIQ6Q", number, architecture or MACHINES[machine][1], 0, first, 0, third, *[0] * 3)
    held, at, steps = 0, 0, list(struct.iter_unpack("=HBBI", system_calls.seccomp_filter(machine)))
    while True:
        code, if_true, if_false, operand = steps[at]
        at += 1
        match code:
            case 0x06:
                return operand
            case 0x20:
                (held,) = struct.unpack_from("=I", data, operand)
            case _:
                true = {0x15: held == operand, 0x35: held >= operand, 0x45: bool(held & operand)}[code]
                at += if_true if true else if_false


@pytest.mark.parametrize("machine", MACHINES)
def test_what_is_listed_is_refused_and_nothing_else(machine: str) -> None:
    column = MACHINES[machine][0]
    refused = {numbers[column] for numbers in REFUSED.values()}
    of_itself = {numbers[column] for numbers in ITSELF_ONLY.values()}
    assert len(refused | of_itself) == len(REFUSED) + len(ITSELF_ONLY)
    for number in set(range(500)) - {CLONE3[column], SOCKET[column]}:
        assert verdict(machine, number) == (REFUSED_BY if number in refused else ALLOW), number
        another = verdict(machine, number, first=FORK)
        assert another == (REFUSED_BY if number in refused | of_itself else ALLOW), number


@pytest.mark.parametrize("machine", MACHINES)
def test_a_process_and_a_thread_can_be_started_and_no_namespace(machine: str) -> None:
    column = MACHINES[machine][0]
    assert [verdict(machine, CLONE[column], first=flags) for flags in (FORK, THREAD)] == [ALLOW, ALLOW]
    assert verdict(machine, CLONE[column], first=FORK | NEW_USER) == REFUSED_BY
    assert verdict(machine, CLONE3[column]) == REFUSE | errno.ENOSYS  # the C library takes clone then


@pytest.mark.parametrize("machine", MACHINES)
def test_sockets_are_of_the_families_that_are_listed(machine: str) -> None:
    number = SOCKET[MACHINES[machine][0]]
    for family in range(50):
        assert verdict(machine, number, first=family) == (ALLOW if family in FAMILIES else REFUSED_BY), family
    assert verdict(machine, number, first=2, third=MPTCP) == REFUSED_BY


@pytest.mark.parametrize("machine", MACHINES)
def test_the_same_calls_by_other_numbers_are_refused(machine: str) -> None:
    number = READ[MACHINES[machine][0]]
    assert verdict(machine, number) == ALLOW
    assert verdict(machine, number | X32) == REFUSED_BY
    assert verdict(machine, number, architecture=0x40000003) == KILL  # of a program for 32 bits
