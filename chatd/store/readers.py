"""Reads of the history, beside the writer: threads, with read-only connections of their own.

Each question is answered from an index, so its cost depends on what is asked for, never on the
length of the history; and from one snapshot of the file, so that a page and the ends of its room
agree.

**Damage costs what is damaged.** A row that is broken is a message that says so, in its place
(`Message.is_damaged`). Where SQLite finds a page of its file broken, what was asked for is read
once more, one message at a time: seqs are dense, so that it is known which ones there are. Only
where the way to them is broken too does a read fail. All of it is told to a `Witness`.
"""

import heapq
import sqlite3
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, TypeVar

import attrs
import trio

from chatd.chat.ids import scoped_id
from chatd.chat.queue import Gap
from chatd.chat.records import Message, MessagePlace
from chatd.chat.steady_time import PLAUSIBLE_FROM_MS
from chatd.store.connections import connect_to_read
from chatd.store.damage import WRONG_VALUE, Damaged, is_corrupt, words_of
from chatd.store.errors import StoreClosed, StoreDisplaced, StoreReadFailed
from chatd.store.place import Place
from chatd.store.rows import (
    LAST_SEQ,
    MESSAGE_COLUMNS,
    MESSAGE_WIDTH,
    MisplacedRowError,
    damaged_message,
    ids_from,
    is_uuid,
    message_from_row,
    uuid_bytes,
    uuid_text,
)

SHOWN_DAMAGED_MAX = 10_000  # places of damaged messages known by the ids they were shown with
READER_THREADS = 4  # reads at once; more wait their turn
PAGE_BYTES = 2 * 1024 * 1024  # of content and answers on a page; beyond, the rest is on the next

_T = TypeVar("_T")

_ROOM = f"""
    SELECT r.room_id,
           coalesce((SELECT min(m.seq) FROM messages m WHERE m.room_id = r.room_id), 0),
           {LAST_SEQ}, r.forgotten_seq
    FROM rooms r WHERE r.connection_id = ?
"""
_ROOM_AND_FORGOTTEN = "SELECT room_id, forgotten_seq FROM rooms WHERE connection_id = ?"
# CROSS JOIN fixes the order: the one room first, then its messages by the index that is named.
_PAGE = f"""
    SELECT {MESSAGE_COLUMNS}, m.delivered_by IS NOT NULL
    FROM rooms r CROSS JOIN messages m {{index}}
    WHERE r.room_id = ?1 AND m.room_id = ?1 {{thread}} AND m.seq {{bound}} ?2
    ORDER BY m.seq {{order}} LIMIT ?3
"""
_NO_THREAD = {"index": "INDEXED BY messages_by_seq", "thread": ""}
_ONE_THREAD = {"index": "INDEXED BY messages_by_thread", "thread": "AND m.thread_id = ?4"}
_BACKWARD = {"bound": "<", "order": "DESC"}
_FORWARD = {"bound": ">", "order": "ASC"}
# A thread of a room by its id: there is a reply to it, or the message that may open it.
_HAS_THREAD = """
    SELECT EXISTS (SELECT 1 FROM messages m INDEXED BY messages_by_thread
                   WHERE m.room_id = r.room_id AND m.thread_id = ?2)
        OR EXISTS (SELECT 1 FROM messages m INDEXED BY messages_by_id
                   WHERE m.message_id IN (?2, ?3) AND m.room_id = r.room_id
                     AND m.thread_id IS NULL)
    FROM rooms r WHERE r.connection_id = ?1
"""
OWED = f"""
    SELECT {MESSAGE_COLUMNS}, m.delivered_by IS NOT NULL
    FROM rooms r CROSS JOIN messages m INDEXED BY messages_by_seq
    WHERE r.room_id = ?1 AND m.room_id = ?1 AND m.seq BETWEEN ?2 AND ?3 ORDER BY m.seq LIMIT ?4
"""
UNDELIVERED = """
    SELECT m.message_id, r.connection_id, m.seq, m.user_id
    FROM rooms r CROSS JOIN messages m INDEXED BY messages_by_seq
    WHERE r.room_id = ?1 AND m.room_id = ?1 AND m.seq BETWEEN ?2 AND ?3
      AND m.delivered_by IS NULL AND m.user_id <> ?4
    ORDER BY m.seq DESC LIMIT ?5
"""
_ONE = f"""
    SELECT {MESSAGE_COLUMNS}, m.delivered_by IS NOT NULL
    FROM rooms r CROSS JOIN messages m INDEXED BY messages_by_seq
    WHERE r.room_id = ?1 AND m.room_id = ?1 AND m.seq = ?2
"""
_SEQS_OF_THREAD = """
    SELECT m.seq FROM messages m INDEXED BY messages_by_thread
    WHERE m.room_id = ? AND m.thread_id = ? ORDER BY m.seq
"""
NEWEST = """
    SELECT m.position, m.seq, m.timestamp_ms FROM messages m INDEXED BY messages_by_seq
    WHERE m.room_id = ? AND m.seq BETWEEN ? AND ? ORDER BY m.seq DESC
"""
# Which messages have an id, without a look at what they hold, the time of which would tell of it.
_PLACES = """
    SELECT m.position, r.connection_id
    FROM messages m INDEXED BY messages_by_id JOIN rooms r USING (room_id)
    WHERE m.message_id BETWEEN ? AND ? ORDER BY m.message_id
"""
_MESSAGE_AT = f"""
    SELECT {MESSAGE_COLUMNS} FROM messages m JOIN rooms r USING (room_id) WHERE m.position = ?
"""
_ANSWERS = """
    SELECT a.answer_id, r.connection_id, a.user_id, a.state
    FROM answers a JOIN rooms r USING (room_id)
    WHERE a.question_id BETWEEN ? AND ? ORDER BY a.question_id
"""
_BEYOND_ANY_SEQ = 2**63 - 1


