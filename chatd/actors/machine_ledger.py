"""A ledger over a machine in memory, whose records go to a log.

Memory never runs ahead of the disk: the machine changes only after the log has the records. A
failed commit drops the decision; a messageId that the log knows, and the machine does not, makes
the machine decide once more. No other node writes this log (`chatd.actors.shared_ledger`).

Commands about members alone (`_MEMBERSHIP`) are the exception: a user cannot leave later, and does
not wait for a disk in order to read. If the disk does not take them, memory goes ahead, and the
next commit first writes what is not saved. No message is stored meanwhile, so that no member is
owed less. A crash before that loses nothing that was acknowledged: members that the log has in a
room, and that have no socket there, have left it (`MessageMachine.reconcile`).
"""

import contextlib
from collections.abc import Collection, Sequence
from typing import Final

import attrs

from chatd.actors.ledger import Ledger, RecordLog
from chatd.chat.commits import CommitFailed, Committed, Conflict, StoreClosed
from chatd.chat.decision import Decision
from chatd.chat.message_machine import MessageMachine
from chatd.chat.messages import (
    ClearOverflow,
    Command,
    Effect,
    JoinRooms,
    LeaveRooms,
    NotStored,
    RemoveMember,
    TrimQueues,
)
from chatd.chat.records import MemberKept, MemberRemoved, Record
from chatd.wire.codes import Code

_MEMBERSHIP: Final = (JoinRooms, LeaveRooms, RemoveMember, TrimQueues, ClearOverflow)
"""Commands whose records are about members, and nothing else."""


@attrs.define(eq=False)
class MachineLedger(Ledger):
    """Decides with `machine`, commits to `log`, and applies what was committed."""

    _machine: MessageMachine
    _log: RecordLog
    # What memory knows of members and the log does not, by connectionId and userId: only the last
    # of each, so that this is no larger than what memory holds of members anyway.
    _unsaved: dict[tuple[str, str], Record] = attrs.field(init=False, factory=dict)

    async def begin(
        self,
        in_rooms: Collection[tuple[str, str]],
        now_ms: int,
        leaving: Sequence[LeaveRooms] = (),
    ) -> None:
        self._unsaved.clear()
        self._go_ahead(self._machine.decide(leaving, now_ms))
        self._go_ahead(self._machine.reconcile(in_rooms, now_ms))
        if self._unsaved:
            with contextlib.suppress(CommitFailed, StoreClosed):  # it goes with the next batch
                await self._log.commit(list(self._unsaved.values()))
                self._unsaved.clear()

    async def carry_out(self, batch: Sequence[Command], now_ms: int) -> Sequence[Effect]:
        machine = self._machine
        try:
            decision, position = await self._commit(batch, now_ms)
        except StoreClosed:  # the drain's time was up before all was committed
            machine.forget_surplus()
            return [NotStored(batch, Code.DRAINING)]
        except CommitFailed as error:
            machine.forget_surplus()
            members = [one for one in batch if isinstance(one, _MEMBERSHIP)]
            others = [one for one in batch if not isinstance(one, _MEMBERSHIP)]
            decision = machine.decide(members, now_ms)
            self._go_ahead(decision)
            return [NotStored(others, error.code), *decision.effects]
        machine.apply(decision)
        machine.position = position  # not before: a snapshot may be ahead, never behind
        return decision.effects

    async def _commit(self, batch: Sequence[Command], now_ms: int) -> tuple[Decision, int]:
        """Commit what was not saved, then a decision: the first one, or one made in knowledge of
        the log's ids. Returns that decision, and where the log stands then."""
        machine, unsaved = self._machine, self._unsaved
        decision = machine.decide(batch, now_ms)
        while decision.records:
            records = [*unsaved.values(), *decision.records] if unsaved else decision.records
            outcome = await self._log.commit(records)
            if isinstance(outcome, Committed):
                unsaved.clear()
                return decision, outcome.position
            assert isinstance(outcome, Conflict)
            machine.remember(outcome.existing.values())
            decision = machine.decide(batch, now_ms)
        return decision, machine.position

    def _go_ahead(self, decision: Decision) -> None:
        """Let memory know of changes of members that the log does not have yet."""
        self._machine.apply(decision)
        for record in decision.records:
            assert isinstance(record, MemberKept | MemberRemoved)
            self._unsaved[record.connection_id, record.user_id] = record
