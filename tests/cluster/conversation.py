"""What a node says to PostgreSQL over one connection, as far as it tells what is one transaction.

Source: PostgreSQL, "Frontend/Backend Protocol", 55.7. Statements between two Syncs are one implicit
transaction, unless they begin one; ReadyForQuery says whether a transaction is open.
"""

import re
from collections.abc import Iterator
from typing import Final

import attrs

from tests.cluster.wire import Direction

IDLE: Final = "I"
_ENCRYPTION: Final = (80877103, 80877104)  # the codes of SSLRequest and GSSENCRequest
_NOTIFIES: Final = re.compile(r"\bnotify\b|pg_notify", re.IGNORECASE)
_WRITES: Final = re.compile(r"\b(insert|update|delete|commit_batch|begin|commit)\b", re.IGNORECASE)


@attrs.frozen
class Unit:
    """Statements that the server takes as one, and whether a transaction was open before them."""

    statements: tuple[str, ...]
    status: str

    @property
    def notifies(self) -> bool:
        return any(_NOTIFIES.search(statement) for statement in self.statements)

    @property
    def is_alone(self) -> bool:
        """Whether a NOTIFY is a transaction of its own, with nothing else in it."""
        return (
            self.status == IDLE
            and len(self.statements) == 1
            and not _WRITES.search(self.statements[0])
        )


@attrs.define(eq=False)
class Conversation:
    """Hears the bytes of a connection without encryption."""

    units: list[Unit] = attrs.field(factory=list)
    _kept: dict[Direction, bytes] = attrs.field(factory=lambda: dict.fromkeys(Direction, b""))
    _has_started: bool = False
    _asked: int = 0  # requests for encryption, each answered by a byte without a length
    _status: str = IDLE
    _statements: list[str] = attrs.field(factory=list)

    def hear(self, direction: Direction, chunk: bytes) -> None:
        self._kept[direction] += chunk
        if direction is Direction.FROM_NODE:
            self._start()
            if self._has_started:
                for kind, body in self._messages(direction):
                    self._said(kind, body)
            return
        answered = min(self._asked, len(self._kept[direction]))
        self._kept[direction] = self._kept[direction][answered:]
        self._asked -= answered
        for kind, body in self._messages(direction):
            if kind == b"Z":
                self._status = body[:1].decode()

    def _start(self) -> None:
        """The messages before the first with a kind."""
        while not self._has_started and len(kept := self._kept[Direction.FROM_NODE]) >= 8:
            size = int.from_bytes(kept[:4])
            if len(kept) < size:
                return
            is_request = int.from_bytes(kept[4:8]) in _ENCRYPTION
            self._asked += is_request
            self._has_started = not is_request
            self._kept[Direction.FROM_NODE] = kept[size:]

    def _messages(self, direction: Direction) -> Iterator[tuple[bytes, bytes]]:
        while len(kept := self._kept[direction]) >= 5:
            end = 1 + int.from_bytes(kept[1:5])
            if len(kept) < end:
                return
            self._kept[direction] = kept[end:]
            yield kept[:1], kept[5:end]

    def _said(self, kind: bytes, body: bytes) -> None:
        if kind == b"Q":  # a statement by itself
            self._statements.append(_text(body))
        elif kind == b"P":  # one that is parsed, after its name
            self._statements.append(_text(body.partition(b"\0")[2]))
        if kind in (b"Q", b"S") and self._statements:
            self.units.append(Unit(tuple(self._statements), self._status))
            self._statements.clear()


def _text(body: bytes) -> str:
    return body.partition(b"\0")[0].decode()