@attrs.frozen
class Page:
    """Messages of one room, oldest first.

    `has_more`: there are more in the direction of the question: older ones for a page before a seq
    or at the end, newer ones for a page after a seq. `first_seq` and `last_seq` are those of the
    room, 0 where it has no message. `delivered` are the seqs on this page that somebody else than
    the author has acknowledged.
    """

    messages: tuple[Message, ...]
    has_more: bool
    first_seq: int
    last_seq: int
    delivered: frozenset[int] = frozenset()


@attrs.frozen
class Cut:
    """What stays of what is owed in a room: the messages from `first_seq` on.

    None of them is older than `since_ms`, the time of the first.
    """

    first_seq: int
    since_ms: int


@attrs.frozen
class Answering:
    """The answer to a question: by which message, where; `state` is None while it is open."""

    answer_id: str
    connection_id: str
    user_id: str
    state: str | None


class Witness(Protocol):
    """Who hears of damage; in the task that asked."""

    def damaged(self, row: Damaged) -> None:
        """A row was passed over: what it said is not known any more."""
        ...

    def read_failed(self, failure: StoreReadFailed) -> None:
        """A question was not answered."""
        ...


class LogReaders:
    """Answers questions about the history, at most so many at once as it has threads.

    The threads cannot be stopped, so a cancelled question still waits for its end; each is short.
    All raise `StoreReadFailed` when the disk fails, and `StoreClosed` after `close`. Whoever wants
    to hear of damage sets `witness`.
    """

    def __init__(
        self, path: Path, threads: int = READER_THREADS, place: Place | None = None
    ) -> None:
        """`place`: a new connection is made to the log that is open, and to no other."""
        self.witness: Witness | None = None
        self._path = path
        self._place = place
        self._limiter = trio.CapacityLimiter(threads)
        # Of damaged messages, whose id may be in no index: room and seq by the id that was shown.
        self._shown_damaged: OrderedDict[str, tuple[str, int]] = OrderedDict()
        self._idle: list[sqlite3.Connection] = []
        self._closed = False

    async def last(self, connection_id: str, limit: int) -> Page:
        """The last `limit` messages of a room."""
        return await self.page(connection_id, before=None, after=None, limit=limit, thread_id=None)

    async def page(
        self,
        connection_id: str,
        *,
        before: int | None,
        after: int | None,
        limit: int,
        thread_id: str | None,
    ) -> Page:
        """`limit` messages of a room: the nearest ones before a seq, or after one, or the last.

        Fewer where they hold more than `PAGE_BYTES`, but one at least; `has_more` then says so.
        With `thread_id` those of that thread only, without the message that opened it. A room or
        thread that nobody has written to gives an empty page. `ValueError` for `before` and `after`
        together, for a `limit` below 1, or a `thread_id` that is no UUID.
        """
        if before is not None and after is not None:
            raise ValueError("a page lies before a seq or after one, not both")
        if limit < 1:
            raise ValueError(f"a page has room for a message at least, not for {limit}")
        thread = None if thread_id is None else uuid_bytes(thread_id)
        page = await self.read(
            lambda connection: _read_page(connection, connection_id, before, after, limit, thread)
        )
        self.tell_of(page.messages)
        return page

    async def message(self, message_id: str, rooms: Container[str] | None = None) -> Message | None:
        """The message with this id in one of these rooms, in whatever room where that is None. A
        damaged one has the id that it was shown with. `ValueError` where it is no UUID."""
        key = uuid_bytes(message_id)
        message = await self.read(lambda connection: _read_message(connection, key, rooms))
        place = self._shown_damaged.get(message_id)
        if message is None and place is not None and (rooms is None or place[0] in rooms):
            message = await self.read(lambda connection: _read_at(connection, *place))
        if message is not None:
            self.tell_of((message,))
        return message

    async def has_thread(self, connection_id: str, thread_id: str) -> bool:
        """Whether a message of the room has opened this thread, or might: one that is in no thread
        itself. A thread outlives its opener, as long as a reply is kept. `ValueError` where the id
        is no UUID."""
        keys = uuid_bytes(thread_id), uuid_bytes(scoped_id(thread_id, connection_id))
        return await self.read(
            lambda connection: _read_has_thread(connection, connection_id, *keys)
        )

    async def answer_to(
        self, question_id: str, rooms: Container[str] | None = None
    ) -> Answering | None:
        """What became of a question in one of these rooms, in whatever room where that is None;
        None where it was none. `ValueError` where it is no UUID."""
        key = uuid_bytes(question_id)
        return await self.read(lambda connection: _read_answering(connection, key, rooms))

    async def owed(
        self, connection_id: str, gaps: Sequence[Gap], after_seq: int, limit: int
    ) -> tuple[tuple[Message, bool], ...]:
        """The next `limit` messages, oldest first, that lie in `gaps` and above `after_seq`, each
        with whether somebody else than the author has acknowledged it.

        Fewer, or none, where retention removed some; fewer, but one at least, where they hold more
        than `PAGE_BYTES`. The gaps are ascending and apart.
        """
        owed = await self.read(
            lambda connection: _read_owed(connection, connection_id, gaps, after_seq, limit)
        )
        self.tell_of([message for message, _ in owed])
        return owed

    async def undelivered(
        self, connection_id: str, user_id: str, first_seq: int, last_seq: int, limit: int
    ) -> tuple[MessagePlace, ...]:
        """Of the messages `first_seq` to `last_seq` the newest `limit`, oldest first, that others
        than `user_id` wrote and that nobody has acknowledged. Reads at most the range."""
        return await self.read(
            lambda connection: _read_undelivered(
                connection, connection_id, user_id, first_seq, last_seq, limit
            )
        )

    async def newest_owed(
        self, owed: Mapping[str, Sequence[Gap]], most: int, oldest_ms: int
    ) -> dict[str, Cut]:
        """Where the newest of all that is `owed` begin in each room, were only `most` to stay.

        The newest are those with the highest positions in the log, over all rooms. In each room
        they end before the first message, going back, that is older than `oldest_ms`. Where nothing
        stays, the cut is behind the last seq that is owed, with `oldest_ms`. Reads `most` rows, and
        one for each room and gap that they lie in.
        """
        return await self.read(lambda connection: _read_cuts(connection, owed, most, oldest_ms))

    def close(self) -> None:
        """Close the connections that nobody uses; the others are closed when they come back."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()

    async def read(self, question: Callable[[sqlite3.Connection], _T]) -> _T:
        """Ask `question` in a thread, in one view of the log, on a connection that only reads.

        What it raises at a value of a wrong form is damage of the log. Raises `StoreReadFailed`.
        """
        if self._closed:
            raise StoreClosed("The readers of the log are closed.")

        def ask() -> _T:
            connection = self._take()
            try:
                connection.execute("BEGIN")
                answer = question(connection)
            except BaseException:
                connection.close()  # whatever state it is in: a new one costs little
                raise
            try:
                connection.execute("COMMIT")
            except sqlite3.Error:  # it tells once more of damage that was passed over
                connection.close()
            else:
                self._give_back(connection)
            return answer

        try:
            return await trio.to_thread.run_sync(
                ask, limiter=self._limiter, abandon_on_cancel=False
            )
        except (UnicodeEncodeError, OverflowError):
            raise  # of what was asked for: nothing that is read raises them
        except (sqlite3.Error, *WRONG_VALUE, StoreDisplaced) as error:
            words = str(error) if isinstance(error, StoreDisplaced) else words_of(error)
            is_damage = is_corrupt(error) or isinstance(error, WRONG_VALUE)
            failure = StoreReadFailed(f"The log could not be read: {words}.", is_damage=is_damage)
            if self.witness is not None:
                self.witness.read_failed(failure)
            raise failure from error

    def tell_of(self, messages: Iterable[Message]) -> None:
        """Tell the witness of those that are damaged, and remember by which id they are shown."""
        for message in messages:
            if not message.is_damaged:
                continue
            self._shown_damaged[message.message_id] = message.connection_id, message.seq
            if len(self._shown_damaged) > SHOWN_DAMAGED_MAX:
                self._shown_damaged.popitem(last=False)
            if self.witness is not None:
                self.witness.damaged(Damaged("messages", message.connection_id, message.seq))

    def _take(self) -> sqlite3.Connection:
        # In several threads at once: `pop` and `append` of a list are atomic.
        try:
            return self._idle.pop()
        except IndexError:
            pass
        if self._place is not None:
            self._place.require()
        return connect_to_read(self._path)

    def _give_back(self, connection: sqlite3.Connection) -> None:
        self._idle.append(connection)
        if self._closed:
            self.close()


def _read_page(
    connection: sqlite3.Connection,
    connection_id: str,
    before: int | None,
    after: int | None,
    limit: int,
    thread: bytes | None,
) -> Page:
    room = connection.execute(_ROOM, (connection_id,)).fetchone()
    if room is None:
        return Page((), has_more=False, first_seq=0, last_seq=0)
    room_id, first_seq, last_seq, forgotten_seq = room
    backward = after is None
    bound = after if after is not None else _BEYOND_ANY_SEQ if before is None else before
    # One more than asked for: whether it is there is `has_more`.
    parameters: tuple[object, ...] = (room_id, bound, limit + 1)
    if thread is not None:
        parameters = (*parameters, thread)
    statement = page_statement(backward=backward, of_thread=thread is not None)

    def one_by_one() -> Iterator[tuple[Message, bool]]:
        seqs: Sequence[int] = range(forgotten_seq + 1, last_seq + 1)
        if thread is not None:
            seqs = [seq for (seq,) in connection.execute(_SEQS_OF_THREAD, (room_id, thread))]
        if backward:
            nearest: Iterable[int] = reversed(seqs[: bisect_left(seqs, bound)])
        else:
            nearest = seqs[bisect_right(seqs, bound) :]
        return _one_by_one(connection, (room_id, connection_id), nearest)

    try:
        found, has_more = _as_far_as_it_fits(
            _in_rows(connection.execute(statement, parameters)), limit
        )
    except (sqlite3.Error, MisplacedRowError) as error:
        require_damage(error)
        found, has_more = _as_far_as_it_fits(one_by_one(), limit)
    if backward:
        found.reverse()
    delivered = frozenset(message.seq for message, is_delivered in found if is_delivered)
    messages = tuple(message for message, _ in found)
    return Page(messages, has_more, first_seq, last_seq, delivered)


def _as_far_as_it_fits(
    messages: Iterable[tuple[Message, bool]], limit: int
) -> tuple[list[tuple[Message, bool]], bool]:
    """The messages that make a page, each with whether it was delivered; whether there are more."""
    found: list[tuple[Message, bool]] = []
    size = 0
    for message, is_delivered in messages:
        size += content_bytes(message)
        if len(found) == limit or (found and size > PAGE_BYTES):
            return found, True
        found.append((message, is_delivered))
    return found, False


def _in_rows(rows: Iterable[Sequence[Any]]) -> Iterator[tuple[Message, bool]]:
    for row in rows:
        yield message_from_row(row), bool(row[MESSAGE_WIDTH])


def _one_by_one(
    connection: sqlite3.Connection, room: tuple[int, str], seqs: Iterable[int]
) -> Iterator[tuple[Message, bool]]:
    """The messages of a room, by its number and name, each looked up by itself: one that cannot be
    read is damaged."""
    number, connection_id = room
    for seq in seqs:
        try:
            row = connection.execute(_ONE, (number, seq)).fetchone()
            if row is not None:  # else it has dropped out of a broken index
                yield from _in_rows([row])
                continue
        except (sqlite3.Error, MisplacedRowError) as error:
            require_damage(error)
        yield damaged_message(connection_id, seq), False


def require_damage(error: Exception) -> None:
    """Raise an error again that reading once more may not meet."""
    if not (isinstance(error, MisplacedRowError) or is_corrupt(error)):
        raise error


def content_bytes(message: Message) -> int:
    """What a message counts against `PAGE_BYTES`."""
    return len(message.content.encode()) + len(message.answer or b"")


def page_statement(*, backward: bool, of_thread: bool) -> str:
    """The statement for a page; its parameters are room, bound, limit and, last, the thread."""
    return _PAGE.format(
        **(_ONE_THREAD if of_thread else _NO_THREAD), **(_BACKWARD if backward else _FORWARD)
    )


def _read_message(
    connection: sqlite3.Connection, key: bytes, rooms: Container[str] | None
) -> Message | None:
    for position, room in connection.execute(_PLACES, ids_from(key)).fetchall():
        if rooms is None or room in rooms:
            return message_from_row(connection.execute(_MESSAGE_AT, (position,)).fetchone())
    return None


def _read_at(connection: sqlite3.Connection, connection_id: str, seq: int) -> Message | None:
    """The message at a place that was shown; None where retention has removed it since."""
    room_id, forgotten_seq = _find_room(connection, connection_id)
    if seq <= forgotten_seq:
        return None
    [(message, _)] = _one_by_one(connection, (room_id, connection_id), [seq])
    return message


def _read_has_thread(
    connection: sqlite3.Connection, connection_id: str, thread: bytes, scoped: bytes
) -> bool:
    row = connection.execute(_HAS_THREAD, (connection_id, thread, scoped)).fetchone()
    return row is not None and bool(row[0])


def _read_answering(
    connection: sqlite3.Connection, key: bytes, rooms: Container[str] | None
) -> Answering | None:
    for answer_id, room, user_id, state in connection.execute(_ANSWERS, ids_from(key)).fetchall():
        if (
            (rooms is None or room in rooms)
            and is_uuid(answer_id)
            and isinstance(user_id, str)
            and isinstance(state, str | None)
        ):
            return Answering(uuid_text(answer_id), room, user_id, state)
    return None


def _read_owed(
    connection: sqlite3.Connection,
    connection_id: str,
    gaps: Sequence[Gap],
    after_seq: int,
    limit: int,
) -> tuple[tuple[Message, bool], ...]:
    room_id, forgotten_seq = _find_room(connection, connection_id)
    above = max(after_seq, forgotten_seq)

    ranges = [(max(gap.first, above + 1), gap.last) for gap in gaps if gap.last > above]

    def in_one() -> Iterator[tuple[Message, bool]]:
        for first, last in ranges:
            yield from _in_rows(connection.execute(OWED, (room_id, first, last, limit)))

    def one_by_one() -> Iterator[tuple[Message, bool]]:
        for first, last in ranges:
            seqs = range(first, last + 1)
            yield from _one_by_one(connection, (room_id, connection_id), seqs)

    try:
        found, _ = _as_far_as_it_fits(islice(in_one(), limit), limit)
    except (sqlite3.Error, MisplacedRowError) as error:
        require_damage(error)
        found, _ = _as_far_as_it_fits(islice(one_by_one(), limit), limit)
    return tuple(found)


def _read_undelivered(
    connection: sqlite3.Connection,
    connection_id: str,
    user_id: str,
    first_seq: int,
    last_seq: int,
    limit: int,
) -> tuple[MessagePlace, ...]:
    room_id, _ = _find_room(connection, connection_id)

    def newest(first: int, last: int) -> list[tuple[Any, ...]]:
        asked = (room_id, first, last, user_id, limit)
        return connection.execute(UNDELIVERED, asked).fetchall()

    def one_by_one() -> Iterator[tuple[Any, ...]]:
        for seq in range(last_seq, first_seq - 1, -1):
            try:
                yield from newest(seq, seq)
            except sqlite3.Error as error:
                require_damage(error)

    try:
        rows = newest(first_seq, last_seq)
    except sqlite3.Error as error:
        require_damage(error)
        rows = list(islice(one_by_one(), limit))
    places = [
        MessagePlace(uuid_text(message_id), room, seq, author)
        for message_id, room, seq, author in rows
        if is_uuid(message_id) and isinstance(author, str)  # else nobody hears of its delivery
    ]
    return tuple(places[::-1])


def _read_cuts(
    connection: sqlite3.Connection, owed: Mapping[str, Sequence[Gap]], most: int, oldest_ms: int
) -> dict[str, Cut]:
    cuts: dict[str, Cut] = {}
    newest: list[tuple[int, str, int, int]] = []  # of each room the next one: a heap of positions
    rest: dict[str, Iterator[tuple[int, int, int]]] = {}

    def offer_next(room: str) -> None:
        for position, seq, timestamp_ms in rest[room]:
            # A time that is none may be young: it says nothing, as a clock that was never set.
            if not isinstance(timestamp_ms, int):
                timestamp_ms = oldest_ms
            if timestamp_ms >= oldest_ms or timestamp_ms < PLAUSIBLE_FROM_MS:
                heapq.heappush(newest, (-position, room, seq, timestamp_ms))
            break

    for room, gaps in owed.items():
        if gaps:
            cuts[room] = Cut(gaps[-1].last + 1, oldest_ms)
            rest[room] = _newest_first(connection, room, gaps)
            offer_next(room)
    for _ in range(most):
        if not newest:
            break
        _, room, seq, timestamp_ms = heapq.heappop(newest)
        cuts[room] = Cut(seq, timestamp_ms)
        offer_next(room)
    return cuts


def _newest_first(
    connection: sqlite3.Connection, connection_id: str, gaps: Sequence[Gap]
) -> Iterator[tuple[int, int, int]]:
    """Position, seq and time of what the gaps hold, read only as far as it is asked for."""
    room_id, forgotten_seq = _find_room(connection, connection_id)
    for gap in reversed(gaps):
        if gap.last <= forgotten_seq:
            break
        rows = connection.execute(NEWEST, (room_id, gap.first, gap.last))
        for row in rows:  # noqa: UP028 -- `yield from` may close these after their connection
            yield row


def _find_room(connection: sqlite3.Connection, connection_id: str) -> tuple[int, int]:
    """The number of a room, 0 for one that the log does not know, and its forgotten seq."""
    row: tuple[int, int] | None = connection.execute(
        _ROOM_AND_FORGOTTEN, (connection_id,)
    ).fetchone()
    return (0, 0) if row is None else row
