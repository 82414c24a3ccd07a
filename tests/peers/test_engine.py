"""engine.io-client of npm against the bare Engine.IO server that echoes."""

import json
import subprocess
from collections.abc import Iterator

import pytest

from tests.peers.drivers import HERE, LIMIT_S, from_json
from tests.peers.servers import Server, application

MESSAGES = ["hello", "", "é😀\u2028", b"\0\1\xfe\xff", b"", "x" * 70_000, "last"]


@pytest.fixture(scope="module")
def echo_server() -> Iterator[Server]:
    server = application("engine_echo", "--ping-timeout", "20000")
    yield server
    assert server.stop() == 0


def test_the_engine_client_gets_back_what_it_sends_answers_pings_and_closes(
    echo_server: Server, transport: str
) -> None:
    ended = subprocess.run(
        ["node", "engine_client.mjs", echo_server.url, transport],
        cwd=HERE,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=True,
    )
    told = from_json(json.loads(ended.stdout))
    assert told["back"] == MESSAGES
    assert (
        told["transports"]
        == {
            "polling": ["polling", "polling"],
            "websocket": ["websocket", "websocket"],
            "upgrade": ["polling", "websocket", "websocket"],
        }[transport]
    )
    assert told["early"] == ("early" if transport == "upgrade" else None)
    assert told["pings"] >= 3
    assert (told["reason"], told["error"]) == ("forced close", None)
