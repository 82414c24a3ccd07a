"""The loops of the actors: a batch, a decision, a commit where there is something to keep, effects.

Memory never runs ahead of the disk, and what is published never runs ahead of the commit: the
messages machine changes, and its effects go out, only after the log has the records. A failed
commit drops the decision and tells the senders; a messageId that the log knows, and the machine
does not, makes it decide once more. Presence and typing keep no records: their machines change as
they decide.

Who comes and who goes is the exception (`_MEMBERSHIP`), as nobody can be asked to go later and
nobody should wait for a disk in order to read. Where the disk does not take it, memory goes ahead,
and what is not saved is committed with the next batch, before it: no message is stored meanwhile,
so that nobody is owed less. A crash before that loses nothing that was acknowledged: whoever the
log has in a room, and is not there, has left it (`Messages.reconcile`).

What raises ends the actor: the senders of what it was at are told `internal`, and its supervisor
starts it again, the messages from the log, the others from what was last shown. The mailbox
outlives that, and what crashed is not tried again.
"""

import contextlib
from collections.abc import Callable, Collection, Sequence
from typing import Final, Protocol, TypeAlias, TypeVar

import trio

from chatd.actors.group_commit import Pace
from chatd.actors.mailbox import Mailbox
from chatd.chat.commits import CommitFailed, CommitOutcome, Committed, StoreClosed
from chatd.chat.messages import (
    Command,
    Decision,
    Effect,
    JoinRooms,
    LeaveRooms,
    Messages,
    OverflowTold,
    RemoveMember,
    TrimQueues,
)
from chatd.chat.records import MemberKept, MemberRemoved, Record
from chatd.observe.clock import worked_s
from chatd.wire.codes import Code

BATCH_MAX = 1_000  # commands decided and committed together; more wait for the next turn

_MEMBERSHIP: Final = (JoinRooms, LeaveRooms, RemoveMember, TrimQueues, OverflowTold)
"""Commands whose records are about members, and nothing else."""

_Unsaved: TypeAlias = dict[tuple[str, str], Record]
"""What memory knows of members and the log does not, by connectionId and userId: the last of each,
so that it is no larger than what memory holds of members anyway."""

C = TypeVar("C")
E = TypeVar("E")
C_contra = TypeVar("C_contra", contravariant=True)
E_co = TypeVar("E_co", covariant=True)
E_contra = TypeVar("E_contra", contravariant=True)


class Log(Protocol):
    """Where records become durable."""

    async def commit(self, records: Sequence[Record]) -> CommitOutcome:
        """Write all of them or none; raises CommitFailed where the disk does not take them."""
        ...


class EffectRunner(Protocol):
    """Who carries the effects of messages out: the server, put in by `chatd.app`."""

    def run(self, effect: Effect) -> None:
        """Tell senders and rooms of what is in the log now."""
        ...

    def failed(self, batch: Sequence[Command], code: str) -> None:
        """Tell the senders that nothing was stored, with a code; never raises."""
        ...

    def in_rooms(self) -> Collection[tuple[str, str]]:
        """Who has a socket in which room: (connectionId, userId)."""
        ...


