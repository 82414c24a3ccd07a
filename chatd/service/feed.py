"""The port to what brings a room's messages to this node while somebody of it is there."""

from typing import Protocol


class Feed(Protocol):
    """Where several nodes commit. Each `hold` is followed by one `release`, unless it raises."""

    async def hold(self, room: str) -> None:
        """Publish the room from now on (`Timelines.begin`). Raises StoreReadFailed."""
        ...

    def release(self, room: str) -> None:
        """One holder is gone."""
        ...

    async def reach(self, room: str, seq: int) -> None:
        """Publish a room that is held up to `seq`, as far as the log has it. Raises
        StoreReadFailed."""
        ...
