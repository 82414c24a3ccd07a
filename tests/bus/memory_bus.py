"""A bus in memory, for tests of what uses one; it is under the contract of the real ones."""

from collections import deque
from collections.abc import Callable
from typing import Final

import trio

from chatd.bus.bus import Listener

PAYLOAD_BYTES_MAX: Final = 10_000
GONE: Final = "The wire is cut."


class Wire:
    """What the buses of a cluster hang on. `lose` says which payloads get lost on it."""

    def __init__(self) -> None:
        self.buses: list[MemoryBus] = []
        self.is_cut = False
        self._on_its_way: deque[tuple[str, bytes]] = deque()
        self._is_carrying = False
        self.lose: Callable[[str, bytes], bool] = lambda _topic, _payload: False

    def carry(self, topic: str, payload: bytes) -> None:
        """Have all buses hear it, behind what they are hearing now."""
        self._on_its_way.append((topic, payload))
        if self._is_carrying:
            return
        self._is_carrying = True
        try:
            while self._on_its_way:
                heard = self._on_its_way.popleft()
                for bus in self.buses:
                    bus.hear(*heard)
        finally:
            self._is_carrying = False

    def cut(self) -> None:
        self._turn(is_cut=True)

    def mend(self) -> None:
        self._turn(is_cut=False)

    def _turn(self, *, is_cut: bool) -> None:
        self.is_cut = is_cut
        for bus in self.buses:
            bus.turned()


class MemoryBus:
    """A `Bus` of one process."""

    payload_bytes_max = PAYLOAD_BYTES_MAX

    def __init__(
        self,
        wire: Wire,
        on_change: Callable[[str | None], None] = lambda _why: None,
        *,
        carries_messages: bool = True,
    ) -> None:
        self.carries_messages = carries_messages
        self.why_down: str | None = None
        self._wire = wire
        self._on_change = on_change
        self._listener: Listener | None = None
        self._topics: set[str] = set()

    @property
    def is_up(self) -> bool:
        return self in self._wire.buses and not self._wire.is_cut

    def publish(self, topic: str, payload: bytes, latest_of: str | None = None) -> bool:
        if not self.is_up or len(payload) > PAYLOAD_BYTES_MAX:
            return False
        if not self._wire.lose(topic, payload):
            self._wire.carry(topic, payload)
        return True

    async def subscribe(self, topic: str) -> bool:
        self._topics.add(topic)
        await trio.lowlevel.checkpoint()
        return self.is_up

    def unsubscribe(self, topic: str) -> None:
        self._topics.discard(topic)

    def hear(self, topic: str, payload: bytes) -> None:
        if topic in self._topics and self._listener is not None:
            self._listener.heard(topic, payload)

    async def run(self, listener: Listener) -> None:
        self._listener = listener
        self._wire.buses.append(self)
        try:
            self.turned()
            await trio.sleep_forever()
        finally:
            self._wire.buses.remove(self)

    def turned(self) -> None:
        """The wire was cut, or is whole."""
        assert self._listener is not None
        self.why_down = GONE if self._wire.is_cut else None
        self._on_change(self.why_down)
        if self.is_up:
            self._listener.came_up()
