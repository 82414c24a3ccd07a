"""Where a key set is read from: an address of https, or a file.

The client that asks an address has bounds: in bytes here, in time by the caller that waits. It
follows redirects only within the origin of the address, since whoever answers decides who may come
in. http is for loopback alone (the configuration sees to it): anybody on the way could insert their
own keys.
"""

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import trio

from chatd.auth.key_source import Fetch, FetchFailed
from chatd.files import open_file

if TYPE_CHECKING:
    import httpx2

KEY_SET_BYTES_MAX: Final = 262_144
"""Bytes of a key set; beyond: it is refused. Sets with certificates have some ten thousand."""
REDIRECTS_MAX: Final = 3
CONNECTION_S: Final = 5.0
"""Seconds until a connection is made, and between two pieces of an answer."""


def fetch_from(place: str, directory: Path) -> Fetch:
    """How the key set at `place` is read: an address, or a path below `directory`."""
    if place.startswith(("https://", "http://")):
        return partial(fetch_address, place)
    return partial(fetch_file, directory / place)


async def fetch_file(path: Path) -> bytes:
    """The document in a file. Raises FetchFailed."""
    return await trio.to_thread.run_sync(_read, path, abandon_on_cancel=True)


def _read(path: Path) -> bytes:
    try:
        with open(open_file(path, os.O_RDONLY), "rb") as file:
            document = file.read(KEY_SET_BYTES_MAX + 1)
    except OSError as error:
        raise FetchFailed(f"cannot be read: {error.strerror}") from None
    if len(document) > KEY_SET_BYTES_MAX:
        raise _too_long()
    return document


async def fetch_address(url: str) -> bytes:
    """The document at an address. Raises FetchFailed."""
    import httpx2  # takes a tenth of a second; a daemon without an address does not need it

    try:
        address = httpx2.URL(url)
        context = await trio.to_thread.run_sync(httpx2.create_ssl_context)  # reads certificates
        async with httpx2.AsyncClient(
            headers={"Accept": "application/json", "Accept-Encoding": "identity"},
            timeout=httpx2.Timeout(CONNECTION_S),
            verify=context,
            # The environment may name a proxy, which passes TLS on. Without TLS it would read, and
            # could change, what is asked.
            trust_env=address.scheme == "https",
        ) as client:
            for _ in range(REDIRECTS_MAX + 1):
                async with client.stream("GET", address) as response:
                    if not response.has_redirect_location:
                        return await _document(response)
                    target = address.join(response.headers["location"])
                if _origin(target) != _origin(address):
                    raise FetchFailed("redirects to another origin, which is not followed")
                address = target
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError, ImportError) as error:
        # The last two: the environment names a proxy that cannot be used.
        raise FetchFailed(f"cannot be fetched: {_why(error)}") from None
    raise FetchFailed(f"redirects more than {REDIRECTS_MAX} times")


async def _document(response: "httpx2.Response") -> bytes:
    if response.status_code != 200:
        raise FetchFailed(f"is answered with HTTP {response.status_code}")
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise FetchFailed("is answered compressed, which was not asked for")
    document = b""
    async for piece in response.aiter_raw():
        document += piece
        if len(document) > KEY_SET_BYTES_MAX:
            raise _too_long()
    return document


def _too_long() -> FetchFailed:
    return FetchFailed(f"has more than {KEY_SET_BYTES_MAX} bytes")


def _origin(url: "httpx2.URL") -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _why(error: Exception) -> str:
    """What an exception says, fit for one line of the log; or the first of its causes that says
    anything, since a client wraps TLS errors in others that say nothing."""
    cause = error.__cause__ or error.__context__
    while not (said := " ".join(str(error).split())) and isinstance(cause, Exception):
        error, cause = cause, cause.__cause__ or cause.__context__
    words = said or type(error).__name__
    return "".join(one if one.isprintable() else "?" for one in words[:200])
