"""Tokens of an issuer's keys: known ones come in at once, unknown ones wait for a newer key set, so
long and no longer. The issuer is in memory, and the test has the clock."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import pytest
import trio
from trio.testing import MockClock

from chatd.app.parts import access
from chatd.auth import FetchFailed
from chatd.auth.key_source import FETCH_TIMEOUT_S, REFETCH_S
from chatd.observe import AuthenticationFailed, KeySetFailed, KeySetRead
from chatd.observe.clock import Clock
from chatd.service.authenticator import KEYS_TIMEOUT_S
from tests.auth.issuer import issued, jwk, key_set
from tests.service.chats import Chat, MemoryPeer, open_chat, token


def signed(algorithm: str = "ES256", number: int = 0, user: str = "ada", **claims: object) -> str:
    """A token as an issuer signs it now."""
    now_s = int(Clock().wall_s())
    usual = {
        "sub": user,
        "aud": "authenticated",
        "iat": now_s,
        "exp": now_s + 3600,
        "connections": ["sales"],
    }
    return issued(algorithm, number, usual | claims)


@attrs.define
class Issuer:
    """Publishes keys, or does not: None."""

    keys: list[object] | None = None
    hangs: bool = False
    chat: Chat = attrs.field(init=False)
    nursery: trio.Nursery = attrs.field(init=False)

    def told(self, shown: str) -> "Told":
        """A peer that has shown a token."""
        return Told(self.chat, self.nursery, shown)

    async def publish(self, *keys: object) -> None:
        """The daemon has read a set of these keys, and may read it again at once."""
        self.keys = list(keys)
        await self.chat.parts.access.key_source.next_reading()
        await trio.sleep(2 * REFETCH_S)

    async def fetch(self) -> bytes:
        if self.hangs:
            await trio.sleep_forever()
        if self.keys is None:
            raise FetchFailed("is answered with HTTP 503")
        return key_set(*self.keys)


@asynccontextmanager
async def issuing(tmp_path: Path, **server: object) -> AsyncIterator[Issuer]:
    """A chat that takes an issuer's tokens, beside those of its secret."""
    issuer = Issuer()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(access, "fetch_from", lambda *_: issuer.fetch)
        async with (
            open_chat(
                tmp_path, in_memory=True, auth={"jwks": "https://issuer.example"}, server=server
            ) as chat,
            trio.open_nursery() as nursery,
        ):
            issuer.chat, issuer.nursery = chat, nursery
            yield issuer
            nursery.cancel_scope.cancel()


class Told:
    """A peer in memory that has sent CONNECT, in a task of its own."""

    def __init__(self, chat: Chat, nursery: trio.Nursery, shown: str) -> None:
        self.peer: MemoryPeer = chat.attach()
        self.answered_s: float | None = None
        self.is_answered = trio.Event()
        nursery.start_soon(self._say, f'40{{"token":"{shown}"}}')

    async def _say(self, packet: str) -> None:
        await self.peer.say(packet)
        self.answered_s = trio.current_time()
        self.is_answered.set()

    def answer(self) -> str:
        """What the daemon said to CONNECT: `in`, or the code of the refusal."""
        [said] = [text for text in self.peer.take() if text.startswith(("40", "44"))]
        return "in" if said.startswith("40") else said.split('"code":"')[1].split('"')[0]


