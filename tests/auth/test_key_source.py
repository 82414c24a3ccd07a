"""When a key set is read again, who waits for it, and what serves meanwhile. The test has the
clock."""

import errno
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import attrs
import pytest
import trio
from trio.testing import MockClock

from chatd.auth import FetchFailed, KeyRing, KeySet, KeySource, bound_secret
from chatd.auth.key_source import FETCH_TIMEOUT_S, REFETCH_S, REFRESH_S, RETRY_S
from tests.auth.issuer import jwk, key_set

PLACE = "https://issuer.example/keys.json"


@attrs.define
class Issuer:
    """Publishes keys, or does not; notes when it was asked."""

    keys: list[object] = attrs.field(factory=lambda: [jwk("ES256")])
    answer: Callable[[], bytes] | None = None
    hangs: bool = False
    asked_s: list[float] = attrs.field(factory=list)
    changes: list[KeySet] = attrs.field(factory=list)
    failures: list[str] = attrs.field(factory=list)

    async def fetch(self) -> bytes:
        self.asked_s.append(trio.current_time())
        if self.hangs:
            await trio.sleep_forever()
        return self.answer() if self.answer is not None else key_set(*self.keys)

    def fail(self) -> bytes:
        raise FetchFailed("is answered with HTTP 503")


@attrs.frozen
class Reading:
    issuer: Issuer
    ring: KeyRing
    source: KeySource

    @property
    def names(self) -> list[str | None] | None:
        """The names of the keys that tokens are verified with."""
        assert self.ring.key_set is not None
        return [key.key_id for key in self.ring.key_set.keys]


