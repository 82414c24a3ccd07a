"""Records to write, and a log whose disk the test holds in its hand."""

import sqlite3
import threading
import uuid
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

import trio

from chatd.chat import changes
from chatd.chat.commits import CommitOutcome, RecordRefused
from chatd.chat.queue import PRESENT, Queue
from chatd.chat.records import (
    MemberKept,
    Message,
    MessageDeleted,
    MessageEdited,
    MessageStored,
    ReactionChanged,
)
from chatd.chat.search import SearchQuery, parse_query
from chatd.store.connections import connect_to_write
from chatd.store.log import Log, Request
from chatd.store.message_reader import MessageReader, Page, SearchPage, SearchRequest
from chatd.store.recovery import Recovered
from chatd.store.snapshots import MEMBERS, NAMES, READ_SEQS

ROOM = "sales"
NOW_MS = 1_700_000_000_000

connect_spilling = partial(connect_to_write, cache_kib=24, checkpoint_pages=12)
"""A connection that writes to the disk in the middle of a transaction, and checkpoints often."""

_T = TypeVar("_T")


def message(
    seq: int,
    *,
    room: str = ROOM,
    user_id: str = "ada",
    timestamp_ms: int | None = None,
    message_id: str | None = None,
    content: str = "How many orders came in today?",
    name: str | None = "Ada",
    context: bytes | None = None,
    thread_id: str | None = None,
    reply_to: str | None = None,
    answer: bytes | None = None,
    mentions: tuple[str, ...] = (),
) -> Message:
    return Message(
        message_id=message_id or str(uuid.uuid4()),
        connection_id=room,
        seq=seq,
        user_id=user_id,
        name=name,
        content=content,
        context=context,
        thread_id=thread_id,
        timestamp_ms=NOW_MS + seq if timestamp_ms is None else timestamp_ms,
        reply_to=reply_to,
        answer=answer,
        mentions=mentions,
    )


def stored(seq: int, **fields: object) -> MessageStored:
    return MessageStored(message(seq, **fields))  # type: ignore[arg-type]


def stored_from(first: int, last: int, **fields: object) -> list[MessageStored]:
    return [stored(seq, **fields) for seq in range(first, last + 1)]


def kept(
    user_id: str,
    queue: Queue = PRESENT,
    *,
    room: str = ROOM,
    at_ms: int = NOW_MS,
    read_seq: int = 0,
    name: str | None = None,
) -> MemberKept:
    return MemberKept(room, user_id, queue, at_ms, read_seq, name)


def member_parts(state: Recovered) -> dict[str, object]:
    """The parts of a snapshot that are about members."""
    return {MEMBERS: state.members, READ_SEQS: state.read_seqs, NAMES: state.names}


def edited(message: Message, content: str, rev: int, *, at_ms: int = NOW_MS) -> MessageEdited:
    """The author of a message gives it another text."""
    now = changes.edited(message, content, rev, at_ms)
    return MessageEdited(now, rev, message.user_id, at_ms)


def deleted(message: Message, rev: int, *, at_ms: int = NOW_MS) -> MessageDeleted:
    """The author of a message takes it back."""
    return MessageDeleted(changes.deleted(message, rev, at_ms), rev, message.user_id, at_ms)


def reacted(
    message: Message,
    rev: int,
    *,
    emoji: str = "\N{THUMBS UP SIGN}",
    user_id: str = "bob",
    is_on: bool = True,
    at_ms: int = NOW_MS,
) -> ReactionChanged:
    """A user puts a reaction to a message, or takes it off."""
    now = changes.reacted(message, emoji, user_id, rev, at_ms, is_on=is_on)
    assert now is not None
    return ReactionChanged(now, rev, user_id, at_ms, emoji, is_on)


async def last_page(reader: MessageReader, room: str, limit: int) -> Page:
    """The last messages of a room."""
    return await reader.page(room, before=None, after=None, limit=limit, thread_id=None)


def search_for(query: str, rooms: Sequence[str] = (ROOM,), **narrowed: object) -> SearchRequest:
    parsed = parse_query(query)
    assert isinstance(parsed, SearchQuery)
    return SearchRequest(parsed, rooms, **narrowed)  # type: ignore[arg-type]


def hit_seqs(found: SearchPage) -> list[int]:
    return [hit.message.seq for hit in found.hits]


class HeldLog:
    """A log whose disk hangs until `release` is called; it notes the groups that reach it.

    A group is the number of its requests, a job is 0.
    """

    def __init__(self, log: Log) -> None:
        self.groups: list[int] = []
        self._log = log
        self._reached = threading.Event()
        self._released = threading.Event()

    def commit(self, requests: Sequence[Request]) -> list[CommitOutcome | RecordRefused]:
        self.groups.append(len(requests))
        self._reached.set()
        assert self._released.wait(60)
        return self._log.commit(requests)

    def maintain(self, job: Callable[[sqlite3.Connection], _T]) -> _T:
        self.groups.append(0)
        self._reached.set()
        assert self._released.wait(60)
        return self._log.maintain(job)

    def close(self) -> None:
        self._log.close()

    async def reached(self) -> None:
        """Wait until the disk hangs."""
        assert await trio.to_thread.run_sync(self._reached.wait, 60)

    def release(self) -> None:
        self._released.set()
