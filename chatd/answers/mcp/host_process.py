"""The process that has the sessions with db-mcps for a daemon: `python -m` this module.

Orders come on its standard input, and what becomes of them goes to its standard output
(`host_frames`). So neither the MCP SDK, whose import takes a second, nor what a db-mcp sends, which
may be anything, blocks the daemon's loop. It keeps nothing: the daemon opens a session again that
is lost, and all of them if this process ends. The wardens of the db-mcps (`warden`) are its
children: if it ends, in whatever way, so do they.
"""

import contextlib
import os
import sys
import threading
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import trio

from chatd.answers.frames import READY, FrameBreach, Frames
from chatd.answers.mcp.host_frames import (
    Ask,
    Close,
    Columns,
    Ended,
    Failed,
    NotBegun,
    Open,
    Opened,
    Order,
    Outcome,
    Over,
    Stop,
    Took,
    Word,
    Wrote,
    order_from_json,
    rows_as_json,
    word_to_json,
)
from chatd.answers.mcp.link import Forgotten, Link, reason_of
from chatd.answers.own_process import Outgoing
from chatd.answers.own_process_end import NICENESS, READ_BYTES, belong_to, taken_streams
from chatd.answers.requests import DatabaseFailed
from chatd.answers.table import Column, Row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chatd.answers.mcp.session import PeerSession

WINDOW_BYTES: Final = 262_144
"""Bytes of a call's rows on their way to the daemon. Beyond: a db-mcp that sends rows while they
come has to wait."""
BEHIND_BYTES_MAX: Final = 4_194_304
"""Bytes that the daemon may be behind. Beyond: what db-mcps write to standard error is dropped; it
is read in any case, so that no db-mcp waits."""
_SESSION: Final = "chatd.answers.mcp.session"


def main(arguments: list[str]) -> None:
    """Serve until the input ends. The argument is the daemon's process id."""
    (parent_id,) = arguments
    belong_to(int(parent_id))
    inward, outward = taken_streams()
    session: Any = _imported_patiently(_SESSION)
    trio.run(_serve, inward, outward, session.opened)


def _imported_patiently(name: str) -> object:
    """A module, whose import lets others have the processor first: the first users are connecting.

    In a thread, since the kernel sets niceness per thread, and it cannot be taken back: what this
    process does and starts later must be as quick as the daemon.
    """
    modules: list[object] = []

    def take() -> None:
        if sys.platform == "linux":
            with contextlib.suppress(OSError):  # a sandbox may not allow it
                os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
        modules.append(import_module(name))

    thread = threading.Thread(target=take)
    thread.start()
    thread.join()
    return modules[0]


async def _serve(inward: int, outward: int, opened: Any) -> None:
    """Carry out orders until the daemon is gone; then all sessions are ended."""
    from_daemon, to_daemon = trio.lowlevel.FdStream(inward), trio.lowlevel.FdStream(outward)
    outgoing, frames = Outgoing(to_daemon), Frames()
    async with from_daemon, to_daemon, trio.open_nursery() as nursery:
        nursery.start_soon(outgoing.run)
        outgoing.offer(READY)
        sessions = _Sessions(nursery, outgoing, opened)
        while received := await from_daemon.receive_some(READ_BYTES):
            for content in frames.feed(received):
                sessions.take(order_from_json(content))
        nursery.cancel_scope.cancel()


class _Sessions:
    """The sessions by their numbers."""

    def __init__(self, nursery: trio.Nursery, outgoing: Outgoing, opened: Any) -> None:
        self._nursery = nursery
        self._outgoing = outgoing
        self._opened = opened
        self._by_number: dict[int, _Session] = {}

    def take(self, order: Order) -> None:
        """Begin an order. An order for a session that has just ended comes too late."""
        if isinstance(order, Open):
            session = _Session(order, self._outgoing)
            self._by_number[order.session] = session
            self._nursery.start_soon(self._run, session)
        elif (known := self._by_number.get(order.session)) is not None:
            known.take(order)

    async def _run(self, session: "_Session") -> None:
        over = await session.run(self._opened)
        del self._by_number[over.session]
        self._outgoing.offer(word_to_json(over))


