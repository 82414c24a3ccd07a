"""`chatd` that tells on standard error when sqlglot or the MCP SDK is imported.

Run with the arguments of chatd.
"""

import os
import sys

from chatd.cli import main


class Noting:
    """Hears what is imported; it imports nothing itself."""

    def find_spec(self, name: str, *_: object) -> None:
        if name in ("sqlglot", "mcp", "mcp_types"):
            os.write(2, b'{"event":"imported","name":"%s"}\n' % name.encode())


if __name__ == "__main__":
    sys.meta_path.insert(0, Noting())  # type: ignore[arg-type]
    main()
