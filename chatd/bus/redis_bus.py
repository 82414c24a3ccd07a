"""The bus over Redis: PUBLISH and SUBSCRIBE, which lose what nobody hears at that moment.

It has two connections: one hears, one publishes, since a connection that subscribes takes no other
command. The bus is up when a payload that this node published has come back to it: it does not if
the two lead to different servers, or if rights are missing.

Source: redis.io, "Redis Pub/Sub".
"""

from collections import deque
from collections.abc import Callable
from typing import Final, NoReturn

import attrs
import trio

from chatd.bus.link import BusLost, together
from chatd.bus.redis_address import RedisAddress
from chatd.bus.redis_connection import RedisConnection
from chatd.bus.resp import Reply
from chatd.bus.server_bus import ServerBus

PAYLOAD_BYTES_MAX: Final = 524_288
"""Bytes of a payload; a Redis drops a client that is owed more than 8 MiB for a minute. Longer
messages are read from the log."""
_BEFORE_PAYLOAD: Final = b"="  # so that no payload begins as a reply of Redis does
TOPICS_AT_ONCE: Final = 500
"""Topics in one command when a connection begins."""


@attrs.define(eq=False)
class _Confirmation:
    """Something that Redis is to confirm; it confirms in the order in which it was asked."""

    word: bytes
    channel: bytes
    came: trio.Event = attrs.field(factory=trio.Event)
    is_confirmed: bool = False


@attrs.define(eq=False)
class _Ears:
    """The connection that hears. In its channels the name of the cluster comes before the topic."""

    connection: RedisConnection
    _prefix: bytes
    _hear: Callable[[str, bytes], None]
    asked: set[str] = attrs.field(init=False, factory=set)
    _awaited: deque[_Confirmation] = attrs.field(init=False, factory=deque)

    def subscribe(self, *topics: str) -> list[_Confirmation]:
        channels = [self._prefix + topic.encode() for topic in topics]
        self.asked.update(topics)
        return self._ask(b"SUBSCRIBE", channels)

    def unsubscribe(self, topic: str) -> None:
        self.asked.discard(topic)
        self._ask(b"UNSUBSCRIBE", [self._prefix + topic.encode()])

    def _ask(self, word: bytes, channels: list[bytes]) -> list[_Confirmation]:
        if not self.connection.send(word, *channels):
            self.connection.give_up("Too much waits to be sent to Redis.")
        asked = [_Confirmation(word.lower(), channel) for channel in channels]
        self._awaited.extend(asked)
        return asked

    def take(self, reply: Reply) -> None:
        """Take a reply. Raises BusLost if it is not one that was asked for."""
        match reply:
            case [b"message", bytes(channel), bytes(payload)]:
                if channel.startswith(self._prefix) and payload.startswith(_BEFORE_PAYLOAD):
                    topic = channel[len(self._prefix) :].decode("ascii", "replace")
                    self._hear(topic, payload[len(_BEFORE_PAYLOAD) :])
            case [bytes(word), bytes(channel), int()] if self._awaited and (
                self._awaited[0].word,
                self._awaited[0].channel,
            ) == (word, channel):
                confirmed = self._awaited.popleft()
                confirmed.is_confirmed = True
                confirmed.came.set()
            case [b"pong", *_]:
                pass
            case _:
                raise BusLost("Redis answers something that was not asked.")

    def lost(self) -> None:
        """Nothing more will be confirmed."""
        while self._awaited:
            self._awaited.popleft().came.set()


class RedisBus(ServerBus):
    """A `Bus`. `scope` names the cluster: nodes of one scope hear each other."""

    payload_bytes_max = PAYLOAD_BYTES_MAX
    carries_messages = True

    def __init__(
        self,
        address: RedisAddress,
        scope: str,
        on_change: Callable[[str | None], None] = lambda _why: None,
    ) -> None:
        super().__init__(on_change)
        self._address = address
        self._prefix = f"chatd:{scope}:".encode()
        self._ears: _Ears | None = None
        self._mouth: RedisConnection | None = None

    def publish(self, topic: str, payload: bytes, latest_of: str | None = None) -> bool:
        del latest_of  # nothing waits here for longer than a turn
        if self._mouth is None or not self.is_up or len(payload) > PAYLOAD_BYTES_MAX:
            return False
        return self._mouth.send(
            b"PUBLISH", self._prefix + topic.encode(), _BEFORE_PAYLOAD + payload
        )

    async def subscribe(self, topic: str) -> bool:
        self._topics.add(topic)
        ears = self._ears
        if ears is None or not self.is_up:
            await trio.lowlevel.checkpoint()
            return False
        (confirmation,) = ears.subscribe(topic)
        await confirmation.came.wait()
        return confirmation.is_confirmed and self.is_up

    def unsubscribe(self, topic: str) -> None:
        self._topics.discard(topic)
        if self._ears is not None and topic in self._ears.asked:
            self._ears.unsubscribe(topic)

    async def _connect(self) -> NoReturn:
        hearing = await RedisConnection.open(self._address)
        try:
            mouth = await RedisConnection.open(self._address)
            try:
                ears = _Ears(hearing, self._prefix, self._hear)
                await self._run(ears, mouth)
            finally:
                await mouth.close()
        finally:
            await hearing.close()

    async def _run(self, ears: _Ears, mouth: RedisConnection) -> NoReturn:
        self._ears, self._mouth = ears, mouth
        try:
            await together(
                lambda: ears.connection.run(ears.take),
                lambda: mouth.run(lambda _reply: None),
                lambda: self._begin(
                    lambda: self._hear_oneself(ears, mouth),
                    f"Redis at {self._address.place} does not give back what is published there: "
                    "the address must lead to one server.",
                ),
            )
        finally:
            self._ears = self._mouth = None
            ears.lost()

    async def _hear_oneself(self, ears: _Ears, mouth: RedisConnection) -> None:
        """Return when all topics are confirmed, and a payload has come back."""
        wanted = {self._probe, *self._topics}
        while wanted:
            for one in ears.subscribe(*list(wanted)[:TOPICS_AT_ONCE]):
                await one.came.wait()
            wanted = self._topics - ears.asked
            if not wanted and not self._probe_came.is_set():
                mouth.send(b"PUBLISH", self._prefix + self._probe.encode(), _BEFORE_PAYLOAD)
                await self._probe_came.wait()
                wanted = self._topics - ears.asked
        for left in ears.asked - self._topics:
            ears.unsubscribe(left)
