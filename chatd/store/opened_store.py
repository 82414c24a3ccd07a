"""The port through which the daemon has its store, whatever keeps it: what was there at the start,
and the ways in that are not those of the messages actor."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from chatd.store.damage import Damaged
from chatd.store.loss import Loss
from chatd.store.message_reader import MessageReader
from chatd.store.reader_pool import Witness
from chatd.store.recovery import Recovered
from chatd.store.retention import Keep, Surplus
from chatd.store.snapshots import PassedOver, Snapshot


class WatchedReader(MessageReader, Protocol):
    """Reads of stored messages. `witness`, which may be set at any time, hears of damage."""

    witness: Witness | None


class OpenedStore(Protocol):
    """A store that is this daemon's alone, until it is closed; `chatd.store.opening.Store` says
    what its attributes are.

    `path` is that of the log in the state directory, whether it is there or not.
    """

    path: Path
    epoch: str
    recovered: Recovered
    snapshot: Snapshot | None
    passed_over: tuple[PassedOver, ...]
    loss: Loss | None
    damaged: tuple[Damaged, ...]

    @property
    def readers(self) -> WatchedReader:
        """Answer from the log as it is now."""
        ...

    @property
    def is_cut(self) -> bool:
        """Whether files of it were cut or overwritten, so that nothing may close them."""
        ...

    async def surplus(self, keep: Keep, most: int) -> Sequence[Surplus]:
        """What may go now, `most` messages in all. Raises `StoreReadFailed`, `StoreClosed`."""
        ...

    def renew(self) -> list[str]:
        """Make files again that somebody removed; returns their names. Blocks. Raises
        `StoreLocked`, `OSError`."""
        ...

    def write_snapshot(self, snapshot: Snapshot) -> Path:
        """Write a snapshot of the actors. Blocks. Raises `OSError`, `StoreClosed`."""
        ...

    def renew_snapshot(self, snapshot: Snapshot) -> None:
        """As `write_snapshot`, and no other one is left."""
        ...

    def reread(self) -> Recovered:
        """What the log holds now, for an actor that recovers. Blocks. Raises `StoreError`."""
        ...

    def close(self) -> bool:
        """Close it; returns whether nothing of it is left open."""
        ...
