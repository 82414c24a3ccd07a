"""A directory behind a cache: how long an answer counts, and who waits for whose question."""

from collections.abc import Mapping

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from chatd.auth import (
    CachedDirectory,
    DirectoryFailed,
    DirectoryStatus,
    Grant,
    Identity,
    TokenRefused,
)
from chatd.wire.codes import Code

TTL_S = 60.0


@attrs.define(eq=False)
class SlowDirectory:
    """Answers, or fails, when it may."""

    rooms: list[str] = attrs.field(factory=lambda: ["sales"])
    failure: DirectoryFailed | TokenRefused | None = None
    asked: list[str] = attrs.field(factory=list)
    may_answer: trio.Event = attrs.field(factory=trio.Event)
    status: DirectoryStatus = attrs.field(factory=lambda: DirectoryStatus("away"))

    def grants_now(self, identity: Identity) -> None:
        return None

    async def grants(self, identity: Identity) -> Mapping[str, Grant]:
        self.asked.append(identity.user_id)
        await self.may_answer.wait()
        if self.failure is not None:
            raise self.failure
        return {room: Grant(room, None) for room in self.rooms}


def who(user_id: str = "ada") -> Identity:
    return Identity(user_id, None, 0, {})


def prompt() -> SlowDirectory:
    source = SlowDirectory()
    source.may_answer.set()
    return source


async def test_an_answer_counts_for_its_time_and_no_longer(mock_clock: MockClock) -> None:
    source = prompt()
    cached = CachedDirectory(source, TTL_S)
    assert cached.grants_now(who()) is None
    first = await cached.grants(who())
    source.rooms = []
    mock_clock.jump(TTL_S - 1)
    assert cached.grants_now(who()) is first
    assert await cached.grants(who()) is first
    mock_clock.jump(1)
    assert cached.grants_now(who()) is None
    assert dict(await cached.grants(who())) == {}
    assert source.asked == ["ada", "ada"]


async def test_an_answer_is_as_old_as_its_question(mock_clock: MockClock) -> None:
    source = SlowDirectory()
    cached = CachedDirectory(source, TTL_S)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(cached.grants, who())
        await wait_all_tasks_blocked()
        mock_clock.jump(TTL_S)
        source.may_answer.set()
    assert cached.grants_now(who()) is None
    assert cached.answered_s("ada") == trio.current_time() - TTL_S


async def test_a_failure_is_told_to_all_who_wait_and_is_not_kept() -> None:
    source = SlowDirectory(failure=DirectoryFailed("It is away."))
    cached = CachedDirectory(source, TTL_S)
    failed = []

    async def ask() -> None:
        with pytest.raises(DirectoryFailed):
            await cached.grants(who())
        failed.append(1)

    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(ask)
        await wait_all_tasks_blocked()
        source.may_answer.set()
    assert (len(failed), source.asked) == (3, ["ada"])
    source.failure = None
    assert list(await cached.grants(who())) == ["sales"]


async def test_several_who_ask_about_a_user_are_one_question_and_others_wait_for_none() -> None:
    source = SlowDirectory()
    cached = CachedDirectory(source, TTL_S)
    async with trio.open_nursery() as nursery:
        for user_id in ("ada", "bob", "ada", "ada"):
            nursery.start_soon(cached.grants, who(user_id))
        await wait_all_tasks_blocked()
        assert sorted(source.asked) == ["ada", "bob"]
        source.may_answer.set()
    assert len(cached) == 2


async def test_who_asked_first_and_gives_up_takes_nothing_from_others() -> None:
    source = SlowDirectory()
    cached = CachedDirectory(source, TTL_S)
    first = trio.CancelScope()

    async def give_up() -> None:
        with first:
            await cached.grants(who())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(give_up)
        await wait_all_tasks_blocked()
        nursery.start_soon(cached.grants, who())
        nursery.start_soon(cached.grants, who())
        await wait_all_tasks_blocked()
        first.cancel()
        await wait_all_tasks_blocked()
        assert source.asked == ["ada", "ada"]
        source.may_answer.set()
    assert cached.grants_now(who()) is not None


async def test_what_is_known_of_a_refused_user_is_forgotten() -> None:
    source = prompt()
    cached = CachedDirectory(source, TTL_S)
    await cached.grants(who())
    source.failure = TokenRefused(Code.TOKEN_INVALID, "This is no user.")
    with pytest.raises(TokenRefused):
        await cached.renewed(who())
    assert cached.grants_now(who()) is None
    assert cached.answered_s("ada") is None


async def test_a_failed_renewal_leaves_what_is_known_for_its_time(mock_clock: MockClock) -> None:
    source = prompt()
    cached = CachedDirectory(source, TTL_S)
    await cached.grants(who())
    source.failure = DirectoryFailed("It is away.")
    with pytest.raises(DirectoryFailed):
        await cached.renewed(who())
    assert cached.grants_now(who()) is not None
    mock_clock.jump(TTL_S)
    with pytest.raises(DirectoryFailed):
        await cached.grants(who())


async def test_no_more_users_are_kept_than_may_be_and_none_for_ever(mock_clock: MockClock) -> None:
    cached = CachedDirectory(prompt(), TTL_S, users_max=3)
    for user_id in "abcd":
        await cached.grants(who(user_id))
    assert len(cached) == 3
    assert cached.grants_now(who("a")) is None
    await cached.renewed(who("b"))
    await cached.grants(who("e"))
    assert cached.grants_now(who("b")) is not None
    mock_clock.jump(TTL_S)
    await cached.grants(who("f"))
    assert len(cached) == 1


def test_its_status_is_that_of_the_source() -> None:
    assert CachedDirectory(SlowDirectory(), TTL_S).status.why_unavailable == "away"
