"""Rooms that have a history before the daemon starts, written by the store itself."""

import time
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from chatd.chat.queue import PRESENT
from chatd.chat.records import MemberKept, Message, MessageStored, Record
from chatd.store.connections import Durability, connect_to_write
from chatd.store.log import Log
from chatd.store.opening import open_store

AT_ONCE: Final = 2_500
MINUTE_MS: Final = 60_000
AUTHORS: Final = ("bob", "carol", "dan")
LINES: Final = (1, 2, 1, 5, 1, 1, 3, 1, 15, 1)
"""How many lines each message has, in a circle: prime to nothing that pages are made of."""


def text_of(seq: int) -> str:
    """What the message of this place says: its number, and more lines to some."""
    lines = LINES[seq % len(LINES)]
    return "\n".join([f"message {seq} of all", *(f"line {at} of it" for at in range(1, lines))])


def history(room: str, count: int, words: dict[int, str] | None = None) -> list[Record]:
    """So many messages, one a minute up to now, by three people in turns of four.

    `words` says what those of some places say."""
    now_ms = int(time.time() * 1_000)
    return [
        MessageStored(
            Message(
                message_id=str(uuid.uuid4()),
                connection_id=room,
                seq=seq,
                user_id=(author := AUTHORS[seq // 4 % len(AUTHORS)]),
                name=author.title(),
                content=(words or {}).get(seq, text_of(seq)),
                context=None,
                thread_id=None,
                timestamp_ms=now_ms - (count - seq) * MINUTE_MS,
            )
        )
        for seq in range(1, count + 1)
    ]


def member(room: str, user_id: str, read_seq: int) -> Record:
    """A user who was here before, and has read so far."""
    return MemberKept(room, user_id, PRESENT, 0, read_seq, user_id.title())


def write(state: Path, records: Iterable[Record]) -> None:
    """Write records into a state directory that no daemon uses."""
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    store = open_store(state, Durability.WRITE)
    log = Log(lambda: connect_to_write(store.path, Durability.WRITE))
    waiting = list(records)
    while waiting:
        log.commit([waiting[:AT_ONCE]])
        del waiting[:AT_ONCE]
    log.close()
    assert store.close()
