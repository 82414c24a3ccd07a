"""Committed messages of several nodes become visible in order, on each node to its own clients.

All that a node publishes goes through an `Order`: its own commits, what it hears on the bus, and
what it reads from the log. The bus gives hints. What is missing is read once a hole has waited for
too long, when the bus is up again, and where the heads of the rooms say so, which are looked at
again and again.

A room is held while somebody of this node is in it. Commits in other rooms are told to the other
nodes, and shown to nobody here.
"""

import math
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from typing import Final, Protocol, TypeAlias

import attrs
import trio

from chatd.bus import Bus
from chatd.bus.frames import UnreadableFrame, decode, encode
from chatd.chat.backoff import Backoff
from chatd.chat.order import Numbered, Order, Place
from chatd.chat.records import Change, Message
from chatd.service.publisher import Publisher
from chatd.store import StoreReadFailed

POLL_S: Final = 1.0
"""Between two looks at the heads of all rooms that are held: so late comes what no bus told."""
POLL_ALONE_S: Final = 0.2
"""The same while the bus is down."""
FIRST_WAIT_S: Final = 0.1
"""After a read of the log has failed; doubled with each further one."""
LONGEST_WAIT_S: Final = 2.0
_TOPIC: Final = "r:"

Item: TypeAlias = Message | Change


@attrs.frozen
class Stretch:
    """What the log has of a room behind a place, as of one moment.

    It has no other messages and changes up to `up_to`. Where `is_to_the_end`, it has none behind
    either; where not, it holds one message or change at least.
    """

    messages: tuple[Message, ...]
    changes: tuple[Change, ...]
    up_to: Place
    is_to_the_end: bool


class RoomLog(Protocol):
    """What is committed in the rooms, by whichever node. Reads raise StoreReadFailed."""

    async def heads(self, rooms: Collection[str]) -> Mapping[str, Place]:
        """How far each of these rooms is; none for a room without a message."""
        ...

    async def read_after(self, room: str, place: Place) -> Stretch:
        """What was committed behind `place`: a page of it, at least."""
        ...


