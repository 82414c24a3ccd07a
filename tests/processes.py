"""What the kernel tells of another process while it runs."""

import contextlib
import os
from pathlib import Path


def open_files(process_id: int) -> list[str]:
    """What the descriptors of a process stand for, as /proc names it.

    The process may close one of them between the listing and the look at it: it is left out.
    """
    found = []
    for link in Path(f"/proc/{process_id}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found.append(os.readlink(link))
    return found


def variables_of(process_id: int) -> set[str]:
    """The names of the variables that a process was given."""
    entries = Path(f"/proc/{process_id}/environ").read_text().split("\0")
    return {entry.partition("=")[0] for entry in entries if entry}


def niceness_of(process_id: int) -> int:
    """By how much others go before a process where all want the processor."""
    fields = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
    return int(fields[16])
