"""What is known about a connection to a db-mcp besides its messages: whether it lives, what it may
send.

A transport counts here what comes in, and says here why it ended. The allowance is renewed for each
call; a peer that sends more than one call can need, or sends without being asked, is cut off.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import attrs
import trio

from chatd.answers.requests import DatabaseFailed
from chatd.wire.codes import Code

MESSAGES_A_CALL: Final = 20_000
"""Messages between two calls, progress and log messages included. Beyond: the peer is cut off."""
REQUESTS_A_CALL: Final = 100
"""Requests of the peer to us between two calls; the SDK answers each in a task. Beyond: the peer is
cut off."""
SIZES_A_CALL: Final = 8
"""Bytes between two calls, as a multiple of the largest message. Beyond: the peer is cut off."""
TIMES_AS_JSON: Final = 4
"""How many times the bytes of a call's rows are allowed in addition: rows travel as JSON within a
JSON string, which doubles each backslash and quote, and some peers add names."""
HELD_CHARS: Final = 1_048_576
"""Characters of messages that came and whose rows nobody has taken yet. Beyond: nothing is read
from the peer, which has to wait, and makes its database wait."""


TOO_LONG: Final = "it sent a message that is too long"
TOO_MUCH: Final = "it sent more than a call may bring"


class Breach(Exception):
    """The peer broke a bound or the protocol; the text says which, and holds no words of the
    peer."""


class Forgotten(Exception):
    """The peer does not know the session any more, and has not begun the call."""


class MissingTools(Exception):
    """The peer cannot serve: it lacks tools of the mapping. The text names them."""


class SessionOver(Exception):
    """A session has ended, or could not be opened; the text says why, as `reason_of` has it."""


@attrs.define
class Link:
    """One connection; `breach` is why it was cut off, `is_lost` whether it has ended.

    `is_ready` once the first call may come: before, a peer may print a greeting, as some do.
    `is_forgotten`: the peer answers, but has said of this call that it does not know the session,
    because it was restarted.
    `on_lost` is called when it has ended.
    """

    max_message_bytes: int
    on_lost: Callable[[], None]
    is_ready: bool = False
    is_lost: bool = False
    is_forgotten: bool = False
    breach: str | None = None
    _messages_left: int = MESSAGES_A_CALL
    _requests_left: int = REQUESTS_A_CALL
    _bytes_left: int = 0
    _held: int = 0
    _is_flowing: trio.Event = attrs.field(factory=trio.Event)

    def renew(self, max_rows: int = 0, max_bytes: int = 0) -> None:
        """A call begins; it may bring so many rows, and so many bytes of them as JSON."""
        self.is_forgotten = False
        self._messages_left = MESSAGES_A_CALL + max_rows
        self._requests_left = REQUESTS_A_CALL
        self._bytes_left = SIZES_A_CALL * self.max_message_bytes + TIMES_AS_JSON * max_bytes

    @property
    def bytes_left(self) -> int:
        """What the peer may still send in this call."""
        return self._bytes_left

    @contextmanager
    def holding(self, chars: int) -> Iterator[None]:
        """While the block runs, a message of so many characters is being worked on."""
        self._held += chars
        try:
            yield
        finally:
            self._held -= chars
            if self._held <= HELD_CHARS:
                self._is_flowing.set()

    async def flowing(self) -> None:
        """Return when more may be read from the peer; a transport asks before each read."""
        while self._held > HELD_CHARS:
            if self._is_flowing.is_set():  # else others wait for it: over HTTP there are several
                self._is_flowing = trio.Event()
            await self._is_flowing.wait()

    def count(self, size: int) -> None:
        """A message came. Raises `Breach`."""
        self._messages_left -= 1
        self._bytes_left -= size
        if self._messages_left < 0 or self._bytes_left < 0:
            raise Breach(TOO_MUCH)

    def count_request(self) -> None:
        """A message was a request to us. Raises `Breach`."""
        self._requests_left -= 1
        if self._requests_left < 0:
            raise Breach("it asked more than a call may need")

    def lose(self, breach: str | None = None) -> None:
        """It has ended; the first reason counts."""
        if self.breach is None:
            self.breach = breach
        if not self.is_lost:
            self.is_lost = True
            self.on_lost()

    @property
    def failure(self) -> DatabaseFailed:
        """What its end means for the caller."""
        if self.breach is not None:
            hint = " Ask for fewer rows." if self.breach in (TOO_LONG, TOO_MUCH) else ""
            sentence = f"The database's server was cut off: {self.breach}.{hint}"
            return DatabaseFailed(Code.DB_ERROR, sentence)
        sentence = "The database's server ended while it answered; ask again."
        return DatabaseFailed(Code.DB_UNAVAILABLE, sentence)


def reason_of(link: Link, fault: Exception | None) -> str:
    """Why a session ended, for the log: bounds and types, never what was said."""
    if link.breach is not None:
        return link.breach
    leaves = _leaves(fault) if fault is not None else []
    for leaf in leaves:
        match leaf:
            case MissingTools():  # its text is the names of tools of the configuration
                return f"without the tools {leaf}"
            case SessionOver():
                return str(leaf)
    if leaves and not link.is_lost:
        words = leaves[0].strerror if isinstance(leaves[0], OSError) else None
        return f"{type(leaves[0]).__name__}: {words}" if words else type(leaves[0]).__name__
    return "the process ended"


def _leaves(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for member in error.exceptions for leaf in _leaves(member)]
    return [error]
