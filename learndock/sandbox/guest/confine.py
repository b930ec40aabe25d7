"""Runs first inside a sandbox: gives up what the executor could not take away, then becomes the guest.

Usage: ``confine.py '{"rlimits": {"NPROC": 64}, "user": 65534, "niceness": 10}' command...``. Needs nothing but the
standard library.
"""

from __future__ import annotations

import ctypes
import json
import os
import platform
import resource
import struct
import sys

PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 4, 22, 24, 38
SECCOMP_MODE_FILTER = 2
LAST_CAPABILITY = 63
CLONE_NEWUSER = 0x10000000
CLONE_NEW_ANY = 0x7E020000
EPERM, ENOSYS = 1, 38
RET_KILL, RET_ERRNO, RET_ALLOW = 0x80000000, 0x00050000, 0x7FFF0000
LOAD, JUMP_EQUAL, JUMP_GREATER, JUMP_BITS, RETURN = 0x20, 0x15, 0x25, 0x45, 0x06
NUMBER_AT, ARCHITECTURE_AT, FIRST_ARGUMENT_AT = 0, 4, 16

ARCHITECTURES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}
"""Audit number of each processor, and its column in `REFUSED`."""

REFUSED: dict[str, tuple[int, int | None]] = {
    # Other processes and the kernel's own tracing
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "kcmp": (312, 272),
    "perf_event_open": (298, 241),
    "bpf": (321, 280),
    "userfaultfd": (323, 282),
    "lookup_dcookie": (212, 18),
    "syslog": (103, 116),
    # Namespaces, mounts and file handles
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "unshare": (272, 97),
    "setns": (308, 268),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "fanotify_init": (300, 262),
    "quotactl": (179, 60),
    # The kernel's keyring, modules and restart
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "init_module": (175, 105),
    "delete_module": (176, 106),
    "finit_module": (313, 273),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "reboot": (169, 142),
    # Settings of the machine
    "acct": (163, 89),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "clock_adjtime": (305, 266),
    "adjtimex": (159, 171),
    "vhangup": (153, 58),
    "personality": (135, 92),
    "migrate_pages": (256, 238),
    "move_pages": (279, 239),
    "iopl": (172, None),
    "ioperm": (173, None),
    "modify_ldt": (154, None),
    "uselib": (134, None),
    # Newer ones, which have one number everywhere
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "pidfd_getfd": (438, 438),
    "process_madvise": (440, 440),
    "mount_setattr": (442, 442),
    "quotactl_fd": (443, 443),
    "memfd_secret": (447, 447),
    "process_mrelease": (448, 448),
}
"""System calls that no model needs, by number on x86_64 and aarch64."""

NEWEST_KNOWN = 462  # mseal; what came later was not looked at, and does not exist for a guest
SOCKET, CLONE, CLONE3 = (41, 198), (56, 220), 435
SOCKET_FAMILIES = (1, 2, 10)  # AF_UNIX, AF_INET, AF_INET6: none leads out, and the rest is kernel code to attack


def seccomp_program(machine: str) -> bytes:
    """The BPF filter for a processor, as the kernel reads it: `struct sock_filter` after `struct sock_filter`."""
    audit, column = ARCHITECTURES[machine]
    code = [
        (LOAD, 0, 0, ARCHITECTURE_AT),
        (JUMP_EQUAL, 1, 0, audit),
        (RETURN, 0, 0, RET_KILL),
        (LOAD, 0, 0, NUMBER_AT),
        (JUMP_GREATER, 0, 1, NEWEST_KNOWN),
        (RETURN, 0, 0, RET_ERRNO | ENOSYS),
        # The C library then takes clone, whose flags a filter can read.
        (JUMP_EQUAL, 0, 1, CLONE3),
        (RETURN, 0, 0, RET_ERRNO | ENOSYS),
    ]
    for numbers in REFUSED.values():
        number = numbers[column]
        if number is not None:
            code += [(JUMP_EQUAL, 0, 1, number), (RETURN, 0, 0, RET_ERRNO | EPERM)]
    code += [
        (JUMP_EQUAL, 0, 4, CLONE[column]),
        (LOAD, 0, 0, FIRST_ARGUMENT_AT),
        (JUMP_BITS, 0, 1, CLONE_NEW_ANY),
        (RETURN, 0, 0, RET_ERRNO | EPERM),
        (RETURN, 0, 0, RET_ALLOW),
        (JUMP_EQUAL, 0, len(SOCKET_FAMILIES) + 2, SOCKET[column]),
        (LOAD, 0, 0, FIRST_ARGUMENT_AT),
    ]
    for position, family in enumerate(SOCKET_FAMILIES):
        code.append((JUMP_EQUAL, len(SOCKET_FAMILIES) - position, 0, family))
    code += [(RETURN, 0, 0, RET_ERRNO | EPERM), (RETURN, 0, 0, RET_ALLOW)]
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in code)


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


_libc = ctypes.CDLL(None, use_errno=True)


def _prctl(option: int, *arguments: int) -> None:
    words = [ctypes.c_ulong(argument) for argument in (*arguments, 0, 0, 0, 0)[:4]]
    if _libc.prctl(ctypes.c_int(option), *words) != 0:
        raise OSError(ctypes.get_errno(), f"prctl {option}")


def _become(user: int) -> None:
    """Leave root for good, into a user namespace of this sandbox alone where the kernel gives one.

    Processes are counted for each user and namespace: without its own, a fork bomb would take its neighbours' share.
    """
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    _prctl(PR_SET_DUMPABLE, 1)  # otherwise /proc/self still belongs to root
    if _libc.unshare(CLONE_NEWUSER) == 0:
        _map_itself("/proc/self/setgroups", "deny")
        _map_itself("/proc/self/uid_map", f"{user} {user} 1")
        _map_itself("/proc/self/gid_map", f"{user} {user} 1")


def _map_itself(path: str, line: str) -> None:
    with open(path, "w") as file:
        file.write(line)


def _drop_capability_bounds() -> None:
    for capability in range(LAST_CAPABILITY + 1):
        try:
            _prctl(PR_CAPBSET_DROP, capability)
        except OSError:  # not a capability of this kernel, or none is left to drop
            continue


def _limit(rlimits: dict[str, int]) -> None:
    for name, value in rlimits.items():
        resource.setrlimit(getattr(resource, "RLIMIT_" + name), (value, value))


def _filter_system_calls() -> None:
    program = seccomp_program(platform.machine())
    code = ctypes.create_string_buffer(program, len(program))
    header = _Program(len(program) // 8, ctypes.addressof(code))
    _prctl(PR_SET_NO_NEW_PRIVS, 1)
    _prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.addressof(header))


def main() -> None:
    """Confine this process, then run the command in its place."""
    settings = json.loads(sys.argv[1])
    os.nice(settings["niceness"])
    if os.getuid() == 0:
        _become(settings["user"])
    _drop_capability_bounds()
    _limit(settings["rlimits"])
    _filter_system_calls()
    os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606


if __name__ == "__main__":
    main()
