"""Revocations on several nodes (docs/cluster, "Presence, typing and limits").

    revoked           [userId, moment]                      just now: sockets are closed
    revocations       [everybody, [[userId, moment], ...]]  those that a node knows
    revocations.known [digest]                              what it knows comes to this

Each node keeps all revocations in its own file, so that a revocation outlives every node but the
last. Nodes compare what they know all the time, and tell it if it differs: a node that was away
learns what it missed from any other that is up.
"""

import math
import zlib
from collections.abc import Sequence
from typing import Any, Final

import attrs
import trio

from chatd.observe import StoreFailed
from chatd.service.nodes_alive import NodesAlive
from chatd.service.revoking import Revoking
from chatd.service.signals import Signals, in_pieces
from chatd.wire.codes import Code
from chatd.wire.identifiers import is_user_id

COMPARE_EVERY: Final = 5
"""Beats between two comparisons."""
AGAIN_S: Final = 5.0
"""Before everything is told again: it may be 100,000 users."""
AHEAD_MAX_S: Final = 24 * 60 * 60.0
"""The most for a moment that is heard; one further ahead would lock users out."""
_REVOKED: Final = "revoked"
_ALL: Final = "revocations"
_KNOWN: Final = "revocations.known"


@attrs.define(eq=False, slots=False)
class SharedRevoking(Revoking):
    """`Revoking` of one of several nodes."""

    _signals: Signals
    _nodes: NodesAlive
    _beats: int = attrs.field(init=False, default=0)
    _told_s: float = attrs.field(init=False, default=-math.inf)
    _learned: trio.Event = attrs.field(init=False, factory=trio.Event)

    def __attrs_post_init__(self) -> None:
        self._signals.on(_REVOKED, self._heard_one)
        self._signals.on(_ALL, self._heard_all)
        self._signals.on(_KNOWN, self._heard_digest)
        self._nodes.watch(self)

    async def revoke(self, user_id: str) -> int:
        try:
            return await super().revoke(user_id)
        finally:
            if is_user_id(user_id):
                self._tell(user_id)

    async def run(self) -> None:
        """Write what was learned, until cancelled."""
        while True:
            await self._learned.wait()
            self._learned = trio.Event()
            failure = await self._keep()
            if failure is not None:
                self._event_log.record(
                    StoreFailed(Code.STORAGE_ERROR, f"revocations: {failure.strerror}")
                )

    def beat(self) -> None:
        """Say what is known here."""
        if self._beats % COMPARE_EVERY == 0:
            self._signals.send_all(_KNOWN, [self._digest()], latest_of=_KNOWN)
        self._beats += 1

    def gone(self, node: str) -> None:
        """What it knew, others know."""

    def _tell(self, user_id: str) -> None:
        self._signals.send_all(_REVOKED, [user_id, self._revocations.moment_s(user_id)])

    def _digest(self) -> int:
        """The same for nodes that know the same, in whatever order."""
        everybody_s, moments = self._revocations.known()
        of_users = (zlib.crc32(f"{moment_s!r} {it}".encode()) for it, moment_s in moments.items())
        return sum(of_users, zlib.crc32(repr(everybody_s).encode()))

    def _heard_one(self, _room: str, node: str, fields: Sequence[Any]) -> None:
        user_id, moment_s, *_ = fields
        user_id, moment_s = self._entry(user_id, moment_s)
        if moment_s <= self._revocations.moment_s(user_id) or not self._nodes.heard(node):
            return
        shown_s = self._shown_s(user_id)
        self._revocations.add(user_id, max(moment_s, shown_s))
        if shown_s > moment_s:  # by the clock of the issuer, which the other node did not see
            self._tell(user_id)
        self._close_revoked(user_id)
        self._learned.set()

    def _heard_all(self, _room: str, node: str, fields: Sequence[Any]) -> None:
        everybody, entries, *_ = fields
        read = [self._entry(user_id, moment_s) for user_id, moment_s in entries]
        everybody_s = -math.inf if everybody is None else self._moment_s(everybody)
        if not self._nodes.heard(node):
            return
        self._revocations.add_everybody(everybody_s)
        for user_id, moment_s in read:
            if moment_s > self._revocations.moment_s(user_id):
                self._revocations.add(user_id, moment_s)
                self._learned.set()
                self._close_revoked(user_id)

    def _heard_digest(self, _room: str, _node: str, fields: Sequence[Any]) -> None:
        digest, *_ = fields
        now_s = trio.current_time()
        if digest == self._digest() or now_s - self._told_s < AGAIN_S:
            return
        self._told_s = now_s
        everybody_s, moments = self._revocations.known()
        everybody = None if everybody_s == -math.inf else everybody_s
        for piece in in_pieces([*of] for of in moments.items()):
            self._signals.send_all(_ALL, [everybody, piece])

    def _entry(self, user_id: object, moment_s: object) -> tuple[str, float]:
        if not isinstance(user_id, str) or not is_user_id(user_id):
            raise ValueError("no user")
        return user_id, self._moment_s(moment_s)

    def _moment_s(self, written: object) -> float:
        if isinstance(written, bool) or not isinstance(written, int | float):
            raise TypeError("no moment")
        if not written <= self._clock.wall_s() + AHEAD_MAX_S:
            raise ValueError("no moment")
        return float(written)
