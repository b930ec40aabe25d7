"""The filter of system calls, run by a small interpreter of the kernel's packet filter language."""

from __future__ import annotations

import struct

import pytest

from learndock.sandbox.guest import confine

ALLOW, EPERM, ENOSYS, KILL = 0x7FFF0000, 0x00050001, 0x00050026, 0x80000000


def verdict(machine: str, number: int, argument: int = 0, audit: int | None = None) -> int:
    """What the filter for a processor says of a system call."""
    program = confine.seccomp_program(machine)
    code = [struct.unpack_from("=HBBI", program, offset) for offset in range(0, len(program), 8)]
    audit = confine.ARCHITECTURES[machine][0] if audit is None else audit
    data = struct.pack("=IIQ6Q", number, audit, 0, argument, 0, 0, 0, 0, 0)
    accumulator, position = 0, 0
    while True:
        operation, jump_true, jump_false, constant = code[position]
        position += 1
        if operation == confine.LOAD:
            (accumulator,) = struct.unpack_from("=I", data, constant)
        elif operation == confine.RETURN:
            return constant
        else:
            taken = {
                confine.JUMP_EQUAL: accumulator == constant,
                confine.JUMP_GREATER: accumulator > constant,
                confine.JUMP_BITS: bool(accumulator & constant),
            }[operation]
            position += jump_true if taken else jump_false


MACHINES = list(confine.ARCHITECTURES)


@pytest.mark.parametrize("machine", MACHINES)
def test_listed_calls_are_refused_and_nothing_else(machine: str) -> None:
    column = confine.ARCHITECTURES[machine][1]
    refused = {numbers[column] for numbers in confine.REFUSED.values()} - {None}
    special = {confine.SOCKET[column], confine.CLONE[column], confine.CLONE3}
    for number in set(range(confine.NEWEST_KNOWN + 1)) - special:
        assert verdict(machine, number) == (EPERM if number in refused else ALLOW), number


@pytest.mark.parametrize("machine", MACHINES)
def test_calls_that_nobody_looked_at_do_not_exist(machine: str) -> None:
    for number in (confine.NEWEST_KNOWN + 1, 9999, 0x40000000, 0xFFFFFFFF, confine.CLONE3):
        assert verdict(machine, number) == ENOSYS


@pytest.mark.parametrize("machine", MACHINES)
def test_only_local_and_ip_sockets_can_be_made(machine: str) -> None:
    number = confine.SOCKET[confine.ARCHITECTURES[machine][1]]
    allowed = [family for family in range(50) if verdict(machine, number, family) == ALLOW]
    assert allowed == list(confine.SOCKET_FAMILIES)
    assert verdict(machine, number, 16) == EPERM


@pytest.mark.parametrize("machine", MACHINES)
def test_processes_but_no_namespaces_can_be_made(machine: str) -> None:
    number = confine.CLONE[confine.ARCHITECTURES[machine][1]]
    assert verdict(machine, number, 0x003D0F00) == ALLOW  # a thread
    assert verdict(machine, number, 17) == ALLOW  # a fork
    for bit in (0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000):
        assert verdict(machine, number, bit | 17) == EPERM


def test_calls_in_the_form_of_another_processor_kill() -> None:
    assert verdict("x86_64", 0, audit=0x40000003) == KILL
