"""Committed messages of several nodes become visible in order, on each node to its own clients.

All that a node publishes goes through an `Order`: its own commits, what it hears on the bus, and
what it reads from the log. The bus gives hints. What is missing is read from the log once a hole
has waited for too long, when the bus is up again, and when the heads of the rooms say so, which are
looked at again and again.

A room is held while somebody of this node is in it. Commits in other rooms are told to the other
nodes, and shown to nobody here.
"""

import enum
import math
from collections import Counter
from collections.abc import Callable, Collection
from typing import Final, TypeAlias

import attrs
import trio

from chatd.bus import Bus
from chatd.bus.frames import UnreadableFrame, decode, encode
from chatd.chat.backoff import Backoff
from chatd.chat.order import Numbered, Order, Place
from chatd.chat.records import Change, Message
from chatd.service.publisher import Publisher
from chatd.service.shown_messages import ShownMessages
from chatd.store import StoreReadFailed
from chatd.store.room_log import NO_MESSAGES, EpochChanged, RoomLog

POLL_S: Final = 1.0
"""Between two looks at the heads of all rooms that are held: what the bus did not tell comes so
late."""
POLL_ALONE_S: Final = 0.2
"""The same while the bus is down."""
FIRST_WAIT_S: Final = 0.1
"""After a read of the log has failed; doubled with each further one."""
LONGEST_WAIT_S: Final = 2.0
TOPIC: Final = "r"
"""The letter of its topics."""
_TOPIC: Final = f"{TOPIC}:"

Item: TypeAlias = Message | Change


class Healed(enum.StrEnum):
    """How a node found that it lacked what it then read from the log."""

    HOLE = "hole"
    """It had heard of something behind it."""
    POLL = "poll"
    """It looked how far its rooms are."""
    AHEAD = "ahead"
    """A client came from a node that was ahead."""


@attrs.frozen
class _Offered:
    """What is to be shown; `is_own`: this node has just committed it."""

    item: Item
    is_own: bool


def _nothing(*_: object) -> None:
    """Where nobody asks for it."""


