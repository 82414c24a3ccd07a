"""What is known of a connection to a db-mcp beside its messages: if it lives, what it may send.

A transport counts here what comes in, and says here why it ended. The allowance is renewed for each
call; a peer that sends more than one call can need, or sends without being asked, is cut off.
"""

from collections.abc import Callable
from typing import Final

import attrs

from chatd.answers.requests import DatabaseFailed
from chatd.wire.codes import Code

MESSAGES_A_CALL: Final = 20_000
"""Messages between two calls, progress and log messages included. Beyond: the peer is cut off."""
REQUESTS_A_CALL: Final = 100
"""Requests of the peer to us between two calls; the SDK answers each in a task. Beyond: the peer is
cut off."""
SIZES_A_CALL: Final = 8
"""Bytes between two calls, in times of the largest message. Beyond: the peer is cut off."""


TOO_LONG: Final = "it sent a message that is too long"
TOO_MUCH: Final = "it sent more than a call may bring"


class Breach(Exception):
    """The peer broke a bound or the protocol; the text says which, and holds nothing of its own."""


class Forgotten(Exception):
    """The peer does not know the session any more, and has not begun with the call."""


class MissingTools(Exception):
    """The peer cannot serve: it lacks tools of the mapping. The text names them."""


@attrs.define
class Link:
    """One connection; `breach` is why it was cut off, `is_lost` whether it has ended.

    `is_ready` once the first call may come: before, a peer may print a greeting, as some do.
    `is_forgotten`: the peer answers, but knows no such session, as one that was started anew.
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

    def renew(self) -> None:
        """A call begins."""
        self._messages_left = MESSAGES_A_CALL
        self._requests_left = REQUESTS_A_CALL
        self._bytes_left = SIZES_A_CALL * self.max_message_bytes

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
