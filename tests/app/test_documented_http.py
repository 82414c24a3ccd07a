"""The requests of docs/http, as a reader copies them: each does what the document says."""

import re
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.app.daemon import NO_LIMITS, Finished, House
from tests.app.test_documented_clients import running

pytestmark = pytest.mark.answers

DOCUMENT = Path(__file__).parents[2] / "chatd" / "docs" / "http.md"
BLOCKS = re.findall(r"^```sh\n(.*?)^```", DOCUMENT.read_text("utf-8"), re.DOTALL | re.MULTILINE)


def block_with(words: str) -> str:
    (found,) = [block for block in BLOCKS if words in block]
    return str(found)


async def test_the_requests_of_the_document_are_answered(house: House) -> None:
    async def run(script: str) -> Finished:
        return await house.run("-euc", script, program=["bash"])

    made = await run(block_with("chatd api token"))
    assert made.code == 0, made.err
    token, table = re.findall(r"^token: (.*)$", made.out, re.MULTILINE)[0], made.out
    house.config(table[table.index("[api.tokens") :])
    daemon = await house.start(env={**NO_LIMITS, "CHATD_LOG__FORMAT": "json"})
    first = block_with("URL=").replace("8765", str(daemon.port))

    async def answer(words: str, of: str = "curl") -> Any:
        done = await run(f"{first}\n{block_with(words)}")
        assert done.code == 0, done.err
        return orjson.loads(done.out) if of == "curl" else done.out

    sent = await answer("Deployed version 7.")
    assert (sent["ok"], sent["question"], sent["seq"]) == (True, False, 1)
    assert (await answer("Deployed version 7."))["duplicate"] is True
    assert (await answer("SELECT count"))["question"] is True
    page = await answer("messages?limit=20")
    assert page["messages"][0]["content"] == "Deployed version 7."
    found = await answer("/search")
    assert found["hits"][0]["highlights"] == [[9, 18]]

    listening = block_with("/events").replace("curl", "exec curl")
    listening = listening.replace("5f0c0d1e2a3b4c5d:17", f"{page['epoch']}:0")
    script = f"{first.splitlines()[0]}\nTOKEN={token}\n{listening}"
    async with running(house.path, "bash", "-euc", script) as heard:
        event = rf"\n\nid: {page['epoch']}:{{}}\nevent: chat:message\ndata: {{{{"
        await heard.out.having(event.format(1))
        opened = f"retry: 3000\nid: {page['epoch']}:0\nevent: stream:open\ndata: "
        assert heard.out.text.startswith(opened)
        later = await answer("SELECT count")
        await heard.out.having(event.format(later["seq"]))  # it has no end
        assert heard.process.poll() is None
    await daemon.stop()
