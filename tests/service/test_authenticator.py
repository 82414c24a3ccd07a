"""A directory that has to wait: CONNECT and a renewal wait for it, and nothing else does."""

from collections.abc import Mapping
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from chatd.auth import ClaimDirectory, DirectoryFailed, Grant, Identity
from chatd.net.disconnects import DisconnectReason
from chatd.service.authenticator import DIRECTORY_TIMEOUT_S
from tests.service.chats import Chat, connected, open_chat, refused, token


class RemoteDirectory:
    """Takes the place of the directory of claims, and answers when it is told to."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.asked, self.may_answer, self.fails = trio.Event(), trio.Event(), False
        patch.setattr(ClaimDirectory, "grants_now", lambda *_: None)
        patch.setattr(ClaimDirectory, "grants", lambda _, identity: self.grants(identity))

    async def grants(self, identity: Identity) -> Mapping[str, Grant]:
        self.asked.set()
        await self.may_answer.wait()
        if self.fails:
            raise DirectoryFailed("The directory does not answer.")
        return {room: Grant(room, None) for room in identity.claims["connections"]}


async def test_a_socket_comes_in_when_the_directory_has_answered(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = RemoteDirectory(monkeypatch)
    ada = await chat.connect({"token": token()})
    await directory.asked.wait()
    directory.may_answer.set()
    await connected(ada)
    assert (await ada.expect("connection:status"))["userId"] == "ada"
    await ada.expect("chat:history")
    assert (await ada.call("auth:refresh", {"token": token("ada", ["sales", "hr"])}))["ok"]
    assert (await ada.call("connection:join", {"connectionId": "hr"}))["ok"]


async def test_a_directory_that_fails_lets_nobody_in(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await chat.enter()
    directory = RemoteDirectory(monkeypatch)
    directory.fails = True
    directory.may_answer.set()
    grace = await chat.connect({"token": token("grace")})
    assert (await refused(grace))["data"]["code"] == "directory_unavailable"
    assert (await ada.call("auth:refresh", {"token": token()}))["error"][
        "code"
    ] == "directory_unavailable"


async def test_a_session_that_ends_meanwhile_does_not_come_in(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = RemoteDirectory(monkeypatch)
    ada = chat.attach()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ada.say, '40{"token":"' + token() + '"}')
        await directory.asked.wait()
        ada.session.lost(DisconnectReason.TRANSPORT_CLOSE)
        directory.may_answer.set()
    assert chat.parts.publishing.clients.count == 0


async def test_a_directory_that_never_answers_is_waited_for_so_long_and_no_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mock_clock: MockClock
) -> None:
    async with open_chat(tmp_path, in_memory=True) as chat:
        directory = RemoteDirectory(monkeypatch)
        ada = chat.attach()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ada.say, '40{"token":"' + token() + '"}')
            await directory.asked.wait()
            mock_clock.jump(DIRECTORY_TIMEOUT_S + 1)
        [refusal] = [text for text in ada.take() if text.startswith("44")]
        assert '"code":"directory_unavailable"' in refusal
        assert chat.parts.publishing.clients.count == 0
