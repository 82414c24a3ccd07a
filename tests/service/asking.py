"""Requests over HTTP to a chat, each on a connection of its own, by h11."""

from collections.abc import Mapping
from typing import Any

import attrs
import h11
import orjson
import trio


@attrs.frozen
class Answer:
    """One response; its body as it was before it went out in chunks."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return orjson.loads(self.body)


async def ask(
    address: tuple[str, int],
    method: str,
    target: str,
    headers: Mapping[str, str] = {},
    body: bytes | None = None,
) -> Answer:
    """A request; what every answer of the API has is demanded of this one."""
    sent = {"host": "localhost", "connection": "close", **headers}
    if body is not None:
        sent.setdefault("content-length", str(len(body)))
    request = h11.Request(method=method, target=target, headers=list(sent.items()))
    connection = h11.Connection(h11.CLIENT)
    async with await trio.open_tcp_stream(*address) as stream:
        await stream.send_all(connection.send(request) or b"")
        if body:
            await stream.send_all(connection.send(h11.Data(body)) or b"")
        await stream.send_all(connection.send(h11.EndOfMessage()) or b"")
        head, received = None, b""
        while not isinstance(event := connection.next_event(), h11.EndOfMessage):
            match event:
                case h11.NEED_DATA:
                    connection.receive_data(await stream.receive_some())
                case h11.Response():
                    head = event
                case h11.Data():
                    received += event.data
                case _:
                    raise AssertionError(event)
    assert head is not None
    told = {name.decode(): value.decode() for name, value in head.headers}
    assert told["cache-control"] == "no-store"
    assert told["x-content-type-options"] == "nosniff"
    assert told["referrer-policy"] == "no-referrer"
    return Answer(head.status_code, told, received)
