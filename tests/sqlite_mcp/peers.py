"""`chatd db-mcp` as a real process, and the SDK's client on its pipes.

The SDK starts processes itself, but then nobody can look at them. Every wait has a limit, and every
process is ended by its pid.
"""

import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import anyio
import attrs
import mcp_types
import trio
from mcp import Client
from mcp.shared.message import SessionMessage

from chatd.answers.mcp.chunks import is_stopped_notice, read_chunk
from chatd.answers.mcp.contract import Chunk

PATIENCE_S = 30.0
COMMAND = (sys.executable, "-m", "chatd", "db-mcp", "--database")

ENDLESS = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT n FROM r"
ENDLESS_AFTER_TWO_ROWS = ENDLESS + " WHERE n < 3"


@attrs.define(eq=False)
class Peer:
    """A process of `chatd db-mcp`, and what it has written."""

    process: trio.Process
    out: bytearray = attrs.field(factory=bytearray)
    err: bytearray = attrs.field(factory=bytearray)
    _news: trio.lowlevel.ParkingLot = attrs.field(factory=trio.lowlevel.ParkingLot)

    async def ended(self) -> int:
        """The exit code."""
        with trio.fail_after(PATIENCE_S):
            return await self.process.wait()

    async def output_having(self, part: bytes) -> None:
        """Wait until it has written `part`, where its output is read."""
        with trio.fail_after(PATIENCE_S):
            while part not in self.out:
                await self._news.park()

    async def close_input(self) -> None:
        assert self.process.stdin is not None
        await self.process.stdin.aclose()

    async def write(self, *lines: bytes) -> None:
        assert self.process.stdin is not None
        await self.process.stdin.send_all(b"".join(line + b"\n" for line in lines))

    async def collect(self, stream: trio.abc.ReceiveStream | None, into: bytearray) -> None:
        """Take what it writes to one of its streams."""
        assert stream is not None
        async for piece in stream:
            into += piece
            self._news.unpark_all()

    @property
    def most_memory_bytes(self) -> int:
        """The most that it has held in memory so far."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024


@asynccontextmanager
async def running(
    database: Path,
    *options: str,
    reads_output: bool = False,
    command: Sequence[str] = COMMAND,
) -> AsyncIterator[Peer]:
    """A process, killed at the end where it still runs."""
    async with trio.open_nursery() as nursery:
        process = await trio.lowlevel.open_process(
            [*command, str(database), *options],
            stdin=-1,
            stdout=-1,
            stderr=-1,
        )
        peer = Peer(process)
        nursery.start_soon(peer.collect, process.stderr, peer.err)
        if reads_output:
            nursery.start_soon(peer.collect, process.stdout, peer.out)
        try:
            yield peer
        finally:
            with trio.CancelScope(shield=True):
                if process.poll() is None:
                    process.kill()
                await process.wait()
            nursery.cancel_scope.cancel()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            await pipe.aclose()


@attrs.define(eq=False)
class Conversation:
    """A client that talks to a peer, and what came beside the answers."""

    client: Client
    peer: Peer
    stops: trio.Event = attrs.field(factory=trio.Event)

    async def heed(self, message: Any) -> None:
        """Take what came for calls that were given up."""
        if isinstance(message, mcp_types.ProgressNotification):
            told = message.params.message
            assert told is not None
            if is_stopped_notice(told):
                self.stops.set()
            else:
                read_chunk(told)

    async def ask(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """The structured content of a call, which must not fail."""
        with trio.fail_after(PATIENCE_S):
            result = await self.client.call_tool(tool, arguments)
        assert not result.is_error, result.structured_content
        assert result.structured_content is not None
        return dict(result.structured_content)

    async def fail(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """The structured content of a call, which must fail."""
        with trio.fail_after(PATIENCE_S):
            result = await self.client.call_tool(tool, arguments)
        assert result.is_error, result.structured_content
        assert result.structured_content is not None
        return dict(result.structured_content)

    async def ask_in_chunks(
        self, tool: str, arrived: trio.Event | None = None, **arguments: Any
    ) -> tuple[dict[str, Any], list[Chunk]]:
        """A call that has its rows sent in chunks, in the order of their index.

        `arrived` is set when the first one is there.
        """
        chunks: list[Chunk] = []

        async def take(progress: float, total: float | None, message: str | None) -> None:
            assert message is not None
            chunk = read_chunk(message)
            assert progress == chunk.index + 1
            chunks.append(chunk)
            if arrived is not None:
                arrived.set()

        result = await self.client.call_tool(tool, arguments, progress_callback=take)
        assert result.structured_content is not None
        content = dict(result.structured_content)
        with trio.fail_after(PATIENCE_S):  # callbacks may come after the result
            while len(chunks) < content.get("chunks", 0):
                await trio.lowlevel.checkpoint()
        return content, sorted(chunks, key=lambda chunk: chunk.index)


@asynccontextmanager
async def conversation(database: Path, *options: str) -> AsyncIterator[Conversation]:
    """The SDK's client, connected to a process of its own."""
    async with running(database, *options) as peer:
        holder: list[Conversation] = []

        async def heed(message: Any) -> None:
            await holder[0].heed(message)

        async with Client(_pipes(peer.process), message_handler=heed) as client:
            holder.append(Conversation(client, peer))
            yield holder[0]


@asynccontextmanager
async def _pipes(process: trio.Process) -> AsyncIterator[tuple[Any, Any]]:
    """The pipes of a process as a transport of the SDK."""
    to_client, from_process = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    from_client, to_process = anyio.create_memory_object_stream[SessionMessage](0)
    assert process.stdin is not None
    assert process.stdout is not None
    stdin, stdout = process.stdin, process.stdout

    async def read() -> None:
        waiting = b""
        async with to_client:
            async for piece in stdout:
                *lines, waiting = (waiting + piece).split(b"\n")
                for line in lines:
                    message = mcp_types.jsonrpc_message_adapter.validate_json(line, by_name=False)
                    with suppress(anyio.BrokenResourceError):  # the client is leaving
                        await to_client.send(SessionMessage(message))
        assert waiting == b""

    async def write() -> None:
        async with to_process:
            async for sent in to_process:
                line = sent.message.model_dump_json(by_alias=True, exclude_unset=True)
                await stdin.send_all(line.encode() + b"\n")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        nursery.start_soon(write)
        try:
            yield from_process, from_client
        finally:
            nursery.cancel_scope.cancel()
            from_process.close()
            from_client.close()
