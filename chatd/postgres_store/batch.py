"""Records as what `commit_batch` of the schema takes (schema/002_commit.sql, 004_nodes.sql).

A batch writes each member once, as its last record has it, and likewise what the changes of a
message come to. The server numbers messages, in each room from its last seq on. If nothing else in
the batch refers to their seqs, the room may have any last seq; otherwise the room must be as the
machine knew it. Members and changes must be as it knew them in any case.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias, assert_never

import attrs
import orjson

from chatd.chat.audit import AuditEnd, AuditEntry
from chatd.chat.commits import RecordRefused
from chatd.chat.ids import WRITTEN_CHARS, scoped_id, written_id
from chatd.chat.records import (
    AnswerClosed,
    AnswerOpened,
    Audited,
    Change,
    Delivered,
    MemberKept,
    MemberRemoved,
    Message,
    MessageDeleted,
    MessageEdited,
    MessageErased,
    MessageRead,
    MessageStored,
    ReactionChanged,
    ReadMarked,
    Record,
)
from chatd.store.batch import kind_and_text
from chatd.store.rows import queue_fields, uuid_bytes

Row: TypeAlias = dict[str, Any]
Parameters: TypeAlias = tuple[object, ...]


@attrs.frozen
class Heads:
    """What a node knows of the log: the numbers of rooms, and whether it has ids with a scope."""

    room_ids: dict[str, int]
    has_scoped: bool = False


@attrs.define
class _Room:
    """What a room gets in one batch: messages after a seq, changes after a rev."""

    messages: int = 0
    last_seq: int | None = None
    changes: int = 0
    last_rev: int | None = None
    newest_told: int = 0  # the highest seq that another record refers to

    @property
    def required_seq(self) -> int | None:
        """The last seq that the room must have; None if any will do."""
        if self.last_seq is None or self.newest_told <= self.last_seq:
            return None
        return self.last_seq


@attrs.frozen
class Batch:
    """A batch, ready to be sent. `rooms` are those whose messages or changes are numbered;
    `last_seqs` is what the machine took for the last seq of each room that gets messages. The batch
    writes `members`, and changes the messages at `changed`, as (connectionId, seq)."""

    rooms: tuple[str, ...]
    last_seqs: Mapping[str, int]
    messages: tuple[Message, ...]
    members: tuple[tuple[str, str], ...]
    changed: tuple[tuple[str, int], ...]
    has_scoped: bool
    _rest: Parameters

    @classmethod
    def of(cls, records: Iterable[Record], heads: Heads) -> "Batch":
        """Make a batch of records. Raises `RecordRefused` or `ValueError` if one cannot be
        written."""
        made = _Made(heads)
        for record in records:
            made.add(record)
        return made.batch()

    def parameters(self, node_id: int, number: int) -> Parameters:
        """What `COMMIT` takes, for the batch of this number of a node."""
        return node_id, number, *self._rest


COMMIT: Final = """
    SELECT last_seqs, version, repeated
    FROM commit_batch(%s::int, %s::bigint, %s::int[], %s::bigint[], %s::bigint[], %s::bigint[],
                      %s::bigint[], %s::boolean, %s::text[], %s::json, %s::json, %s::json, %s::json,
                      %s::json)
