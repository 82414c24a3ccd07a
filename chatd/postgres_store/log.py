"""The log as a child of a supervisor, over the one connection that writes; the counterpart of
`chatd.actors.log_service` and the SQLite parts that it uses.

If a batch that is in doubt turns out to have been carried out, this child ends: the messages actor,
which goes with it, begins again with what the log holds. Until that is known nothing else is
written, and senders get `storage_error` at once.

If another node has taken a node with a name for dead, that node begins another life (`Life`): this
child then ends too, and goes on with the next life. A node without a name is replaced for good.
"""

import contextlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Final

import trio

from chatd.chat.commits import CommitFailed, CommitOutcome, StoreClosed
from chatd.chat.records import Message, Record
from chatd.postgres_store.errors import CommitsLost, NodeReplaced
from chatd.postgres_store.life import Life
from chatd.postgres_store.opening import OpenedLog
from chatd.postgres_store.retention import FIND, REMOVE, REMOVE_OLD_AUDIT
from chatd.postgres_store.rows import message
from chatd.postgres_store.search_index import SearchIndex
from chatd.postgres_store.writer import HEADS, MESSAGES, SEQS_OF, LogWriter
from chatd.store.errors import FailedCommitFound, StoreError
from chatd.store.pending_work import PendingWork
from chatd.store.retention import Keep, Surplus, finding_surplus
from chatd.wire.codes import Code

IN_DOUBT: Final = "it is not known yet whether the database has an earlier batch"
BETWEEN_LIVES: Final = "the other nodes have taken this one for dead: it begins anew"
REPLACED: Final = "Another chatd has taken over the log: this one writes nothing any more."


class _BetweenLives(CommitFailed):
    """A life of this node is over, and the log goes on with the next one."""

    def __init__(self) -> None:
        super().__init__(Code.STORAGE_ERROR, BETWEEN_LIVES)