class _Session:
    """One session, and the call that it is carrying out."""

    def __init__(self, order: Open, outgoing: Outgoing) -> None:
        self._order = order
        self._number = order.session
        self._outgoing = outgoing
        self._scope = trio.CancelScope()
        self._asking: _Asking | None = None
        self._is_ending = False  # it carries out no more calls
        self._news = trio.Event()

    def take(self, order: Ask | Stop | Took | Close) -> None:
        """Begin an order of the daemon."""
        match order:
            case Close():
                self._scope.cancel()
            case Ask():
                if self._asking is not None:
                    raise FrameBreach("a call beside another")
                if self._is_ending:  # which can take its time, and the daemon does not know yet
                    self._refuse(order)
                    return
                self._asking = _Asking(order, self._outgoing)
                self._notify()
            case Stop() | Took():
                asking = self._asking
                if asking is None or asking.number != order.number:
                    return  # it has ended
                if isinstance(order, Stop):
                    asking.stop.set()
                else:
                    asking.took(order.size)

    async def run(self, opened: Any) -> Over:
        """Be a session from its opening to its end; returns what became of it."""
        order = self._order
        link = Link(order.settings.max_message_bytes, self._notify)
        fault: Exception | None = None
        was_lost = False
        try:
            with self._scope:
                async with opened(
                    order.settings, order.command, order.variables, link, self._hear
                ) as session:
                    self._say(Opened(self._number))
                    await self._answer(session, link)
                    was_lost = link.is_lost
        except* Exception as error:  # a cancellation beside it is left to propagate
            fault = error
        if fault is None and not was_lost and link.breach is None:
            return Over(self._number, None)
        return Over(self._number, reason_of(link, fault), link.breach)

    async def _answer(self, session: "PeerSession", link: Link) -> None:
        """Carry out one call after the other, until the session can no longer be used."""
        while session.is_usable and not link.is_lost:
            if (asking := self._asking) is None:
                await self._news.wait()
                continue
            order = asking.order
            outcome: Outcome
            try:
                outcome = await session.ask(
                    order.call, order.terms, asking, asking.stop, order.timeout_s
                )
            except DatabaseFailed as failed:
                outcome = Failed(failed.code, failed.sentence)
            except Forgotten:
                outcome = NotBegun()
            self._asking = None
            asking.end()
            self._say(Ended(self._number, order.number, outcome, session.is_usable))
        self._is_ending = True
        if self._asking is not None:
            self._refuse(self._asking.order)

    def _refuse(self, order: Ask) -> None:
        """Another session may carry the call out."""
        self._say(Ended(self._number, order.number, NotBegun(), is_usable=False))

    def _hear(self, piece: bytes) -> None:
        if self._outgoing.waiting_bytes < BEHIND_BYTES_MAX:
            self._say(Wrote(self._number, piece))

    def _say(self, word: Word) -> None:
        self._outgoing.offer(word_to_json(word))

    def _notify(self) -> None:
        self._news.set()
        self._news = trio.Event()


class _Asking:
    """A call that runs: the sink of its rows, which the daemon takes at its own pace.

    The SDK has a task for each message, and one may still read when the call has ended, or wait for
    room. What it brings then belongs to no answer, and nobody makes room for it.
    """

    def __init__(self, order: Ask, outgoing: Outgoing) -> None:
        self.order = order
        self.number = order.number
        self.stop = trio.Event()
        self._outgoing = outgoing
        self._columns: tuple[bytes, ...] = ()  # they go with the rows of their chunk
        self._on_way_bytes = 0
        self._has_room = trio.Event()
        self._is_over = False

    def end(self) -> None:
        """The call has ended."""
        self._offer()
        self._is_over = True
        self._has_room.set()

    def columns(self, columns: "Sequence[Column]") -> None:
        if self._is_over:
            return
        word = Columns(self.order.session, self.number, tuple(columns))
        self._columns = (word_to_json(word),)

    def rows(self, rows: "Sequence[Row]") -> None:
        if self._is_over:
            return
        for content in rows_as_json(self.order.session, self.number, rows):
            self._on_way_bytes += len(content)
            self._offer(content)

    def _offer(self, *contents: bytes) -> None:
        """Send what is to be said, after the columns."""
        if self._columns or contents:
            self._outgoing.offer(*self._columns, *contents)
            self._columns = ()

    async def caught_up(self) -> None:
        self._offer()  # the columns of a chunk without rows
        while self._on_way_bytes > WINDOW_BYTES and not self._is_over:
            await self._has_room.wait()  # several tasks may wait

    def took(self, size: int) -> None:
        """The daemon has taken so many bytes of the rows."""
        self._on_way_bytes -= size
        if self._on_way_bytes <= WINDOW_BYTES:
            self._has_room.set()
            self._has_room = trio.Event()


if __name__ == "__main__":
    main(sys.argv[1:])
