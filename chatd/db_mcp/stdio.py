"""Standard input and output as the streams of MCP: one message per line, JSON, UTF-8.

The SDK's own reads and writes in threads that no cancellation reaches, so that a signal, or a
client that stops reading, would hold the process. Here both reading and writing wait in Trio.

While the streams are open, descriptor 0 is empty and 1 is the standard error, so that only messages
get on the wire.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import anyio
import mcp_types
import trio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.shared.message import SessionMessage

from chatd.answers.mcp.lines import Lines, LineTooLong

LINE_BYTES_MAX = 1_048_576
"""The longest message. If a client sends a longer one, its connection is ended."""
FLUSH_S = 0.3
"""How long the client may take what is on its way to it when the connection ends."""

Inward = MemoryObjectReceiveStream[SessionMessage | Exception]
Outward = MemoryObjectSendStream[SessionMessage]


@asynccontextmanager
async def standard_streams(input_ended: trio.Event) -> AsyncIterator[tuple[Inward, Outward]]:
    """The streams for `Server.run`; sets the event when the client has closed its end."""
    inward = trio.lowlevel.FdStream(_taken(0, os.open(os.devnull, os.O_RDONLY)))
    outward = trio.lowlevel.FdStream(_taken(1, os.dup(2)))
    to_server, from_client = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    from_server, to_client = anyio.create_memory_object_stream[SessionMessage](0)[0:2]
    async with inward, outward, trio.open_nursery() as nursery:
        nursery.start_soon(_read, inward, to_server, input_ended)
        nursery.start_soon(_write, outward, to_client, nursery.cancel_scope)
        try:
            yield from_client, from_server
        finally:
            nursery.cancel_scope.deadline = trio.current_time() + FLUSH_S
            from_client.close()
            from_server.close()


def _taken(number: int, substitute: int) -> int:
    """A standard descriptor under another number; `substitute` takes its place."""
    original = os.dup(number)
    os.dup2(substitute, number)
    os.close(substitute)
    return original


async def _read(
    stream: trio.lowlevel.FdStream,
    to_server: MemoryObjectSendStream[SessionMessage | Exception],
    input_ended: trio.Event,
) -> None:
    lines = Lines(LINE_BYTES_MAX)
    async with to_server:
        # The terminal is gone, the server has ended, or the client sends too much.
        with suppress(trio.BrokenResourceError, anyio.BrokenResourceError, LineTooLong):
            while piece := await stream.receive_some():
                for line in lines.feed(piece):
                    await to_server.send(_message(line))
        input_ended.set()


def _message(line: bytes) -> SessionMessage | Exception:
    try:
        return SessionMessage(mcp_types.jsonrpc_message_adapter.validate_json(line, by_name=False))
    except ValueError as error:
        return error


async def _write(
    stream: trio.lowlevel.FdStream,
    to_client: MemoryObjectReceiveStream[SessionMessage],
    everything: trio.CancelScope,
) -> None:
    async with to_client:
        async for sent in to_client:
            line = sent.message.model_dump_json(by_alias=True, exclude_unset=True)
            try:
                await stream.send_all(line.encode() + b"\n")
            except trio.BrokenResourceError:  # the client reads no more
                everything.cancel()
                return
