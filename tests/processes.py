"""What the kernel tells of other processes while they run."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def where_it_is_there() -> Iterator[None]:
    """A process or a thread may end between the listing and the look at it: it is left out."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        yield


def _status_of(process_id: int) -> list[str]:
    """The fields of its status, behind the name of its program (proc(5), "/proc/pid/stat")."""
    text = Path(f"/proc/{process_id}/stat").read_text("utf-8", "replace")
    return text.rpartition(")")[2].split()


def processor_s(process_id: int) -> float:
    """Seconds of the processor that a process has used."""
    user, system = _status_of(process_id)[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def is_alive(process_id: int) -> bool:
    """Whether a process is there, and no zombie that somebody else has yet to collect."""
    with where_it_is_there():
        return _status_of(process_id)[0] != "Z"
    return False


def children_of(process_id: int) -> list[int]:
    """The processes that a process has started, whichever of its threads has; none where it has
    ended."""
    found: list[int] = []
    for other in map(int, filter(str.isdigit, os.listdir("/proc"))):
        with where_it_is_there():
            if int(_status_of(other)[1]) == process_id:
                found.append(other)
    return found


def commands_of(*process_ids: int) -> dict[int, list[str]]:
    """The words of the command of each of these processes that is there."""
    found: dict[int, list[str]] = {}
    for process_id in process_ids:
        with where_it_is_there():
            words = Path(f"/proc/{process_id}/cmdline").read_text("utf-8", "replace").split("\0")
            found[process_id] = words
    return found


def open_files(process_id: int) -> list[str]:
    """What the descriptors of a process stand for, as /proc names it; one that it closes meanwhile
    is left out."""
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
    return int(_status_of(process_id)[16])
