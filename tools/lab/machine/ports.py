"""Port numbers on loopback that nobody else takes before they are bound.

A number is chosen long before its server or daemon is up, and is bound again after each kill -9. So
it stands below the range from which the kernel draws for everybody, is probed for TCP and UDP, and is
held by a lock against other labs on the machine for as long as this program runs.
"""

import fcntl
import os
import random
import socket
import tempfile
from pathlib import Path

FIRST, LAST = 15_000, 32_000
ATTEMPTS_MAX = 1_000
FOLDER = Path(tempfile.gettempdir()) / "binlane-lab-ports"

_held = []  # open lock files


def _lock(number):
    """An open file that is locked, or None when another program has it."""
    FOLDER.mkdir(mode=0o777, exist_ok=True)
    descriptor = os.open(FOLDER / str(number), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _bindable(number):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            if kind == socket.SOCK_STREAM:
                # A port on which connections of an ended server linger can be listened on again.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", number))
            except OSError:
                return False
    return True


def free_port():
    for _ in range(ATTEMPTS_MAX):
        number = random.randrange(FIRST, LAST)
        descriptor = _lock(number)
        if descriptor is None:
            continue
        if _bindable(number):
            _held.append(descriptor)
            return number
        os.close(descriptor)
    raise RuntimeError(f"no free port between {FIRST} and {LAST}")
