"""What any node has committed in rooms, read from PostgreSQL: heads of many rooms at once, and what
comes after a place.

These reads have separate connections: a node publishes what others wrote, however many clients read
history.
"""

from collections.abc import Mapping
from typing import Final

import attrs

from chatd.chat.commits import CommitFailed, StoreClosed, StoreReadFailed
from chatd.chat.order import Place
from chatd.postgres_client import TrioConnection
from chatd.postgres_store.errors import CommitsLost
from chatd.postgres_store.log import PostgresLog
from chatd.postgres_store.lookups import read_changes
from chatd.postgres_store.opening import new_epoch
from chatd.postgres_store.pages import read_page
from chatd.postgres_store.reader_pool import READ_S, ReaderPool, pool_to_read
from chatd.postgres_store.rows import as_text
from chatd.postgres_store.sessions import LogAddress
from chatd.store.damage import Damaged
from chatd.store.errors import StoreError
from chatd.store.message_reader import Page
from chatd.store.reader_pool import Witness
from chatd.store.room_log import EpochChanged, Head, Shown, Stretch
from chatd.store.rows import is_uuid, uuid_bytes, uuid_text

CONNECTIONS: Final = 2
"""Two, so that a long page of one room does not hold up another room."""
MESSAGES_MAX: Final = 200
"""Messages that one read gives; the next read gives more."""
BYTES_MAX: Final = 1_048_576
"""Bytes of contents and answers that one read gives, beyond its first message."""
REVS_MAX: Final = 100
"""Revs that one read goes through: each change comes with its whole message."""

HEADS: Final = """
    SELECT m.epoch, r.connection_id, r.last_seq, r.last_rev, r.forgotten_seq, r.message_id
    FROM meta m LEFT JOIN (
        SELECT r.*, p.message_id
        FROM unnest(%(rooms)s::text[], %(seqs)s::bigint[]) asked(room, seq)
        JOIN rooms r ON r.connection_id = asked.room
        LEFT JOIN messages p ON p.room_id = r.room_id AND p.seq = asked.seq
    ) r ON true
"""
# One statement, on the connection that writes: a reader may have met a server that lags. What was
# lost may have been overwritten by now, with other messages.
_NAME_ANEW: Final = """
    UPDATE meta SET epoch = %s WHERE epoch = %s AND NOT EXISTS (
        SELECT FROM rooms r LEFT JOIN messages p ON p.room_id = r.room_id AND p.seq = %s
        WHERE r.connection_id = %s AND r.last_seq >= %s AND r.last_rev >= %s
          AND coalesce(p.message_id = %s, true))
    RETURNING epoch
"""
_EPOCH: Final = "SELECT epoch FROM meta"


@attrs.define(eq=False)
class PostgresRoomLog:
    """A `RoomLog` over a log that had this `epoch` when it was opened. `writer` asks the server
    that takes commits."""

    _pool: ReaderPool
    _writer: PostgresLog
    _epoch: str

    @classmethod
    def at(
        cls, address: LogAddress, writer: PostgresLog, epoch: str, witness: Witness | None = None
    ) -> "PostgresRoomLog":
        """The log at `address`; it connects when it is asked. `witness` is told what fails."""
        pool = ReaderPool(pool_to_read(address, CONNECTIONS, READ_S))
        pool.witness = witness
        return cls(pool, writer, epoch)

    async def heads(self, rooms: Mapping[str, int]) -> Mapping[str, Head]:
        epoch, heads = await self._pool.read(_read_heads, rooms)
        if epoch != self._epoch:
            raise EpochChanged
        return heads

    async def read_after(self, room: str, place: Place) -> Stretch:
        read = await self._pool.read(_read_after, room, place)
        for message in read.messages:
            if message.is_damaged and self._pool.witness is not None:
                self._pool.witness.damaged(Damaged("messages", room, message.seq))
        return read

    async def require(self, room: str, shown: Shown) -> None:
        place, message_id = shown.place, shown.message_id
        key = None if message_id is None else uuid_bytes(message_id)
        epochs = (new_epoch(), self._epoch)
        asked = (*epochs, place.seq, as_text(room), place.seq, place.rev, key)
        try:
            await self._writer.ask(_NAME_ANEW, asked)
            [(epoch,)] = await self._writer.ask(_EPOCH, ())
        except CommitsLost:  # the writer found it first
            raise EpochChanged from None
        except (CommitFailed, StoreClosed, StoreError) as failure:
            raise StoreReadFailed(
                f"The log could not be read ({type(failure).__name__})."
            ) from None
        if epoch != self._epoch:
            raise EpochChanged

    def close(self) -> None:
        """Close the connections; those in use once they are given back."""
        self._pool.close()


async def _read_heads(
    connection: TrioConnection, rooms: Mapping[str, int]
) -> tuple[str, dict[str, Head]]:
    asked = {"rooms": [as_text(room) for room in rooms], "seqs": list(rooms.values())}
    found = await connection.execute(HEADS, asked, binary=True)
    rows = await found.fetchall()
    heads = {
        room: Head(
            Place(last_seq, last_rev),
            forgotten_seq,
            uuid_text(message_id) if is_uuid(message_id) else None,
        )
        for _, room, last_seq, last_rev, forgotten_seq, message_id in rows
        if room is not None
    }
    return rows[0][0], heads


async def _read_after(connection: TrioConnection, room: str, place: Place) -> Stretch:
    """Messages first, and then changes up to the rev that the room had by then: whatever is
    committed between the two statements comes after `up_to`."""
    page = await read_page(
        connection,
        room,
        before=None,
        after=place.seq,
        limit=MESSAGES_MAX,
        thread=None,
        page_bytes=BYTES_MAX,
        answer_rows=None,
    )
    rev = max(place.rev, min(page.last_rev, place.rev + REVS_MAX))
    changes = await read_changes(connection, room, place.rev, rev) if rev > place.rev else ()
    up_to = Place(_last_seq(page, place), rev)
    return Stretch(page.messages, changes, up_to, not page.has_more and rev >= page.last_rev)


def _last_seq(page: Page, place: Place) -> int:
    """The seq up to which a page has everything that is there."""
    return page.messages[-1].seq if page.has_more else max(place.seq, page.last_seq)
