"""What nodes tell each other of a room, or of themselves, that no log keeps: who is present, who
types, how far an answer is, what a user's sockets elsewhere are to get.

A signal may get lost, come twice or late. Its `kind` says who handles it, its fields are JSON:

    [version, needs, node, kind, fields]     on the topic v:ROOM, or v: for all nodes

`version` and `needs` are those of frames (`chatd.bus.frames`): fields are added behind those of the
version before. A node does not hear its own signals. It passes over kinds that it does not know,
over what is not a signal, and, with a line in its log, over signals whose fields are wrong.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, Protocol, TypeAlias

import attrs
import orjson

from chatd.bus import Bus
from chatd.bus.frames import OLDEST, VERSION
from chatd.observe import EventLog, SignalUnreadable

PIECE_BYTES: Final = 6_000
"""Of the entries of one signal. With its envelope it fits into a NOTIFY."""
TOPIC: Final = "v"
"""The letter of its topics."""
_TOPIC: Final = f"{TOPIC}:"

Handler: TypeAlias = Callable[[str, str, Sequence[Any]], None]
"""Takes the room, empty if the signal is not of a room; the name of the node that sent it; and the
fields. Raises ValueError, TypeError or IndexError if the fields are wrong: whoever may use the bus
can write anything there."""


class Holder(Protocol):
    """Somebody who wants to know which rooms this node holds."""

    def held(self, room: str) -> None:
        """The room's signals are heard from now on, unless the bus is down."""
        ...

    def released(self, room: str) -> None:
        """Nobody of this node is in the room any more."""
        ...

    def came_up(self) -> None:
        """The bus is up, now or again: signals may have been missed."""
        ...


@attrs.define(eq=False, slots=False)
class Signals:
    """The signals of the node called `node`. Rooms are held while somebody of it is there."""

    _bus: Bus
    _node: str
    _event_log: EventLog
    _handlers: dict[str, Handler] = attrs.field(init=False, factory=dict)
    _holders: list[Holder] = attrs.field(init=False, factory=list)
    _held: set[str] = attrs.field(init=False, factory=set)

    @property
    def node(self) -> str:
        """The name of this node."""
        return self._node

    @property
    def rooms(self) -> Sequence[str]:
        """The rooms that are held."""
        return tuple(self._held)

    def holds(self, room: str) -> bool:
        """Whether the room is held."""
        return room in self._held

    def on(self, kind: str, handler: Handler) -> None:
        """Signals of this kind are for `handler`."""
        assert kind not in self._handlers
        self._handlers[kind] = handler

    def watch(self, holder: Holder) -> None:
        """Tell this one which rooms are held."""
        self._holders.append(holder)

    def send(
        self, room: str, kind: str, fields: Sequence[object], latest_of: str | None = None
    ) -> bool:
        """Tell the other nodes that hold the room; False if the bus does not take the signal. While
        it waits, another one of the same room and `latest_of` replaces it."""
        payload = orjson.dumps([VERSION, VERSION, self._node, kind, fields])
        if len(payload) > self._bus.payload_bytes_max:
            return False
        return self._bus.publish(_TOPIC + room, payload, latest_of)

    def send_all(self, kind: str, fields: Sequence[object], latest_of: str | None = None) -> bool:
        """Tell all other nodes."""
        return self.send("", kind, fields, latest_of)

    async def start(self) -> None:
        """Hear what is told to all nodes."""
        await self._bus.subscribe(_TOPIC)

    async def hold(self, room: str) -> None:
        """Hear the signals of a room until `release`. If the caller is cancelled, others who came
        meanwhile still rely on this hold."""
        self._held.add(room)
        try:
            await self._bus.subscribe(_TOPIC + room)
        finally:
            if room in self._held:
                for holder in self._holders:
                    holder.held(room)

    def release(self, room: str) -> None:
        """Nobody of this node is in the room any more."""
        if room in self._held:
            self._held.discard(room)
            self._bus.unsubscribe(_TOPIC + room)
            for holder in self._holders:
                holder.released(room)

    # The listener of its topics

    def heard(self, topic: str, payload: bytes) -> None:
        room = topic.removeprefix(_TOPIC)
        try:
            version, needs, node, kind, fields, *_ = orjson.loads(payload)
            is_known = type(needs) is int and needs <= VERSION and version >= OLDEST
            handler = self._handlers.get(kind)
        except (ValueError, TypeError):
            return
        if not is_known or handler is None or node == self._node:
            return
        if not (isinstance(node, str) and isinstance(fields, list)):
            return
        try:
            handler(room, node, fields)
        except (ValueError, TypeError, IndexError) as error:
            self._event_log.record(SignalUnreadable.of(kind, error))

    def came_up(self) -> None:
        for holder in self._holders:
            holder.came_up()


def in_pieces(entries: Iterable[list[Any]]) -> Iterator[list[list[Any]]]:
    """Entries in lists that are each short enough for a signal."""
    piece: list[list[Any]] = []
    size = 0
    for entry in entries:
        length = len(orjson.dumps(entry)) + 1
        if piece and size + length > PIECE_BYTES:
            yield piece
            piece, size = [], 0
        piece.append(entry)
        size += length
    if piece:
        yield piece
