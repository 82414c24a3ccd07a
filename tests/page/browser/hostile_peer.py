"""A db-mcp whose columns, cells, notes and errors are all hostile: `python hostile_peer.py`.

A statement that names a fault gets a hostile error; any other gets a table.
"""

import json
import sys
from typing import Any

from tests.page.browser.hostile import SHAPES, SHORT

COLUMNS = [{"name": text, "type": text[:90]} for text in SHORT.values()]
LISTED = [{"name": name, "type": None} for name in ("name", "kind", "column_name", "column_type")]


def send(**message: Any) -> None:
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def rows() -> list[list[Any]]:
    """Each shape in each column."""
    return [[text] * len(COLUMNS) for text in SHAPES.values() if len(text) < 1_000]


def called(name: str, sql: str) -> dict[str, Any]:
    """The result of a call of a tool."""
    if name == "list_columns":
        listed = [[text, "table", text, text] for text in SHORT.values()]
        return {"structuredContent": {"columns": LISTED, "rows": listed}, "content": []}
    if "fault" in sql:
        said = "no such column: <img src=x onerror=alert(1)>; did you mean " + ", ".join(
            json.dumps(text) for text in SHORT.values()
        )
        return {"isError": True, "content": [{"type": "text", "text": said}]}
    return {"structuredContent": {"columns": COLUMNS, "rows": rows()}, "content": []}


def main() -> None:
    for line in sys.stdin:
        message = json.loads(line)
        match message.get("method"):
            case "initialize":
                result = {
                    "protocolVersion": message["params"]["protocolVersion"],
                    "capabilities": {"tools": {}},
                    "serverInfo": {"name": SHAPES["an image"], "version": SHAPES["a script"]},
                }
                send(id=message["id"], result=result)
            case "tools/list":
                names = ("list_tables", "list_columns", "describe_table", "sample_table")
                tools = [
                    {"name": name, "inputSchema": {"type": "object"}}
                    for name in (*names, "query", "explain")
                ]
                send(id=message["id"], result={"tools": tools})
            case "tools/call":
                params = message["params"]
                result = called(params["name"], params["arguments"].get("sql", ""))
                send(id=message["id"], result=result)


if __name__ == "__main__":
    main()
