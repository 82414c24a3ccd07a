"""One session with a db-mcp, over the SDK: the tools are checked once, then calls go one by one.

A call that is to stop is given up here at once: the SDK tells the peer (`notifications/cancelled`).
MCP does not answer cancelled requests, so only a peer whose mapping says so confirms that nothing
runs on; without that, the session cannot be used any more.

The SDK's `Client.call_tool` is not used: it would check a result against the schema that the peer
itself has sent, whose patterns can block the loop for ever.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final

import mcp_types
import trio
from mcp import Client, ClientSession, MCPError
from pydantic import ValidationError

from chatd import __version__
from chatd.answers.cut import cut_of_json
from chatd.answers.mcp.calls import ToolCall
from chatd.answers.mcp.chunks import BadChunk, ChunkSequence, is_stopped_notice, read_chunk
from chatd.answers.mcp.contract import Field
from chatd.answers.mcp.failures import NO_TOOL, failure
from chatd.answers.mcp.http import http_streams
from chatd.answers.mcp.link import Forgotten, Link, MissingTools
from chatd.answers.mcp.listing import LISTED_MAX, Narrowed, Narrowing
from chatd.answers.mcp.mapping import Form, PeerMapping
from chatd.answers.mcp.meter import Meter
from chatd.answers.mcp.results import UNEXPECTED, ToolResult, read
from chatd.answers.mcp.settings import DatabaseSettings
from chatd.answers.mcp.stdio import child_streams
from chatd.answers.requests import Answered, DatabaseFailed, PacedSink, Sink, Stopped, Terms
from chatd.wire.codes import Code

CONFIRM_S: Final = 1.0
"""Seconds that a peer may take to confirm a stop, and to bring the chunks that a result
announces."""
PAGES_MAX: Final = 20
"""Pages of the list of tools that are read."""
INLINE_CHARS: Final = 16_384
"""A text of more characters is read in a thread; structured content, of any size, always is."""


class PeerSession:
    """A session that is ready. `is_usable` until a call may still run on, or the peer is gone."""

    def __init__(self, session: ClientSession, link: Link, mapping: PeerMapping) -> None:
        self._session = session
        self._link = link
        self._mapping = mapping
        self._stopped = trio.Event()
        # A limiter of its own, so that a peer that sends much to read takes no thread from other
        # users.
        self._threads = trio.CapacityLimiter(1)
        self._tools: frozenset[str] = frozenset()
        self.is_usable = True

    async def check_tools(self) -> None:
        """List the tools. Raises `MissingTools` if one of the mapping is missing."""
        names: set[str] = set()
        cursor: str | None = None
        for _ in range(PAGES_MAX):
            page = await self._session.list_tools(
                params=mcp_types.PaginatedRequestParams(cursor=cursor)
            )
            names.update(tool.name for tool in page.tools)
            cursor = page.next_cursor
            if cursor is None:
                break
        missing = sorted(self._mapping.tools - names)
        if missing:
            raise MissingTools(", ".join(missing))
        self._tools = frozenset(names & self._mapping.optional_tools) | self._mapping.tools
        self._link.is_ready = True

    async def ask(
        self, call: ToolCall, terms: Terms, sink: Sink, stop: trio.Event, timeout_s: float
    ) -> Answered | Stopped:
        """Carry out a call. Raises `DatabaseFailed`, or `Forgotten`: it may be repeated."""
        if call.tool not in self._tools:
            raise DatabaseFailed(Code.DB_ERROR, NO_TOOL)
        self._link.renew(terms.max_rows, terms.max_bytes)
        self._stopped = trio.Event()
        answer = _Answer(sink, terms, call.narrowing, self._threads, self._link)
        outcome: mcp_types.CallToolResult | Exception | None = None
        async with trio.open_nursery() as nursery:
            nursery.cancel_scope.deadline = trio.current_time() + timeout_s
            nursery.start_soon(_cancel_when, stop, nursery.cancel_scope)
            nursery.start_soon(_cancel_when, answer.ended, nursery.cancel_scope)
            try:
                outcome = await self._call(call, answer)
            except Exception as error:
                outcome = error
            nursery.cancel_scope.cancel()
        match outcome:
            case None:
                return await self._given_up(answer, stop)
            case Exception():
                raise self._failure(outcome) from outcome
        return await self._answered(call, terms, answer, outcome)

    def hear_stopped(self) -> None:
        """The peer says that what was cancelled has ended."""
        self._stopped.set()

    async def _call(self, call: ToolCall, answer: "_Answer") -> mcp_types.CallToolResult:
        params = mcp_types.CallToolRequestParams(name=call.tool, arguments=dict(call.arguments))
        return await self._session.send_request(
            mcp_types.CallToolRequest(params=params),
            mcp_types.CallToolResult,
            progress_callback=answer.progress if self._mapping.streams else None,
        )

    async def _given_up(self, answer: "_Answer", stop: trio.Event) -> Answered | Stopped:
        """The call was cancelled: by the caller, because enough came, or because it took too
        long."""
        if self._mapping.confirms_stop:
            with trio.move_on_after(CONFIRM_S):
                await self._stopped.wait()
        self.is_usable = self._stopped.is_set()
        if stop.is_set():
            return Stopped(is_confirmed=self.is_usable)
        if answer.failure is not None:
            self.is_usable = False
            raise answer.failure
        if answer.meter.is_full:
            return Answered(answer.meter.cut)
        raise DatabaseFailed(Code.DB_TIMEOUT)

    async def _answered(
        self, call: ToolCall, terms: Terms, answer: "_Answer", result: mcp_types.CallToolResult
    ) -> Answered:
        received = ToolResult(
            "\n".join(one.text for one in result.content if isinstance(one, mcp_types.TextContent)),
            result.structured_content,
            result.is_error or False,
        )
        match received.structured:
            case {Field.CHUNKS: int() as chunks, **rest} if (
                self._mapping.streams and not received.is_error
            ):
                with trio.move_on_after(CONFIRM_S):
                    await answer.wait_for(chunks)
                if answer.failure is not None:
                    self.is_usable = False
                    raise answer.failure
                if answer.chunks.next_index < chunks:
                    raise DatabaseFailed(Code.DB_ERROR, UNEXPECTED)
                cut = cut_of_json(rest).joined(answer.meter.cut)
                return Answered(cut, _rows_written(rest))
        max_rows = terms.max_rows if call.narrowing is None else LISTED_MAX
        arguments = (received, call, self._mapping, max_rows)
        if len(received.text) > INLINE_CHARS or call.form is Form.STRUCTURED:
            table = await trio.to_thread.run_sync(read, *arguments, limiter=self._threads)
        else:
            table = read(*arguments)
        answer.sink.columns(table.columns)
        answer.sink.rows(table.rows)
        cut = answer.meter.cut.joined(table.cut)
        return Answered(cut, _rows_written(received.structured))

    def _failure(self, error: Exception) -> DatabaseFailed | Forgotten:
        """What a call that raised means for the caller, and for the session."""
        match error:
            case ValidationError():
                return DatabaseFailed(Code.DB_ERROR, UNEXPECTED)
            case MCPError() if self._link.is_forgotten:
                self.is_usable = False
                return Forgotten()
            case MCPError() if (
                error.error.code == mcp_types.CONNECTION_CLOSED or self._link.is_lost
            ):
                self.is_usable = False
                return self._link.failure
            case MCPError():
                self.is_usable = error.error.code in _HARMLESS
                return failure(error.error.message)
        self.is_usable = False
        return self._link.failure


def _rows_written(result: object) -> int | None:
    """The rows that a statement changed, where the result of a call tells them."""
    match result:
        case {Field.ROWS_WRITTEN: int() as count} if count >= 0 and not isinstance(count, bool):
            return count
    return None


_HARMLESS: Final = (mcp_types.INVALID_PARAMS, mcp_types.METHOD_NOT_FOUND)
"""Errors of the protocol after which a peer serves as before."""


class _Answer:
    """What came of one answer in progress messages; `ended` if no more of it is wanted."""

    def __init__(
        self,
        sink: Sink,
        terms: Terms,
        narrowing: Narrowing | None,
        threads: trio.CapacityLimiter,
        link: Link,
    ) -> None:
        self._paced = sink if isinstance(sink, PacedSink) else None
        self._link = link
        self.meter = Meter(sink, terms.max_rows, terms.max_bytes)
        self.sink: Sink = self.meter if narrowing is None else Narrowed(self.meter, narrowing)
        self.chunks = ChunkSequence()
        self.failure: DatabaseFailed | None = None
        self.ended = trio.Event()
        self._news = trio.Event()
        self._threads = threads

    async def progress(self, progress: float, total: float | None, message: str | None) -> None:
        """A progress message came; without rows it is not one of ours."""
        if message is None or self.ended.is_set():
            return
        with self._link.holding(len(message)):
            await self._take(message)
            if self._paced is not None:
                await self._paced.caught_up()

    async def _take(self, message: str) -> None:
        try:
            if len(message) > INLINE_CHARS:
                read_one = await trio.to_thread.run_sync(read_chunk, message, limiter=self._threads)
            else:
                read_one = read_chunk(message)
            for chunk in self.chunks.take(read_one):
                if chunk.columns is not None:
                    self.sink.columns(chunk.columns)
                self.sink.rows(chunk.rows)
        except BadChunk:
            self.failure = DatabaseFailed(Code.DB_ERROR, UNEXPECTED)
        except DatabaseFailed as failed:
            self.failure = failed
        if self.failure is not None or self.meter.is_full:
            self.ended.set()
        self._news.set()
        self._news = trio.Event()

    async def wait_for(self, chunks: int) -> None:
        """Wait until so many chunks have come in order, or no more are wanted."""
        while self.chunks.next_index < chunks and not self.ended.is_set():
            await self._news.wait()


async def _cancel_when(event: trio.Event, scope: trio.CancelScope) -> None:
    await event.wait()
    scope.cancel()


@asynccontextmanager
async def opened(
    settings: DatabaseSettings,
    command: Sequence[str],
    variables: Mapping[str, str],
    link: Link,
    on_complaint: Callable[[bytes], None],
) -> AsyncIterator[PeerSession]:
    """Open a session with the URL of the settings, or with a child, and check the tools.

    The child is started by `command`, with `variables` for its environment; `on_complaint` gets
    what it writes to its standard error. Raises `MissingTools`, and much else.
    """
    if settings.url:
        transport = http_streams(settings, link)
    else:
        transport = child_streams(command, variables, link, on_complaint)
    sessions: list[PeerSession] = []

    async def hear(message: object) -> None:
        match message:
            case mcp_types.ProgressNotification(params=params) if sessions:
                if params.message is not None and is_stopped_notice(params.message):
                    sessions[0].hear_stopped()

    client = Client(
        transport,
        # Every peer knows this handshake; those that know no other may hang on a probe.
        mode="legacy",
        client_info=mcp_types.Implementation(name="chatd", version=__version__),
        message_handler=hear,
        cache=None,
    )
    async with client:
        session = PeerSession(client.session, link, settings.peer)
        sessions.append(session)
        await session.check_tools()
        yield session
