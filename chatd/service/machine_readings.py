"""Readings as the machine of the messages actor counts them; what it lacks is read from the log."""

import contextlib
from collections.abc import Collection, Mapping

import attrs
import trio

from chatd.chat.mentions import Names
from chatd.chat.message_machine import MessageMachine
from chatd.chat.reading import Lack, Reading
from chatd.store import MessageReader, StoreReadFailed

ROOMS_PER_READ = 20  # rooms that one read of the log is for; others read in between
LEARN_S = 1.0  # of reading for one user; the rest counts as messages of others until it is known


@attrs.define(eq=False)
class MachineReadings:
    """`Readings`, as of the machine's last batch."""

    _machine: MessageMachine
    _messages: MessageReader
    _learn_s: float = attrs.field(default=LEARN_S, kw_only=True)

    def readings_now(self, user_id: str, rooms: Collection[str]) -> Mapping[str, Reading] | None:
        if any(self._machine.lacking(room, user_id) is not None for room in rooms):
            return None
        return {room: self._machine.reading(room, user_id) for room in rooms}

    async def readings(self, user_id: str, rooms: Collection[str]) -> Mapping[str, Reading]:
        until_s = trio.current_time() + self._learn_s
        with contextlib.suppress(StoreReadFailed):  # for a while too much counts as unread
            while lacks := self._lacks(user_id, rooms):
                if not await self._learn_until(lacks, until_s):
                    break
        return {room: self._machine.reading(room, user_id) for room in rooms}

    def is_known(self, user_id: str, room: str, read_seq: int) -> bool:
        return self._machine.lacking(room, user_id, read_seq) is None

    def reading(self, user_id: str, room: str) -> Reading:
        return self._machine.reading(room, user_id)

    def names_in(self, room: str) -> Names:
        return self._machine.members.names_in(room)

    def _lacks(self, user_id: str, rooms: Collection[str]) -> list[Lack]:
        lacks = (self._machine.lacking(room, user_id) for room in rooms)
        return [lack for lack in lacks if lack is not None]

    async def _learn_until(self, lacks: list[Lack], until_s: float) -> bool:
        """Learn what is lacking; False if the time is up before that."""
        for first in range(0, len(lacks), ROOMS_PER_READ):
            if trio.current_time() >= until_s:
                return False
            some = lacks[first : first + ROOMS_PER_READ]
            for lack, stretch in zip(some, await self._messages.stretches(some), strict=True):
                self._machine.learn(lack, stretch)
        return True