@attrs.define(eq=False, slots=False)
class OrderedPublisher:
    """A `Publisher`, and the `Listener` of the bus.

    `shown` publishes to the clients of this node. `begun` is told from where on that will be, when
    a room is held; `behind`, that the log has less of a room than was published here: it was
    restored, or another server has taken over without its end.
    """

    _bus: Bus
    _log: RoomLog
    _shown: Publisher
    _begun: Callable[[str, Place], None]
    _behind: Callable[[str], None] = lambda _room: None
    _order: Order[Item] = attrs.field(init=False, factory=Order)
    _holders: Counter[str] = attrs.field(init=False, factory=Counter)
    _beginning: dict[str, trio.Lock] = attrs.field(init=False, factory=dict)
    _news: trio.Event = attrs.field(init=False, factory=trio.Event)
    _polled_s: float = attrs.field(init=False, default=-math.inf)

    def publish(self, message: Message) -> None:
        self._tell(message.connection_id, message, Place(seq=message.seq), "seq")
        self._offer(message.connection_id, message, _size(message))

    def publish_change(self, change: Change) -> None:
        room = change.message.connection_id
        self._tell(room, change, Place(rev=change.rev), "rev")
        self._offer(room, change, _size(change.message))

    def heard(self, topic: str, payload: bytes) -> None:
        room = topic.removeprefix(_TOPIC)
        try:
            frame = decode(payload, room)
        except UnreadableFrame:
            published = self._order.place(room)
            if published is None:
                return
            frame = Place(published.seq + 1)  # perhaps: the log will say
        if isinstance(frame, Place):
            self._order.know(room, frame, trio.current_time())
            self._look_at_holes()
        elif frame is not None:
            self._offer(room, frame, len(payload))

    def came_up(self) -> None:
        self.look()

    def look(self) -> None:
        """Look at the heads of all rooms now: the bus has come up, or gone down."""
        self._polled_s = -math.inf
        self._news.set()

    async def hold(self, room: str) -> None:
        """Publish the room from now on, until as many `release`. Raises StoreReadFailed, and then
        holds nothing."""
        self._holders[room] += 1
        try:
            # One after the other: a second one that begins could jump over what is owed by then.
            async with self._beginning.setdefault(room, trio.Lock()):
                if self._order.place(room) is None:
                    await self._begin(room)
        except BaseException:
            self.release(room)
            raise

    def release(self, room: str) -> None:
        """One holder is gone."""
        self._holders[room] -= 1
        if self._holders[room] == 0:
            del self._holders[room], self._beginning[room]
            self._order.end(room)
            self._bus.unsubscribe(_TOPIC + room)

    async def reach(self, room: str, seq: int) -> bool:
        """For a client that has all up to `seq` already, from a node that was further: read what is
        missing of a room that is held. False where the log itself does not have it."""
        if not self._has(room, seq):
            await self._heal(room)
        return self._has(room, seq)

    async def run(self) -> None:
        """Read what is missing, until cancelled."""
        backoff = Backoff(FIRST_WAIT_S, LONGEST_WAIT_S)
        while True:
            with trio.move_on_at(min(self._order.next_due_s, self._poll_due_s)):
                await self._news.wait()
            self._news = trio.Event()
            try:
                await self._read_what_is_missing()
            except StoreReadFailed:
                await trio.sleep(backoff.failed())
            else:
                backoff.succeeded()

    @property
    def _poll_due_s(self) -> float:
        return self._polled_s + (POLL_S if self._bus.is_up else POLL_ALONE_S)

    async def _read_what_is_missing(self) -> None:
        if trio.current_time() >= self._poll_due_s:
            await self._poll()
        for room in self._order.due(trio.current_time()):
            await self._heal(room)

    async def _poll(self) -> None:
        """Look how far all rooms are that are held."""
        before = {room: self._order.place(room) for room in self._order.rooms()}
        self._polled_s = trio.current_time()
        if not before:
            return
        heads = await self._log.heads(before.keys())
        now_s = trio.current_time()
        for room, published in before.items():
            head = heads.get(room, Place())
            if published is not None and (head.seq < published.seq or head.rev < published.rev):
                self._behind(room)
            self._order.know(room, head, now_s)

    async def _heal(self, room: str) -> None:
        """Read all that is behind what was published of a room."""
        order = self._order
        while (place := order.place(room)) is not None:
            known = order.known(room)
            read = await self._log.read_after(room, place)
            now_s = trio.current_time()
            self._show(
                order.healed(
                    room,
                    [_numbered(one, _size(one)) for one in read.messages],
                    [_numbered(one, _size(one.message)) for one in read.changes],
                    read.up_to,
                    now_s,
                )
            )
            if read.is_to_the_end:
                self._show(order.looked(room, known, now_s))
                return

    async def _begin(self, room: str) -> None:
        """First listen, then look how far the room is: nothing lies between."""
        self._order.expect(room)
        await self._bus.subscribe(_TOPIC + room)
        place = (await self._log.heads([room])).get(room, Place())
        self._begun(room, place)
        self._show(self._order.begin(room, place, trio.current_time()))
        self._look_at_holes()

    def _has(self, room: str, seq: int) -> bool:
        published = self._order.place(room)
        return published is not None and published.seq >= seq

    def _tell(self, room: str, item: Item, head: Place, of: str) -> None:
        """Tell the other nodes: all of it, or where that is too long, how far the room is."""
        bus = self._bus
        if not bus.is_up:
            return
        if bus.carries_messages:
            payload = encode(item)
            if len(payload) <= bus.payload_bytes_max:
                bus.publish(_TOPIC + room, payload)
                return
        bus.publish(_TOPIC + room, encode(head), latest_of=of)

    def _offer(self, room: str, item: Item, size: int) -> None:
        offer = self._order.message if isinstance(item, Message) else self._order.change
        self._show(offer(room, _numbered(item, size), trio.current_time()))
        self._look_at_holes()

    def _look_at_holes(self) -> None:
        if self._order.next_due_s < math.inf:
            self._news.set()

    def _show(self, items: Collection[Item]) -> None:
        for item in items:
            if isinstance(item, Message):
                self._shown.publish(item)
            else:
                self._shown.publish_change(item)


def _numbered(item: Item, size: int) -> Numbered[Item]:
    if isinstance(item, Message):
        return Numbered(item.seq, item, size)
    return Numbered(item.rev, item, size, item.message.seq)


def _size(message: Message) -> int:
    """About how many bytes a message holds."""
    return len(message.content) + len(message.context or b"") + len(message.answer or b"")
