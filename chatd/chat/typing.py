"""Which users are typing in a room, and how that changes (docs/protocol, "Typing").

A user types in a room while any of its sockets does: from a start until `TYPING_S` after that
socket's last start, a stop, its leaving the room, or a message of the user there. A start while the
user types already extends it silently. Starts that come back from a snapshot belong to no socket:
they end with their time, or with a message.

All times are equally long, so that the order of the last starts is the order in which they are due.
`now_s` never goes back and is what they go by; `wall_ms` is what people are shown.
"""

import math
from collections.abc import Hashable, Iterator, Sequence
from typing import Any, TypeAlias, assert_never

import attrs

TYPING_S = 10.0  # without a new start


@attrs.define
class StartTyping:
    """A socket of the user begins to type, or goes on."""

    origin: Any
    socket: Hashable
    connection_id: str
    user_id: str
    name: str | None


@attrs.define
class StopTyping:
    """The socket has stopped typing."""

    origin: Any
    socket: Hashable
    connection_id: str


@attrs.define
class EndTyping:
    """The user has sent what was typed, or is now unseen."""

    connection_id: str
    user_id: str


@attrs.define
class LeaveTyping:
    """The socket has left the room."""

    socket: Hashable
    connection_id: str


Command: TypeAlias = StartTyping | StopTyping | EndTyping | LeaveTyping


@attrs.define
class TypingChanged:
    """The other users of the room are notified."""

    connection_id: str
    user_id: str
    name: str | None
    is_typing: bool
    timestamp_ms: int


@attrs.define
class TypingTaken:
    """The answer to a start or a stop."""

    command: StartTyping | StopTyping


Effect: TypeAlias = TypingChanged | TypingTaken


@attrs.define(eq=False)
class _Typist:
    """A user who is typing in one room, and by which of its sockets; None stands for a snapshot."""

    user_id: str
    name: str | None
    sockets: set[Hashable] = attrs.field(factory=set)


class Typing:
    """All rooms' typists. Owned by one actor."""

    def __init__(self) -> None:
        self._rooms: dict[str, dict[str, _Typist]] = {}
        # (room, user, socket) -> due, in the order of due
        self._due_s: dict[tuple[str, str, Hashable], float] = {}
        self._user_of: dict[tuple[Hashable, str], str] = {}  # by socket and room

    def decide(self, batch: Sequence[Command], now_s: float, wall_ms: int) -> list[Effect]:
        """Carry the commands out; returns their effects."""
        effects: list[Effect] = []
        for command in batch:
            match command:
                case StartTyping():
                    self._start(command, now_s, wall_ms, effects)
                    effects.append(TypingTaken(command))
                case StopTyping(_, socket, room):
                    self._end(socket, room, wall_ms, effects)
                    effects.append(TypingTaken(command))
                case LeaveTyping(socket, room):
                    self._end(socket, room, wall_ms, effects)
                case EndTyping(room, user_id):
                    typist = self._rooms.get(room, {}).get(user_id)
                    for socket in list(typist.sockets) if typist is not None else ():
                        self._remove(room, user_id, socket, wall_ms, effects)
                case _:
                    assert_never(command)
        return effects

    def tick(self, now_s: float, wall_ms: int) -> list[Effect]:
        """End what was not started again in time."""
        effects: list[Effect] = []
        while self._due_s and next(iter(self._due_s.values())) <= now_s:
            self._remove(*next(iter(self._due_s)), wall_ms, effects)
        return effects

    def next_deadline_s(self) -> float:
        """When the next one ends by itself, `math.inf` if nobody types."""
        return next(iter(self._due_s.values()), math.inf)

    def room(self, connection_id: str) -> list[tuple[str, str | None]]:
        """Who is typing in a room: ids and names."""
        typists = self._rooms.get(connection_id, {}).values()
        return [(typist.user_id, typist.name) for typist in typists]

    def rooms(self) -> Iterator[str]:
        """The rooms in which somebody types."""
        return iter(list(self._rooms))

    def freeze(self) -> dict[str, list[list[Any]]]:
        """Who is typing where, as plain JSON, which later changes here do not affect."""
        return {room: [list(typist) for typist in self.room(room)] for room in self._rooms}

    @classmethod
    def restore(cls, frozen: object, now_s: float) -> "Typing":
        """Take the typists of `freeze`, for `TYPING_S` from now at most. None stands for nobody.

        Raises ValueError for what `freeze` did not make.
        """
        typing = cls()
        if frozen is None:
            return typing
        try:
            for room, typists in dict(frozen).items():  # type: ignore[call-overload]  # checked
                for user_id, name in typists:
                    typing._add(str(room), str(user_id), name, None, now_s)
        except (TypeError, ValueError) as error:
            raise ValueError("this is no typing that was frozen") from error
        return typing

    def _start(
        self, command: StartTyping, now_s: float, wall_ms: int, effects: list[Effect]
    ) -> None:
        room, user_id, name = command.connection_id, command.user_id, command.name
        is_new = user_id not in self._rooms.get(room, ())
        self._add(room, user_id, name, command.socket, now_s)
        self._user_of[command.socket, room] = user_id
        if is_new:
            effects.append(TypingChanged(room, user_id, name, True, wall_ms))

    def _add(
        self, room: str, user_id: str, name: str | None, socket: Hashable, now_s: float
    ) -> None:
        typists = self._rooms.setdefault(room, {})
        typist = typists.setdefault(user_id, _Typist(user_id, name))
        typist.sockets.add(socket)
        self._due_s.pop((room, user_id, socket), None)
        self._due_s[room, user_id, socket] = now_s + TYPING_S

    def _end(self, socket: Hashable, room: str, wall_ms: int, effects: list[Effect]) -> None:
        user_id = self._user_of.get((socket, room))
        if user_id is not None:
            self._remove(room, user_id, socket, wall_ms, effects)

    def _remove(
        self, room: str, user_id: str, socket: Hashable, wall_ms: int, effects: list[Effect]
    ) -> None:
        del self._due_s[room, user_id, socket]
        self._user_of.pop((socket, room), None)
        typist = self._rooms[room][user_id]
        typist.sockets.discard(socket)
        if typist.sockets:
            return
        del self._rooms[room][user_id]
        if not self._rooms[room]:
            del self._rooms[room]
        effects.append(TypingChanged(room, user_id, typist.name, False, wall_ms))
