"""The file of an answer: of the rows that its message holds, or of all that its question gives now.

Where the message holds less than there was and the configuration allows more
(`answers.export_rows`), the question is asked once more (`chatd.answers.reruns`), and the file is
made whole before it leaves (`chatd.answers.spool`). So is every workbook. What leaves is logged and
counted, by format and outcome; no content and no statement is. The audit has its beginning before
the first byte leaves, or none leaves, and its end once it is known.
"""

import errno
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Final

import attrs
import trio

from chatd.actors.fair_queue import FairSlots, Limit, Slot
from chatd.answers.cut import WHOLE, Cut
from chatd.answers.exports import (
    FORMATS,
    WITH_BYTE_ORDER_MARK,
    XLSX_ROWS_MAX,
    FileFormat,
    file_name,
    pieces,
)
from chatd.answers.reruns import Rerun, Reruns
from chatd.answers.spool import THREADS_MAX, SpooledFile, open_spool
from chatd.answers.stored_table import StoredTable
from chatd.chat.audit import BEGUN, AuditAction, AuditEnd, AuditEntry
from chatd.chat.ids import written_id
from chatd.chat.records import Message
from chatd.net.http.app import Headers, Response
from chatd.observe import EventLog, ExportEnded, StoreFailed
from chatd.observe.clock import Clock
from chatd.observe.ids import unguessable_id
from chatd.service.audit_trail import AuditTrail
from chatd.service.delivery import Delivery
from chatd.store import MessageReader
from chatd.wire.codes import Code, Refusal

FILES_MAX: Final = 16
"""Files that are made or downloaded at once, beside those of rows that their message holds: each
takes room on the disk. Of these a user never has the last. Beyond: a download waits."""
FILES_PER_USER: Final = 4
"""Of one user. Beyond: as above."""
WAIT_S: Final = 5.0
"""How long a download waits for its turn. Beyond: overloaded."""
RETRY_MS: Final = 2_000
"""When it is worth trying again."""

EXECUTED_AT: Final = b"x-chatd-executed-at"
"""The header that says when the database gave the rows, as RFC 3339 writes it."""
TRUNCATED: Final = b"x-chatd-truncated"
"""The header that says what is cut (`Cut.header`); it is not there where nothing is."""

SENT: Final = "sent"
BROKEN_OFF: Final = "broken_off"

_STORED: Final = "With ?stored=1 the file holds what the message of the answer holds."
_NO_ROOM: Final = (
    "The server has no room to make the file; try again later, or add ?stored=1 and take .csv."
)
GONE: Final = Refusal(
    Code.DB_CANCELLED,
    "The client has closed its side of the connection before the file was made; keep it open.",
)


@attrs.frozen
class FileWanted:
    """What a download asks for. `is_head`: only what would be said of the file.

    `only_stored`: what the message holds, and nothing runs.
    """

    extension: str
    is_head: bool = False
    has_byte_order_mark: bool = False
    only_stored: bool = False

    @property
    def format(self) -> FileFormat:
        """How the file is written."""
        if self.extension == "csv" and self.has_byte_order_mark:
            return WITH_BYTE_ORDER_MARK
        return FORMATS[self.extension]


