"""Snapshots of the actors: taken in one step, written by a thread, now and then and at the end.

A snapshot spares a start what it would have to read from the log, and holds what the log does not:
which users were present or typing. Nothing that was acknowledged depends on a snapshot.
"""

from collections.abc import Callable, Mapping

import attrs
import trio

from chatd.store import Snapshot, StoreDisplaced
from chatd.store.opened_store import OpenedStore


@attrs.define(eq=False)
class Snapshots:
    """Writes snapshots into a store; `parts` give what each actor holds, as a value.

    `position` is that of the log, for all parts; `failed` gets errors of the disk.
    """

    _store: OpenedStore
    _position: Callable[[], int]
    _parts: Mapping[str, Callable[[], object]]
    _wall_ms: Callable[[], int]
    _failed: Callable[[OSError], None]
    _interval_s: float = attrs.field(kw_only=True)
    _writing: trio.Lock = attrs.field(init=False, factory=trio.Lock)

    async def run(self) -> None:
        """Write one now and then, until cancelled."""
        while True:
            await trio.sleep(self._interval_s)
            await self.write()

    async def write(self) -> None:
        """Write one. A disk that hangs holds a thread, but not a caller that cancels this."""
        async with self._writing:
            try:
                await trio.to_thread.run_sync(
                    self._store.write_snapshot, self._taken(), abandon_on_cancel=True
                )
            except OSError as error:
                self._failed(error)
            except StoreDisplaced:
                pass  # the writer reports it; a snapshot does not belong in another directory

    async def renew(self) -> None:
        """Write one, and remove all others: they hold what was erased. Raises OSError,
        StoreDisplaced."""
        async with self._writing:
            await trio.to_thread.run_sync(
                self._store.renew_snapshot, self._taken(), abandon_on_cancel=True
            )

    def _taken(self) -> Snapshot:
        return Snapshot(
            self._store.epoch,
            self._position(),
            self._wall_ms(),
            {name: freeze() for name, freeze in self._parts.items()},
        )
