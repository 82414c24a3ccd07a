"""The loop of the messages actor: a batch, a decision, one commit, the effects.

Memory never runs ahead of the disk, and what is published never runs ahead of the commit: the
machine's state changes, and effects go out, only after the log has the records. A failed commit
drops the decision and tells the senders; a messageId that the log knows, and the machine does not,
makes it decide once more.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from chatd.actors.mailbox import Mailbox
from chatd.chat.messages import Command, Decision, Effect, Messages
from chatd.chat.records import Record
from chatd.store import CommitFailed, CommitOutcome, Committed, RecordRefused, StoreClosed
from chatd.wire.codes import Code

BATCH_MAX = 1_000  # commands decided and committed together; more wait for the next turn


class Log(Protocol):
    """Where records become durable."""

    async def commit(self, records: Sequence[Record]) -> CommitOutcome:
        """Write all of them or none; raises CommitFailed where the disk does not take them."""
        ...


class EffectRunner(Protocol):
    """Who carries the effects out: the server, put in by `chatd.app`."""

    def run(self, effects: Sequence[Effect]) -> None:
        """Tell senders and rooms of what is in the log now."""
        ...

    def failed(self, batch: Sequence[Command], code: str) -> None:
        """Tell the senders that nothing was stored, with a code of the store."""
        ...


async def run_messages(
    machine: Messages,
    mailbox: Mailbox[Command],
    log: Log,
    runner: EffectRunner,
    wall_ms: Callable[[], int],
) -> None:
    """Serve the mailbox until it is closed and empty."""
    while batch := await mailbox.take(BATCH_MAX):
        now_ms = wall_ms()
        decision = machine.decide(batch, now_ms)
        try:
            decision = await _commit(machine, batch, decision, log, now_ms)
        except (CommitFailed, RecordRefused, StoreClosed) as error:
            machine.forget_surplus()
            runner.failed(batch, _code_of(error))
            continue
        machine.apply(decision)
        runner.run(decision.effects)


def _code_of(error: CommitFailed | RecordRefused | StoreClosed) -> str:
    """What the senders are told of a commit that did not come about."""
    match error:
        case CommitFailed():
            return error.code
        case RecordRefused():
            return Code.INTERNAL
        case StoreClosed():
            return Code.DRAINING  # the drain's time was up before all was committed


async def _commit(
    machine: Messages, batch: Sequence[Command], decision: Decision, log: Log, now_ms: int
) -> Decision:
    """The decision that was committed: the first, or one made in knowledge of the log's ids."""
    while decision.records:
        outcome = await log.commit(decision.records)
        if isinstance(outcome, Committed):
            break
        machine.remember(outcome.existing.values())
        decision = machine.decide(batch, now_ms)
    return decision
