"""Keeps the key set of an issuer fresh: read at the start, from time to time, and when asked.

A token may name a key that the set does not have, because its issuer has begun to sign with a new
one. Code that meets such a token asks for the set to be read again; anybody can make up such
tokens, so the set is read at most once in `REFETCH_S`, whoever asks. While the set cannot be read,
the last one serves.

One task reads (`run`, supervised). Others only wait for it, as long as they like; a reading that
hangs is cut off after `FETCH_TIMEOUT_S`.
"""

import math
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

import attrs
import trio

from chatd.auth.key_set import KeySet, KeySetInvalid, read_key_set
from chatd.auth.keyring import KeyRing

FETCH_TIMEOUT_S: Final = 10.0
"""Seconds that one reading may take, redirects and all; beyond: it has failed."""
REFRESH_S: Final = 600.0
"""Seconds between two readings that nobody asks for: a withdrawn key is still accepted for so long.
Supabase's own caches keep a set equally long."""
REFETCH_S: Final = 10.0
"""Seconds, at least, between the beginnings of two readings, however many ask."""
RETRY_S: Final = 30.0
"""Seconds from a reading that failed to the next one that nobody asks for."""


Fetch: TypeAlias = Callable[[], Awaitable[bytes]]


class FetchFailed(Exception):
    """A key set could not be read; `str()` ends a sentence that begins with its place."""


@attrs.frozen
class KeySetStatus:
    """The state of the key set: for readiness, and for people who look for a fault.

    `place` is where it comes from. `keys` is how many keys can be used; None until a set was read:
    no token of the issuer is accepted until then. `failure` says why the last reading failed, None
    if it did not. `age_s` is how old the set is, in seconds. `is_alone`: no secret is accepted
    besides it.
    """

    place: str
    keys: int | None
    failure: str | None
    age_s: float
    is_alone: bool

    @property
    def sentence(self) -> str | None:
        """What is amiss, for people; None if nothing is."""
        if self.failure is not None:
            serving = (
                "no token that its keys sign is taken"
                if self.keys is None
                else f"the set of {self.age_s:.0f} s ago serves meanwhile"
            )
            return f"The key set {self.place} {self.failure}; {serving}."
        if self.keys is None:
            return f"The key set {self.place} is being read for the first time."
        if self.keys == 0 and self.is_alone:
            return (
                f"The key set {self.place} has no key that can be used, so no token is taken; a "
                "project that signs with its legacy secret needs auth.jwt_secret."
            )
        return None


class KeysUnavailable(Exception):
    """Nobody can say yet whether a token is signed with a key of the issuer. The caller refuses; a
    retry helps once the set was read. `str()` is a sentence for people, `reason` one for the
    operator."""

    def __init__(self, sentence: str, reason: str) -> None:
        super().__init__(sentence)
        self.reason = f"{sentence} {reason}"


@attrs.define(eq=False)
class KeySource:
    """Reads a key set into a key ring; without a `place` it waits until it is given one.

    `fetch` gives the document, or raises FetchFailed. `on_change` is told each set that differs
    from the one before, `on_failure` why a reading failed.
    """

    place: str | None
    _ring: KeyRing
    _fetch: Fetch
    _on_change: Callable[[str, KeySet], None]
    _on_failure: Callable[[str, str], None]
    begun: int = attrs.field(init=False, default=0)
    """Readings that have begun so far."""
    ended: int = attrs.field(init=False, default=0)
    """The number of the last reading that has ended, well or not; readings are numbered as they
    begin."""
    failure: str | None = attrs.field(init=False, default=None)
    _has_set: bool = attrs.field(init=False, default=False)
    _began_s: float = attrs.field(init=False, default=-math.inf)
    _read_s: float = attrs.field(init=False, default=-math.inf)
    _asked: trio.Event = attrs.field(init=False, factory=trio.Event)
    _news: trio.Event = attrs.field(init=False, factory=trio.Event)

    @property
    def status(self) -> KeySetStatus | None:
        """The state of the key set at this moment; None if none is configured."""
        if self.place is None:
            return None
        key_set = self._ring.key_set
        keys = len(key_set.keys) if self._has_set and key_set is not None else None
        age_s = trio.current_time() - self._read_s
        return KeySetStatus(self.place, keys, self.failure, age_s, not self._ring.secrets)

    @property
    def trouble(self) -> str | None:
        """What is amiss with the key set, for readiness; None if nothing is."""
        status = self.status
        return None if status is None else status.sentence

    @property
    def is_decisive(self) -> bool:
        """Whether the last reading succeeded, so that a key that is not in the set is not the
        issuer's."""
        return self._has_set and self.failure is None

    def ask(self) -> None:
        """Have the set read again, as soon as the rate allows."""
        self._asked.set()

    async def next_reading(self) -> None:
        """Ask, and return when the reading that is under way, or else the next one, has ended."""
        self.ask()
        await self._news.wait()

    def replace(self, place: str | None, ring: KeyRing, fetch: Fetch) -> None:
        """Read from another place into another ring from now on, and as soon as the rate allows.
        If the place is the same, the known set moves into the new ring, and serves until it is read
        again."""
        if place == self.place and self._has_set:
            ring.key_set = self._ring.key_set
        else:
            self._has_set, self.failure = False, None
        self.place, self._ring, self._fetch = place, ring, fetch
        self.ask()

    async def run(self) -> None:
        """Read from time to time, for ever."""
        while True:
            await trio.sleep_until(self._began_s + REFETCH_S)
            self._asked = trio.Event()
            if self.place is None:
                await self._asked.wait()
                continue
            self._began_s = trio.current_time()
            self.begun += 1
            await self.read()
            self.ended = self.begun
            news, self._news = self._news, trio.Event()
            news.set()
            with trio.move_on_after(RETRY_S if self.failure is not None else REFRESH_S):
                await self._asked.wait()

    async def read(self) -> None:
        """Read once; afterwards the ring has the set, or `failure` says why not."""
        place, ring = self.place, self._ring
        assert place is not None
        key_set, failure = None, None
        try:
            with trio.fail_after(FETCH_TIMEOUT_S):
                key_set = read_key_set(await self._fetch())
        except trio.TooSlowError:
            failure = f"did not come within {FETCH_TIMEOUT_S:.0f} s"
        except (FetchFailed, KeySetInvalid) as error:
            failure = str(error)
        except Exception as error:  # whatever it is, the last set serves
            failure = f"cannot be read ({type(error).__name__})"
        if ring is not self._ring:
            return  # it was replaced meanwhile, and this is the set of another place
        self.failure = failure
        if key_set is None:
            self._on_failure(place, failure or "")
            return
        is_change = not self._has_set or key_set != ring.key_set
        ring.key_set, self._has_set, self._read_s = key_set, True, trio.current_time()
        if is_change:
            self._on_change(place, key_set)