@attrs.define(eq=False)
class ExportFiles:
    """Makes files of answers."""

    _log: MessageReader
    _reruns: Reruns
    _trail: AuditTrail
    _clock: Clock
    _event_log: EventLog
    _threads: trio.CapacityLimiter = attrs.field(
        init=False, factory=lambda: trio.CapacityLimiter(THREADS_MAX)
    )
    _places: FairSlots = attrs.field(init=False)
    _making: set[trio.CancelScope] = attrs.field(init=False, factory=set)
    _is_draining: bool = attrs.field(init=False, default=False)

    def __attrs_post_init__(self) -> None:
        limits = {
            "file": Limit(lambda _: FILES_MAX, is_shared=True),
            "user": Limit(lambda _: FILES_PER_USER),
        }
        self._places = FairSlots(limits)

    def drain(self) -> None:
        """Make no more files, and give up those that are being made."""
        self._is_draining = True
        for scope in self._making:
            scope.cancel()

    async def respond(
        self,
        wanted: FileWanted,
        message: Message,
        table: StoredTable,
        user_id: str,
        address: str,
        gone: Callable[[], Awaitable[None]],
    ) -> Response | Refusal:
        """The file of the answer in a message, which holds this table, for a user at an address;
        `gone` returns when the client is.

        Raises StoreReadFailed, StoreClosed.
        """
        began_s = trio.current_time()
        span = unguessable_id()
        if not wanted.is_head:
            refused = await self._begin(wanted, message, user_id, address, span)
            if refused is not None:
                return refused
        rerun: Rerun | Refusal | None = table.refusal
        if rerun is None and not wanted.is_head and self._may_hold_more(wanted, table):
            rerun = await self._prepared(wanted, message, user_id)
        made: SpooledFile | Refusal | None = None
        if isinstance(rerun, Refusal):
            made = rerun
        elif not wanted.is_head and (rerun is not None or wanted.extension == "xlsx"):
            made = await self._spooled(wanted, table, user_id, rerun, gone)

        def ended(outcome: str, size: int = 0, rows: int = 0, cut: Cut = WHOLE) -> None:
            elapsed_ms = round((trio.current_time() - began_s) * 1000)
            now_ms = self._clock.wall_ms()
            self._trail.post(AuditEnd(span, now_ms, outcome, rows, size, elapsed_ms))
            self._event_log.record(
                ExportEnded(
                    message.message_id,
                    message.connection_id,
                    user_id,
                    wanted.extension,
                    outcome,
                    isinstance(rerun, Rerun),
                    bool(cut),
                    rows,
                    size,
                    elapsed_ms,
                )
            )

        def delivery(source: Iterator[bytes] | SpooledFile, rows: int, cut: Cut) -> Delivery:
            return Delivery(
                source,
                lambda is_sent, size: ended(SENT if is_sent else BROKEN_OFF, size, rows, cut),
            )

        match made:
            case Refusal():
                if not wanted.is_head:
                    ended(BROKEN_OFF if made is GONE else str(made.code))
                return made
            case SpooledFile(size=size, row_count=rows, cut=cut):
                executed_ms = made.executed_ms or message.timestamp_ms
                headers = _headers(wanted, message, cut, executed_ms)
                length = (b"content-length", b"%d" % size)
                return Response(200, (*headers, length), delivery(made, rows, cut))
        if wanted.is_head:
            if self._may_hold_more(wanted, table):  # what it will lack is not known before
                return Response(200, _headers(wanted, message, WHOLE, None), iter(()))
            return Response(
                200, _headers(wanted, message, table.cut, message.timestamp_ms), iter(())
            )
        writer = wanted.format.lines
        assert writer is not None
        source = pieces(writer(), table.columns, table.rows, table.cut)
        return Response(
            200,
            _headers(wanted, message, table.cut, message.timestamp_ms),
            delivery(source, len(table.rows), table.cut),
        )

    async def _begin(
        self, wanted: FileWanted, message: Message, user_id: str, address: str, span: str
    ) -> Refusal | None:
        """Let the audit have the beginning; or why it has none."""
        question = None
        if message.reply_to is not None:
            question = await self._log.written(message.reply_to)
        return await self._trail.append(
            AuditEntry(
                AuditAction.EXPORT,
                self._clock.wall_ms(),
                user_id,
                BEGUN,
                address,
                message.connection_id,
                written_id(message.message_id),
                None if question is None else question.content,
                format=wanted.extension,
                span=span,
            )
        )

    def _may_hold_more(self, wanted: FileWanted, table: StoredTable) -> bool:
        """Whether a file may hold more than the message, which lacks something."""
        most = self._reruns.max_rows
        return bool(table.cut) and most > len(table.rows) and not wanted.only_stored

    async def _prepared(
        self, wanted: FileWanted, message: Message, user_id: str
    ) -> Rerun | Refusal | None:
        """What of the question of an answer runs once more; None where nothing does."""
        question = None
        if message.reply_to is not None:
            question = await self._log.written(message.reply_to)  # what it was the answer to
        if question is None or question.is_damaged:  # retention was faster
            return None
        most = XLSX_ROWS_MAX if wanted.extension == "xlsx" else self._reruns.max_rows
        prepared = await self._reruns.prepare(user_id, question, rows_max=most)
        return _with_way_out(prepared) if isinstance(prepared, Refusal) else prepared

    async def _spooled(
        self,
        wanted: FileWanted,
        table: StoredTable,
        user_id: str,
        rerun: Rerun | None,
        gone: Callable[[], Awaitable[None]],
    ) -> SpooledFile | Refusal:
        """A file that is made, in the user's turn. Closing it makes room for another."""
        slots: list[Slot] = [("file", ""), ("user", user_id)]
        with trio.move_on_after(WAIT_S) as waiting:
            await self._places.acquire(user_id, slots)
        if waiting.cancelled_caught:
            return Refusal(Code.OVERLOADED, retry_after_ms=RETRY_MS)
        scope = trio.CancelScope()
        self._making.add(scope)
        made: list[SpooledFile | Refusal] = []
        release = partial(self._places.release, user_id, slots)
        try:
            with scope:
                if self._is_draining:
                    scope.cancel()
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(_cancel_when, gone, nursery.cancel_scope)
                    made.append(await self._made(wanted, table, user_id, rerun))
                    nursery.cancel_scope.cancel()
        finally:
            self._making.discard(scope)
            match made:
                case [SpooledFile() as file]:
                    file.on_close = release
                case _:
                    release()
        if made:
            return made[0]
        return Refusal(Code.DRAINING, retry_after_ms=RETRY_MS) if self._is_draining else GONE

    async def _made(
        self, wanted: FileWanted, table: StoredTable, user_id: str, rerun: Rerun | None
    ) -> SpooledFile | Refusal:
        try:
            async with open_spool(wanted.format, self._threads) as spool:
                if rerun is None:
                    spool.sink.columns(table.columns)
                    spool.sink.rows(table.rows)
                    return await spool.finished(table.cut)
                ran = await self._reruns.run(user_id, rerun, spool.sink)
                if isinstance(ran, Refusal):
                    return _with_way_out(ran)
                return await spool.finished(ran.cut, ran.executed_ms)
        except* OSError as errors:
            code = Code.STORAGE_FULL if _is_full(errors) else Code.STORAGE_ERROR
            self._event_log.record(StoreFailed(code, "export: no temporary file"))
        return Refusal(code, _NO_ROOM)


def _headers(wanted: FileWanted, message: Message, cut: Cut, executed_ms: int | None) -> Headers:
    name = file_name(message.message_id, wanted.extension, cut)
    headers = [
        (b"content-type", wanted.format.media_type.encode()),
        (b"content-disposition", f'attachment; filename="{name}"'.encode()),
    ]
    if executed_ms is not None:
        at = datetime.fromtimestamp(executed_ms / 1000, UTC).isoformat(timespec="milliseconds")
        headers.append((EXECUTED_AT, at.replace("+00:00", "Z").encode()))
    if cut:
        headers.append((TRUNCATED, cut.header.encode()))
    return tuple(headers)


def _with_way_out(refused: Refusal) -> Refusal:
    """A refusal, with what can be downloaded all the same."""
    return attrs.evolve(refused, message=f"{refused.sentence} {_STORED}")


async def _cancel_when(gone: Callable[[], Awaitable[None]], scope: trio.CancelScope) -> None:
    await gone()
    scope.cancel()


def _is_full(errors: BaseExceptionGroup[OSError]) -> bool:
    return errors.subgroup(lambda one: getattr(one, "errno", None) == errno.ENOSPC) is not None
