"""The bus of a node that has none: such a node finds what others commit by looking."""

from typing import Final

import trio

from chatd.bus.bus import Listener


class Alone:
    """A `Bus` that is never up."""

    payload_bytes_max: Final = 0
    carries_messages: Final = False
    is_up: Final = False
    why_down: Final = None
    """Nothing is amiss."""

    def publish(self, topic: str, payload: bytes, latest_of: str | None = None) -> bool:
        return False

    async def subscribe(self, topic: str) -> bool:
        await trio.lowlevel.checkpoint()
        return False

    def unsubscribe(self, topic: str) -> None:
        """It was not heard."""

    async def run(self, listener: Listener) -> None:
        await trio.sleep_forever()
