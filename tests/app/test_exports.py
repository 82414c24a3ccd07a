"""A download from a real daemon that holds more than its message, by way of the real db-mcp."""

import csv
import io
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
import trio

from tests.app.client import Client, token_for
from tests.app.daemon import House
from tests.app.questions import ANSWER_S, ask

pytestmark = pytest.mark.answers

ROWS, EXPORTED = 25_000, 20_000
TEXT = "x" * 1_000
MEMORY_KIB = 16_384
"""What a download may cost the daemon; its file has 20 MB."""


def make_table(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE big (n INTEGER PRIMARY KEY, t TEXT)")
        rows = ((number, TEXT) for number in range(ROWS))
        database.executemany("INSERT INTO big VALUES (?, ?)", rows)


def download(port: int, file: str, token: str) -> tuple[dict[str, str], bytes]:
    request = Request(f"http://127.0.0.1:{port}/api/answers/{file}")
    request.add_header("Authorization", f"Bearer {token}")
    with urlopen(request, timeout=ANSWER_S) as response:
        return {name.lower(): value for name, value in response.headers.items()}, response.read()


def peak_kib(pid: int) -> int:
    """The most memory that a process has had."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1])


async def test_a_download_holds_more_than_its_message_and_little_memory(
    house: House, nursery: trio.Nursery, tmp_path: Path
) -> None:
    make_table(tmp_path / "big.db")
    house.config(
        f"[answers]\nexport_rows = {EXPORTED}\n"
        f"[databases.demo]\nsqlite = {str(tmp_path / 'big.db')!r}\n"
    )
    daemon = await house.start()
    alice = await Client.connect(nursery, daemon.port, token_for(house.secret, "alice"))
    await alice.hear("chat:history")
    final = await alice.hear(
        "chat:message", ANSWER_S, replyTo=await ask(alice, "SELECT n, t FROM big ORDER BY n")
    )
    assert final["answer"]["cut"] == {"rows": "max_bytes"}
    assert "as many bytes as fit; there are more in the database." in final["content"]
    token = token_for(house.secret, "alice")
    before_kib = peak_kib(daemon.process.pid)
    headers, body = await trio.to_thread.run_sync(
        download, daemon.port, f"{final['messageId']}.csv", token
    )
    assert peak_kib(daemon.process.pid) - before_kib < MEMORY_KIB
    assert headers["x-chatd-truncated"] == "rows=max_rows"
    assert "-truncated.csv" in headers["content-disposition"]
    rows = list(csv.reader(io.StringIO(body.decode(), newline="")))
    assert rows == [["n", "t"], *([str(number), TEXT] for number in range(EXPORTED))]
    ended = await daemon.event("export.ended")
    assert (ended["outcome"], ended["rows"], ended["size"]) == ("sent", EXPORTED, len(body))
    assert "big" not in daemon.err.text
