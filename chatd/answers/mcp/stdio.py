"""MCP with a child process: one JSON message per line on its standard input and output.

The SDK has such a transport, but its reader has no bounds and is quadratic, and its child inherits
what it is given and writes to our standard error. This transport plugs into the SDK's session by
the same pair of memory streams. A line is bounded before it is parsed. The child has an environment
of its own. It is started by a process that stands between (`warden`), so that it and all that it
starts are ended together: standard input is closed, then SIGTERM, then SIGKILL, each with its
grace, even if the daemon is cancelled meanwhile; they also end if the daemon is killed.
"""

import errno
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final, TypeAlias

import anyio
import trio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.shared.message import SessionMessage
from mcp_types import JSONRPCRequest, jsonrpc_message_adapter

from chatd.answers.mcp.lines import Lines, LineTooLong
from chatd.answers.mcp.link import TOO_LONG, Breach, Link
from chatd.answers.mcp.warden import KILL, KILLING_S

GRACE_S: Final = 1.0
"""How long a child may take to end after its standard input is closed, and after each signal."""
READ_BYTES: Final = 65_536
"""Bytes read at once from a child."""
PIPE_READS: Final = 16
"""Reads that empty the pipe of a child that has ended: as many as the largest pipe needs."""
OUTGOING: Final = 16
"""Messages that may wait for a child that does not read, so that a cancel never waits for one."""
GREETING_LINES: Final = 100
"""Lines that are not messages, before a child is ready. Beyond: it is cut off."""
WARDEN: Final = str(Path(__file__).with_name("warden.py"))
"""The program that starts a child; run by its path, so that it imports nothing of chatd."""
EXIT_WITHOUT_WORD: Final = errno.ECHILD
"""The error if a warden ends before it has said whether the child was started."""

ToSession: TypeAlias = MemoryObjectSendStream[SessionMessage | Exception]
FromSession: TypeAlias = MemoryObjectReceiveStream[SessionMessage]
Streams: TypeAlias = tuple[
    MemoryObjectReceiveStream[SessionMessage | Exception], MemoryObjectSendStream[SessionMessage]
]


@asynccontextmanager
async def child_streams(
    command: Sequence[str],
    variables: Mapping[str, str],
    link: Link,
    on_complaint: Callable[[bytes], None],
) -> AsyncIterator[Streams]:
    """Start a child, and give the streams to and from it; it has ended when this has.

    `on_complaint` hears what comes on its standard error. Raises `OSError` if it cannot be started.
    """
    process, warden = await _start(command, variables)
    link.renew()
    to_session, from_child = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    to_child, from_session = anyio.create_memory_object_stream[SessionMessage](OUTGOING)
    with to_session, from_child, to_child, from_session:
        async with trio.open_nursery() as nursery:
            try:
                nursery.start_soon(_read, process, to_session, link)
                nursery.start_soon(_write, process, from_session, link)
                nursery.start_soon(_listen, process, on_complaint)
                yield from_child, to_child
            finally:
                await _end(process, warden, is_trusted=link.breach is None)
                _hear_the_rest(process, on_complaint)
                nursery.cancel_scope.cancel()


async def _start(
    command: Sequence[str], variables: Mapping[str, str]
) -> tuple[trio.Process, trio.SocketStream]:
    """A child, behind its warden, and the socket whose end is theirs. Raises `OSError`."""
    ours, theirs = socket.socketpair()
    with theirs:
        warden = trio.SocketStream(trio.socket.from_stdlib_socket(ours))
        try:
            process = await trio.lowlevel.open_process(
                [sys.executable, "-I", "-S", WARDEN, str(theirs.fileno()), *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=dict(variables),
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        except BaseException:
            ours.close()
            raise
    try:
        number = int(await warden.receive_some(16) or EXIT_WITHOUT_WORD)
    except BaseException:
        await _end(process, warden, is_trusted=False)
        raise
    if number:
        await _end(process, warden, is_trusted=False)
        raise OSError(number, os.strerror(number))
    return process, warden


async def _read(process: trio.Process, to_session: ToSession, link: Link) -> None:
    """Messages from the child to the session; at their end the session learns that it is lost."""
    assert process.stdout is not None
    lines = Lines(link.max_message_bytes)
    greeting = GREETING_LINES
    breach: str | None = None
    try:
        while piece := await process.stdout.receive_some(READ_BYTES):
            await link.flowing()
            for line in lines.feed(piece):
                if not line.strip():
                    continue
                link.count(len(line))
                message = _parsed(line)
                if message is not None:
                    if isinstance(message.message, JSONRPCRequest):
                        link.count_request()
                    await to_session.send(message)
                elif link.is_ready or greeting == 0:
                    raise Breach("it wrote something that is no message")  # noqa: TRY301
                else:
                    greeting -= 1
    except LineTooLong:
        breach = TOO_LONG
    except Breach as error:
        breach = str(error)
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        pass
    except anyio.BrokenResourceError:  # the session has gone; the child may still say goodbye
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            while await process.stdout.receive_some(READ_BYTES):
                pass
    finally:
        link.lose(breach)
        to_session.close()


def _parsed(line: bytes) -> SessionMessage | None:
    try:
        return SessionMessage(jsonrpc_message_adapter.validate_json(line, by_name=False))
    except ValueError:
        return None


async def _write(process: trio.Process, from_session: FromSession, link: Link) -> None:
    """Messages from the session to the child."""
    assert process.stdin is not None
    try:
        async for message in from_session:
            text = message.message.model_dump_json(by_alias=True, exclude_unset=True)
            await process.stdin.send_all(text.encode() + b"\n")
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        link.lose()


async def _listen(process: trio.Process, on_complaint: Callable[[bytes], None]) -> None:
    """Read standard error, so that the child never waits for that."""
    assert process.stderr is not None
    with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
        while piece := await process.stderr.receive_some(READ_BYTES):
            on_complaint(bytes(piece))


def _hear_the_rest(process: trio.Process, on_complaint: Callable[[bytes], None]) -> None:
    """What a child that has ended left in the pipe: why it ended is what it wrote last."""
    assert isinstance(process.stderr, trio.lowlevel.FdStream)
    with suppress(OSError):  # it would block: another process has the pipe too
        for _ in range(PIPE_READS):
            if not (piece := os.read(process.stderr.fileno(), READ_BYTES)):
                break
            on_complaint(piece)


async def _end(process: trio.Process, warden: trio.SocketStream, *, is_trusted: bool) -> None:
    """End the child and all that it has started; bounded, and not cut short."""
    assert process.stdin is not None
    with trio.CancelScope(shield=True):
        with suppress(trio.BrokenResourceError, trio.BusyResourceError):
            await process.stdin.aclose()
        for number in (None, signal.SIGTERM) if is_trusted else ():
            if number is not None:
                process.send_signal(number)
            with trio.move_on_after(GRACE_S):
                await process.wait()
                break
        with suppress(trio.BrokenResourceError), trio.move_on_after(GRACE_S):
            await warden.send_all(KILL)
        await warden.aclose()
        with trio.move_on_after(GRACE_S + KILLING_S):
            await process.wait()
        process.kill()  # a warden that did not do its job
        await process.wait()
