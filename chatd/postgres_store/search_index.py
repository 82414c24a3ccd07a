"""The search index: the words of messages, brought forward after the commits.

A commit leaves the index alone. The index is brought forward each second, and before a search in
the rooms of that search, so that a search finds what was acknowledged before it began. `indexed`
says how far each room has come: seqs and revs are dense and ascend with the commits of a room,
whichever nodes made them; nothing does so across all rooms.

A step reads what is next, makes words of it here, and writes them in one statement, but only in
rooms that nobody has brought forward meanwhile. So several nodes may index at once, and a node that
stops between reading and writing keeps nobody waiting.

The index holds the text as it is today: indexing a change again changes nothing. Each row names the
edit that it is from, so that a search leaves out what was changed since.

An index of another form is built anew while commits go on, the newest messages of all rooms first.
So is one that lacks messages which were copied into the log. Until then its older rows are found as
they are.
"""

import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

import attrs
import orjson
import psycopg
import trio

from chatd.chat.commits import CommitFailed
from chatd.chat.words import FORM
from chatd.postgres_client import Pool, TrioConnection, Unreachable
from chatd.postgres_store.indexed_texts import (
    BACKWARD,
    FORWARD,
    Stretch,
    Texts,
    as_far_as_read,
    as_far_back_as_read,
    indexed_rows,
    read_texts,
)
from chatd.postgres_store.reader_pool import words_of as words_of_error
from chatd.postgres_store.search_query import WORD_CHARS
from chatd.postgres_store.sessions import LogAddress
from chatd.wire.codes import Code

_T = TypeVar("_T")

STEP_ROWS: Final = 500
"""Messages and changes that one step indexes."""
STEP_BYTES: Final = 1_000_000
"""Bytes of text at which a step ends before it has so many rows; one message may have more."""
STEP_ROOMS: Final = 100
"""Rooms that one step brings forward."""
OLDER_ROOMS: Final = 20
"""Rooms in which one step indexes older messages."""
STEP_S: Final = 10.0
"""Seconds that a step may take; beyond: `CommitFailed`."""
INDEX_STATEMENT_S: Final = 5.0
"""Seconds that one statement of a step may take."""
_FULL: Final = "53"
"""The class of errors of a server that lacks room or memory (PostgreSQL's documentation, A)."""

