"""What is served of a directory like `chatd/web`: the built page, the plain one, the client."""

import re
from pathlib import Path

import orjson
import pytest

from chatd.net.addresses import LOCAL
from chatd.net.http.app import HttpRoute, Request, Response
from chatd.net.http.cors import CorsPolicy
from chatd.net.http.page import (
    CLIENT_FILES,
    POLICY,
    PageConfig,
    PageState,
    read_client,
    read_page,
    web_directory,
)

PATH = "/socket.io/"


async def fetched(
    routes: dict[str, HttpRoute], path: str, *headers: tuple[bytes, bytes]
) -> Response:
    return await routes[path].handler(Request("GET", path, b"", headers, LOCAL))


def build(web: Path) -> None:
    """A page as the build leaves it."""
    for name, text in {
        "index.html": "<!doctype html>",
        "index.html.gz": "packed",
        "index.html.br": "smaller",
        "sw.js": "//",
        "manifest.webmanifest": "{}",
        "icon.svg": "<svg/>",
        "assets/index-abc123.js": "script",
        "assets/index-abc123.js.br": "s",
        "assets/deep/logo.weird": "?",
        "stamp": "digest",
        "socket.io/socket.io.min.js": "client",
    }.items():
        file = web / "dist" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def test_every_file_of_the_built_page_has_its_path_and_nothing_else_has(tmp_path: Path) -> None:
    build(tmp_path)
    page = read_page(tmp_path)
    assert page.state is PageState.BUILT
    assert set(page.files.by_path) == set(page.routes)
    assert set(page.routes) == {
        "/",
        "/sw.js",
        "/manifest.webmanifest",
        "/icon.svg",
        "/assets/index-abc123.js",
        "/assets/deep/logo.weird",
    }


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", b"text/html; charset=utf-8"),
        ("/sw.js", b"text/javascript; charset=utf-8"),
        ("/manifest.webmanifest", b"application/manifest+json"),
        ("/icon.svg", b"image/svg+xml"),
        ("/assets/index-abc123.js", b"text/javascript; charset=utf-8"),
        ("/assets/deep/logo.weird", b"application/octet-stream"),
    ],
)
async def test_each_file_has_its_type_a_strict_policy_and_how_long_it_is_kept(
    path: str, kind: bytes, tmp_path: Path
) -> None:
    build(tmp_path)
    headers = dict((await fetched(read_page(tmp_path).routes, path)).headers)
    assert headers[b"content-type"] == kind
    assert headers[b"content-security-policy"] == POLICY
    assert headers[b"x-content-type-options"] == b"nosniff"
    assert headers[b"referrer-policy"] == b"no-referrer"
    assert headers[b"x-frame-options"] == b"DENY"
    assert headers[b"cross-origin-opener-policy"] == b"same-origin"
    assert headers[b"cross-origin-resource-policy"] == b"same-origin"
    assert headers[b"permissions-policy"] == b"camera=(), microphone=(), geolocation=()"
    is_hashed = path.startswith("/assets/")
    kept = b"public, max-age=31536000, immutable" if is_hashed else b"no-cache"
    assert headers[b"cache-control"] == kept


def test_the_policy_lets_in_nothing_that_is_not_the_pages_own() -> None:
    directives = dict(part.split(" ", 1) for part in POLICY.decode().split("; "))
    assert directives == {
        "default-src": "'none'",
        **dict.fromkeys(
            ("script-src", "style-src", "connect-src", "img-src", "worker-src", "manifest-src"),
            "'self'",
        ),
        **dict.fromkeys(("base-uri", "form-action", "frame-ancestors"), "'none'"),
        "require-trusted-types-for": "'script'",
        "trusted-types": "chatd",
    }


async def test_coded_files_beside_a_file_are_that_file(tmp_path: Path) -> None:
    build(tmp_path)
    routes = read_page(tmp_path).routes
    accepts = (b"accept-encoding", b"gzip, br")
    assert (await fetched(routes, "/", accepts)).body == b"smaller"
    assert (await fetched(routes, "/", (b"accept-encoding", b"gzip"))).body == b"packed"
    assert (await fetched(routes, "/", (b"accept-encoding", b"zstd"))).body == b"<!doctype html>"
    assert (await fetched(routes, "/assets/index-abc123.js", accepts)).body == b"s"
    assert (await fetched(routes, "/icon.svg", accepts)).body == b"<svg/>"


def plain_web(place: Path) -> Path:
    """A directory like `chatd/web` in which no page was built."""
    for name in ("index.html", "chatd.css", "chatd.js"):
        (place / name).write_bytes(web_directory().joinpath(name).read_bytes())
    return place


