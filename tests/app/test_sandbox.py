"""What the daemon does works under what its unit forbids: messages, answers, downloads, a stop."""

import io
import sys
from importlib import resources
from pathlib import Path

import openpyxl
import pytest
import trio

from tests.app.client import Client, token_for
from tests.app.daemon import CHATD, House, fetch_inside
from tests.app.questions import ANSWER_S, answer, ask
from tests.app.test_exports import download

SANDBOXED = str(Path(__file__).with_name("sandboxed.py"))
UNIT = str(resources.files("chatd").joinpath("systemd", "chatd.service"))
IN_SANDBOX = (sys.executable, SANDBOXED, UNIT)
FORBIDDEN = """
import ctypes, mmap, os, socket, sys

def refused(attempt):
    try:
        attempt()
    except PermissionError:
        return
    sys.exit(f"{attempt} was let through")

written = mmap.PROT_READ | mmap.PROT_WRITE
refused(lambda: mmap.mmap(-1, 4096, prot=written | mmap.PROT_EXEC))
refused(lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW))
refused(lambda: os.chroot("/"))
refused(lambda: os.setpriority(os.PRIO_PROCESS, 0, 1))
"""


async def test_the_sandbox_of_these_tests_is_one(house: House) -> None:
    done = await house.run(
        program=(sys.executable, SANDBOXED, UNIT, sys.executable, "-c", FORBIDDEN)
    )
    assert (done.code, done.err) == (0, "")


@pytest.mark.answers
async def test_everything_works_in_it(house: House, nursery: trio.Nursery) -> None:
    temporary = house.path / "tmp"
    temporary.mkdir()
    house.config("[answers]\nexport_rows = 5000\n")
    daemon = await house.start(
        program=(*IN_SANDBOX, *CHATD, "serve"), env={"TMPDIR": str(temporary)}
    )
    alice = await Client.connect(nursery, daemon.port, token_for(house.secret, "alice"))
    await alice.hear("chat:history")
    assert (await alice.say("kept", "demo"))["ok"]
    tables = await answer(alice, "/tables")
    assert tables["state"] == "done", daemon.err.text
    question = await ask(alice, "SELECT * FROM sqlite_master AS one, sqlite_master AS other")
    final = await alice.hear("chat:message", ANSWER_S, replyTo=question)
    assert final["answer"]["state"] == "done"
    token = token_for(house.secret, "alice")
    _, body = await trio.to_thread.run_sync(
        download, daemon.port, f"{final['messageId']}.xlsx", token
    )
    metrics = await fetch_inside(house.state_dir / "internal.sock", "/metrics")
    assert metrics[0] == 200
    sheet = openpyxl.load_workbook(io.BytesIO(body)).active
    assert sheet.max_row > 1
    await daemon.stop()
    assert not daemon.events("internal.error")
    assert not daemon.events("store.failed")
    assert (await house.run("store", "verify")).code == 0
