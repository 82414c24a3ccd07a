"""The memberships as the machine of the messages actor holds them in memory."""

from collections.abc import Collection, Mapping, Sequence

import attrs
import trio

from chatd.chat.message_state import MessageState
from chatd.chat.queue import Gap
from chatd.service.membership import Standing


@attrs.define(eq=False)
class MachineMembership:
    """A `Membership`, as of the last batch."""

    _state: MessageState

    @property
    def is_shared(self) -> bool:
        return False

    def standing(self, user_id: str, now_ms: int) -> Standing:
        state = self._state
        owed = {room: state.owed_count(room, user_id) for room in state.members.rooms_of(user_id)}
        return Standing(owed, state.needs_trim(user_id, now_ms))

    async def look(self, user_id: str, rooms: Collection[str]) -> None:
        """Nothing has to be learnt: the machine decides alone."""

    async def follow(self) -> None:
        """Nobody else writes them."""
        await trio.sleep_forever()

    def overdue(self, user_id: str, now_ms: int) -> Mapping[str, Sequence[Gap]] | None:
        if self._state.needs_trim(user_id, now_ms):
            return self._state.owed_to(user_id)
        return None
