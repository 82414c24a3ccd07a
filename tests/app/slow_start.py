"""`chatd` whose start takes for ever in one place, which the first argument names.

    importing   the command line is imported for ever
    reading     the log is opened for ever, in Python
    in-c        the log is opened for ever, outside of Python: no handler of it runs
    opened      all is opened, and the daemon itself is imported for ever
    building    the parts are put together for ever

It says `slow` on standard error once it is there. The rest are the arguments of chatd.
"""

import ctypes
import os
import sys
import time
from typing import Any

FOR_EVER_S = 600


def dawdle(*_: Any, **__: Any) -> Any:
    os.write(2, b"slow\n")
    time.sleep(FOR_EVER_S)


def dawdle_in_c(*_: Any, **__: Any) -> Any:
    os.write(2, b"slow\n")
    left_s = ctypes.CDLL(None).sleep(FOR_EVER_S)
    while left_s:  # a signal cuts it short, which it would not do to work
        left_s = ctypes.CDLL(None).sleep(left_s)


class SlowImport:
    """Finds no module, and takes its time for the one that is named."""

    def __init__(self, slow: str) -> None:
        self._slow = slow

    def find_spec(self, name: str, *_: object) -> None:
        if name == self._slow:
            dawdle()


if __name__ == "__main__":
    place = sys.argv.pop(1)
    if place == "importing":
        sys.meta_path.insert(0, SlowImport("chatd.cli.commands"))  # type: ignore[arg-type]
    elif place == "opened":
        sys.meta_path.insert(0, SlowImport("chatd.app.daemon"))  # type: ignore[arg-type]
    else:
        from chatd.app import daemon, logs

        match place:
            case "reading":
                logs.open_store = dawdle
            case "in-c":
                logs.open_store = dawdle_in_c
            case "building":
                daemon.Parts = dawdle  # type: ignore[misc,assignment]
    from chatd.cli import main

    main()
