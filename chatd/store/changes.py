"""What the log says of changed messages, compared with the changes themselves.

A change is a row that is never touched again; what the changes of a message come to is a row that
is written anew with each. So the changes can be replayed to check that row (`integrity`, over
PostgreSQL too).
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

from chatd.chat.reactions import with_reaction, without_reaction
from chatd.store.rows import reactions_as_json, reactions_from_json
from chatd.wire.identifiers import ERASED_USER_PREFIX

_CHANGES = """
    SELECT ch.message, ch.room_id, ch.rev, ch.kind, ch.user_id, ch.at_ms, ch.written,
           r.connection_id, r.last_rev, m.room_id, m.seq
    FROM changes ch
    LEFT JOIN rooms r USING (room_id) LEFT JOIN messages m ON m.position = ch.message
    ORDER BY ch.message, ch.position
"""
_NEVER = (0, None, None, None, "[]")  # the end of such a row, before any change
_NEVER_CHANGED = "is said to be changed, and never was."
_CHANGED = """
    SELECT message, room_id, seq, rev, at_ms, edited_rev, edited_ms, content, deleted_ms, reactions
    FROM changed ORDER BY message
"""
_OUT_OF_ORDER = """
    SELECT room_id, rev FROM (
        SELECT room_id, rev, position, lag(position) OVER (PARTITION BY room_id ORDER BY rev) AS low
        FROM changes)
    WHERE position <= low
"""


def faults_of_changes(connection: sqlite3.Connection) -> Iterator[str]:
    """Revs go up with positions; each change is of a message that is there, and the state of a
    message is what its changes come to."""
    for number, rev in connection.execute(_OUT_OF_ORDER):
        yield f"Room number {number}: rev {rev} was committed before the one below it."
    yield from faults_of_replay(
        connection.execute(_CHANGES),
        connection.execute(_CHANGED),
        lambda position: f"The message at position {position}",
    )


def faults_of_replay(
    changes: Iterable[Sequence[Any]],
    changed: Iterator[Sequence[Any]],
    named: Callable[[Any], str],
) -> Iterator[str]:
    """What is wrong with changes, and with the stored result of them.

    Both are in the order of their first columns, which say of which message they are, as `named`
    tells it. Changes have: message, room number, rev, kind, user, time, what was written;
    the name and the last rev of the room, and the room number and the seq of the message. What
    they come to is in the columns of the table `changed`.
    """
    told = iter(changed)
    next_told = next(told, None)
    for message, group in groupby(changes, key=itemgetter(0)):
        while next_told is not None and next_told[0] < message:
            yield f"{named(next_told[0])} {_NEVER_CHANGED}"
            next_told = next(told, None)
        replayed: tuple[object, ...] | None = None
        for change in group:
            fault, replayed = _replayed(replayed, *change)
            if fault is not None:
                yield f"{named(message)}: its change of rev {change[2]} {fault}."
        if next_told is None or next_told[0] > message or not _agree(next_told, replayed):
            yield f"{named(message)} is not what its changes come to."
        if next_told is not None and next_told[0] == message:
            next_told = next(told, None)
    while next_told is not None:
        yield f"{named(next_told[0])} {_NEVER_CHANGED}"
        next_told = next(told, None)


def _agree(told: Sequence[Any], replayed: tuple[object, ...] | None) -> bool:
    """Whether a row of `changed` is what a replay has come to."""
    if replayed is None:
        return False
    return tuple(told) == replayed or _in_order(told) == _in_order(replayed)


def _in_order(row: Sequence[Any]) -> tuple[object, ...]:
    """A row of `changed` with its reactions in order of their emoji: what an erased user had put on
    first may stand elsewhere."""
    *rest, reactions = row
    read = reactions_from_json(reactions)
    return (*rest, read and sorted(read, key=lambda one: one.emoji))


def _replayed(
    before: tuple[object, ...] | None, *row: Any
) -> tuple[str | None, tuple[object, ...] | None]:
    """What is wrong with a change, if anything, and the row of `changed` after it."""
    position, number, rev, kind, user, at_ms, written = row[:7]
    room, last_rev, room_of_message, seq = row[7:]
    if room_of_message != number or room is None:
        return "is of a message that is not in its room", before
    if not 1 <= rev <= last_rev:
        return f"has rev {rev}, and its room has come to {last_rev}", before
    if not all(isinstance(one, str) for one in (user, kind)):
        return "has text that is not UTF-8", before
    *_, edited_rev, edited_ms, content, deleted_ms, reactions = before or _NEVER
    shown = reactions_from_json(reactions) or ()
    match kind, written:
        case "edit", str():
            edited_rev, edited_ms, content = rev, at_ms, written
        case "delete", None:
            deleted_ms, content, shown = at_ms, None, ()
        case "erase", None:
            edited_rev, edited_ms, content, deleted_ms, shown = 0, None, None, at_ms, ()
        case "react" | "unreact", str() if user.startswith(ERASED_USER_PREFIX):
            pass  # nobody knows any more which it was, and the erasure has taken it off
        case "react", str():
            shown = with_reaction(shown, written, user) or shown
        case "unreact", str():
            shown = without_reaction(shown, written, user)
        case _:
            return f"is not a valid change of kind {kind!r}", before
    changes = edited_rev, edited_ms, content, deleted_ms, reactions_as_json(shown)
    return None, (position, number, seq, rev, at_ms, *changes)
