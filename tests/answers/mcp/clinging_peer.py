"""A db-mcp that does not want to end: it heeds no signal and no end of its input, and has left a
process behind which is in a session of its own and has no parent.

    python clinging_peer.py FILE

FILE gets the numbers of both processes.
"""

import os
import signal
import sys
from pathlib import Path

from fake_peer import main


def _detach() -> None:
    """Leave a process behind as daemons do."""
    told, tell = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            for number in range(3):
                os.close(number)
            os.write(tell, f"{os.getpid()}\n".encode())
            while True:
                signal.pause()
        os._exit(0)
    os.wait()
    with Path(sys.argv[1]).open("a") as file:
        file.write(f"{os.getpid()}\n{os.read(told, 16).decode()}")


for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
    signal.signal(number, signal.SIG_IGN)
_detach()
main("well")
while True:
    signal.pause()
