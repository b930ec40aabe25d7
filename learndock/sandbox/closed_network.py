"""A network of one process alone, whose only way out is a listener that another process serves.

Runs in the process that shuts itself in (see `learndock.sandbox.file_fence`); needs nothing but the standard library.
The listener is made inside, and handed to the other process through a socket: sockets stay in the network in which
they were made, so that whoever holds it answers from outside. There is no route, no name server, no other address.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct

CLOSED, OPEN = b"closed", b"open"
"""What is told with the listener, or without one."""

LOOPBACK = "127.0.0.1"
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
_SIOCSIFFLAGS, _UP_AND_RUNNING = 0x8914, 0x1 | 0x40
_PR_CAPBSET_DROP = 24
_FILE_CAPABILITIES, _LAST_CAPABILITY = frozenset({0, 1, 2, 3}), 63
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")

_libc = ctypes.CDLL(None, use_errno=True)


def enter(gate: int) -> dict[str, str]:
    """Shut this process in, hand the listener out through `gate`, and return the variables that lead to it.

    Where the kernel gives no network of its own, the process stays in the one that it has, and tells so.
    """
    with socket.socket(fileno=gate) as outside:
        if not _alone():
            outside.sendall(OPEN)
            return {}
        _raise_loopback()
        with socket.create_server((LOOPBACK, 0), backlog=128) as listener:
            socket.send_fds(outside, [CLOSED], [listener.fileno()])
            address = f"http://{LOOPBACK}:{listener.getsockname()[1]}"
    return {**dict.fromkeys(_PROXIES, address), "NO_PROXY": "", "no_proxy": ""}


def _alone() -> bool:
    if _libc.unshare(CLONE_NEWNET) == 0:
        _keep_rights_over_files_only()
        return True
    user, group = os.geteuid(), os.getegid()
    if _libc.unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0:
        return False
    for path, line in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        with open(f"/proc/self/{path}", "w") as file:
            file.write(line)
    return True


def _keep_rights_over_files_only() -> None:
    """Root that made the network could go back to the old one; after this, and the next program, it cannot."""
    for capability in range(_LAST_CAPABILITY + 1):
        if capability not in _FILE_CAPABILITIES:
            _libc.prctl(_PR_CAPBSET_DROP, ctypes.c_ulong(capability), 0, 0, 0)


def _raise_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", _UP_AND_RUNNING))
