"""A long history, written into a state directory before its daemon starts.

Owns what such messages look like. It writes through the store's own writer, as a daemon does, but
without waiting for the disk: 65,000 messages a second, so a million take 15 s. Sent through a
daemon they would take minutes, and leave the machine in a different state for each size.
"""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

from chatd.chat.records import Message, MessageStored
from chatd.observe.ids import new_uuid
from chatd.store import open_store
from chatd.store.search_index import index_some

BATCH: Final = 1000
USERS: Final = 10
INDEXED_AT_ONCE: Final = 5000


def fill(
    directory: Path,
    room: str,
    up_to: int,
    now_ms: int,
    filled: Callable[[int], None] = lambda _messages: None,
) -> None:
    """Have the room hold `up_to` messages, the last of them sent at `now_ms`, and searchable.

    `filled` is told how many there are, after each batch. Blocks. No daemon may run there; raises
    `StoreLocked` if one does, and the other errors of `open_store`.
    """
    store = open_store(directory, "write")
    try:
        with contextlib.closing(store.open_log()) as log:
            there = store.recovered.rooms.get(room, 0)
            for first in range(there + 1, up_to + 1, BATCH):
                last = min(first + BATCH - 1, up_to)
                seqs = range(first, last + 1)
                log.commit([[_message(room, seq, now_ms - up_to + seq) for seq in seqs]])
                filled(last)
            # Otherwise the daemon would do this during the measurement.
            while log.maintain(lambda connection: index_some(connection, INDEXED_AT_ONCE)):
                pass
    finally:
        store.close()


def _message(room: str, seq: int, at_ms: int) -> MessageStored:
    number = seq % USERS
    content = f"Message {seq} of a long history, about as long as what people write in a chat."
    return MessageStored(
        Message(
            message_id=new_uuid(),
            connection_id=room,
            seq=seq,
            user_id=f"writer{number}",
            name=f"Writer {number}",
            content=content,
            context=None,
            thread_id=None,
            timestamp_ms=at_ms,
        )
    )
