"""Responder: turns a message into the request that it asks for, or a refusal."""

from collections.abc import Callable
from typing import Final, Protocol

from chatd.answers.sql.reading import Piece, Response

DECIDE_S: Final = 60.0
"""Seconds until a responder has to say whether a message is a question: the process that reads
takes 20 s to start at most, and 15 s for a message, its turn included. Beyond: the answer ends with
`UNAVAILABLE`."""


class Responder(Protocol):
    """Reads messages for users.

    `sql.reader` reads statements and commands. A responder that asks a language model may take
    seconds: it calls `accept` as soon as it knows that the message is a question. From then on the
    room sees the answer, and a cancel or the deadline of the answer cancels the responder.
    """

    def foresee(self, user_id: str, piece: Piece) -> None:
        """A message is on its way into the log; `respond` follows once it is there, or never.

        Work that costs nobody anything may begin. Nobody may be told of it; never waits.
        """
        ...

    async def respond(self, user_id: str, piece: Piece, accept: Callable[[], None]) -> Response:
        """What a message comes to, in the user's turn.

        Before `accept` is called, or this returns, the message may be talk, and a cancel of its
        answer waits. After that call `Talk` is not a valid response any more: it counts as a
        failure.
        """
        ...
