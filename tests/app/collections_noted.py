"""`chatd` that tells on standard error of each run of the garbage collector.

Run with the arguments of chatd.
"""

import gc
import os
from collections.abc import Mapping

from chatd.cli import main


def note(phase: str, run: Mapping[str, int]) -> None:
    if phase == "start":
        os.write(2, b'{"event":"collected","generation":%d}\n' % run["generation"])


if __name__ == "__main__":
    gc.collect()
    gc.callbacks.append(note)
    main()