"""


def rooms_of(records: Iterable[Record]) -> set[str]:
    """The rooms that records are about, each of which needs a number."""
    found = set()
    for record in records:
        match record:
            case MessageStored() | MessageEdited() | MessageDeleted() | ReactionChanged():
                found.add(record.message.connection_id)
            case AnswerOpened():
                found.add(record.answer.connection_id)
            case MemberKept() | MemberRemoved() | ReadMarked() | Delivered():
                found.add(record.connection_id)
            case MessageRead() | AnswerClosed() | Audited():
                pass
            case _:
                assert_never(record)
    return found


class _Made:
    """A batch that is being made."""

    def __init__(self, heads: Heads) -> None:
        self._heads = heads
        self._rooms: dict[str, _Room] = {}
        self._messages: list[Message] = []
        self._has_scoped = False
        self._twins: list[str] = []
        self._required: dict[tuple[str, str], Row] = {}
        self._members: dict[tuple[str, str], Row] = {}
        self._removed: dict[tuple[str, str], Row] = {}
        self._read: dict[tuple[str, str], Row] = {}
        self._changed: dict[tuple[str, int], Row] = {}
        self._mentions: dict[tuple[str, int], Row] = {}
        self._erased: dict[tuple[str, int], Row] = {}
        self._receipts: list[Row] = []
        self._lists: dict[str, list[Any]] = {}

    def add(self, record: Record) -> None:
        match record:
            case MessageStored(message):
                self._add_message(message)
            case MemberKept():
                self._keep_member(record)
            case MemberRemoved(connection_id, user_id, version):
                key = (connection_id, user_id)
                self._require(key, version)
                self._removed[key] = {"r": self._room_id(connection_id), "u": user_id}
                self._members.pop(key, None)
                self._read.pop(key, None)
            case ReadMarked(connection_id, user_id, read_seq, version):
                self._require((connection_id, user_id), version)
                self._mark_read((connection_id, user_id), read_seq)
            case Delivered(connection_id, seq, by, at_ms):
                room_id = self._room_id(connection_id)
                self._tell_of(connection_id, seq)
                self._receipts.append({"r": room_id, "s": seq, "u": by, "ms": at_ms})
            case AnswerOpened(answer):
                self._put(
                    "opened",
                    {
                        "q": _hex(answer.question_id),
                        "a": _hex(answer.answer_id),
                        "r": self._room_id(answer.connection_id),
                        "u": answer.user_id,
                        "t": None if answer.thread_id is None else _hex(answer.thread_id),
                        "ms": answer.opened_ms,
                        "read": answer.is_to_read,
                        "ad": answer.address,
                    },
                )
            case MessageRead(_, question_id, _, is_question):
                self._put("questions" if is_question else "talk", _hex(question_id))
            case AnswerClosed(_, question_id, answer_id, state):
                self._put("closed", {"q": _hex(question_id), "a": _hex(answer_id), "s": state})
            case MessageErased(message, rev):
                self._add_change(record)
                self._erased[message.connection_id, message.seq] = {
                    "r": self._room_id(message.connection_id),
                    "s": message.seq,
                    "v": rev,
                    "u": message.user_id,
                    "id": written_id(message.message_id),
                }
            case MessageEdited() | MessageDeleted() | ReactionChanged():
                self._add_change(record)
            case Audited(entry):
                self._put("audit", _audit_row(entry))
            case _:
                assert_never(record)

    def batch(self) -> Batch:
        room_ids = self._heads.room_ids
        rooms = sorted(self._rooms, key=lambda room: room_ids[room])
        numbered = [self._rooms[room] for room in rooms]
        index = {room: at for at, room in enumerate(rooms, 1)}
        last_seqs = {room: one.last_seq for room, one in self._rooms.items() if one.messages}
        rows, mentioning = [], []
        for message in self._messages:
            room = message.connection_id
            place = {"a": index[room], "k": message.seq - (last_seqs[room] or 0)}
            rows.append(place | _message_row(message))
            if message.mentions:
                mentioning.append(place | {"u": message.user_id, "m": message.mentions})
        others = self._others()
        knows_scoped = self._heads.has_scoped or self._has_scoped
        return Batch(
            tuple(rooms),
            {room: seq or 0 for room, seq in last_seqs.items()},
            tuple(self._messages),
            tuple(self._required),
            tuple(self._changed),
            self._has_scoped,
            (
                [room_ids[room] for room in rooms],
                [one.messages for one in numbered],
                [one.changes for one in numbered],
                [one.required_seq for one in numbered],
                [one.last_rev for one in numbered],
                self._has_scoped,
                self._twins if knows_scoped else None,
                _json(rows),
                _json(mentioning),
                _json(list(self._required.values())),
                _json(self._receipts),
                _json(others),
            ),
        )

    def _others(self) -> dict[str, list[Any]]:
        found = {
            "members": list(self._members.values()),
            "removed": list(self._removed.values()),
            "read": list(self._read.values()),
            "changed": list(self._changed.values()),
            "mentions": list(self._mentions.values()),
            "erased": list(self._erased.values()),
            **self._lists,
        }
        return {name: rows for name, rows in found.items() if rows}

    def _add_message(self, message: Message) -> None:
        room = message.connection_id
        self._room_id(room)
        numbered = self._rooms.setdefault(room, _Room())
        if numbered.last_seq is None:
            numbered.last_seq = message.seq - 1
        numbered.messages += 1
        if message.seq != numbered.last_seq + numbered.messages:
            raise RecordRefused(f"A message with seq {message.seq} leaves a gap in its room.")
        if len(message.message_id) > WRITTEN_CHARS:
            self._has_scoped = True
        elif self._heads.has_scoped or self._has_scoped:
            self._twins.append(_hex(scoped_id(message.message_id, room)))
        self._messages.append(message)

    def _add_change(self, change: Change) -> None:
        message, changes = change.message, change.message.changes
        room, room_id = message.connection_id, self._room_id(message.connection_id)
        numbered = self._rooms.setdefault(room, _Room())
        if numbered.last_rev is None:
            numbered.last_rev = change.rev - 1
        numbered.changes += 1
        if changes is None or not changes.rev == change.rev == numbered.last_rev + numbered.changes:
            raise RecordRefused(f"A change with rev {change.rev} leaves a gap in its room.")
        place = (room, message.seq)
        if not isinstance(change, ReactionChanged):
            self._mentions[place] = {"r": room_id, "s": message.seq, "m": message.mentions}
        kind, written = kind_and_text(change)
        self._put(
            "changes",
            {
                "r": room_id,
                "v": change.rev,
                "s": message.seq,
                "k": kind,
                "u": change.by,
                "ms": change.at_ms,
                "w": written,
            },
        )
        is_edited = changes.edited_rev > 0 and changes.deleted_ms is None
        self._changed[place] = {
            "r": room_id,
            "s": message.seq,
            "v": changes.rev,
            "ms": changes.at_ms,
            "ev": changes.edited_rev,
            "ems": changes.edited_ms,
            "c": message.content if is_edited else None,
            "d": changes.deleted_ms,
            "re": [[one.emoji, one.users] for one in changes.reactions],
        }

    def _keep_member(self, kept: MemberKept) -> None:
        key = (kept.connection_id, kept.user_id)
        room_id = self._room_id(kept.connection_id)
        self._require(key, kept.share.version)
        self._read.pop(key, None)
        known = self._members.get(key)
        joined_ms = kept.at_ms if known is None else known["j"]
        away_seq, away_ms, gaps, fallen = queue_fields(kept.queue)
        owed_to = kept.queue.gaps[-1].last if kept.queue.gaps else 0
        told = max(kept.read_seq, kept.share.seen_seq, away_seq or 0, owed_to)
        self._tell_of(kept.connection_id, told)
        self._members[key] = {
            "r": room_id,
            "u": kept.user_id,
            "j": joined_ms,
            "a": away_seq,
            "ms": away_ms,
            "g": gaps,
            "f": fallen,
            "s": kept.read_seq,
            "n": kept.name,
            "st": f"{{{','.join(map(str, sorted(kept.share.stays)))}}}",
            "se": kept.share.seen_seq,
        }

    def _require(self, key: tuple[str, str], version: int) -> None:
        """A member that the batch writes must have this version; 0: it must not be there."""
        room, user = key
        row = {"r": self._room_id(room), "u": user, "v": version or None}
        self._required.setdefault(key, row)

    def _tell_of(self, room: str, seq: int) -> None:
        """A record refers to this seq, which may be the seq of a message in the batch."""
        numbered = self._rooms.get(room)
        if numbered is not None:
            numbered.newest_told = max(numbered.newest_told, seq)

    def _mark_read(self, key: tuple[str, str], read_seq: int) -> None:
        self._tell_of(key[0], read_seq)
        known = self._members.get(key)
        if known is not None:
            known["s"] = read_seq
        else:
            self._read[key] = {"r": self._room_id(key[0]), "u": key[1], "s": read_seq}

    def _put(self, name: str, row: object) -> None:
        self._lists.setdefault(name, []).append(row)

    def _room_id(self, connection_id: str) -> int:
        return self._heads.room_ids[connection_id]


def _message_row(message: Message) -> Row:
    thread_id, reply_to = message.thread_id, message.reply_to
    row: Row = {
        "i": _hex(message.message_id),
        "ms": message.timestamp_ms,
        "u": message.user_id,
        "c": message.content,
    }
    if message.name is not None:
        row["n"] = message.name
    if thread_id is not None:
        row["t"] = _hex(thread_id)
    if message.context is not None:
        row["x"] = message.context.decode()
    if reply_to is not None:
        row["r"] = _hex(reply_to)
    if message.answer is not None:
        row["w"] = message.answer.decode()
    return row


def _audit_row(entry: AuditEntry | AuditEnd) -> Row:
    row = attrs.asdict(entry)
    if "connection_id" in row:
        row["room"] = row.pop("connection_id")
        row["action"] = str(row["action"])
    return row


def _hex(message_id: str) -> str:
    return uuid_bytes(message_id).hex()


def _json(rows: Sequence[Any] | Mapping[str, Any]) -> str | None:
    """As JSON; None if there is nothing. Raises `RecordRefused` for a text that UTF-8 cannot
    hold."""
    if not rows:
        return None
    try:
        return orjson.dumps(rows).decode()
    except orjson.JSONEncodeError as error:
        raise RecordRefused(f"A record cannot be written: {error}.") from error
