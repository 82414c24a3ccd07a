"""What a user does through a proxy, whichever it is: polls, dials, comes in."""

import json
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
import requests
import websocket

from tests.peers.servers import LIMIT_S, token

POLLING: Final = "EIO=4&transport=polling"
WEBSOCKET: Final = "EIO=4&transport=websocket"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate for chat.example, signed by itself."""
    directory = tmp_path_factory.mktemp("certificate")
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-days", "2", "-subj", "/CN=chat.example"),
            *("-keyout", directory / "chat.example.key", "-out", directory / "chat.example.pem"),
        ],
        check=True,
        capture_output=True,
        timeout=LIMIT_S,
    )
    return directory


@pytest.fixture(scope="module")
def web() -> Iterator[requests.Session]:
    """Requests over connections that are kept, whoever signed the certificate."""
    with requests.Session() as session:
        session.trust_env = False  # it may name authorities, which count for more than the next
        session.verify = False
        yield session


def polled(
    web: requests.Session,
    url: str,
    host: str,
    origin: str | None,
    query: str = POLLING,
    body: str | None = None,
) -> requests.Response:
    headers = {"Host": host} | ({} if origin is None else {"Origin": origin})
    method = "GET" if body is None else "POST"
    return web.request(method, f"{url}?{query}", data=body, headers=headers, timeout=LIMIT_S)


def dialled(url: str, host: str, origin: str | None, query: str) -> websocket.WebSocket:
    how = {"origin": origin} if origin else {"suppress_origin": True}
    return websocket.create_connection(
        f"{url.replace('http', 'ws', 1)}?{query}",
        LIMIT_S,
        host=host,
        sslopt={"cert_reqs": ssl.CERT_NONE},
        **how,
    )


def chats(web: requests.Session, url: str, host: str, origin: str | None) -> None:
    """A user comes in by polling, by WebSocket, and by the upgrade."""
    credentials = "40" + json.dumps({"token": token("ann", "room")})
    opened = polled(web, url, host, origin)
    assert opened.status_code == 200, opened.text
    assert opened.headers.get("Access-Control-Allow-Origin") == origin
    query = f"{POLLING}&sid={json.loads(opened.text[1:])['sid']}"
    assert polled(web, url, host, origin, query, credentials).text == "ok"
    assert polled(web, url, host, origin, query).text.startswith("40{")
    probe = dialled(url, host, origin, query.replace("polling", "websocket"))
    probe.send("2probe")
    assert probe.recv() == "3probe"
    probe.send("5")
    probe.close()
    direct = dialled(url, host, origin, WEBSOCKET)
    assert str(direct.recv()).startswith("0{")
    direct.send(credentials)
    assert str(direct.recv()).startswith("40{")
    direct.close()
