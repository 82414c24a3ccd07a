"""One download in the audit, in the log and among the metrics: its beginning, and its one end."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import attrs
import trio

from chatd.answers.cut import WHOLE, Cut
from chatd.answers.spool import SpooledFile
from chatd.chat.audit import BEGUN, AuditAction, AuditEnd, AuditEntry
from chatd.chat.ids import written_id
from chatd.chat.records import Message
from chatd.observe import EventLog, ExportEnded
from chatd.observe.clock import Clock
from chatd.observe.ids import unguessable_id
from chatd.service.audit_trail import AuditTrail
from chatd.service.delivery import Delivery
from chatd.store import StoreClosed, StoreReadFailed
from chatd.wire.codes import Code, Refusal

AUDITED_CHARS: Final = 100
"""Characters of the question in the audit of a download: the entry of the question, which is named
there (`target`), has it whole."""

SENT: Final = "sent"
BROKEN_OFF: Final = "broken_off"


@attrs.define(eq=False)
class ExportEntry:
    """The download of the answer in a message, by a user, in a format. `is_rerun`: its question
    runs once more."""

    _message: Message
    _user_id: str
    _format: str
    _trail: AuditTrail
    _clock: Clock
    _event_log: EventLog
    is_rerun: bool = attrs.field(init=False, default=False)
    _span: str = attrs.field(init=False, factory=unguessable_id)
    _began_s: float = attrs.field(init=False, factory=trio.current_time)
    _may_be_begun: bool = attrs.field(init=False, default=False)
    _has_ended: bool = attrs.field(init=False, default=False)

    async def begin(self, address: str, question: Message | None) -> Refusal | None:
        """Write the beginning into the audit; returns why, if the audit did not take it."""
        self._may_be_begun = True
        refused = await self._trail.append(
            AuditEntry(
                AuditAction.EXPORT,
                self._clock.wall_ms(),
                self._user_id,
                BEGUN,
                address,
                self._message.connection_id,
                written_id(self._message.message_id),
                None if question is None else question.content[:AUDITED_CHARS],
                None if question is None else written_id(question.message_id),
                format=self._format,
                span=self._span,
            )
        )
        # An actor that crashed may have written it.
        self._may_be_begun = refused is None or refused.code is Code.INTERNAL
        return refused

    @contextmanager
    def ended_by_faults(self) -> Iterator[None]:
        """Whatever is raised in the block, a cancellation too, ends the download."""
        try:
            yield
        except BaseException as error:
            self.end(_outcome_of(error))
            raise

    def delivery(self, source: Iterator[bytes] | SpooledFile, rows: int, cut: Cut) -> Delivery:
        """The file on its way: its end is that of the download."""
        return Delivery(
            source,
            lambda is_sent, size: self.end(SENT if is_sent else BROKEN_OFF, size, rows, cut),
        )

    def end(self, outcome: str, size: int = 0, rows: int = 0, cut: Cut = WHOLE) -> None:
        """Note the end; never waits. A second end changes nothing."""
        if self._has_ended:
            return
        self._has_ended = True
        elapsed_ms = round((trio.current_time() - self._began_s) * 1000)
        if self._may_be_begun:
            now_ms = self._clock.wall_ms()
            self._trail.post(AuditEnd(self._span, now_ms, outcome, rows, size, elapsed_ms))
        self._event_log.record(
            ExportEnded(
                self._message.message_id,
                self._message.connection_id,
                self._user_id,
                self._format,
                outcome,
                self.is_rerun,
                bool(cut),
                rows,
                size,
                elapsed_ms,
            )
        )


def _outcome_of(error: BaseException) -> str:
    """The code that the client gets, if it is there to get one."""
    match error:
        case StoreReadFailed() | StoreClosed():
            return str(Code.STORAGE_READ_ERROR)
        case Exception():
            return str(Code.INTERNAL)
        case _:
            return BROKEN_OFF
