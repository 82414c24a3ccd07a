"""The tasks of the daemon as text, for SIGUSR1: how they are nested, and where each one waits.

A line is a task: its name, which is a function's or a supervised child's, and the innermost place
in chatd where it waits. A line holds only names from the code, never a value: no content, no
secret. Siblings that are alike, with everything below them, share one line with their number.

    chatd.app.daemon.serve: chatd.app.daemon._stopped, line 118
      log: chatd.actors.supervisor._Run.supervise, line 176
      700 x chatd.engine.listener.Listener._connection: chatd.net.poller.Watch.readable, line 61
"""

from collections import Counter
from collections.abc import Sequence
from types import FrameType
from typing import Final

import trio

from chatd.counts import counted

SIBLINGS_MAX: Final = 5_000
"""Tasks of one nursery that are looked at, for 0.1 s at most; more are only counted."""
LINES_MAX: Final = 400
"""Lines of the whole; journald splits a line of the log beyond 48 KiB."""
OWN: Final = "chatd."
INDENT: Final = "  "


def task_tree(root: trio.lowlevel.Task) -> str:
    """The tasks from `root` down, a line for each, or for several that are alike."""
    lines = _subtree(root)
    if len(lines) > LINES_MAX:
        lines = (*lines[:LINES_MAX], f"and {counted(len(lines) - LINES_MAX, 'more line')}")
    return "\n".join(lines)


def _subtree(task: trio.lowlevel.Task) -> tuple[str, ...]:
    lines = [f"{task.name}: {_place(task)}"]
    for nursery in task.child_nurseries:
        children = list(nursery.child_tasks)
        alike = Counter(map(_subtree, children[:SIBLINGS_MAX]))
        for (first, *rest), count in sorted(alike.items()):
            lines.append(INDENT + (first if count == 1 else f"{count} x {first}"))
            lines += [INDENT + line for line in rest]
        if len(children) > SIBLINGS_MAX:
            lines.append(f"{INDENT}and {counted(len(children) - SIBLINGS_MAX, 'more task')}")
    return tuple(lines)


def _place(task: trio.lowlevel.Task) -> str:
    """Where a task waits: the innermost place in chatd, if there is one, with the line."""
    frames = list(task.iter_await_frames())
    own = [frame for frame in frames if _module(frame[0]).startswith(OWN)]
    return _written(own or frames)


def _written(frames: Sequence[tuple[FrameType, int]]) -> str:
    if not frames:
        return "has not begun, or has ended"
    frame, line = frames[-1]
    return f"{_module(frame)}.{frame.f_code.co_qualname}, line {line}"


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))
