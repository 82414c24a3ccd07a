"""How a key set is read: by http of this machine, by https, from a file; what is not taken."""

import os
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
import trio
import trio.lowlevel
from cryptography import x509

from chatd.auth import FetchFailed, fetch_from
from chatd.auth.key_fetch import KEY_SET_BYTES_MAX, REDIRECTS_MAX
from tests.auth.issuer import jwk, key_set
from tests.auth.key_server import PATH, answer, certificate, key_server
from tests.rows import rows

# httpcore2 leaves its generators to the collector where a body is not read to its end; the
# connection is closed all the same.
pytestmark = pytest.mark.filterwarnings("ignore:Async generator:ResourceWarning")

SET = key_set(jwk("ES256"))
HARD_LIMIT_S = 60


async def fetched(place: str, directory: Path = Path()) -> bytes:
    with trio.fail_after(HARD_LIMIT_S):
        return await fetch_from(place, directory)()


async def failure(place: str, directory: Path = Path()) -> str:
    with pytest.raises(FetchFailed) as caught:
        await fetched(place, directory)
    assert "\n" not in str(caught.value)
    return str(caught.value)


async def test_an_address_gives_its_document() -> None:
    async with key_server(answer(SET)) as server:
        assert await fetched(server.url) == SET
        [request] = server.requests
        assert request.startswith(f"GET {PATH} HTTP/1.1\r\n")
        assert "accept-encoding: identity" in request.lower()
        assert "authorization" not in request.lower()


@rows(
    ("given", "said"),
    [
        (answer(SET, "500 Internal Server Error"), "HTTP 500"),
        (answer(SET, "404 Not Found"), "HTTP 404"),
        (answer(SET, "401 Unauthorized"), "HTTP 401"),
        (answer(SET, "204 No Content"), "HTTP 204"),
        (answer(SET, "206 Partial Content"), "HTTP 206"),
        (answer(b"\x1f\x8b", "200 OK", "Content-Encoding: gzip"), "compressed"),
        (answer(b" " * (KEY_SET_BYTES_MAX + 1)), "more than 262144 bytes"),
        (answer(SET)[:-9], "cannot be fetched"),
        (b"", "cannot be fetched"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "cannot be fetched"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "cannot be fetched"),
        (answer(b"", "302 Found", "Location: https://evil.example/keys"), "another origin"),
        (answer(b"", "301 Moved Permanently", "Location: //127.0.0.2/keys"), "another origin"),
        (answer(b"", "307 Temporary Redirect", "Location: file:///etc/passwd"), "another origin"),
        (answer(b"", "302 Found", "Location: http://127.0.0.1:1/keys"), "another origin"),
        (answer(b"", "302 Found", "Location: /again"), f"more than {REDIRECTS_MAX} times"),
        (answer(b"", "302 Found", "Location: http://[::1"), "cannot be fetched"),
        (answer(SET, "302 Found"), "HTTP 302"),
    ],
)  # fmt: skip
async def test_what_is_not_plainly_a_document_is_a_failure(given: bytes, said: str) -> None:
    async with key_server(given) as server:
        assert said in await failure(server.url)
        assert len(server.requests) <= REDIRECTS_MAX + 1


async def test_a_body_without_an_end_is_read_no_further_than_its_bound() -> None:
    endless = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"10000\r\n" + b" " * 65536
    endless += b"\r\n" + (b"10000\r\n" + b" " * 65536 + b"\r\n") * 8
    async with key_server(endless) as server:
        assert "more than 262144 bytes" in await failure(server.url)


async def test_a_redirect_within_the_origin_is_followed() -> None:
    async with key_server(answer(b"", "302 Found", f"Location: {PATH}/moved")) as server:

        async def move() -> None:
            while not server.requests:
                await trio.lowlevel.checkpoint()
            server.answer = answer(SET)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(move)
            assert await fetched(server.url) == SET
        assert f"GET {PATH}/moved " in server.requests[-1]


async def test_nobody_there_is_a_failure() -> None:
    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listener.socket.getsockname()[1]
    await listener.aclose()
    assert "cannot be fetched" in await failure(f"http://127.0.0.1:{port}/")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SSL_CERT_FILE", "/nonexistent/certificates.pem"),
        ("HTTPS_PROXY", "ftp://127.0.0.1:1"),
        ("ALL_PROXY", "socks5://127.0.0.1:1"),
    ],
)
async def test_an_environment_in_which_nothing_can_be_fetched_is_a_failure(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    assert "cannot be fetched" in await failure("https://127.0.0.1:1/")


async def test_what_is_asked_without_tls_goes_to_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    async with key_server(answer(b"of the proxy")) as proxy, key_server(answer(SET)) as server:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.origin)
        assert await fetched(server.url) == SET
        assert proxy.requests == []


def _by_tls(path: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(path)
    return context


async def test_a_certificate_that_the_operator_trusts_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = certificate(tmp_path)
    async with key_server(answer(SET), _by_tls(path)) as server:
        said = await failure(server.url)
        assert "certificate" in said.lower()
        monkeypatch.setenv("SSL_CERT_FILE", str(path))
        assert await fetched(server.url) == SET


@pytest.mark.parametrize(
    "name",
    [lambda: x509.DNSName("evil.example"), lambda: x509.DNSName("127.0.0.1")],
    ids=["of another", "of no address"],
)
async def test_a_certificate_of_another_name_is_not(
    name: Callable[[], x509.GeneralName], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = certificate(tmp_path, name)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    async with key_server(answer(SET), _by_tls(path)) as server:
        assert "certificate" in (await failure(server.url)).lower()
        assert server.requests == []


async def test_a_file_gives_its_document_as_it_is_now(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_bytes(SET)
    assert await fetched("keys.json", tmp_path) == SET
    assert await fetched(str(tmp_path / "keys.json")) == SET
    (tmp_path / "keys.json").write_bytes(b"other")
    assert await fetched("keys.json", tmp_path) == b"other"


async def test_a_file_that_cannot_be_read_is_a_failure(tmp_path: Path) -> None:
    assert "No such file" in await failure("keys.json", tmp_path)
    assert "a directory" in await failure(".", tmp_path)
    os.mkfifo(tmp_path / "pipe")
    assert "a pipe" in await failure("pipe", tmp_path)
    (tmp_path / "long").write_bytes(b" " * (KEY_SET_BYTES_MAX + 1))
    assert "more than 262144 bytes" in await failure("long", tmp_path)
