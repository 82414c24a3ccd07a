"""A reload seen from inside: a directory fails, a disk hangs, it has a fault itself."""

import io
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import attrs
import pytest
import trio

from chatd.app import reload as reloading
from chatd.app import settings
from chatd.app.notify import Notifier
from chatd.app.opening import Opened
from chatd.app.reload import Reload
from chatd.app.rereading import Rereading
from chatd.auth import ClaimDirectory, Directory, DirectoryFailed, Grant, Identity
from chatd.config import DirectoryConfig, Loaded
from chatd.observe import ConfigurationRefused, ConfigurationReloaded, InternalError, open_log
from chatd.wire.codes import Code
from tests.service.chats import ROOM, SECRET, Chat, open_chat, token

OTHER_CLAIM = "app_metadata.connections"


class SlowDirectory:
    """Has to wait, and gives what it is told to."""

    def __init__(self, grants: Callable[[], Mapping[str, Grant]], wait_s: float = 0.0) -> None:
        self._grants = grants
        self._wait_s = wait_s

    def grants_now(self, identity: Identity) -> None:
        return None

    async def grants(self, identity: Identity) -> Mapping[str, Grant]:
        await trio.sleep(self._wait_s)
        return self._grants()


def failing() -> Mapping[str, Grant]:
    raise DirectoryFailed("The directory is down.")


def reload_of(chat: Chat, tmp_path: Path, read: Callable[[], Loaded]) -> Reload:
    config = chat.parts._config
    opened = Opened(
        config, SECRET, chat.parts.clock, tmp_path, chat.store, (), None, (), is_inherited=False
    )
    log = open_log("json", "error", io.StringIO(), False)
    configuration = Rereading(Loaded(config, None, {}), read, log, is_terminal=False)
    notifier = Notifier(None, chat.recorder)
    return Reload(chat.parts, opened, configuration, notifier, lambda: "Serves.", chat.recorder)


def with_other_directory(chat: Chat) -> Loaded:
    directory = DirectoryConfig(claim=OTHER_CLAIM)
    return Loaded(attrs.evolve(chat.parts._config, directory=directory), None, {})


@pytest.mark.parametrize(
    ("directory", "stays"),
    [
        pytest.param(SlowDirectory(lambda: {ROOM: Grant(ROOM, None)}), True, id="slow"),
        pytest.param(SlowDirectory(dict), False, id="gives nothing"),
        pytest.param(SlowDirectory(failing), False, id="fails"),
        pytest.param(SlowDirectory(dict, wait_s=600), False, id="does not answer"),
        pytest.param(ClaimDirectory("sub"), False, id="finds the token to be at fault"),
    ],
)
async def test_a_directory_that_does_not_give_a_room_takes_it_away_whatever_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, directory: Directory, stays: bool
) -> None:
    monkeypatch.setattr(reloading, "DIRECTORY_S", 0.1)
    async with open_chat(tmp_path) as chat:
        ada = await chat.enter("ada")
        monkeypatch.setattr(settings, "make_directory", lambda _: directory)
        await reload_of(chat, tmp_path, lambda: with_other_directory(chat)).carry_out()
        if stays:
            await ada.quiet()
        else:
            assert await ada.expect("connection:left") == {
                "connectionId": ROOM,
                "code": Code.FORBIDDEN_ROOM,
            }
        [event] = chat.recorder.of(ConfigurationReloaded)
        assert event.changed == ("directory.claim",)
        assert event.sockets == (0 if stays else 1)


async def test_who_is_judged_while_the_directory_is_replaced_is_judged_by_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its answer would otherwise come from the old one, after everybody else was judged again."""
    async with open_chat(tmp_path) as chat:
        asked, answers = trio.Event(), trio.Event()

        class Held(SlowDirectory):
            async def grants(self, identity: Identity) -> Mapping[str, Grant]:
                asked.set()
                await answers.wait()
                return {ROOM: Grant(ROOM, None)}

        authenticator = chat.parts.authenticator
        authenticator.replace(authenticator._verifier, Held(dict), query_token=True)
        ada = await chat.connect({"token": token("ada")})
        await asked.wait()
        monkeypatch.setattr(settings, "make_directory", lambda _: SlowDirectory(dict))
        await reload_of(chat, tmp_path, lambda: with_other_directory(chat)).carry_out()
        answers.set()
        status = await ada.until("connection:status")
        assert status["rooms"] == []


async def test_a_disk_that_hangs_refuses_the_reload_and_holds_nobody_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reloading, "READ_S", 0.1)
    hangs = threading.Event()
    async with open_chat(tmp_path) as chat:
        ada = await chat.enter("ada")

        def read() -> Loaded:
            hangs.wait(60)
            return with_other_directory(chat)

        reload = reload_of(chat, tmp_path, read)
        for _ in range(2):  # the second one finds the thread of the first one at work still
            await reload.carry_out()
        refused = chat.recorder.of(ConfigurationRefused)
        assert [event.mistakes for event in refused] == [
            ("The configuration cannot be read in time; see to its disk.",)
        ] * 2
        await ada.quiet()
        hangs.set()


async def test_a_fault_of_the_reload_itself_changes_nothing_and_is_reported(
    tmp_path: Path,
) -> None:
    async with open_chat(tmp_path) as chat:
        chat.faults_expected = True
        ada = await chat.enter("ada")

        def read() -> Loaded:
            raise RuntimeError("what stands here is told to nobody")

        await reload_of(chat, tmp_path, read).carry_out()
        [refused] = chat.recorder.of(ConfigurationRefused)
        assert "what stands here" not in str(refused)
        assert chat.recorder.of(InternalError)
        await ada.quiet()