async def run_messages(
    machine: Messages,
    mailbox: Mailbox[Command],
    log: Log,
    runner: EffectRunner,
    wall_ms: Callable[[], int],
    *,
    worked_s: Callable[[], float] = worked_s,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve the mailbox until it is closed and empty; `worked_s` tells how busy this thread is."""
    unsaved: _Unsaved = {}
    _go_ahead(machine, machine.reconcile(runner.in_rooms(), wall_ms()), unsaved)
    await _save(unsaved, log)
    task_status.started()
    pace = Pace(trio.current_time(), worked_s())
    while await mailbox.filled():
        may_wait = len(mailbox) < BATCH_MAX and not mailbox.is_closed
        if may_wait and (due_s := pace.due_s()) > trio.current_time():
            await trio.sleep_until(due_s)
        batch = await mailbox.take(BATCH_MAX)
        pace.begin(trio.current_time(), worked_s())
        now_ms = wall_ms()
        unfinished: Sequence[Command] = batch
        try:
            decision = machine.decide(batch, now_ms)
            try:
                decision, position = await _commit(machine, batch, decision, log, now_ms, unsaved)
            except StoreClosed:  # the drain's time was up before all was committed
                machine.forget_surplus()
                runner.failed(batch, Code.DRAINING)
                continue
            except CommitFailed as error:
                machine.forget_surplus()
                unfinished = [one for one in batch if isinstance(one, _MEMBERSHIP)]
                runner.failed(
                    [one for one in batch if not isinstance(one, _MEMBERSHIP)], error.code
                )
                decision = machine.decide(unfinished, now_ms)
                _go_ahead(machine, decision, unsaved)
            else:
                machine.apply(decision)
                machine.position = position  # not before: a snapshot may be ahead, never behind
            commands = unfinished
            for done, effect in enumerate(decision.effects):
                unfinished = commands[done:]
                runner.run(effect)
        except Exception:
            runner.failed(unfinished, Code.INTERNAL)
            raise


def _go_ahead(machine: Messages, decision: Decision, unsaved: _Unsaved) -> None:
    """Let memory know of members what the log does not have yet."""
    machine.apply(decision)
    for record in decision.records:
        assert isinstance(record, MemberKept | MemberRemoved)
        unsaved[record.connection_id, record.user_id] = record


async def _save(unsaved: _Unsaved, log: Log) -> None:
    """Try to have it in the log; if not, it goes with the next batch."""
    if unsaved:
        with contextlib.suppress(CommitFailed, StoreClosed):
            await log.commit(list(unsaved.values()))
            unsaved.clear()


async def _commit(
    machine: Messages,
    batch: Sequence[Command],
    decision: Decision,
    log: Log,
    now_ms: int,
    unsaved: _Unsaved,
) -> tuple[Decision, int]:
    """What was committed, behind what was not saved, and where the log stands then: the first
    decision, or one made in knowledge of the log's ids."""
    while decision.records:
        records = [*unsaved.values(), *decision.records] if unsaved else decision.records
        outcome = await log.commit(records)
        if isinstance(outcome, Committed):
            unsaved.clear()
            return decision, outcome.position
        machine.remember(outcome.existing.values())
        decision = machine.decide(batch, now_ms)
    return decision, machine.position


class Machine(Protocol[C_contra, E_co]):
    """A machine without records, in which time passes."""

    def decide(self, batch: Sequence[C_contra], now_s: float, wall_ms: int) -> Sequence[E_co]:
        """Carry a batch out; what has become of it."""
        ...

    def tick(self, now_s: float, wall_ms: int) -> Sequence[E_co]:
        """What is due by now."""
        ...

    def next_deadline_s(self) -> float:
        """When something is due next; `math.inf` where nothing is."""
        ...


class Board(Protocol[C_contra, E_contra]):
    """Who carries the effects of such a machine out, and knows what was told last."""

    def run(self, effect: E_contra) -> None:
        """Tell whom it concerns."""
        ...

    def failed(self, batch: Sequence[C_contra]) -> None:
        """The machine, or one of its effects, raised at this batch; never raises."""
        ...


async def run_machine(
    machine: Machine[C, E],
    mailbox: Mailbox[C],
    board: Board[C, E],
    wall_ms: Callable[[], int],
) -> None:
    """Serve the mailbox, and time, until the mailbox is closed and empty."""
    while True:
        batch: list[C] | None = None
        with trio.move_on_at(machine.next_deadline_s()):
            batch = await mailbox.take(BATCH_MAX)
        if batch == []:
            return
        now_s, now_ms = trio.current_time(), wall_ms()
        try:
            if machine.next_deadline_s() <= now_s:
                for effect in machine.tick(now_s, now_ms):
                    board.run(effect)
            for effect in machine.decide(batch or (), now_s, now_ms):
                board.run(effect)
        except Exception:
            board.failed(batch or ())
            raise
