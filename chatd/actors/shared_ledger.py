"""A ledger over a log that several nodes share: each node has a machine in memory, and no machine
is right by itself.

A machine decides with what it knows. The log commits the decision only if what it rests on still
holds; else the log says what is there now, the machine learns it, and decides again. Messages that
rest on nothing are committed after those of other nodes, and get their seqs there. So a machine
that is out of date costs a way to the log and back, and never a wrong decision.

What the other nodes commit is learnt as it is heard (`hear`, `hear_change`, `learn_head`,
`learn_member`): between two batches, so that no decision is applied to another state than it was
made on.

A commit that fails drops the decision. A user who leaves, or is removed, cannot do so again: such
commands are kept, and carried out with the next batch. Nobody joins meanwhile.
"""

import contextlib
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final, Protocol

import attrs

from chatd.actors.ledger import Ledger, RecordLog
from chatd.chat.commits import Behind, CommitFailed, Committed, EndedBefore, StoreClosed
from chatd.chat.committed import as_committed
from chatd.chat.decision import Decision
from chatd.chat.message_machine import MessageMachine
from chatd.chat.messages import (
    ClearOverflow,
    Command,
    Effect,
    JoinRooms,
    LeaveRooms,
    NotStored,
    PlainCommand,
    RemoveMember,
    Settled,
    TrimQueues,
)
from chatd.chat.records import (
    Change,
    MemberKept,
    MemberRemoved,
    Message,
    MessageStored,
    ReadMarked,
)
from chatd.chat.shares import Seen
from chatd.wire.codes import Code


class SharedLog(RecordLog, Protocol):
    """A log that other nodes write, too."""

    async def heads(self, rooms: Collection[str]) -> Mapping[str, tuple[int, int]]:
        """How far each of these rooms is now, as (seq, rev). Raises as `commit`."""
        ...

    async def messages(self, places: Collection[tuple[str, int]]) -> Sequence[Message]:
        """The messages at these places, by connectionId and seq, as they are now, without those
        that are gone. Raises as `commit`."""
        ...

    async def seqs_of(
        self, authors: Mapping[tuple[str, str], int]
    ) -> Sequence[tuple[str, str, int]]:
        """The messages that these members, named by connectionId and userId, have written after a
        seq; each as (connectionId, userId, seq). Raises as `commit`."""
        ...


_KEPT: Final = (LeaveRooms, RemoveMember, TrimQueues, ClearOverflow)
"""Commands that are carried out later if the log takes nothing now."""

_OF_MEMBERS: Final = (MemberKept, MemberRemoved, ReadMarked)