@asynccontextmanager
async def reading(issuer: Issuer) -> AsyncIterator[Reading]:
    ring = KeyRing(key_set=KeySet())
    source = KeySource(
        PLACE,
        ring,
        issuer.fetch,
        lambda _place, changed: issuer.changes.append(changed),
        lambda _place, why: issuer.failures.append(why),
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(source.run)
        yield Reading(issuer, ring, source)
        nursery.cancel_scope.cancel()


async def test_the_set_is_read_at_first_and_from_time_to_time(
    autojump_clock: MockClock,
) -> None:
    async with reading(Issuer()) as one:
        began_s = trio.current_time()
        status = one.source.status
        assert status is not None
        assert (status.keys, status.failure) == (None, None)
        assert "for the first time" in (status.sentence or "")
        await one.source.next_reading()
        assert one.names == ["ES256-0"]
        assert one.source.is_decisive
        await trio.sleep(2 * REFRESH_S + 30)
        assert [round(at_s - began_s) for at_s in one.issuer.asked_s] == [0, 600, 1200]
        status = one.source.status
        assert status is not None
        assert (status.keys, status.failure, status.sentence) == (1, None, None)
        assert len(one.issuer.changes) == 1, "a set that stays as it was is no news"


async def test_a_new_key_is_there_when_somebody_asks(autojump_clock: MockClock) -> None:
    async with reading(Issuer()) as one:
        await trio.sleep(60)
        one.issuer.keys = [jwk("ES256", 1)]
        asked_s = trio.current_time()
        await one.source.next_reading()
        assert trio.current_time() == asked_s
        assert one.names == ["ES256-1"]
        assert len(one.issuer.changes) == 2


async def test_whoever_asks_the_set_is_read_at_a_bounded_rate(autojump_clock: MockClock) -> None:
    async with reading(Issuer()) as one:
        with trio.move_on_after(100):
            while True:
                async with trio.open_nursery() as nursery:
                    for _ in range(200):
                        nursery.start_soon(one.source.next_reading)
        assert len(one.issuer.asked_s) <= 100 / REFETCH_S + 1
        gaps = zip(one.issuer.asked_s, one.issuer.asked_s[1:], strict=False)
        assert min(later - earlier for earlier, later in gaps) >= REFETCH_S


async def test_the_last_set_serves_while_the_place_is_down(autojump_clock: MockClock) -> None:
    async with reading(Issuer()) as one:
        await one.source.next_reading()
        one.issuer.answer = one.issuer.fail
        await trio.sleep(REFRESH_S + 60)
        assert one.names == ["ES256-0"]
        status = one.source.status
        assert status is not None
        assert status.keys == 1
        assert status.failure == "is answered with HTTP 503"
        assert "serves meanwhile" in (status.sentence or "")
        assert not one.source.is_decisive
        assert len(one.issuer.failures) >= 2, "it is tried again sooner"
        one.issuer.answer, one.issuer.keys = None, [jwk("RS256")]
        await trio.sleep(RETRY_S + 1)
        assert one.names == ["RS256-0"]
        assert one.source.is_decisive


async def test_a_reading_that_ends_by_a_mistake_is_one_that_failed(
    autojump_clock: MockClock,
) -> None:
    def no_descriptor() -> bytes:
        raise OSError(errno.EMFILE, "Too many open files")

    async with reading(Issuer()) as one:
        await one.source.next_reading()
        one.issuer.answer = no_descriptor
        await one.source.next_reading()
        assert one.issuer.failures == ["cannot be read (OSError)"]
        assert one.names == ["ES256-0"]
        one.issuer.answer = None
        await one.source.next_reading()
        assert one.source.is_decisive


async def test_a_start_without_the_set_goes_on_until_it_is_there(autojump_clock: MockClock) -> None:
    issuer = Issuer()
    issuer.answer = issuer.fail
    async with reading(issuer) as one:
        await one.source.next_reading()
        status = one.source.status
        assert status is not None
        assert status.keys is None
        assert "no token that its keys sign is taken" in (status.sentence or "")
        assert one.source.trouble == status.sentence
        issuer.answer = None
        await trio.sleep(RETRY_S + 1)
        assert one.names == ["ES256-0"]


@pytest.mark.parametrize("answer", [b"", b"<html>", b"[]", b'{"keys":7}'])
async def test_what_is_no_key_set_replaces_none(answer: bytes, autojump_clock: MockClock) -> None:
    async with reading(Issuer()) as one:
        await one.source.next_reading()
        one.issuer.answer = lambda: answer
        await one.source.next_reading()
        assert one.names == ["ES256-0"]
        assert one.issuer.failures


async def test_an_empty_set_withdraws_all_keys(autojump_clock: MockClock) -> None:
    async with reading(Issuer()) as one:
        await one.source.next_reading()
        one.issuer.keys = []
        await one.source.next_reading()
        assert one.names == []
        assert one.source.is_decisive
        assert "has no key that can be used, so no token is taken" in (one.source.trouble or "")
        one.ring.secrets = [bound_secret("x" * 32)]
        assert one.source.trouble is None, "a project of before has a secret, and an empty set"


async def test_a_reading_that_hangs_is_cut_off(autojump_clock: MockClock) -> None:
    async with reading(Issuer(hangs=True)) as one:
        began_s = trio.current_time()
        await one.source.next_reading()
        assert trio.current_time() - began_s == FETCH_TIMEOUT_S
        assert one.issuer.failures == ["did not come within 10 s"]
        one.issuer.hangs = False
        await one.source.next_reading()
        assert one.names == ["ES256-0"]


async def test_readings_are_counted_from_their_beginning(autojump_clock: MockClock) -> None:
    async with reading(Issuer(hangs=True)) as one:
        await trio.testing.wait_all_tasks_blocked()
        assert (one.source.begun, one.source.ended) == (1, 0)
        await one.source.next_reading()
        assert one.source.ended == 1


async def test_from_another_place_comes_another_set(
    autojump_clock: MockClock,
) -> None:
    async with reading(Issuer()) as one:
        await one.source.next_reading()
        other, ring = Issuer([jwk("EdDSA")]), KeyRing(key_set=KeySet())
        one.source.replace("https://other.example/keys.json", ring, other.fetch)
        assert not one.source.is_decisive
        assert ring.key_set == KeySet()
        await one.source.next_reading()
        assert [key.key_id for key in (ring.key_set or KeySet()).keys] == ["EdDSA-0"]
        assert one.names == ["ES256-0"]


async def test_the_same_place_keeps_its_set_in_another_ring(autojump_clock: MockClock) -> None:
    async with reading(Issuer()) as one:
        await one.source.next_reading()
        one.issuer.answer, ring = one.issuer.fail, KeyRing(key_set=KeySet())
        one.source.replace(PLACE, ring, one.issuer.fetch)
        await one.source.next_reading()
        assert [key.key_id for key in (ring.key_set or KeySet()).keys] == ["ES256-0"]


async def test_a_set_that_comes_late_from_a_place_of_before_is_dropped(
    autojump_clock: MockClock,
) -> None:
    ring = KeyRing(key_set=KeySet())
    may_answer = trio.Event()

    async def slow() -> bytes:
        await may_answer.wait()
        return key_set(jwk("ES256"))

    source = KeySource(PLACE, KeyRing(key_set=KeySet()), slow, _no_news, _no_news)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(source.run)
        await trio.testing.wait_all_tasks_blocked()
        source.replace("other", ring, Issuer([jwk("RS256")]).fetch)
        may_answer.set()
        await trio.sleep(REFETCH_S + 1)
        assert [key.key_id for key in (ring.key_set or KeySet()).keys] == ["RS256-0"]
        nursery.cancel_scope.cancel()


async def test_without_a_place_nothing_is_read_until_one_is(
    autojump_clock: MockClock,
) -> None:
    issuer, ring = Issuer(), KeyRing(key_set=KeySet())
    source = KeySource(None, KeyRing.of_secret("x" * 32), issuer.fetch, _no_news, _no_news)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(source.run)
        await trio.sleep(REFRESH_S * 2)
        assert issuer.asked_s == []
        assert source.status is None
        source.replace(PLACE, ring, issuer.fetch)
        await trio.sleep(1)
        assert source.is_decisive
        nursery.cancel_scope.cancel()


def _no_news(_place: str, _news: object) -> None:
    """Nobody listens."""