async def test_a_token_of_a_known_key_comes_in_at_once(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with issuing(tmp_path) as issuer:
        chat = issuer.chat
        await issuer.publish(jwk("ES256"), jwk("RS256"), jwk("EdDSA"), {"kty": "oct"})
        begun = chat.parts.access.key_source.begun
        for algorithm in ("ES256", "RS256", "EdDSA"):
            peer = await chat.attach_and_enter(signed(algorithm))
            assert peer.take()[0].startswith("40{")
        secret = await chat.attach_and_enter(token())
        assert secret.take()[0].startswith("40{"), "the secret counts beside the key set"
        assert chat.parts.access.key_source.begun == begun
        [read] = chat.recorder.of(KeySetRead)
        assert read.keys == 3
        assert "auth.jwt_secret" in read.passed_over[0]


async def test_a_token_of_a_new_key_waits_for_the_set_that_has_it(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with issuing(tmp_path) as issuer:
        chat = issuer.chat
        await issuer.publish(jwk("ES256"))
        issuer.keys = [jwk("ES256"), jwk("ES256", 1)]
        peers = [issuer.told(signed("ES256", 1, f"user {index}")) for index in range(20)]
        began_s, begun = trio.current_time(), chat.parts.access.key_source.begun
        await trio.sleep(1)
        assert [peer.answer() for peer in peers] == ["in"] * 20
        assert all(peer.answered_s == began_s for peer in peers)
        assert chat.parts.access.key_source.begun == begun + 1, "one reading serves all"


async def test_a_token_of_a_key_that_no_set_has_is_invalid(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with issuing(tmp_path) as issuer:
        chat = issuer.chat
        await issuer.publish(jwk("ES256"))
        peer = issuer.told(signed("ES256", 1))
        await trio.sleep(1)
        assert peer.answer() == "token_invalid"
        [failed] = chat.recorder.of(AuthenticationFailed)
        assert 'kid) is "ES256-1"' in failed.reason


async def test_before_the_set_was_ever_read_tokens_wait_for_it(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with issuing(tmp_path) as issuer:
        chat = issuer.chat
        early = issuer.told(signed())
        await trio.sleep(KEYS_TIMEOUT_S + 1)
        assert early.answer() == "internal", "a retry helps, once the set is there"
        assert early.answered_s is not None
        assert chat.recorder.of(KeySetFailed)[0].reason == "is answered with HTTP 503"
        secret = await chat.attach_and_enter(token())
        assert secret.take()[0].startswith("40{"), "who has a token of the secret is not kept"
        issuer.keys = [jwk("ES256")]
        await trio.sleep(60)
        late = issuer.told(signed())
        await trio.sleep(1)
        assert late.answer() == "in"


async def test_no_connection_waits_longer_than_the_deadline(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with issuing(tmp_path) as issuer:
        await issuer.publish(jwk("ES256"))
        issuer.hangs = True
        began_s = trio.current_time()
        unknown = issuer.told(signed("ES256", 1))
        known = issuer.told(signed("ES256", 0, "grace"))
        await trio.sleep(FETCH_TIMEOUT_S + KEYS_TIMEOUT_S)
        assert unknown.answer() == "internal"
        assert unknown.answered_s == began_s + KEYS_TIMEOUT_S
        assert known.answer() == "in"
        assert known.answered_s == began_s


async def test_made_up_keys_cost_a_bounded_number_of_readings(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with issuing(tmp_path) as issuer:
        await issuer.publish(jwk("ES256"))
        source = issuer.chat.parts.access.key_source
        began_s, begun = trio.current_time(), source.begun
        answers = []
        for number in range(60):
            peer = issuer.told(issued("ES256", 1, header={"kid": f"made up {number}"}))
            await peer.is_answered.wait()
            answers.append(peer.answer())
        took_s = trio.current_time() - began_s
        assert took_s <= 60 * KEYS_TIMEOUT_S
        assert source.begun - begun <= took_s / REFETCH_S + 1
        assert set(answers) == {"token_invalid", "internal"}
        honest = issuer.told(signed())
        await honest.is_answered.wait()
        assert honest.answer() == "in"


async def test_where_bad_tokens_come_from_an_unknown_key_is_asked_for_and_not_waited_for(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with issuing(tmp_path) as issuer:
        await issuer.publish(jwk("ES256"))
        for _ in range(12):
            forged = issuer.told(issued("ES256", 1, header={"kid": "ES256-0"}))
            await forged.is_answered.wait()
        began_s = trio.current_time()
        issuer.keys = [jwk("ES256"), jwk("ES256", 1)]
        unknown = issuer.told(signed("ES256", 1, "grace"))
        await unknown.is_answered.wait()
        assert trio.current_time() == began_s
        assert unknown.answer() == "rate_limited"
        await trio.sleep(1)
        again = issuer.told(signed("ES256", 1, "grace"))
        await again.is_answered.wait()
        assert again.answer() == "in", "a retry finds the key"


async def test_a_renewal_with_a_token_of_a_new_key_is_taken(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with issuing(tmp_path, ping_timeout_s=1e6) as issuer:
        chat = issuer.chat
        await issuer.publish(jwk("ES256"))
        now_s = int(Clock().wall_s())
        ada = await chat.attach_and_enter(signed(exp=now_s + 100))
        ada.take()
        issuer.keys = [jwk("ES256", 1)]
        await ada.emit("auth:refresh", {"token": signed("ES256", 1, exp=now_s + 7200)})
        await trio.sleep(200)
        assert not ada.transport.closed.is_set(), "the new token counts"
        await ada.emit("auth:refresh", {"token": signed("ES256", 0)})
        [(name, error)] = [event for event in ada.take_events() if event[0] == "chat:error"]
        assert (name, error["code"]) == ("chat:error", "token_invalid")
        assert not ada.transport.closed.is_set(), "a bad renewal changes nothing"
