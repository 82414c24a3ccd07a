"""Places of requests over HTTP: how many a user has under way, and what their responses hold.

A request has its place until its client has taken the response, however slowly. So one user's slow
readers hold no more than a few responses, and all users' together no more than some bytes. Streams
of events have no place: they are sessions, with a backlog of their own.
"""

from collections import Counter
from collections.abc import AsyncIterator

import attrs

from chatd.counts import counted
from chatd.net.http.app import Pieces
from chatd.observe import EventLog, LimitHit
from chatd.wire.codes import Code, Refusal

BUSY_RETRY_MS = 1_000  # told to a user with too many requests under way
SMALL_BYTES = 65_536  # a response of so many bytes does not count against those of all users
_FULL = "Too many responses wait for clients that take them slowly; try again later."


@attrs.define(eq=False)
class RequestPlaces:
    """The places. `per_user_max`: requests that a user may have under way at once.
    `owed_bytes_max`: bytes of all their responses, of which one user never has more than half; a
    response that is larger than that goes out alone."""

    _event_log: EventLog
    _per_user_max: int = attrs.field(kw_only=True)
    _owed_bytes_max: int = attrs.field(kw_only=True)
    _taken: Counter[str] = attrs.field(init=False, factory=Counter)  # by userId
    _owed: Counter[str] = attrs.field(init=False, factory=Counter)  # bytes, by userId
    _owed_bytes: int = attrs.field(init=False, default=0)

    def take(self, user_id: str, address: str) -> "RequestPlace | Refusal":
        """A place for one request of a user, which is given back; or why there is none."""
        count = self._taken[user_id]
        if count >= self._per_user_max:
            self._event_log.record(LimitHit("requests_per_user", user_id, address))
            sentence = f"You have {counted(count, 'request')} under way; wait until one has ended."
            return Refusal(Code.OVERLOADED, sentence, retry_after_ms=BUSY_RETRY_MS)
        self._taken[user_id] += 1
        return RequestPlace(self, user_id, address)

    def owe(self, user_id: str, address: str, size: int) -> Refusal | None:
        """Count bytes of a response, or say why they are too many."""
        of_user, of_all = self._owed[user_id], self._owed_bytes
        if (of_user and of_user + size > self._owed_bytes_max / 2) or (
            of_all and of_all + size > self._owed_bytes_max
        ):
            self._event_log.record(LimitHit("owed_bytes", user_id, address))
            return Refusal(Code.OVERLOADED, _FULL, retry_after_ms=BUSY_RETRY_MS)
        self._owed[user_id] += size
        self._owed_bytes += size
        return None

    def give_back(self, user_id: str, size: int) -> None:
        """A request of a user was answered, by so many counted bytes."""
        self._taken[user_id] -= 1
        self._owed[user_id] -= size
        self._owed_bytes -= size
        for counter in (self._taken, self._owed):
            if not counter[user_id]:
                del counter[user_id]

    @property
    def are_free(self) -> bool:
        """Whether no request is under way."""
        return not (self._taken or self._owed or self._owed_bytes)


@attrs.define(eq=False)
class RequestPlace:
    """The place of one request."""

    _places: RequestPlaces
    user_id: str
    address: str
    _owed_bytes: int = attrs.field(init=False, default=0)
    _is_taken: bool = attrs.field(init=False, default=True)

    def owe(self, size: int) -> Refusal | None:
        """The response holds so many bytes until it was taken; returns why it may not."""
        if size <= SMALL_BYTES:
            return None
        refused = self._places.owe(self.user_id, self.address, size)
        if refused is None:
            self._owed_bytes += size
        return refused

    def give_back(self) -> None:
        """Nothing of the request is left; a second time changes nothing."""
        if self._is_taken:
            self._is_taken = False
            self._places.give_back(self.user_id, self._owed_bytes)


@attrs.define(eq=False)
class Placed:
    """A body that has its place until it is closed."""

    _body: Pieces
    _place: RequestPlace

    def __aiter__(self) -> AsyncIterator[bytes]:
        return aiter(self._body)

    async def aclose(self) -> None:
        """No more of it leaves."""
        try:
            await self._body.aclose()
        finally:
            self._place.give_back()