# For the rooms that are behind: how far each is indexed, and how far it has come. A new room gets
# its row.
_BEHIND: Final = """
    WITH behind AS (
        SELECT r.room_id, coalesce(i.seq, 0) AS seq, coalesce(i.rev, 0) AS rev,
               coalesce(i.older_seq, 0) AS older_seq, r.forgotten_seq, r.last_seq, r.last_rev,
               i.room_id IS NULL AS is_new
        FROM rooms r LEFT JOIN indexed i ON i.room_id = r.room_id
        WHERE (r.last_seq > coalesce(i.seq, 0) OR r.last_rev > coalesce(i.rev, 0))
              AND (%(rooms)s::int[] IS NULL OR r.room_id = ANY (%(rooms)s))
              AND EXISTS (SELECT FROM search_index WHERE form = %(form)s)
        ORDER BY r.room_id LIMIT %(most)s),
    made AS (
        INSERT INTO indexed (room_id) SELECT room_id FROM behind WHERE is_new
        ON CONFLICT DO NOTHING)
    SELECT room_id, seq, rev, older_seq, forgotten_seq, last_seq, last_rev
    FROM behind ORDER BY room_id
"""
# The rooms whose index lacks older messages; first the room whose next such message is newest.
_LACKING: Final = """
    SELECT i.room_id, i.seq, i.rev, i.older_seq, r.forgotten_seq
    FROM indexed i JOIN rooms r ON r.room_id = i.room_id LEFT JOIN LATERAL (
        SELECT m.position FROM messages m WHERE m.room_id = i.room_id AND m.seq <= i.older_seq
        ORDER BY m.seq DESC LIMIT 1) m ON true
    WHERE i.older_seq > 0 AND EXISTS (SELECT FROM search_index WHERE form = %(form)s)
    ORDER BY m.position DESC NULLS LAST, i.room_id LIMIT %(most)s
"""
_WRITE: Final = f"""
    WITH form AS (SELECT FROM search_index WHERE form = %(form)s FOR SHARE),
    held AS (
        SELECT i.room_id, s.new_seq, s.new_rev, s.new_older_seq
        FROM indexed i JOIN unnest(
            %(rooms)s::int[], %(seqs)s::bigint[], %(new_seqs)s::bigint[], %(revs)s::bigint[],
            %(new_revs)s::bigint[], %(older_seqs)s::bigint[], %(new_older_seqs)s::bigint[]
        ) AS s (room_id, seq, new_seq, rev, new_rev, older_seq, new_older_seq)
            ON s.room_id = i.room_id AND s.seq = i.seq AND s.rev = i.rev
               AND s.older_seq = i.older_seq
        WHERE EXISTS (SELECT FROM form)
        ORDER BY i.room_id FOR UPDATE OF i SKIP LOCKED),
    moved AS (
        UPDATE indexed i SET seq = h.new_seq, rev = h.new_rev, older_seq = h.new_older_seq
        FROM held h WHERE i.room_id = h.room_id RETURNING i.room_id),
    put AS (
        INSERT INTO message_text AS t
            (room_id, seq, position, user_id, timestamp_ms, edited_rev, length, text, words)
        SELECT g.room_id, g.seq, m.position, m.user_id, m.timestamp_ms, g.edited_rev, g.length,
               g.text, array_to_tsvector(ARRAY(
                   SELECT left(word, {WORD_CHARS})
                   FROM unnest(string_to_array(btrim(g.text, ' '), ' ')) AS word
                   UNION ALL SELECT '/' || g.room_id))
        FROM json_to_recordset(%(put)s) AS g
            (room_id int, seq bigint, edited_rev bigint, length smallint, text text)
        JOIN moved ON moved.room_id = g.room_id
        JOIN messages m ON m.room_id = g.room_id AND m.seq = g.seq
        LEFT JOIN changed c ON c.room_id = g.room_id AND c.seq = g.seq
        WHERE c.deleted_ms IS NULL AND coalesce(c.edited_rev, 0) = g.edited_rev
        ON CONFLICT (room_id, seq) DO UPDATE SET
            user_id = excluded.user_id, edited_rev = excluded.edited_rev,
            length = excluded.length, text = excluded.text, words = excluded.words),
    gone AS (
        DELETE FROM message_text t USING json_to_recordset(%(gone)s) AS g (room_id int, seq bigint),
            moved
        WHERE t.room_id = g.room_id AND t.seq = g.seq AND moved.room_id = g.room_id)
    SELECT room_id FROM moved
"""
_RENEW: Final = """
    WITH renewed AS (
        UPDATE search_index SET form = %(form)s WHERE form <> %(form)s RETURNING 1)
    INSERT INTO indexed AS i (room_id, seq, rev, older_seq)
    SELECT r.room_id, r.last_seq, r.last_rev, r.last_seq FROM rooms r
    WHERE EXISTS (SELECT FROM renewed)
    ON CONFLICT (room_id) DO UPDATE SET older_seq = i.seq
"""


def pool_to_index(address: LogAddress) -> Pool:
    """The connection that indexes. What the index loses in a crash of the server is indexed again,
    so writes need not wait for the disk."""
    settings = {"synchronous_commit": "off", "jit": "off"}
    return Pool(address.url, 1, address.settings(INDEX_STATEMENT_S) | settings)


