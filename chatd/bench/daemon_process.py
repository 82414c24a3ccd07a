"""The daemon of a run, in its process: `python -m chatd.bench.daemon_process DIRECTORY ARGS`.

It is `chatd ARGS`, and ends with the run that started it, however that ends: its standard input is
a pipe that the run holds and never writes to, and the kernel closes it with the run. Then nobody
else removes DIRECTORY, and a drain would serve nobody. It must not know what is measured.

The kernel's signal at the death of a parent (PR_SET_PDEATHSIG) would not do: it comes at the death
of the thread that forked, and Trio forks in one that ends as soon as it has nothing to do.
"""

import os
import runpy
import shutil
import signal
import sys
import threading
from pathlib import Path
from typing import Final

TRIES: Final = 5
"""How often it tries to remove the directory: the daemon may make a file meanwhile."""


def main() -> None:
    """Be the daemon."""
    directory = Path(sys.argv.pop(1))
    threading.Thread(target=_watch, args=(directory,), daemon=True).start()
    runpy.run_module("chatd", run_name="__main__", alter_sys=True)


def _watch(directory: Path) -> None:
    """Wait for the end of standard input; then remove the directory, and end this process."""
    while os.read(sys.stdin.fileno(), 1):
        pass
    for _ in range(TRIES):
        shutil.rmtree(directory, ignore_errors=True)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
