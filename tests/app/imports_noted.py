"""`chatd` that tells on standard error when the MCP SDK is imported, and if it listened by then;
and when sqlglot is.

Run with the arguments of chatd.
"""

import os
import sys
from typing import Any

import trio

from chatd.cli import main
from chatd.engine.listener import Listener

serve = Listener.serve


class Noting:
    """Hears that the door is open, and what is imported; it imports nothing itself."""

    def __init__(self) -> None:
        self._is_open = False
        self._is_told = False
        self._door: Any = None

    async def serve(
        self, door: Listener, listeners: Any, task_status: Any = trio.TASK_STATUS_IGNORED
    ) -> None:
        self._door = task_status
        await serve(door, listeners, self)

    def started(self) -> None:
        self._is_open = True
        self._door.started()

    def find_spec(self, name: str, *_: object) -> None:
        if name == "sqlglot":
            os.write(2, b'{"event":"sqlglot.imported"}\n')
        if name in ("mcp", "mcp_types") and not self._is_told:
            self._is_told = True
            said = "true" if self._is_open else "false"
            os.write(2, b'{"event":"mcp.imported","listening":%s}\n' % said.encode())


if __name__ == "__main__":
    noting = Noting()
    sys.meta_path.insert(0, noting)  # type: ignore[arg-type]
    Listener.serve = (  # type: ignore[method-assign]
        lambda door, listeners, task_status: noting.serve(door, listeners, task_status)
    )
    main()
