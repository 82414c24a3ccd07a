"""Users who are connected, and whose rooms come from a directory that can be asked again.

An answer counts for `ttl_s`. So each user is asked about again before that time is over, and leaves
a room that is taken away within it. While the directory does not answer, connected users keep their
rooms for `outage_s` longer; then their transport is closed. They come back by themselves, and are
let in once the directory answers.
"""

import contextlib
from collections import deque
from collections.abc import Iterable
from typing import Final, Protocol

import attrs
import trio

from chatd.auth import CachedDirectory, DirectoryFailed, Identity, TokenRefused
from chatd.net.disconnects import DisconnectReason
from chatd.service.clients import Clients
from chatd.service.grants import Granting
from chatd.wire.codes import Code
from chatd.wire.events import StatusClosing
from chatd.wire.identifiers import BOT_USER_PREFIX

DUE_PART: Final = 0.6
"""The part of an answer's time after which its user is asked about again: the rest is for the
question, and for those before it."""
STEPS: Final = 10
"""How often, in that time, the watch looks who is due."""


class Source(Protocol):
    """What is behind the cache."""

    async def check(self) -> object:
        """Ask for nobody. Raises DirectoryFailed."""
        ...

    def close(self) -> None: ...


@attrs.define(eq=False)
class DirectoryWatch:
    """Asks again; `at_once` users at the same time, so that connections are left for others."""

    _directory: CachedDirectory
    _source: Source
    _clients: Clients
    _granting: Granting
    _ttl_s: float = attrs.field(kw_only=True)
    _outage_s: float = attrs.field(kw_only=True)
    _at_once: int = attrs.field(kw_only=True)
    _known_s: dict[str, float] = attrs.field(init=False, factory=dict)  # the age of what is known

    async def run(self) -> None:
        """Watch, until cancelled; the connections are closed then."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._ask_again)
                while True:
                    await trio.sleep(self._ttl_s / STEPS)
                    self._end_overdue()
        finally:
            self._source.close()

    async def _ask_again(self) -> None:
        """Go round. First, and while the directory does not answer, check whether it does:
        otherwise the next to ask it may be a user who connects."""
        is_asked = False
        while True:
            if not is_asked or self._directory.status.why_unavailable is not None:
                is_asked = True
                with contextlib.suppress(DirectoryFailed):
                    await self._source.check()
            due = deque(self._due())
            async with trio.open_nursery() as nursery:
                for _ in range(min(self._at_once, len(due))):
                    nursery.start_soon(self._renew_all, due)
            await trio.sleep(self._ttl_s / STEPS)

    def _due(self) -> Iterable[str]:
        """Users to ask about; those whose rooms were learned longest ago come first."""
        self._look()
        before_s = trio.current_time() - DUE_PART * self._ttl_s
        due = [(known_s, user) for user, known_s in self._known_s.items() if known_s <= before_s]
        return [user_id for _, user_id in sorted(due)]

    def _look(self) -> None:
        """Note who is connected, and when the directory was asked about each of them."""
        oldest_s = trio.current_time() - self._ttl_s
        before = self._known_s
        self._known_s = {
            user_id: max(self._directory.answered_s(user_id) or 0.0, before.get(user_id, oldest_s))
            for user_id in self._clients.users()
            if not user_id.startswith(BOT_USER_PREFIX)  # the configuration says their rooms
        }

    async def _renew_all(self, due: "deque[str]") -> None:
        while due:
            user_id = due.popleft()
            clients = self._clients.of(user_id)
            if clients:
                await self._renew(next(iter(clients)).identity)

    async def _renew(self, identity: Identity) -> None:
        try:
            grants = await self._directory.renewed(identity)
        except DirectoryFailed:
            return
        except TokenRefused:
            grants = {}
        for client in list(self._clients.of(identity.user_id)):
            if client.grants != grants:
                self._granting.give(client, grants)

    def _end_overdue(self) -> None:
        """Close the transports of users whose rooms were learned too long ago."""
        self._look()
        before_s = trio.current_time() - self._ttl_s - self._outage_s
        overdue = [user_id for user_id, known_s in self._known_s.items() if known_s < before_s]
        for user_id in overdue:
            for client in list(self._clients.of(user_id)):
                client.send(StatusClosing(code=Code.DIRECTORY_UNAVAILABLE))
                client.end(DisconnectReason.DIRECTORY_UNAVAILABLE)
