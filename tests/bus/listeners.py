"""Who listens to a bus in a test, and remembers what it heard."""

from collections.abc import Callable

import trio

LIMIT_S = 60.0


class Notes:
    """A `Listener`."""

    def __init__(self) -> None:
        self.heard_all: list[tuple[str, bytes]] = []
        self.times_up = 0
        self.told: list[str | None] = []
        self._news = trio.lowlevel.ParkingLot()

    def heard(self, topic: str, payload: bytes) -> None:
        self.heard_all.append((topic, payload))
        self._news.unpark_all()

    def came_up(self) -> None:
        self.times_up += 1
        self._news.unpark_all()

    def tell(self, why_down: str | None) -> None:
        """For `on_change` of a bus."""
        self.told.append(why_down)
        self._news.unpark_all()

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Return once it is so, which only what it is told can change."""
        with trio.fail_after(LIMIT_S):
            while not is_so():
                await self._news.park()

    async def hears(self, topic: str, payload: bytes) -> None:
        await self.until(lambda: (topic, payload) in self.heard_all)

    async def is_up(self, times: int = 1) -> None:
        await self.until(lambda: self.times_up >= times)
