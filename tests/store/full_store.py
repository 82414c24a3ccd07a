"""A state directory with something of everything that a log can hold."""

import sqlite3
from pathlib import Path

from chatd.chat.queue import Gap, Queue
from chatd.chat.records import (
    AnswerClosed,
    AnswerOpened,
    Delivered,
    MemberRemoved,
    MessageStored,
    OpenAnswer,
)
from chatd.store.connections import Durability, connect_to_write
from chatd.store.log import Log
from chatd.store.opening import Store, open_store
from chatd.store.search_index import index_some, unindex
from chatd.store.snapshots import Snapshot
from tests.chat.commands import message_id
from tests.store.logs import (
    NOW_MS,
    ROOM,
    deleted,
    edited,
    kept,
    member_parts,
    message,
    reacted,
    stored,
    stored_from,
)

OWED = Queue(7, 70, (Gap(1, 1, 10), Gap(3, 5, 20)), (2, 2))
WORDS = ("ordinary", "Ünïcode 🐘", "select 1 from orders", "!!!", "the quick brown fox")


def write_to(store: Store, *requests: list[object]) -> None:
    """Commit each request by itself, and leave."""
    log = Log(lambda: connect_to_write(store.path, Durability.WRITE))
    for records in requests:
        log.commit([records])  # type: ignore[list-item]
    log.close()


def forget(store: Store, room_id: int, last_seq: int) -> None:
    """What retention does to a room, in the index of the search too."""

    def job(connection: sqlite3.Connection) -> None:
        below = (room_id, last_seq)
        rows = connection.execute(
            "SELECT position FROM messages WHERE room_id = ? AND seq <= ?", below
        )
        unindex(connection, [position for (position,) in rows.fetchall()])
        connection.execute("DELETE FROM messages WHERE room_id = ? AND seq <= ?", below)
        connection.execute("UPDATE rooms SET forgotten_seq = ? WHERE room_id = ?", below[::-1])

    log = Log(lambda: connect_to_write(store.path, Durability.WRITE))
    log.maintain(job)
    log.close()


def index_up_to(store: Store, position: int) -> None:
    """Bring the index of the search, which is empty, to a position."""

    def job(connection: sqlite3.Connection) -> None:
        [(messages,)] = connection.execute(
            "SELECT count(*) FROM messages WHERE position <= ?", (position,)
        )
        index_some(connection, messages)
        connection.execute("UPDATE meta SET indexed_position = ?", (position,))

    log = Log(lambda: connect_to_write(store.path, Durability.WRITE))
    log.maintain(job)
    log.close()


def write_snapshot_of(store: Store) -> Path:
    """A snapshot as the daemon takes it."""
    now = store.reread()
    parts = {**member_parts(now), "presence": {ROOM: {"ada": ["online", NOW_MS]}}}
    return store.write_snapshot(Snapshot(store.epoch, now.position, NOW_MS + now.position, parts))


def asked(seq: int, *, answered: bool = False) -> list[object]:
    """A question at this place, and its answer at the next one where it has ended."""
    question_id, answer_id = message_id(1_000 + seq), message_id(2_000 + seq)
    records: list[object] = [
        stored(seq, message_id=question_id),
        AnswerOpened(OpenAnswer(question_id, answer_id, ROOM, "ada", None, NOW_MS + seq)),
    ]
    if answered:
        ended = {"message_id": answer_id, "reply_to": question_id, "answer": b'{"rows":[[1]]}'}
        records += [stored(seq + 1, **ended), AnswerClosed(ROOM, question_id, answer_id, "done")]
    return records


def fill(directory: Path) -> None:
    """Two rooms, members of all kinds, what was forgotten and indexed, two snapshots; closed."""
    store = open_store(directory, "write")
    write_to(
        store,
        list(stored_from(1, 3, context=b'{"schema":"public"}')),
        [kept("ada"), kept("bob", Queue(3, NOW_MS)), kept("eve"), MemberRemoved(ROOM, "eve")],
        [stored(seq, room="other", content=WORDS[seq % len(WORDS)]) for seq in range(1, 2_501)],
        [stored(seq) for seq in range(4, 9)],
        [kept("bob", OWED), Delivered(ROOM, 2, "bob", NOW_MS)],
    )
    index_up_to(store, 2_400)
    write_snapshot_of(store)
    forget(store, 2, 40)
    nine = message(9)
    twice = edited(edited(nine, "again", 1).message, "once more", 2)
    liked = reacted(twice.message, 3)
    write_to(
        store,
        [MessageStored(nine), kept("joe", Queue(0, 0, (), (1, 4)), room="other")],
        [edited(nine, "again", 1), twice, liked],
        [reacted(liked.message, 4, user_id="joe"), deleted(message(8), 5)],
        [reacted(message(7), 6), reacted(reacted(message(7), 6).message, 7, is_on=False)],
    )
    write_snapshot_of(store)
    assert store.close()
