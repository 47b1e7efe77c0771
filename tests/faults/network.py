"""A process without a network, and one whose connections are noted. Imported by every process that is watched."""

import ctypes
import fcntl
import os
import socket
import struct
import sys
from pathlib import Path

_NEW_USER, _NEW_NETWORK = 0x10000000, 0x40000000  # linux/sched.h
_SET_FLAGS, _UP = 0x8914, 1  # linux/sockios.h, linux/if.h


def take_away():
    """Puts this process and its children where there is no network but the loopback.

    Raises:
        OSError: the system does not let a user do that.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_NEW_NETWORK | (_NEW_USER if os.geteuid() else 0)):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, _SET_FLAGS, struct.pack("16sh14x", b"lo", _UP))


def can_be_taken_away():
    """Whether `take_away` works here, tried in a child."""
    child = os.fork()
    if not child:
        try:
            take_away()
        except (OSError, AttributeError):
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1] == 0


def watch(log):
    """Every connection that is tried beyond this machine, and every name that is looked up, is written to a file."""

    def note(event, values):
        if event not in ("socket.connect", "socket.getaddrinfo"):
            return
        host = values[1] if event == "socket.connect" else values[0]
        if isinstance(host, tuple):
            host = host[0]
        if not _is_local(host):
            with Path(log).open("a") as stream:
                stream.write(f"{event} {host} by {' '.join(sys.argv)}\n")

    sys.addaudithook(note)


def _is_local(host):
    """Whether an address is of this machine: a socket file, the loopback, or its own name."""
    own = ("", "localhost", "::1", socket.gethostname())
    return not isinstance(host, str) or host.startswith(("/", "127.", "\0")) or host in own
