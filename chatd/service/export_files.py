"""The file of an answer: of the rows that its message holds, or of all that its question gives now.

If the message holds less than there was and the configuration allows more (`answers.export_rows`),
the question is asked once more (`chatd.answers.reruns`), and the file is made whole before it
leaves (`chatd.answers.spool`). So is every workbook. What leaves is logged and counted, by format
and outcome; content and statements are not logged. No byte leaves before the audit has the
beginning; it gets the end once that is known, whatever the end is (`export_entry`).
"""

import errno
from collections.abc import Awaitable, Callable
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
from chatd.chat.records import Message
from chatd.net.http.app import Headers, Response
from chatd.observe import EventLog, StoreFailed
from chatd.observe.clock import Clock
from chatd.service.audit_trail import AuditTrail
from chatd.service.export_entry import BROKEN_OFF, ExportEntry
from chatd.store import MessageReader
from chatd.wire.codes import Code, Refusal

FILES_MAX: Final = 16
"""Files that are made or downloaded at once, not counting those of rows that their message holds:
each takes room on the disk. One user never gets the last free place. Beyond: a download waits."""
FILES_PER_USER: Final = 4
"""The same for one user. Beyond: as above."""
WAIT_S: Final = 5.0
"""How long a download waits for its turn. Beyond: overloaded."""
RETRY_MS: Final = 2_000
"""When it is worth trying again."""

EXECUTED_AT: Final = b"x-chatd-executed-at"
"""The header that says when the database gave the rows, as RFC 3339 writes it."""
TRUNCATED: Final = b"x-chatd-truncated"
"""The header that says what is cut (`Cut.header`); it is not there if nothing is."""

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


@attrs.frozen
class _Download:
    """One download: what is asked for of the answer in a message, which holds this table, and by
    whom. `gone` returns when the client is gone."""

    wanted: FileWanted
    message: Message
    table: StoredTable
    user_id: str
    gone: Callable[[], Awaitable[None]]

    @property
    def headers_as_stored(self) -> Headers:
        """What is said of a file that holds what the message holds."""
        return self.headers(self.table.cut, self.message.timestamp_ms)

    def headers(self, cut: Cut, executed_ms: int | None) -> Headers:
        """What is said of a file that lacks this; None: when the database gives the rows is not
        known yet."""
        message = self.message
        name = file_name(message.connection_id, message.timestamp_ms, self.wanted.extension, cut)
        headers = [
            (b"content-type", self.wanted.format.media_type.encode()),
            (b"content-disposition", f'attachment; filename="{name}"'.encode()),
        ]
        if executed_ms is not None:
            at = datetime.fromtimestamp(executed_ms / 1000, UTC).isoformat(timespec="milliseconds")
            headers.append((EXECUTED_AT, at.replace("+00:00", "Z").encode()))
        if cut:
            headers.append((TRUNCATED, cut.header.encode()))
        return tuple(headers)


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
        `gone` returns when the client is gone.

        Raises StoreReadFailed, StoreClosed.
        """
        download = _Download(wanted, message, table, user_id, gone)
        if wanted.is_head:
            return self._head(download)
        entry = ExportEntry(
            message, user_id, wanted.extension, self._trail, self._clock, self._event_log
        )
        with entry.ended_by_faults():
            response = await self._whole(download, entry, address)
        if isinstance(response, Refusal):
            entry.end(BROKEN_OFF if response is GONE else str(response.code))
        return response

    def _head(self, download: _Download) -> Response | Refusal:
        """What would be said of the file."""
        if download.table.refusal is not None:
            return download.table.refusal
        if self._may_hold_more(download):  # what it will lack is not known before
            return Response(200, download.headers(WHOLE, None), iter(()))
        return Response(200, download.headers_as_stored, iter(()))

    async def _whole(
        self, download: _Download, entry: ExportEntry, address: str
    ) -> Response | Refusal:
        """The file, once the audit has its beginning."""
        message, table = download.message, download.table
        question = None
        if message.reply_to is not None:
            rooms = (message.connection_id,)
            question = await self._log.written(message.reply_to, rooms)  # what it answers
        refused = await entry.begin(address, question) or table.refusal
        if refused is not None:
            return refused
        rerun = await self._prepared(download, question)
        if isinstance(rerun, Refusal):
            return _with_way_out(rerun)
        entry.is_rerun = rerun is not None
        writer = download.wanted.format.lines
        if rerun is None and writer is not None:
            source = pieces(writer(), table.columns, table.rows, table.cut)
            body = entry.delivery(source, len(table.rows), table.cut)
            return Response(200, download.headers_as_stored, body)
        made = await self._spooled(download, rerun)
        if isinstance(made, Refusal):
            return made
        headers = download.headers(made.cut, made.executed_ms or message.timestamp_ms)
        length = (b"content-length", b"%d" % made.size)
        return Response(200, (*headers, length), entry.delivery(made, made.row_count, made.cut))

    def _may_hold_more(self, download: _Download) -> bool:
        """Whether a file may hold more than the message, which lacks something."""
        table = download.table
        is_longer = self._reruns.max_rows > len(table.rows)
        return bool(table.cut) and is_longer and not download.wanted.only_stored

    async def _prepared(
        self, download: _Download, question: Message | None
    ) -> Rerun | Refusal | None:
        """What of an answer's question runs once more; None if nothing does."""
        if not self._may_hold_more(download):
            return None
        if question is None or question.is_damaged:  # retention was faster
            return None
        most = XLSX_ROWS_MAX if download.wanted.extension == "xlsx" else self._reruns.max_rows
        return await self._reruns.prepare(download.user_id, question, rows_max=most)

    async def _spooled(self, download: _Download, rerun: Rerun | None) -> SpooledFile | Refusal:
        """A file that is made, in the user's turn. Closing it makes room for another."""
        user_id = download.user_id
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
                    nursery.start_soon(_cancel_when, download.gone, nursery.cancel_scope)
                    made.append(await self._made(download, rerun))
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

    async def _made(self, download: _Download, rerun: Rerun | None) -> SpooledFile | Refusal:
        try:
            async with open_spool(download.wanted.format, self._threads) as spool:
                if rerun is None:
                    table = download.table
                    spool.sink.columns(table.columns)
                    for rows in table.rows.blocks():
                        spool.sink.rows(rows)
                        await spool.sink.caught_up()
                    return await spool.finished(table.cut)
                ran = await self._reruns.run(download.user_id, rerun, spool.sink)
                if isinstance(ran, Refusal):
                    return _with_way_out(ran)
                return await spool.finished(ran.cut, ran.executed_ms)
        except* OSError as errors:
            code = Code.STORAGE_FULL if _is_full(errors) else Code.STORAGE_ERROR
            self._event_log.record(StoreFailed(code, "export: no temporary file"))
        return Refusal(code, _NO_ROOM)


def _with_way_out(refused: Refusal) -> Refusal:
    """A refusal that also says what can be downloaded all the same."""
    return attrs.evolve(refused, message=f"{refused.sentence} {_STORED}")


async def _cancel_when(gone: Callable[[], Awaitable[None]], scope: trio.CancelScope) -> None:
    await gone()
    scope.cancel()


def _is_full(errors: BaseExceptionGroup[OSError]) -> bool:
    return errors.subgroup(lambda one: getattr(one, "errno", None) == errno.ENOSPC) is not None
