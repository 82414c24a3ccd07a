"""Files of the client: those that are there, and a sentence where they are not."""

from pathlib import Path

import orjson
import pytest

from chatd.net.addresses import LOCAL
from chatd.net.http.app import HttpRoute, Request, Response
from chatd.net.http.static import CLIENT_FILES, client_routes

PATH = "/socket.io/"


async def fetched(routes: dict[str, HttpRoute], name: str) -> Response:
    return await routes[PATH + name].handler(Request("GET", PATH + name, b"", (), LOCAL))


@pytest.mark.parametrize("name", [*CLIENT_FILES, "socket.io.min.js.map"])
async def test_where_no_bundle_is_it_is_said_where_to_get_one(name: str, tmp_path: Path) -> None:
    answer = await fetched(client_routes(PATH, tmp_path), name)
    assert answer.status == 404
    assert isinstance(answer.body, bytes)
    error = orjson.loads(answer.body)["error"]
    assert error["code"] == "no_client_bundle"
    assert "npm" in error["message"]
    assert "https://" in error["message"]


async def test_a_bundle_that_is_there_is_sent_as_a_script_that_any_page_may_load(
    tmp_path: Path,
) -> None:
    for name in CLIENT_FILES:
        (tmp_path / name).write_text(f"// {name}")
    (tmp_path / "socket.io.min.js.map").write_text("{}")
    routes = client_routes(PATH, tmp_path)
    for name in CLIENT_FILES:
        answer = await fetched(routes, name)
        assert (answer.status, answer.body) == (200, f"// {name}".encode())
        assert dict(answer.headers)[b"content-type"].startswith(b"text/javascript")
        assert (b"access-control-allow-origin", b"*") in routes[PATH + name].headers
    assert (await fetched(routes, "socket.io.min.js.map")).body == b"{}"
    assert (await fetched(routes, "socket.io.js.map")).body == b"{}"


async def test_the_small_bundle_stands_in_for_the_readable_one(tmp_path: Path) -> None:
    (tmp_path / "socket.io.min.js").write_text("small")
    routes = client_routes(PATH, tmp_path)
    assert (await fetched(routes, "socket.io.js")).body == b"small"
    assert (await fetched(routes, "socket.io.esm.min.js")).status == 404
