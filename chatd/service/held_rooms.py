"""The rooms that this node holds, with all that other nodes tell of them."""

import attrs

from chatd.service.ordered_publisher import OrderedPublisher
from chatd.service.signals import Signals


@attrs.frozen(eq=False)
class HeldRooms:
    """A `Feed`: what is committed in the room, and the signals that no log keeps."""

    _publisher: OrderedPublisher
    _signals: Signals

    async def hold(self, room: str) -> None:
        try:
            await self._publisher.hold(room)
        except BaseException:
            self._release_signals(room)  # the last holder may have gone meanwhile
            raise
        try:
            if not self._signals.holds(room):
                await self._signals.hold(room)
        except BaseException:
            self.release(room)
            raise

    def release(self, room: str) -> None:
        self._publisher.release(room)
        self._release_signals(room)

    def _release_signals(self, room: str) -> None:
        if not self._publisher.is_held(room):
            self._signals.release(room)

    async def reach(self, room: str, seq: int) -> None:
        await self._publisher.reach(room, seq)
