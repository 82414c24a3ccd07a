"""Where the self-contained executable begins.

It is chatd, and also the Python of chatd's own children: chatd starts these as `sys.executable`,
which here is the executable itself, with the arguments of Python. It knows only the part of
Python's command line that chatd uses:

    -P -m MODULE ARGUMENTS      a module of chatd
    -I -S FILE ARGUMENTS        a program of chatd that stands alone

The one file unpacks itself into a directory when it starts, and its children begin there, with the
starter: they unpack nothing again, and are direct children of the daemon.
"""

import runpy
import sys
from pathlib import Path

from chatd.cli import main

UNPACKED: str = vars(sys)["_MEIPASS"]
"""The directory that holds the executable's files. PyInstaller sets it."""


def run(arguments: list[str]) -> None:
    """Be Python for a child, or else chatd."""
    match arguments:
        case ["-P", "-m", module, *rest] if module.partition(".")[0] == "chatd":
            sys.argv = [module, *rest]
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        case ["-I", "-S", file, *rest] if file.startswith(UNPACKED):
            sys.argv = [file, *rest]
            runpy.run_path(file, run_name="__main__")
        case _:
            main()


STARTER = Path(UNPACKED, "starter")
if STARTER.exists():
    sys.executable = str(STARTER)
run(sys.argv[1:])