@attrs.define(eq=False, slots=False)
class OrderedPublisher:
    """A `Publisher`, and the `Listener` of the bus.

    `shown` publishes to the clients of this node. When a room is held, `begun` is told from where
    on that will be, and `where` says how far the room is; when retention has removed messages,
    `forgot` is told from which seq on a held room has some. `learnt` is told each message and
    change that this node has heard of, or read, right before it is shown; now and then it is one of
    the node's own. `over` is called when the log has another epoch, so that this node must not go
    on.
    """

    _bus: Bus
    _log: RoomLog
    _shown: Publisher
    _begun: Callable[[str, Place], None]
    _where: Callable[[str], Place]
    _forgot: Callable[[str, int], None] = attrs.field(default=_nothing, kw_only=True)
    _over: Callable[[], None] = attrs.field(default=_nothing, kw_only=True)
    learnt: Callable[[Item], None] = attrs.field(default=_nothing, kw_only=True)
    told: int = attrs.field(init=False, default=0)
    """Hints that the bus took."""
    heard_of: int = attrs.field(init=False, default=0)
    """Hints that the bus brought."""
    healed: Counter[Healed] = attrs.field(init=False, factory=Counter)
    """Messages and changes that had to be read from the log."""
    _order: Order[_Offered] = attrs.field(init=False, factory=Order)
    _holders: Counter[str] = attrs.field(init=False, factory=Counter)
    _beginning: dict[str, trio.Lock] = attrs.field(init=False, factory=dict)
    _forgotten: dict[str, int] = attrs.field(init=False, factory=dict)
    _messages: ShownMessages = attrs.field(init=False, factory=ShownMessages)
    _news: trio.Event = attrs.field(init=False, factory=trio.Event)
    _polled_s: float = attrs.field(init=False, default=-math.inf)

    def publish(self, message: Message) -> None:
        room = message.connection_id
        self._offer(room, _Offered(message, is_own=True), _size(message))
        self._tell(room, message, Place(seq=message.seq), "seq")

    def publish_change(self, change: Change) -> None:
        room = change.message.connection_id
        self._offer(room, _Offered(change, is_own=True), _size(change.message))
        self._tell(room, change, Place(rev=change.rev), "rev")

    def heard(self, topic: str, payload: bytes) -> None:
        room = topic.removeprefix(_TOPIC)
        self.heard_of += 1
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
            self._offer(room, _Offered(frame, is_own=False), len(payload))

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
            # One after the other: a second beginning could jump over what is owed by then.
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
            self._forgotten.pop(room, None)
            self._messages.forget(room)
            self._order.end(room)
            self._bus.unsubscribe(_TOPIC + room)

    def is_held(self, room: str) -> bool:
        """Whether somebody holds the room."""
        return room in self._holders

    async def reach(self, room: str, seq: int) -> None:
        """Publish what is missing of a held room, as far as the log has it, for a client that
        already has all up to `seq` from a node that was ahead. Raises StoreReadFailed."""
        if not self._has(room, seq) and room in self._beginning:
            async with self._beginning[room]:  # many may come together: one of them reads
                if not self._has(room, seq):
                    await self._heal(room, Healed.AHEAD)

    @property
    def rooms(self) -> int:
        """How many rooms are held."""
        return len(self._holders)

    @property
    def holes(self) -> int:
        """Rooms in which something is known of that is not here yet."""
        return self._order.holes

    @property
    def behind_seq(self) -> int:
        """How many messages behind what is known of it the room is that is furthest behind."""
        return self._order.behind_seq

    async def run(self) -> None:
        """Read what is missing, until cancelled."""
        backoff = Backoff(FIRST_WAIT_S, LONGEST_WAIT_S)
        while True:
            with trio.move_on_at(min(self._order.next_due_s, self._poll_due_s)):
                await self._news.wait()
            self._news = trio.Event()
            try:
                await self._read_what_is_missing()
            except StoreReadFailed as failure:
                if isinstance(failure, EpochChanged):
                    self._over()
                await trio.sleep(backoff.failed())
            else:
                backoff.succeeded()

    @property
    def _poll_due_s(self) -> float:
        is_alone = self._holders and not self._bus.is_up
        return self._polled_s + (POLL_ALONE_S if is_alone else POLL_S)

    async def _read_what_is_missing(self) -> None:
        holes = self._order.due(trio.current_time())
        if trio.current_time() >= self._poll_due_s:
            await self._poll()
        for room in self._order.due(trio.current_time()):
            await self._heal(room, Healed.HOLE if room in holes else Healed.POLL)

    async def _poll(self) -> None:
        """Look how far all held rooms are, and whether the log is still the same."""
        before = {
            room: self._messages.to_look_at(room, place)
            for room in self._order.rooms()
            if (place := self._order.place(room)) is not None
        }
        self._polled_s = trio.current_time()
        heads = await self._log.heads({room: one.place.seq for room, one in before.items()})
        now_s = trio.current_time()
        for room, shown in before.items():
            head = heads.get(room, NO_MESSAGES)
            if not shown.is_in(head):
                await self._log.require(room, shown)
            self._order.know(room, head.place, now_s)
            if head.forgotten_seq > self._forgotten.get(room, head.forgotten_seq):
                self._forgotten[room] = head.forgotten_seq
                self._forgot(room, head.forgotten_seq + 1)

    async def _heal(self, room: str, why: Healed) -> None:
        """Read all that comes after what was published of a room."""
        order = self._order
        while (place := order.place(room)) is not None:
            known = order.known(room)
            read = await self._log.read_after(room, place)
            now_s = trio.current_time()
            healed = order.healed(
                room,
                [_numbered(_Offered(one, is_own=False), _size(one)) for one in read.messages],
                [
                    _numbered(_Offered(one, is_own=False), _size(one.message))
                    for one in read.changes
                ],
                read.up_to,
                now_s,
            )
            self.healed[why] += len(healed)
            self._show(healed)
            if read.is_to_the_end:
                self._show(order.looked(room, known, now_s))
                return

    async def _begin(self, room: str) -> None:
        """First listen, then look how far the room is: nothing lies between."""
        self._order.expect(room)
        await self._bus.subscribe(_TOPIC + room)
        head = (await self._log.heads({room: 0})).get(room, NO_MESSAGES)
        place = head.place
        self._forgotten[room] = head.forgotten_seq
        self._begun(room, place)
        self._show(self._order.begin(room, place, trio.current_time()))
        self._look_at_holes()

    def _has(self, room: str, seq: int) -> bool:
        published = self._order.place(room)
        return published is not None and published.seq >= seq

    def _tell(self, room: str, item: Item, head: Place, of: str) -> None:
        """Tell the other nodes: all of it, or, if that is too long, how far the room is."""
        bus = self._bus
        if not bus.is_up:
            return
        if bus.carries_messages:
            payload = encode(item)
            if len(payload) <= bus.payload_bytes_max:
                self.told += bus.publish(_TOPIC + room, payload)
                return
        self.told += bus.publish(_TOPIC + room, encode(head), latest_of=of)

    def _offer(self, room: str, offered: _Offered, size: int) -> None:
        if isinstance(offered.item, Message):
            self._messages.compare(offered.item)
            offer = self._order.message
        else:
            offer = self._order.change
        self._show(offer(room, _numbered(offered, size), trio.current_time()))
        self._look_at_holes()

    def _look_at_holes(self) -> None:
        if self._order.next_due_s < math.inf:
            self._news.set()

    def _show(self, offered: Collection[_Offered]) -> None:
        for one in offered:
            item = one.item
            message = item if isinstance(item, Message) else item.message
            try:
                self._show_one(one)
            except BaseException:
                room = message.connection_id
                self._order.take_back(room, self._where(room), trio.current_time())
                raise

    def _show_one(self, one: _Offered) -> None:
        item = one.item
        if not one.is_own:
            self.learnt(item)
        if isinstance(item, Message):
            self._shown.publish(item)
            self._messages.add(item)
        else:
            self._shown.publish_change(item)


def _numbered(offered: _Offered, size: int) -> Numbered[_Offered]:
    item = offered.item
    if isinstance(item, Message):
        return Numbered(item.seq, offered, size)
    return Numbered(item.rev, offered, size, item.message.seq)


def _size(message: Message) -> int:
    """About how many bytes a message holds."""
    return len(message.content) + len(message.context or b"") + len(message.answer or b"")
