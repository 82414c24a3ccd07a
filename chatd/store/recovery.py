"""What a start learns from the log: whether it is sound, and what memory begins with.

Nothing here grows with the number of messages, so that a log of millions opens at once: rooms are
looked at by their ends, and soundness by samples. `chatd store verify` is the full check.
"""

import sqlite3

import attrs

from chatd.store.rows import MESSAGE_COLUMNS, SELECT_HEADS, message_from_row

SAMPLES = 64  # places, evenly over the log, that are read at a start: a cut or zeroed part shows

_MESSAGE_AT = f"""
    SELECT {MESSAGE_COLUMNS} FROM messages m JOIN rooms r USING (room_id)
    WHERE m.position >= ? ORDER BY m.position LIMIT 1
"""


@attrs.frozen
class AcknowledgedSeqs:
    """What a user acknowledged in a room: all up to a seq, and single ones beyond it."""

    up_to: int = 0
    beyond: frozenset[int] = frozenset()


@attrs.frozen
class Recovered:
    """The log's own summary of what was committed.

    `rooms`: the last seq by connection id, 0 for a room with members but no message. `position`:
    that of the last record. `message_count`: messages in the log, without counting them.
    `acknowledgements`: by connection id, then by user id; who is not in it acknowledged nothing.
    """

    rooms: dict[str, int]
    position: int
    message_count: int
    members: dict[str, set[str]]
    acknowledgements: dict[str, dict[str, AcknowledgedSeqs]]


def read_epoch(connection: sqlite3.Connection) -> str:
    """The name of this log, new when it was created or restored."""
    [(epoch,)] = connection.execute("SELECT epoch FROM meta")
    return str(epoch)


def recover(connection: sqlite3.Connection) -> Recovered:
    """Read the summary. Raises `sqlite3.Error`, also where the file is damaged."""
    [(position,)] = connection.execute("SELECT position FROM meta")
    rooms = {room: last_seq for room, _, last_seq in connection.execute(SELECT_HEADS)}
    members: dict[str, set[str]] = {}
    for room, user in connection.execute(
        "SELECT r.connection_id, m.user_id FROM members m JOIN rooms r USING (room_id)"
    ):
        members.setdefault(room, set()).add(user)
    return Recovered(
        rooms=rooms,
        position=position,
        message_count=sum(rooms.values()),  # seqs are dense and begin at 1
        members=members,
        acknowledgements=_read_acknowledgements(connection),
    )


def probe(connection: sqlite3.Connection) -> None:
    """Read a bounded number of places. Raises `sqlite3.DatabaseError` or `ValueError` at damage."""
    [(last,)] = connection.execute("SELECT coalesce(max(position), 0) FROM messages")
    for sample in range(SAMPLES + 1):
        for row in connection.execute(_MESSAGE_AT, (last * sample // SAMPLES,)):
            message = message_from_row(row)
            found = connection.execute(
                "SELECT 1 FROM messages WHERE message_id = ?", (row[0],)
            ).fetchone()
            if found is None:
                raise ValueError(f"message {message.message_id} is not in its index")


def _read_acknowledgements(
    connection: sqlite3.Connection,
) -> dict[str, dict[str, AcknowledgedSeqs]]:
    singles: dict[tuple[str, str], set[int]] = {}
    for room, user, seq in connection.execute(
        "SELECT r.connection_id, a.user_id, a.seq FROM acknowledged a JOIN rooms r USING (room_id)"
    ):
        singles.setdefault((room, user), set()).add(seq)
    cursors: dict[tuple[str, str], int] = {
        (room, user): seq
        for room, user, seq in connection.execute(
            "SELECT r.connection_id, a.user_id, a.seq"
            " FROM acknowledged_up_to a JOIN rooms r USING (room_id)"
        )
    }
    acknowledgements: dict[str, dict[str, AcknowledgedSeqs]] = {}
    for room, user in cursors.keys() | singles.keys():
        acknowledgements.setdefault(room, {})[user] = AcknowledgedSeqs(
            up_to=cursors.get((room, user), 0),
            beyond=frozenset(singles.get((room, user), ())),
        )
    return acknowledgements
