"""Erasing a user, and deleting a room, while the daemon runs or instead of it
(docs/administration, "Erasure").

Each is noted in the audit before it begins. One that was begun and has no end is finished by the
next start, or by the same command: every step finds what is left to do. Clients hear of it as of
any change; other nodes hear by a signal of what is not a change: mentions that are gone, and a
deleted room. The last step writes the log anew, so that no byte of what was erased is left in the
files.
"""

import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import attrs
import trio

from chatd.actors.log_keeper import LogKeeper
from chatd.actors.snapshots import Snapshots
from chatd.answers.service import AnswerService
from chatd.chat.audit import BEGUN, DONE, NOTHING, AuditAction, AuditEnd, AuditEntry
from chatd.chat.erasure import erased_name, without_mention
from chatd.chat.message_machine import MessageMachine
from chatd.chat.messages import EraseMessages, PutReaction
from chatd.chat.records import Message
from chatd.observe import AdministratorActed, EventLog
from chatd.observe.clock import Clock
from chatd.observe.ids import new_uuid, unguessable_id
from chatd.service.audit_trail import AuditTrail
from chatd.service.clients import Clients
from chatd.service.commands import Commands
from chatd.service.download_tickets import DownloadTickets
from chatd.service.presence_roster import PresenceRoster
from chatd.service.revoking import RevocationNotKept
from chatd.service.rooms import Rooms
from chatd.service.senders import TaskOrigin
from chatd.service.signals import Signals
from chatd.service.timeline import Timelines
from chatd.service.typing_roster import TypingRoster
from chatd.store import (
    CommitFailed,
    MessageReader,
    StoreClosed,
    StoreDisplaced,
    StoreReadFailed,
)
from chatd.store.retention import Surplus
from chatd.store.traces import Traces
from chatd.wire.codes import Code, Refusal
from chatd.wire.events import RoomRevoked
from chatd.wire.identifiers import RESERVED_USER_PREFIX

STEP_MESSAGES: Final = 200
"""Messages erased in one command, while other commands wait."""
ANSWERS_S: Final = 30.0
"""Seconds for the answers of a user, or of a room, to end; beyond: the erasure has to be
repeated."""
SIGNAL: Final = "erased"
"""It tells the other nodes what this one does: [action, user or room]."""
FAILED: Final = "failed"


class ErasureFailedError(Exception):
    """Not everything is erased; the same command, or the next start, goes on. `str()` says why."""


@attrs.frozen
class Erased:
    """What there was: messages, reactions to messages of others, and memberships; and the `outcome`
    as the audit has it, which also says whether anything else was found. `was_cut_off`: another
    erasure of the same had been cut off, and was finished; what that found is not counted."""

    messages: int
    reactions: int
    memberships: int
    outcome: str = DONE
    was_cut_off: bool = False


