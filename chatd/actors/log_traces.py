"""The traces of users and rooms in a log in SQLite."""

from collections.abc import Sequence
from functools import partial

import attrs

from chatd.actors.log_service import LogService
from chatd.chat.records import Message
from chatd.store import LogReaders, erasure
from chatd.store.erasure import Found, Unfinished
from chatd.store.traces import Traces


@attrs.frozen
class LogTraces(Traces):
    """Reads by the readers of the log, removes by its writer."""

    _log: LogService
    _readers: LogReaders

    async def unfinished(self) -> Sequence[Unfinished]:
        return await self._readers.look(erasure.unfinished_erasures)

    async def messages_of(self, user_id: str, after: int, most: int) -> Found:
        find = partial(erasure.messages_of, user_id=user_id, after=after, most=most)
        return await self._readers.look(find)

    async def answers_to(self, user_id: str, most: int) -> Sequence[Message]:
        find = partial(erasure.answers_to, user_id=user_id, most=most)
        return await self._readers.look(find)

    async def reacted_by(self, user_id: str, after: int, most: int) -> Found:
        find = partial(erasure.reacted_by, user_id=user_id, after=after, most=most)
        return await self._readers.look(find)

    async def forget_user(self, user_id: str, name: str) -> int:
        return await self._log.maintain(partial(erasure.forget_user, user_id=user_id, name=name))

    async def forget_room(self, connection_id: str) -> int:
        return await self._log.maintain(partial(erasure.forget_room, connection_id=connection_id))

    async def write_anew(self) -> None:
        begin = True
        while await self._log.maintain(partial(erasure.merge_index, begin=begin)):
            begin = False
        await self._log.rewrite()