@attrs.define(eq=False)
class SearchIndex:
    """Brings the index forward, on connections of `pool_to_index`.

    `form` names what `chatd.chat.words` makes of a text.
    """

    _pool: Pool
    _form: str = attrs.field(default=FORM, kw_only=True)
    _step_rows: int = attrs.field(default=STEP_ROWS, kw_only=True)
    _step_bytes: int = attrs.field(default=STEP_BYTES, kw_only=True)
    _is_renewed: bool = attrs.field(init=False, default=False)

    async def renew_form(self) -> None:
        """Have an index of another form built anew, once: at the start of a node, which may be
        newer than others that still run. These then leave the index to it. If this fails, the first
        step does it. Raises `CommitFailed`."""

        async def nothing_more(_connection: TrioConnection) -> None:
            pass

        await self._run(nothing_more)

    async def index_until(self, until_s: float, room_ids: Sequence[int] | None = None) -> None:
        """Bring the index of these rooms (None: all) forward, until it is up to date or
        `trio.current_time` is `until_s`. Raises `CommitFailed`."""

        while trio.current_time() < until_s and await self.index_some(room_ids):
            pass

    async def index_some(self, room_ids: Sequence[int] | None = None) -> bool:
        """Index the next messages and changes of these rooms (None: all); returns whether there
        were any. Raises `CommitFailed`."""

        async def step(connection: TrioConnection) -> bool:
            return await self._index_some(connection, room_ids)

        return await self._run(step)

    async def index_older_until(self, until_s: float) -> int:
        """Index what a new index still lacks, until it lacks nothing or `trio.current_time` is
        `until_s`; returns how many messages that was. Raises `CommitFailed`."""
        indexed = 0
        while trio.current_time() < until_s and (some := await self.index_older_once()):
            indexed += some
        return indexed

    async def index_older_once(self) -> int:
        """Index the newest of what is lacking; returns how many messages, 0 if nothing is lacking.
        Raises `CommitFailed`."""
        return await self._run(self._index_older)

    async def _run(self, step: Callable[[TrioConnection], Awaitable[_T]]) -> _T:
        async def run(connection: TrioConnection) -> _T:
            if not self._is_renewed:
                await connection.execute(_RENEW, {"form": self._form})
                self._is_renewed = True
            return await step(connection)

        try:
            return await self._pool.run(run, STEP_S)
        except Unreachable as error:
            raise CommitFailed(Code.STORAGE_ERROR, f"the index of the search: {error}") from None
        except psycopg.Error as error:
            is_full = (error.sqlstate or "").startswith(_FULL)
            code = Code.STORAGE_FULL if is_full else Code.STORAGE_ERROR
            what = f"the index of the search: PostgreSQL says {words_of_error(error)}"
            raise CommitFailed(code, what) from error

    async def _index_some(self, connection: TrioConnection, room_ids: Sequence[int] | None) -> bool:
        """Index the next messages and changes; returns whether there were any."""
        asked = {
            "rooms": None if room_ids is None else list(room_ids),
            "form": self._form,
            "most": STEP_ROOMS,
        }
        cursor = await connection.execute(_BEHIND, asked, binary=True)
        stretches: list[Stretch] = []
        seqs_left = revs_left = self._step_rows
        for room_id, seq, rev, older_seq, forgotten, last_seq, last_rev in await cursor.fetchall():
            from_seq = max(seq, forgotten)
            new_seq, new_rev = min(last_seq, from_seq + seqs_left), min(last_rev, rev + revs_left)
            seqs_left -= new_seq - from_seq
            revs_left -= new_rev - rev
            stretches.append(Stretch(room_id, seq, rev, older_seq, new_seq, new_rev, older_seq))
        if stretches:
            seqs = [(one.seq, one.new_seq) for one in stretches]
            texts = await read_texts(connection, FORWARD, stretches, seqs, self._step_bytes)
            await self._write(connection, as_far_as_read(stretches, texts), texts)
        return bool(stretches)

    async def _index_older(self, connection: TrioConnection) -> int:
        """Index the newest of what is lacking; returns how many messages, 0 if nothing is."""
        asked = {"form": self._form, "most": OLDER_ROOMS}
        cursor = await connection.execute(_LACKING, asked, binary=True)
        rooms = await cursor.fetchall()
        if not rooms:
            return 0
        each = max(1, self._step_rows // len(rooms))
        stretches = [
            Stretch(room_id, seq, rev, older_seq, seq, rev, new_older_seq)
            for room_id, seq, rev, older_seq, forgotten in rooms
            for lowest in [older_seq - each]
            for new_older_seq in [lowest if lowest > forgotten else 0]
        ]
        seqs = [(one.new_older_seq, one.older_seq) for one in stretches]
        texts = await read_texts(connection, BACKWARD, stretches, seqs, self._step_bytes)
        await self._write(connection, as_far_back_as_read(stretches, texts), texts)
        return max(1, len(texts.read))

    async def _write(
        self, connection: TrioConnection, stretches: Sequence[Stretch], texts: Texts
    ) -> None:
        """Write what was read, in those rooms that nobody has brought forward meanwhile."""
        put, gone = await trio.to_thread.run_sync(indexed_rows, texts.read)
        asked = {
            "form": self._form,
            "rooms": [one.room_id for one in stretches],
            "seqs": [one.seq for one in stretches],
            "new_seqs": [one.new_seq for one in stretches],
            "revs": [one.rev for one in stretches],
            "new_revs": [one.new_rev for one in stretches],
            "older_seqs": [one.older_seq for one in stretches],
            "new_older_seqs": [one.new_older_seq for one in stretches],
            "put": orjson.dumps(put).decode(),
            "gone": orjson.dumps(gone).decode(),
        }
        # If a message was removed meanwhile, nothing is written, and the next step goes on.
        with contextlib.suppress(
            psycopg.errors.ForeignKeyViolation, psycopg.errors.DeadlockDetected
        ):
            await connection.execute(_WRITE, asked)