async def test_where_no_page_was_built_a_plain_one_says_how_to_build_it(tmp_path: Path) -> None:
    page = read_page(plain_web(tmp_path))
    assert page.state is PageState.MISSING
    assert set(page.routes) == {"/", "/chatd.css", "/chatd.js"}
    shown = (await fetched(page.routes, "/")).body
    assert isinstance(shown, bytes)
    assert "pip install --force-reinstall" in shown.decode()


async def test_the_plain_page_needs_only_what_its_policy_lets_it_load(tmp_path: Path) -> None:
    routes = read_page(plain_web(tmp_path)).routes
    shown = (await fetched(routes, "/")).body
    assert isinstance(shown, bytes)
    links = re.findall(r'(?:src|href)="([^"]*)"', shown.decode())
    assert {"chatd.js", "chatd.css"} < set(links)
    for link in links:
        assert not link.startswith("/"), "a proxy may have the page below a path"
        assert f"/{link}" in {*routes, "/api/websocket/health"}
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*src=)", shown.decode())


def test_its_script_finds_what_it_fills_in_and_never_writes_markup() -> None:
    page = web_directory().joinpath("index.html").read_text()
    script = web_directory().joinpath("chatd.js").read_text()
    for name in re.findall(r'getElementById\("([^"]+)"\)', script):
        assert f'id="{name}"' in page
    assert '"…"' in page
    assert '"…"' in script
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval", script)


async def test_a_page_that_is_switched_off_is_404_at_each_of_its_paths(tmp_path: Path) -> None:
    build(tmp_path)
    page = read_page(tmp_path).switched_off()
    assert page.state is PageState.OFF
    assert page.files.by_path == {}
    assert {"/", "/sw.js", "/assets/", "/assets/index-abc123.js"} < set(page.routes)
    for path in page.routes:
        answer = await fetched(page.routes, path)
        assert answer.status == 404
        assert isinstance(answer.body, bytes)
        assert "[web] enabled" in orjson.loads(answer.body)["error"]["message"]


@pytest.mark.parametrize(
    ("login_url", "told"),
    [
        ("", {"title": "Ours", "version": "1.2", "mints": True}),
        ("/in", {"title": "Ours", "version": "1.2", "mints": True, "loginUrl": "/in"}),
    ],
)
async def test_the_page_learns_its_title_and_where_to_sign_in(
    login_url: str, told: dict[str, str]
) -> None:
    policy = CorsPolicy((), is_loopback=True)
    config = PageConfig("Ours", login_url, "1.2", mints=True)
    route = config.route(policy)
    assert route.cors is policy
    answer = await fetched({"/": route}, "/")
    assert isinstance(answer.body, bytes)
    assert orjson.loads(answer.body) == told
    assert dict(answer.headers)[b"cache-control"] == b"no-store"
    config.mints = False  # as after a reload
    answer = await fetched({"/": route}, "/")
    assert isinstance(answer.body, bytes)
    assert orjson.loads(answer.body) == {**told, "mints": False}


# The client


@pytest.mark.parametrize("name", [*CLIENT_FILES, "socket.io.min.js.map"])
async def test_where_no_bundle_is_it_is_said_where_to_get_one(name: str, tmp_path: Path) -> None:
    client = read_client(PATH, tmp_path)
    assert client.files.by_path == {}
    answer = await fetched(client.routes, PATH + name)
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
    client = read_client(PATH, tmp_path)
    for name in CLIENT_FILES:
        assert PATH + name in client.files.by_path
        answer = await fetched(client.routes, PATH + name)
        assert (answer.status, answer.body) == (200, f"// {name}".encode())
        headers = dict(answer.headers)
        assert headers[b"content-type"].startswith(b"text/javascript")
        assert headers[b"access-control-allow-origin"] == b"*"
        assert headers[b"cross-origin-resource-policy"] == b"cross-origin"
        assert headers[b"cache-control"] == b"no-cache"
    for known in ("socket.io.min.js.map", "socket.io.js.map"):
        assert (await fetched(client.routes, PATH + known)).body == b"{}"


async def test_the_small_bundle_stands_in_for_the_readable_one(tmp_path: Path) -> None:
    (tmp_path / "socket.io.min.js").write_text("small")
    (tmp_path / "socket.io.min.js.gz").write_text("packed")
    routes = read_client(PATH, tmp_path).routes
    readable = PATH + "socket.io.js"
    assert (await fetched(routes, readable)).body == b"small"
    assert (await fetched(routes, readable, (b"accept-encoding", b"gzip"))).body == b"packed"
    assert (await fetched(routes, PATH + "socket.io.esm.min.js")).status == 404
