"""The child's own side of a child process of the daemon: whose it is, and its streams.

The daemon's side is `own_process`. The process ends with the daemon, however that ends: on Linux
the kernel ends it, elsewhere it ends when its input does. Its streams are the daemon's alone: it
opens no standard stream of its own, and writes nothing anywhere but frames, since a report of what
went wrong with a text would quote the text.
"""

import contextlib
import ctypes
import os
import signal
import sys
from typing import Final

NICENESS: Final = 5
"""How far the daemon goes before it when both want the processor."""
READ_BYTES: Final = 65_536
"""Bytes read at once from the daemon."""
_PR_SET_PDEATHSIG: Final = 1


def belong_to(parent_id: int) -> None:
    """Have the kernel end this process with its parent, or end now if the parent has ended. A
    signal that goes to all processes of a service is left to the parent, which drains."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_id:
        sys.exit()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: None)  # what is ignored is inherited, a handler is not


def taken_streams() -> tuple[int, int]:
    """The descriptors of what comes from the daemon, and of what goes to it. From now on standard
    input, output and error lead nowhere, for what this process starts as well."""
    inward, outward = os.dup(0), os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(nowhere, number)
    os.close(nowhere)
    return inward, outward