class PostgresLog:
    """Commits records and does upkeep, one thing after the other."""

    def __init__(
        self,
        opened: OpenedLog,
        committed: Callable[[float], None] = lambda _took_s: None,
        index: SearchIndex | None = None,
        life: Life | None = None,
    ) -> None:
        """`committed` gets the seconds that each commit took. Without an `index`, no search index
        is kept. Without a `life`, the node has only one life."""
        self._writer = LogWriter(opened)
        self._life = life
        if life is not None:
            life.changed = self._life_changed
        self._is_between_lives = False
        self._begun = trio.Event()  # the next life
        self._index = index
        self._committed = committed
        self._turn = trio.Lock()
        self._doubted = trio.Event()
        self._is_closed = False
        self._ended: StoreError | None = None  # why nothing more is written
        self.is_failing = False  # the database did not take the last of what it was given
        self.displaced: str | None = None  # there are no files that could be displaced
        self._pending = PendingWork()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Find out what became of batches that are in doubt, until cancelled, or until the life of
        this node is over. Raises FailedCommitFound, NodeReplaced, CommitsLost."""
        if self._is_between_lives:
            await self._begin_anew()
        with contextlib.suppress(FailedCommitFound):  # whoever begins next reads the log
            await self._settle()
        if self._index is not None:
            with contextlib.suppress(CommitFailed):  # the next step fails too, and is reported
                await self._index.renew_form()
        task_status.started()
        while not self._is_between_lives:
            await self._doubted.wait()
            if not self._is_between_lives:
                await self._settle()
        await self._turn.acquire()  # everything asked before has its answer by then
        self._turn.release()

    async def _settle(self) -> None:
        self._doubted = trio.Event()
        with contextlib.suppress(_BetweenLives):
            async with self._turn:
                with self._noting_its_end():
                    await self._writer.settled()

    async def _begin_anew(self) -> None:
        await self._begun.wait()
        async with self._turn:
            self._writer.begin_anew()
        self._begun = trio.Event()
        self._is_between_lives = False

    def _life_changed(self) -> None:
        """Another life of this node has begun, or another chatd has the log."""
        assert self._life is not None
        if not self._life.name:
            self._ended = NodeReplaced(REPLACED)
            self.is_failing = True
        elif self._writer.is_of_past_life:
            self._is_between_lives = True
            self._begun.set()
        self._doubted.set()

    async def commit(self, records: Sequence[Record]) -> CommitOutcome:
        """As `LogWriter.commit`. Raises StoreClosed at the end."""
        began_s = trio.current_time()
        try:
            self._check_doubt()
            with self._asking(), self._noting_its_end():
                async with self._turn:
                    self._check_life()  # it may have ended meanwhile
                    self._check_doubt()  # `run` alone finds out, and ends the life of memory
                    outcome = await self._writer.commit(records)
        except CommitFailed:
            self.is_failing = True
            raise
        finally:
            if self._writer.is_in_doubt:  # however this ended
                self._doubted.set()
        self.is_failing = False
        self._committed(trio.current_time() - began_s)
        return outcome

    async def heads(self, rooms: Collection[str]) -> Mapping[str, tuple[int, int]]:
        """How far each of these rooms is now, as (seq, rev). Raises CommitFailed, StoreClosed."""
        rows = await self._looked(HEADS, (sorted(rooms),))
        return {room: (last_seq, last_rev) for room, last_seq, last_rev in rows}

    async def messages(self, places: Collection[tuple[str, int]]) -> Sequence[Message]:
        """The messages at these places, by connectionId and seq, as they are now. Raises
        CommitFailed, StoreClosed."""
        asked = [room for room, _ in places], [seq for _, seq in places]
        return [message(row) for row in await self._looked(MESSAGES, asked)]

    async def seqs_of(
        self, authors: Mapping[tuple[str, str], int]
    ) -> Sequence[tuple[str, str, int]]:
        """The messages that these authors, by connectionId and userId, wrote after a seq; each as
        (connectionId, userId, seq). Raises CommitFailed, StoreClosed."""
        rooms, users = zip(*authors, strict=True)
        rows = await self._looked(SEQS_OF, (list(rooms), list(users), list(authors.values())))
        return [(room, user_id, seq) for room, user_id, seq in rows]

    async def surplus(self, keep: Keep, most: int) -> Sequence[Surplus]:
        """What may go now, `most` messages in all. Raises CommitFailed, StoreClosed."""
        finding = finding_surplus(keep, most)
        try:
            asked, parameters = next(finding)
            while True:
                asked, parameters = finding.send(await self.ask(FIND[asked], parameters))
        except StopIteration as end:
            found: list[Surplus] = end.value
            return found

    async def remove(self, surplus: Sequence[Surplus]) -> int:
        """Remove what is surplus; returns how many messages that was. Raises CommitFailed,
        StoreClosed."""
        rooms = [one.connection_id for one in surplus]
        first_kept = [one.first_kept for one in surplus]
        [(removed,)] = await self.ask(REMOVE, (rooms, first_kept))
        return int(removed)

    async def remove_old_audit(self, before_ms: int, most: int) -> int:
        """Remove the oldest audit entries from before a time, at most `most`; returns how many that
        was. Raises CommitFailed, StoreClosed."""
        [(removed,)] = await self.ask(REMOVE_OLD_AUDIT, (before_ms, most))
        return int(removed)

    async def index_until(self, until_s: float) -> None:
        """As `SearchIndex.index_until`, while commits go on."""
        if self._index is not None:
            await self._index.index_until(until_s)

    async def index_older_until(self, until_s: float) -> int:
        """As `SearchIndex.index_older_until`, while commits go on."""
        return 0 if self._index is None else await self._index.index_older_until(until_s)

    async def ask(self, statement: str, parameters: Sequence[object]) -> list[tuple[Any, ...]]:
        """The rows of a statement of upkeep, which may be carried out twice. Raises CommitFailed,
        StoreClosed."""
        with self._asking(), self._noting_its_end():
            async with self._turn:
                self._check_life()
                return await self._writer.run(statement, parameters)

    async def _looked(self, statement: str, parameters: Sequence[object]) -> list[tuple[Any, ...]]:
        """As `ask`, for a batch that is to be committed: it fails at once if the commit would."""
        self._check_doubt()
        return await self.ask(statement, parameters)

    def waits_s(self, now_s: float) -> float:
        """For how many seconds the oldest request has been under way; 0 if there is none."""
        return self._pending.waits_s(now_s)

    @property
    def is_rewriting(self) -> bool:
        """Never: the server's own vacuum rewrites what was removed."""
        return False

    async def close(self, timeout_s: float) -> bool:
        """Finish what is under way within this time, and write nothing afterwards; returns whether
        it was finished."""
        self._is_closed = True
        with trio.move_on_after(timeout_s) as scope:
            await self._turn.acquire()
            if self._life is not None:
                await self._life.leave()
        self._writer.close()
        return not scope.cancelled_caught

    def _check_doubt(self) -> None:
        if self._writer.is_in_doubt and self._ended is None:
            raise CommitFailed(Code.STORAGE_ERROR, IN_DOUBT)

    def _check_life(self) -> None:
        if self._is_between_lives:
            raise _BetweenLives

    @contextlib.contextmanager
    def _noting_its_end(self) -> Iterator[None]:
        """An error after which this node must not go on also ends `run`, again and again, so that
        the daemon gives up."""
        if self._ended is not None:
            raise self._ended
        try:
            self._check_life()
            yield
        except (NodeReplaced, CommitsLost) as ended:
            if isinstance(ended, NodeReplaced) and self._life is not None and self._life.name:
                self._is_between_lives = True
                self._doubted.set()
                raise _BetweenLives from None
            self._ended = ended
            self.is_failing = True
            self._doubted.set()
            raise

    @contextlib.contextmanager
    def _asking(self) -> Iterator[None]:
        if self._is_closed:
            raise StoreClosed("The log is closed.")
        with self._pending.asking():
            yield