@attrs.define(eq=False)
class SharedLedger(Ledger):
    """Decides with `machine`, commits to `log`, and applies what was committed. `wrote_members` is
    called when that included members, as other nodes then want to know."""

    _machine: MessageMachine
    _log: SharedLog
    wrote_members: Callable[[], object] = attrs.field(default=lambda: None, kw_only=True)
    _in_rooms: Collection[tuple[str, str]] | None = attrs.field(init=False, default=None)
    _leaving: Sequence[LeaveRooms] = attrs.field(init=False, default=())
    _kept: list[Command] = attrs.field(init=False, factory=list)
    _left: dict[tuple[str, str], LeaveRooms] = attrs.field(init=False, factory=dict)
    _is_at_work: bool = attrs.field(init=False, default=False)
    _news: list[Callable[[], None]] = attrs.field(init=False, factory=list)

    async def begin(
        self,
        in_rooms: Collection[tuple[str, str]],
        now_ms: int,
        leaving: Sequence[LeaveRooms] = (),
    ) -> None:
        self._in_rooms, self._leaving = in_rooms, leaving
        await self.carry_out((), now_ms)  # if the log does not take it, the next batch brings it

    @property
    def kept(self) -> Sequence[Command]:
        return (*self._left.values(), *self._kept)

    async def carry_out(self, batch: Sequence[Command], now_ms: int) -> Sequence[Effect]:
        self._is_at_work = True
        try:
            return await self._carry_out(batch, now_ms)
        finally:
            self._is_at_work = False
            news, self._news = self._news, []
            for learn in news:
                learn()

    async def _carry_out(self, batch: Sequence[Command], now_ms: int) -> Sequence[Effect]:
        try:
            if self._in_rooms is not None:
                await self._reconcile(self._in_rooms, now_ms)
                self._in_rooms = None
            kept = self.kept
            due = [*kept, *batch]
            await self._look_at_rooms(due)
            decision = await self._commit(due, lambda: self._machine.decide(due, now_ms))
        except StoreClosed:  # the drain's time was up before all was committed
            self._machine.forget_surplus()
            self._keep_those_of(batch)
            return [NotStored(batch, Code.DRAINING)]
        except CommitFailed as error:
            self._machine.forget_surplus()
            later = self._keep_those_of(batch)
            others = [one for one in batch if not isinstance(one, _KEPT)]
            return [NotStored(others, error.code), *map(Settled, later)]
        self._kept.clear()
        self._left.clear()
        return decision.effects[len(kept) :]

    async def _reconcile(self, in_rooms: Collection[tuple[str, str]], now_ms: int) -> None:
        """Have only these users be in their rooms. What is known of those who left comes first:
        whoever is gone without a word counts as having seen all until now."""
        told = [*self.kept, *self._leaving]
        if told:
            await self._commit(told, lambda: self._machine.decide(told, now_ms))
            self._kept.clear()
            self._left.clear()
            self._leaving = ()
        await self._commit((), lambda: self._machine.reconcile(in_rooms, now_ms))

    def _keep_those_of(self, batch: Sequence[Command]) -> Sequence[PlainCommand]:
        """Keep those commands that are carried out later, and return them."""
        later = [one for one in batch if isinstance(one, _KEPT)]
        for one in later:
            self._keep(one)
        return later

    def _keep(self, command: Command) -> None:
        """Carry a command out with the next batch. A command that says the same as a kept one is
        not kept twice: users come again and again while the log is away, and each refused join is
        followed by a leave. Nobody joins meanwhile, so that the first leave says what was seen."""
        match command:
            case LeaveRooms(user_id, rooms):
                for room, seq in rooms:
                    one = LeaveRooms(user_id, ((room, seq),))
                    self._left.setdefault((room, user_id), one)
                    self._is_gone(room, user_id)
            case RemoveMember(user_id, rooms):
                for room in rooms:
                    self._is_gone(room, user_id)
                if command not in self._kept:
                    self._kept.append(command)
            case ClearOverflow():
                if command not in self._kept:
                    self._kept.append(command)
            case TrimQueues(user_id=user_id):
                kept = [
                    one
                    for one in self._kept
                    if not (isinstance(one, TrimQueues) and one.user_id == user_id)
                ]
                self._kept = [*kept, command]
            case _:
                self._kept.append(command)

    def _is_gone(self, room: str, user_id: str) -> None:
        """A user is not in a room any more, of whom the log is still to hear who is there."""
        if self._in_rooms is not None:
            self._in_rooms = [one for one in self._in_rooms if one != (room, user_id)]

    async def _look_at_rooms(self, batch: Sequence[Command]) -> None:
        """Learn how far rooms are: what a user who joins is owed depends on what any node has
        stored until now."""
        rooms = {room for one in batch if isinstance(one, JoinRooms) for room in one.connection_ids}
        if rooms:
            for room, (last_seq, last_rev) in (await self._log.heads(rooms)).items():
                self._machine.learn_head(room, last_seq, last_rev)

    async def _look_at_messages(self, batch: Sequence[Command]) -> None:
        """Learn messages as they are now: a change applies to that, whichever node has changed the
        message before. And a user who leaves is not owed its own messages, but memory does not know
        the authors of all that was stored; if that cannot be read, it is better to owe too much
        than to do nothing."""
        if places := self._machine.lacking_messages(batch):
            for message in await self._log.messages(places):
                self._machine.learn_message(message)
        if authors := self._machine.lacking_own(batch):
            with contextlib.suppress(CommitFailed):
                self._machine.learn_own(await self._log.seqs_of(authors))

    async def _commit(self, batch: Sequence[Command], decide: Callable[[], Decision]) -> Decision:
        """Decide, and commit the decision, again until it rests on nothing that is out of date."""
        machine = self._machine
        await self._look_at_messages(batch)
        decision = decide()
        while decision.records:
            outcome = await self._log.commit(decision.records)
            if isinstance(outcome, Committed):
                decision = as_committed(decision, outcome)
                self._skip_to(decision)
                machine.apply(decision, outcome.version)
                machine.position = outcome.position
                if any(isinstance(one, _OF_MEMBERS) for one in decision.records):
                    self.wrote_members()
                return decision
            if isinstance(outcome, Behind):
                self._learn(outcome)
            elif isinstance(outcome, EndedBefore):
                machine.remember_ends(outcome.question_ids)
            else:
                machine.remember(outcome.existing.values())
            await self._look_at_messages(batch)
            decision = decide()
        machine.apply(decision)
        return decision

    def _skip_to(self, decision: Decision) -> None:
        """Learn of the messages of others that come before those of a decision."""
        first_seqs: dict[str, int] = {}
        for record in decision.records:
            if isinstance(record, MessageStored):
                first_seqs.setdefault(record.message.connection_id, record.message.seq)
        for room, seq in first_seqs.items():
            self._machine.learn_head(room, seq - 1, 0)

    def _learn(self, behind: Behind) -> None:
        for room, (last_seq, last_rev) in behind.heads.items():
            self._machine.learn_head(room, last_seq, last_rev)
        for message in behind.messages.values():
            self._machine.learn_message(message)
        for (room, user_id), member in behind.members.items():
            self._machine.members.put(room, user_id, member)

    # What other nodes have committed

    def hear(self, item: Message | Change) -> None:
        """As `MessageMachine.hear`, or `hear_change`."""
        if isinstance(item, Message):
            self._note(lambda: self._machine.hear(item))
        else:
            self._note(lambda: self._machine.hear_change(item))

    def learn_head(self, connection_id: str, last_seq: int, last_rev: int) -> None:
        """As `MessageMachine.learn_head`."""
        self._note(lambda: self._machine.learn_head(connection_id, last_seq, last_rev))

    def learn_member(self, seen: Seen) -> None:
        """As `Members.learn`."""
        self._note(lambda: self._machine.members.learn(seen))

    def _note(self, learn: Callable[[], None]) -> None:
        if self._is_at_work:
            self._news.append(learn)
        else:
            learn()
