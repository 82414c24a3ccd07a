"""What commands print of what others wrote: nothing that a terminal obeys."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from chatd.cli.options import fail, say
from tests.app.daemon import House

HOSTILE = "\x9b2J\x7f\u202e"


class _Liar(BaseHTTPRequestHandler):
    """A server that says that it is well, and more."""

    def do_GET(self) -> None:
        body = json.dumps({"status": "ok", "x": HOSTILE}, ensure_ascii=False).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def liar() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), _Liar) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


async def test_the_health_of_a_stranger_is_spelled_out(house: House, liar: str) -> None:
    done = await house.run("health", "--url", liar)
    assert done.code == 0
    assert "\\x9b2J\\x7f\\u202e" in done.out
    assert not set(HOSTILE[:1] + HOSTILE[3:]) & set(done.out)


def test_line_ends_stay_and_the_rest_is_spelled_out(capsys: pytest.CaptureFixture[str]) -> None:
    say("one \x1b[31m\ntwo \x85\r")
    with pytest.raises(SystemExit):
        fail("three \x1b]8;;x\x07", 1)
    out, err = capsys.readouterr()
    assert out == "one \\x1b[31m\ntwo \\x85\\r\n"
    assert err == "chatd: three \\x1b]8;;x\\x07\n"
