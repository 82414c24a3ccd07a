"""Entries of the audit on their way into the log, by way of the messages actor: they share its
commits, and cost it no task of their own."""

import attrs

from chatd.chat.audit import AuditEnd, AuditEntry
from chatd.chat.messages import Audit
from chatd.service.commands import Commands
from chatd.service.senders import TaskOrigin
from chatd.wire.codes import Refusal


@attrs.define(eq=False)
class AuditTrail:
    """Appends entries. Questions do not need it: their entries are committed with their answers."""

    _commands: Commands

    async def append(self, entry: AuditEntry | AuditEnd) -> Refusal | None:
        """Return when an entry is in the log, or why it is not: then what it is about must not be
        done."""
        origin = TaskOrigin()
        await self._commands.settle(Audit(entry, origin))
        return origin.refusal

    def post(self, end: AuditEnd) -> None:
        """Append how something ended; never waits. If the disk does not take it, or the daemon is
        about to end, the entry stays as it was begun."""
        self._commands.post(Audit(end))