@attrs.define(eq=False)
class Erasures:
    """Erases, one user or room at a time. `revoke` ends the sessions and the tokens of a user."""

    _commands: Commands
    _machine: MessageMachine
    _log: LogKeeper
    _traces: Traces
    _snapshots: Snapshots
    _timelines: Timelines
    _clients: Clients
    _rooms: Rooms
    _presence: PresenceRoster
    _typing: TypingRoster
    _answers: AnswerService
    _tickets: DownloadTickets
    _trail: AuditTrail
    _clock: Clock
    _event_log: EventLog
    _revoke: Callable[[str], Awaitable[object]]
    _messages: MessageReader
    _signals: Signals | None
    _turn: trio.Lock = attrs.field(init=False, factory=trio.Lock)
    _resumed: set[tuple[AuditAction, str]] = attrs.field(init=False, factory=set)

    def __attrs_post_init__(self) -> None:
        if self._signals is not None:
            self._signals.on(SIGNAL, self._done_elsewhere)

    async def erase_user(self, user_id: str, by: str) -> Erased:
        """Erase all that is known of a user. Raises ErasureFailedError."""
        if user_id.startswith(RESERVED_USER_PREFIX):
            raise ErasureFailedError(
                f"{user_id} is a database, and no user; erase who asked it, or delete the room."
            )
        return await self._audited(AuditAction.ERASE_USER, user_id, by)

    async def delete_room(self, connection_id: str, by: str) -> Erased:
        """Delete all that a room holds until now. Raises ErasureFailedError."""
        return await self._audited(AuditAction.DELETE_ROOM, connection_id, by)

    async def resume(self) -> None:
        """Finish what was begun before; what cannot be finished now is left to the next start."""
        with contextlib.suppress(StoreReadFailed, CommitFailed, StoreClosed):
            for one in await self._traces.unfinished():
                with contextlib.suppress(ErasureFailedError):
                    await self._audited(one.action, one.target, one.by, is_begun=True)
                    self._resumed.add((one.action, one.target))

    async def _audited(
        self, action: AuditAction, target: str, by: str, *, is_begun: bool = False
    ) -> Erased:
        """Note the beginning, unless the audit has it; erase; and note the end. An erasure that
        fails has no end."""
        async with self._turn:
            began_s = trio.current_time()
            if not is_begun:
                entry = AuditEntry(
                    action,
                    self._clock.wall_ms(),
                    by,
                    BEGUN,
                    connection_id=target if action is AuditAction.DELETE_ROOM else None,
                    target=target if action is AuditAction.ERASE_USER else None,
                    span=unguessable_id(),
                )
                _demand(await self._trail.append(entry))
            outcome = FAILED
            try:
                erased = await self._erase_all(action, target)
                spans = await self._unfinished_of(action, target)
                was_cut_off = len(spans) > 1 or (action, target) in self._resumed
                if is_begun or was_cut_off:  # what was cut off has found something
                    erased = attrs.evolve(erased, outcome=DONE, was_cut_off=was_cut_off)
                    self._resumed.discard((action, target))
                outcome = erased.outcome
            except (CommitFailed, StoreReadFailed, StoreClosed, StoreDisplaced, OSError) as error:
                raise ErasureFailedError(
                    f"The disk did not take all of it ({type(error).__name__}); repeat the command."
                ) from error
            finally:
                self._event_log.record(AdministratorActed(str(action), target, by, outcome))
            elapsed_ms = round((trio.current_time() - began_s) * 1000)
            for span in spans:
                end = AuditEnd(span, self._clock.wall_ms(), outcome, elapsed_ms=elapsed_ms)
                _demand(await self._trail.append(end))
            return erased

    async def _erase_all(self, action: AuditAction, target: str) -> Erased:
        if action is AuditAction.ERASE_USER:
            return await self._erase_user(target)
        return await self._delete_room(target)

    async def _unfinished_of(self, action: AuditAction, target: str) -> list[str]:
        """The spans of this erasure and of those that were cut off before: without an end they
        would be done again, and erase what was written since."""
        unfinished = await self._traces.unfinished()
        return [one.span for one in unfinished if (one.action, one.target) == (action, target)]

    # A user

    async def _erase_user(self, user_id: str) -> Erased:
        name = erased_name(new_uuid()[:8])
        try:
            await self._revoke(user_id)
        except RevocationNotKept as error:
            raise ErasureFailedError(str(error)) from error
        self._tickets.void(user_id)
        await self._end_answers(user_id=user_id)
        rooms = tuple(self._machine.members.rooms_of(user_id))
        reactions = await self._take_reactions_off(user_id)
        messages = await self._erase_answers(user_id, name)
        messages += await self._erase_messages(user_id, name)
        await self._remove_members([(room, user_id) for room in rooms])
        self._typing.forget(user_id=user_id)
        await self._presence.forget(user_id=user_id)
        await self._snapshots.renew()
        others = await self._traces.forget_user(user_id, name)
        await self._timelines.loaded()
        self._forget_mentions(user_id)
        self._tell(AuditAction.ERASE_USER, user_id)
        await self._traces.write_anew()
        is_nothing = not (messages or reactions or rooms or others)
        return Erased(messages, reactions, len(rooms), NOTHING if is_nothing else DONE)

    def _forget_mentions(self, user_id: str) -> None:
        """The log holds no mention of a user any more."""
        self._machine.forget_user(user_id)

        def unmentioned(message: Message) -> Message | None:
            mentions = user_id in message.mentions
            return without_mention(message, user_id) if mentions else None

        self._timelines.erase(unmentioned)

    async def _take_reactions_off(self, user_id: str) -> int:
        taken, position = 0, 0
        while True:
            as_of = self._machine.last_revs()
            found = await self._traces.reacted_by(user_id, position, STEP_MESSAGES)
            if not found.messages:
                return taken
            for message in found.messages:
                for one in () if message.changes is None else message.changes.reactions:
                    if user_id in one.users:
                        rev = as_of.get(message.connection_id, 0)
                        await self._put_off(user_id, message, rev, one.emoji)
                        taken += 1
            position = found.position

    async def _put_off(self, user_id: str, message: Message, as_of_rev: int, emoji: str) -> None:
        origin = TaskOrigin()
        command = PutReaction(origin, user_id, message, as_of_rev, emoji, False)
        work = self._commands.submit(command)
        if work is not None:
            await work
        await origin.settled.wait()
        refusal = origin.refusal
        if refusal is not None and refusal.code not in (Code.MESSAGE_DELETED, Code.NOT_FOUND):
            _demand(refusal)

    async def _erase_answers(self, user_id: str, name: str) -> int:
        erased = 0
        while answers := await self._traces.answers_to(user_id, STEP_MESSAGES):
            await self._erase(answers, name)
            erased += len(answers)
        return erased

    async def _erase_messages(self, user_id: str, name: str) -> int:
        """All messages of a user, also those that were stored meanwhile."""
        erased, position = 0, 0
        while True:
            found = await self._traces.messages_of(user_id, position, STEP_MESSAGES)
            if not found.messages and not position:
                return erased
            if found.messages:
                await self._erase(found.messages, name)
                erased += len(found.messages)
            position = found.position if found.messages else 0

    async def _erase(self, messages: Sequence[Message], name: str) -> None:
        origin = TaskOrigin()
        await self._commands.settle(EraseMessages(origin, messages, name))
        _demand(origin.refusal)

    # A room

    async def _delete_room(self, connection_id: str) -> Erased:
        self._take_out(connection_id)
        self._tell(AuditAction.DELETE_ROOM, connection_id)
        await self._end_answers(connection_id=connection_id)
        members = list(self._machine.members.of_room(connection_id))
        removed = await self._remove_messages(connection_id)
        await self._remove_members([(connection_id, user_id) for user_id in members])
        self._typing.forget(connection_id=connection_id)
        await self._presence.forget(connection_id=connection_id)
        await self._snapshots.renew()
        others = await self._traces.forget_room(connection_id)
        await self._timelines.loaded()
        self._machine.forget_room(connection_id)
        await self._traces.write_anew()
        is_nothing = not (removed or members or others)
        return Erased(removed, 0, len(members), NOTHING if is_nothing else DONE)

    def _take_out(self, connection_id: str) -> None:
        """Take everybody out of a room that is deleted."""
        for client in self._clients.everybody():
            if connection_id in client.grants:
                self._rooms.leave(client, [connection_id])
                client.send(RoomRevoked(connection_id, Code.ROOM_DELETED))

    async def _remove_messages(self, connection_id: str) -> int:
        """Remove what a room holds until now, the oldest first."""
        page = await self._messages.page(
            connection_id, before=None, after=None, limit=1, thread_id=None
        )
        last_seq = page.last_seq  # memory may lack what other nodes have stored
        removed, first_seq = 0, max(1, page.first_seq)
        while first_seq <= last_seq:
            first_kept = min(first_seq + STEP_MESSAGES, last_seq + 1)
            surplus = [Surplus(connection_id, first_kept, first_seq)]
            if not await self._commands.disown(surplus):
                raise ErasureFailedError("The disk did not take all of it; repeat the command.")
            removed += await self._log.remove(surplus)
            self._timelines.forget(connection_id, first_kept)
            first_seq = first_kept
        return removed

    # Other nodes

    def _tell(self, action: AuditAction, target: str) -> None:
        if self._signals is not None:
            self._signals.send_all(SIGNAL, [action, target])

    def _done_elsewhere(self, _room: str, _node: str, fields: Sequence[Any]) -> None:
        """Another node erases a user, or a room."""
        action, target, *_ = fields
        if not isinstance(target, str):
            return
        if action == AuditAction.ERASE_USER:
            self._forget_mentions(target)
        elif action == AuditAction.DELETE_ROOM:
            self._take_out(target)

    # Both

    async def _end_answers(
        self, *, user_id: str | None = None, connection_id: str | None = None
    ) -> None:
        with trio.move_on_after(ANSWERS_S):
            await self._answers.end_those(user_id=user_id, connection_id=connection_id)
            return
        raise ErasureFailedError("An answer has not ended yet; repeat the command.")

    async def _remove_members(self, members: list[tuple[str, str]]) -> None:
        for room, user_id in members:
            _demand(await self._commands.remove_member(room, user_id))


def _demand(refusal: Refusal | None) -> None:
    if refusal is not None:
        raise ErasureFailedError(f"{refusal.sentence} Repeat the command.")
