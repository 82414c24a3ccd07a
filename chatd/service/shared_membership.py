"""The memberships as this node's machine holds them, and as other nodes write them meanwhile."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol

import attrs
import trio

from chatd.chat.backoff import Backoff
from chatd.chat.order import Place
from chatd.chat.shares import Seen
from chatd.service.machine_membership import MachineMembership
from chatd.store import StoreReadFailed
from chatd.store.member_log import MemberLog

LOOK_S = 1.0  # between two looks at what other nodes have written, if none says that it has
HINTED_S = 0.1  # the same if one says so
FIRST_WAIT_S = 0.5  # after a look has failed; doubled with each further one
LONGEST_WAIT_S = 5.0


class Learner(Protocol):
    """What keeps the machine up to date."""

    def learn_head(self, connection_id: str, last_seq: int, last_rev: int) -> None:
        """As `MessageMachine.learn_head`."""
        ...

    def learn_member(self, seen: Seen) -> None:
        """As `Members.learn`."""
        ...


@attrs.define(eq=False)
class SharedMembership(MachineMembership):
    """A `Membership` that other nodes write too. Where a user stands is looked up as the user
    connects, and what others write is followed from `mark` on. `is_held` says whether this node
    hears what is committed in a room; `note_heads` is told how far rooms are."""

    _log: MemberLog
    _learner: Learner
    _is_held: Callable[[str], bool]
    _note_heads: Callable[[Mapping[str, Place]], None]
    _mark: int
    _hinted: trio.Event = attrs.field(init=False, factory=trio.Event)

    @property
    def is_shared(self) -> bool:
        return True

    async def look(self, user_id: str, rooms: Collection[str]) -> None:
        try:
            found = await self._log.standings(user_id, rooms)
        except StoreReadFailed:
            return
        self._note_heads(found.heads)
        for room, head in found.heads.items():
            if not self._is_held(room):
                self._learner.learn_head(room, head.seq, head.rev)
        self._learn(found.members)

    def hint(self) -> None:
        """Another node has written members."""
        self._hinted.set()

    async def follow(self) -> None:
        """Learn what other nodes write, until cancelled."""
        backoff = Backoff(FIRST_WAIT_S, LONGEST_WAIT_S)
        while True:
            with trio.move_on_after(LOOK_S):
                await self._hinted.wait()
            self._hinted = trio.Event()
            try:
                found = await self._log.written_since(self._mark)
            except StoreReadFailed:
                await trio.sleep(backoff.failed())
                continue
            backoff.succeeded()
            self._mark = found.mark
            self._learn(found.members)
            await trio.sleep(HINTED_S)

    def _learn(self, members: Sequence[Seen]) -> None:
        for seen in members:
            self._learner.learn_member(seen)
