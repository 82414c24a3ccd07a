"""A db-mcp that can misbehave: JSON-RPC lines on standard streams, and no library.

    python fake_peer.py START [FILE]

START says how it begins: `well`, one of the faults of `main`, or `columns=NAME`: then it has the
tool `list_columns`, which does what the function of that name does. What it does with another call
stands in the statement that it is asked to run: the name of a function of `Calls`, alone or between
the first quotes. FILE gets a line for each process that starts, and for each cancel that is heard.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final, NoReturn
from urllib.parse import quote, unquote

TOOLS: Final = ("list_tables", "describe_table", "sample_table", "query", "explain")
COLUMNS: Final = [{"name": "n", "type": "INTEGER"}]
MEBIBYTE: Final = "x" * 1_048_576


def write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def send(**message: Any) -> None:
    write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")


def note(line: str) -> None:
    if len(sys.argv) > 2:
        with Path(sys.argv[2]).open("a") as file:
            file.write(f"{line}\n")


class Calls:
    """What a call does, by its statement; `id` is that of the request, and its progress token."""

    def __init__(self) -> None:
        self.id: Any = None
        self.has_hung = False

    def chunk(self, index: int, *rows: Any, **more: Any) -> None:
        head = {"columns": COLUMNS} if index == 0 else {}
        self.progress(json.dumps({"index": index, **head, "rows": rows, **more}))

    def progress(self, message: str | None) -> None:
        params = {"progressToken": self.id, "progress": 1, "message": message}
        send(method="notifications/progress", params=params)

    def result(self, text: str = "", structured: Any = None, *, is_error: bool = False) -> None:
        content = [{"type": "text", "text": text}]
        result: dict[str, Any] = {"content": content, "isError": is_error}
        if structured is not None:
            result["structuredContent"] = structured
        send(id=self.id, result=result)

    def done(self, chunks: int, *, truncated: bool = False) -> None:
        self.result("ok", {"rowCount": chunks, "truncated": truncated, "chunks": chunks})

    def rows(self) -> None:
        self.chunk(0, [1])
        self.chunk(1, [2], [3])
        self.done(2)

    def out_of_order(self) -> None:
        self.chunk(2, [3])
        self.chunk(0, [1])
        self.chunk(0, [1])
        self.chunk(1, [2])
        self.chunk(2, [3])
        self.done(3)

    def a_chunk_is_missing(self) -> None:
        self.chunk(0, [1])
        self.chunk(2, [3])
        self.done(3)

    def a_chunk_is_garbage(self) -> None:
        self.chunk(0, [1])
        self.progress('{"index": 1, "rows": 5')

    def a_chunk_is_wide(self) -> None:
        self.chunk(0, [1, 2])

    def progress_without_a_message(self) -> None:
        self.progress(None)
        self.rows()

    def endless_progress(self) -> None:
        self.chunk(0, [1])
        while True:
            self.chunk(0, [1])

    def endless_rows(self) -> None:
        for index in range(100_000):
            self.chunk(index, [index])

    def endless_logs(self) -> None:
        while True:
            send(method="notifications/message", params={"level": "info", "data": MEBIBYTE[:9000]})

    def endless_requests(self) -> None:
        for number in range(100_000):
            send(id=f"mine {number}", method="ping")

    def columns_again(self) -> None:
        self.chunk(0, [1])
        self.chunk(1, [2], columns=COLUMNS)
        self.done(2)

    def error(self) -> None:
        self.result('near "x": syntax error', is_error=True)

    def coded_error(self) -> None:
        self.result("no", {"code": "db_read_only", "message": "No."}, is_error=True)

    def lost_database(self) -> None:
        self.result("no", {"code": "db_unavailable", "message": "Gone."}, is_error=True)

    def protocol_error(self) -> None:
        send(id=self.id, error={"code": -32602, "message": "Bad arguments"})

    def wrong_schema(self) -> None:
        send(id=self.id, result={"content": "text"})

    def wrong_document(self) -> None:
        self.result("", 5)

    def garbage(self) -> None:
        write("garbage\n")

    def garbage_and_no_end(self) -> None:
        signal.signal(signal.SIGTERM, lambda *_: note("terminated"))
        write("garbage\n")
        while True:
            time.sleep(60)

    def half_json(self) -> None:
        write('{"jsonrpc": "2.0", "id"')
        self.die()

    def deep_json(self) -> None:
        write(f'{{"jsonrpc": "2.0", "id": {self.id}, "result": {"[" * 100_000}}}\n')

    def huge(self) -> None:
        self.result(MEBIBYTE)

    def gigabyte(self) -> None:
        """One message; it is made while it is read."""
        write(f'{{"jsonrpc": "2.0", "id": {self.id}, "result": {{"isError": false, "content": "')
        for _ in range(1024):
            write(MEBIBYTE)
        write('"}}\n')

    def gigabyte_of_rows(self) -> None:
        for index in range(1200):
            self.chunk(index, *[["x" * 10_000]] * 90)
        self.done(1200)

    def endless_line(self) -> None:
        while True:
            write(MEBIBYTE)

    def large_chunks(self) -> None:
        for index in range(5):
            self.chunk(index, ["x" * 40_000])
        self.done(5)

    def large(self) -> None:
        self.result("", {"columns": ["a"], "rows": [["x" * 1000]] * 900})

    def die(self) -> NoReturn:
        os._exit(3)

    def die_in_the_middle(self) -> None:
        self.chunk(0, [1])
        self.die()

    def hang(self) -> None:
        """Hear no cancel, and no end of the input either."""
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        self.chunk(0, [1])
        while True:
            time.sleep(60)

    def wait(self) -> None:
        """Answer only a cancel, and confirm that."""
        self.chunk(0, [1])
        self.has_hung = True

    def wait_after_a_large_chunk(self) -> None:
        self.chunk(0, [1])
        self.chunk(1, ["x" * 40_000])
        self.has_hung = True

    def wait_after_much(self) -> None:
        for index in range(6):
            self.chunk(index, ["x" * 60_000])
        self.has_hung = True

    def leave_slowly(self) -> None:
        """Answer, say no more, and be gone only when killed."""
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        self.rows()
        os.close(1)
        sys.stdin.read()
        note("at the end of its input")
        while True:
            time.sleep(60)

    def environment(self) -> None:
        self.chunk(0, *[[f"{name}={text}"] for name, text in sorted(os.environ.items())])
        self.done(1)

    def complain(self) -> None:
        sys.stderr.write("secret words\n" * 100_000)
        self.rows()

    def leave_a_child(self) -> None:
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        note(f"child {child.pid}")
        self.rows()

    def listed(self, *rows: Any) -> None:
        names = ("name", "schema", "kind", "column_name", "column_type")
        columns = [{"name": name, "type": None} for name in names]
        self.result("", {"columns": columns, "rows": rows})

    def two_tables(self) -> None:
        one = ("shop", "BASE TABLE")
        self.listed(["a", *one, "x", "int"], ["a", *one, "y", None], ["b", None, "view", "x", "t"])

    def many_tables(self) -> None:
        self.listed(*([f"t{number}", None, "table", "x", "int"] for number in range(2_000)))

    def endless_tables(self) -> None:
        names = ("name", "kind", "column_name", "column_type")
        columns = [{"name": name, "type": None} for name in names]
        for index in range(10_000):
            rows = [[f"t{index}", "table", f"c{number}", "int"] for number in range(90)]
            self.chunk(index, *rows, columns=columns)

    def strange_names(self) -> None:
        names = ("a\nb", "\u0000", "\u001b[31m", "x" * 256, "", 7, None, "<b>")
        self.listed(
            *([name, None, "table", "x", "int"] for name in names),
            *(["t", None, "a\nkind" * 50, name, "in\nt" * 50] for name in names),
        )

    def who(self) -> None:
        self.chunk(0, [os.getpid()])
        self.done(1)


def main(start: str) -> None:
    note(f"process {os.getpid()}")
    match start:
        case "dead":
            sys.exit(1)
        case "silent":
            sys.stderr.write("silent from now on\n")
            sys.stdin.read()
        case "complaining":  # of its address, in many words, and without an end of line
            address = os.environ["DB_URL"]
            password = unquote(address.partition("//reader:")[2].partition("@")[0])
            sys.stderr.write("first words\n" + MEBIBYTE)
            sys.stderr.buffer.write(b"\xff\xfe\n")
            sys.stderr.write(f"connect({address!r})\nquoted {quote(address, safe='')}\n")
            sys.stderr.write(f"no such role, password {password}, {json.dumps(password)}")
            sys.stderr.flush()
            os._exit(1)
        case "gated":  # until somebody has opened the named pipe for writing, and closed it
            Path(f"{sys.argv[2]}.gate").read_bytes()
        case "gated and dead":
            Path(f"{sys.argv[2]}.gate").read_bytes()
            sys.exit(1)
        case "greeting":
            write("Welcome!\nRunning on stdio\n")
        case "chatter":
            while True:
                write("Welcome!\n")
    calls = Calls()
    for line in sys.stdin:
        message = json.loads(line)
        match message.get("method"):
            case "initialize":
                info = {"name": "fake", "version": "1"}
                version = message["params"]["protocolVersion"]
                capabilities = {"tools": {}}
                result = {"protocolVersion": version, "capabilities": capabilities}
                send(id=message["id"], result={**result, "serverInfo": info})
            case "tools/list":
                names = TOOLS[:2] if start == "toolless" else TOOLS
                names = (*names, "list_columns") if start.startswith("columns=") else names
                tools = [{"name": name, "inputSchema": {"type": "object"}} for name in names]
                send(id=message["id"], result={"tools": tools})
                if start == "fleeting":
                    time.sleep(0.2)
                    sys.exit(1)
            case "tools/call":
                calls.id = message["id"]
                sql = message["params"]["arguments"].get("sql", "rows")
                if message["params"]["name"] == "list_columns":
                    sql = start.removeprefix("columns=")
                getattr(calls, sql.split("'")[1] if "'" in sql else sql)()
            case "notifications/cancelled":
                note("cancelled")
                if calls.has_hung:
                    calls.has_hung = False
                    calls.progress('{"stopped":true}')


if __name__ == "__main__":
    main(sys.argv[1])
