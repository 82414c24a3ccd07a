"""Where the self-contained executable begins.

It is chatd, and it is the Python of chatd's own children: these are started by `sys.executable`
with the arguments of Python, which here is the executable itself. Of Python's command line it knows
what chatd uses, and nothing else:

    -P -m MODULE ARGUMENTS      a module of chatd
    -I -S FILE ARGUMENTS        a program of chatd that stands alone

The one file unpacks itself into a directory when it starts, and its children begin there, with the
starter: they unpack nothing again, and are children of the daemon and of nothing between.
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
