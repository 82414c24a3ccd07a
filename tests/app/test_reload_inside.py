"""A reload seen from inside: a directory fails, a disk hangs, it has a fault itself."""

import io
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import attrs
import pytest
import trio

from chatd.app import reload as reloading
from chatd.app import running_directory
from chatd.app.notify import Notifier
from chatd.app.opening import Opened
from chatd.app.reload import Reload
from chatd.app.rereading import Rereading
from chatd.auth import (
    DirectoryFailed,
    DirectoryStatus,
    FormerSecret,
    Grant,
    Identity,
    bot_digest,
    make_bot_token,
    read_revocations,
)
from chatd.auth.role import AdministratorRule
from chatd.config import ApiConfig, AuthConfig, DirectoryConfig, Loaded
from chatd.config.api_tokens import MESSAGES_PER_MINUTE
from chatd.config.sections import AuditConfig
from chatd.observe import (
    ConfigurationRefused,
    ConfigurationReloaded,
    InternalError,
    KeySetRead,
    open_log,
)
from chatd.observe.clock import Clock
from chatd.wire.codes import Code
from tests.auth.issuer import issued, jwk, key_set
from tests.auth.tokens_by_hand import good_claims
from tests.service.api_callers import Api
from tests.service.chats import (
    ROOM,
    SECRET,
    Chat,
    connected,
    message,
    open_chat,
    refused,
    token,
)
from tests.service.events.test_answers import called, open_answering
from tests.service.streams import listening

OTHER_CLAIM = "app_metadata.connections"
OTHER_SECRET = "another secret of the same project, long enough"


class SlowDirectory:
    """Has to wait, and gives what it is told to."""

    status = DirectoryStatus()

    def __init__(self, grants: Callable[[], Mapping[str, Grant]]) -> None:
        self._grants = grants

    def grants_now(self, identity: Identity) -> None:
        return None

    async def grants(self, identity: Identity) -> Mapping[str, Grant]:
        await trio.lowlevel.checkpoint()
        return self._grants()

    async def check(self) -> None:
        await self.grants(NOBODY)

    def close(self) -> None:
        """It has nothing open."""


NOBODY = Identity("nobody", None, 0, {})


def failing() -> Mapping[str, Grant]:
    raise DirectoryFailed("The directory is down.")


def reload_of(chat: Chat, tmp_path: Path, read: Callable[[], Loaded]) -> Reload:
    config = chat.parts.common.config
    opened = Opened(
        config,
        SECRET,
        read_revocations(chat.store.path.parent),
        chat.parts.common.clock,
        tmp_path,
        chat.store,
        (),
        None,
        (),
        (),
    )
    log = open_log("json", "error", io.StringIO(), False)
    configuration = Rereading(Loaded(config, None, {}), read, log, is_terminal=False)
    notifier = Notifier(None, chat.recorder)
    return Reload(chat.parts, opened, configuration, notifier, lambda: "Serves.", chat.recorder)


def with_sections(chat: Chat, **sections: object) -> Loaded:
    return Loaded(attrs.evolve(chat.parts.common.config, **sections), None, {})


def with_other_directory(chat: Chat, claim: str = OTHER_CLAIM) -> Loaded:
    return with_sections(chat, directory=DirectoryConfig(claim=claim))


async def taken_over(chat: Chat, tmp_path: Path, **sections: object) -> ConfigurationReloaded:
    """Have these sections in force from now on."""
    await reload_of(chat, tmp_path, lambda: with_sections(chat, **sections)).carry_out()
    return chat.recorder.of(ConfigurationReloaded)[-1]


@pytest.mark.parametrize("claim", [OTHER_CLAIM, "sub"], ids=["gives nothing", "is at fault"])
async def test_a_directory_that_does_not_give_a_room_takes_it_away(
    tmp_path: Path, claim: str
) -> None:
    async with open_chat(tmp_path) as chat:
        ada = await chat.enter("ada")
        event = await taken_over(chat, tmp_path, directory=DirectoryConfig(claim=claim))
        left = await ada.expect("connection:left")
        assert left == {"connectionId": ROOM, "code": Code.FORBIDDEN_ROOM}
        assert (event.changed, event.sockets) == (("directory.claim",), 1)


@pytest.mark.parametrize(
    ("grants", "stays"),
    [
        pytest.param(lambda: {ROOM: Grant(ROOM, None)}, True, id="gives it"),
        pytest.param(dict, False, id="does not"),
        pytest.param(failing, True, id="is away"),
    ],
)
async def test_a_directory_in_a_database_is_asked_about_everybody_at_once(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    grants: Callable[[], Mapping[str, Grant]],
    stays: bool,
) -> None:
    """While it does not answer, users who are in keep their rooms: as in any outage of it."""
    asked = trio.Event()

    def asking() -> Mapping[str, Grant]:
        asked.set()
        return grants()

    monkeypatch.setattr(running_directory, "open_sql_directory", lambda *_: SlowDirectory(asking))
    in_sql = DirectoryConfig(source="sql", url="postgresql://nobody@nowhere/none", ttl_s=3600)
    async with open_chat(tmp_path) as chat:
        ada = await chat.enter("ada")
        event = await taken_over(chat, tmp_path, directory=in_sql)
        assert set(event.changed) == {"directory.source", "directory.url", "directory.ttl_s"}
        await asked.wait()
        if stays:
            await ada.quiet()
        else:
            assert (await ada.expect("connection:left"))["connectionId"] == ROOM
        await taken_over(chat, tmp_path, directory=DirectoryConfig())  # and back
        assert (await ada.call("connection:join", {"connectionId": ROOM}))["ok"]


async def test_who_is_judged_while_the_directory_is_replaced_is_judged_by_the_new_one(
    tmp_path: Path,
) -> None:
    """Its answer would otherwise come from the old one, after everybody else was judged again."""
    async with open_chat(tmp_path) as chat:
        asked, answers = trio.Event(), trio.Event()

        class Held(SlowDirectory):
            async def grants(self, identity: Identity) -> Mapping[str, Grant]:
                asked.set()
                await answers.wait()
                return {ROOM: Grant(ROOM, None)}

        authenticator = chat.parts.access.authenticator
        authenticator.replace(authenticator._verifier, Held(dict), directory_timeout_s=60)
        ada = await chat.connect({"token": token("ada")})
        await asked.wait()
        await taken_over(chat, tmp_path, directory=DirectoryConfig(claim=OTHER_CLAIM))
        answers.set()
        status = await ada.until("connection:status")
        assert status["rooms"] == []


async def test_a_former_secret_and_a_key_set_are_taken_from_then_on(tmp_path: Path) -> None:
    place = tmp_path / "keys.json"
    place.write_bytes(key_set(jwk("ES256")))
    now_s = int(Clock().wall_s())
    claims = good_claims(sub="eve", iat=now_s, exp=now_s + 3600) | {"connections": [ROOM]}
    other, by_issuer = token("bob", secret=OTHER_SECRET), issued("ES256", claims=claims)
    async with open_chat(tmp_path) as chat:
        ada = await chat.enter("ada")
        for shown in (other, by_issuer):
            refusal = await refused(await chat.connect({"token": shown}))
            assert refusal["data"]["code"] == "token_invalid"
        former = FormerSecret(OTHER_SECRET, chat.parts.common.clock.wall_s() + 3600)
        auth = AuthConfig(jwt_secret=SECRET, former_secrets=(former,), jwks=str(place))
        assert (await taken_over(chat, tmp_path, auth=auth)).needs_restart == ()
        for shown in (other, by_issuer, token("grace")):
            await connected(await chat.connect({"token": shown}))
        assert chat.recorder.of(KeySetRead)[-1].keys == 1
        await taken_over(chat, tmp_path, auth=AuthConfig(jwt_secret=SECRET))
        for shown in (other, by_issuer):
            refusal = await refused(await chat.connect({"token": shown}))
            assert refusal["data"]["code"] == "token_invalid"
        await ada.quiet()


async def test_who_was_revoked_stays_so(tmp_path: Path) -> None:
    async with open_chat(tmp_path) as chat:
        old = token("ada")
        await chat.parts.access.revoking.revoke("ada")
        await taken_over(chat, tmp_path, auth=AuthConfig(jwt_secret=SECRET, leeway_s=5))
        refusal = await refused(await chat.connect({"token": old}))
        assert refusal["data"]["code"] == "token_revoked"


@pytest.mark.parametrize(
    ("changes", "stays"),
    [
        pytest.param({}, True, id="the same"),
        pytest.param({"messages_per_minute": 1.0}, True, id="another rate"),
        pytest.param({"rooms": ("stock",)}, False, id="other rooms"),
        pytest.param({"sha256": bot_digest("another")}, False, id="another token"),
        pytest.param({"can_read": False, "can_write": True}, False, id="no right to read"),
        pytest.param(None, False, id="gone"),
    ],
)
async def test_the_stream_of_a_bot_ends_where_its_token_gives_it_no_more(
    tmp_path: Path, changes: dict[str, object] | None, stays: bool
) -> None:
    bearer = make_bot_token()
    tokens = {"reader": {"sha256": bot_digest(bearer), "rooms": [ROOM], "rights": ["read"]}}
    async with open_chat(tmp_path, api={"tokens": tokens}) as chat:
        stream, ada = await listening(chat, bearer), await chat.enter("ada")
        [bot] = chat.parts.access.bots.by_user.values()
        now = {} if changes is None else {"reader": attrs.evolve(bot, **changes)}
        event = await taken_over(
            chat, tmp_path, api=attrs.evolve(chat.parts.common.config.api, tokens=now)
        )
        assert event.changed == (() if changes == {} else ("api.tokens",))
        assert event.sockets == (0 if stays else 1)
        if stays:
            await ada.say(message("hello"))
            assert (await stream.expect("chat:message"))["content"] == "hello"
            allowance = chat.parts.chat.request_clients.allowance("bot:reader")
            assert allowance.messages._burst == chat.parts.access.bots.message_rates["bot:reader"]
        else:
            [heard] = await stream.rest()
            assert heard.payload == {"connectionId": ROOM, "code": "forbidden_room"}
        await ada.quiet()


@pytest.mark.parametrize(
    ("changes", "goes_on"),
    [
        pytest.param({"messages_per_minute": 1.0}, True, id="another rate"),
        pytest.param({"can_read": False}, True, id="no right to read"),
        pytest.param({"rooms": ("stock",)}, False, id="other rooms"),
        pytest.param({"sha256": bot_digest("another")}, False, id="another token"),
        pytest.param({"can_write": False}, False, id="no right to write"),
        pytest.param(None, False, id="gone"),
    ],
)
async def test_what_a_bot_writes_ends_where_its_token_gives_it_no_more(
    tmp_path: Path, changes: dict[str, object] | None, goes_on: bool
) -> None:
    bearer = make_bot_token()
    rights = ["read", "write"]
    tokens = {"writer": {"sha256": bot_digest(bearer), "rooms": [ROOM], "rights": rights}}
    async with open_answering(tmp_path, read_only=False, api={"tokens": tokens}) as (
        chat,
        database,
    ):
        written = {
            "content": "DELETE FROM numbers",
            "context": {"config": {"readOnly": False}},
        }
        assert (await Api(chat, bearer).post(written)).status == 201
        call = await called(database)
        [bot] = chat.parts.access.bots.by_user.values()
        now = {} if changes is None else {"writer": attrs.evolve(bot, **changes)}
        await taken_over(chat, tmp_path, api=attrs.evolve(chat.parts.common.config.api, tokens=now))
        if goes_on:
            await trio.testing.wait_all_tasks_blocked(0.01)
            assert not call.stop.is_set()
        else:
            await call.stop.wait()
        call.end()


async def test_bots_keep_their_own_rates_where_the_limits_of_users_change(tmp_path: Path) -> None:
    bearer = make_bot_token()
    tokens = {"reader": {"sha256": bot_digest(bearer), "rooms": [ROOM], "rights": ["read"]}}
    async with open_chat(tmp_path, api={"tokens": tokens}) as chat:
        await listening(chat, bearer)
        limits = attrs.evolve(chat.parts.common.config.limits, socket_messages_per_minute=7.0)
        await taken_over(chat, tmp_path, limits=limits)
        assert chat.parts.chat.request_clients.allowance("ada").messages._burst == 7.0
        assert (
            chat.parts.chat.request_clients.allowance("bot:reader").messages._burst
            == MESSAGES_PER_MINUTE
        )


async def test_administrators_retention_and_the_bound_of_the_disk_are_those_of_the_new_one(
    tmp_path: Path,
) -> None:
    async with open_chat(tmp_path) as chat:
        await chat.parts.storage.disk.look()
        event = await taken_over(
            chat,
            tmp_path,
            auth=AuthConfig(jwt_secret=SECRET, admin_claim="role", admin_role="chief"),
            audit=AuditConfig(keep_days=0),
            state=attrs.evolve(chat.parts.common.config.state, min_free_bytes=2**40),
        )
        assert event.needs_restart == ()
        assert not chat.parts.maintenance.audit_retention.is_on
        assert chat.parts.storage.disk.why_low() is not None
        assert chat.parts.http.admin_page._rule == AdministratorRule("role", "chief")
        await taken_over(chat, tmp_path, audit=AuditConfig(keep_days=1))
        assert chat.parts.maintenance.audit_retention.is_on


async def test_what_cannot_be_changed_while_it_runs_needs_a_restart(tmp_path: Path) -> None:
    async with open_chat(tmp_path) as chat:
        event = await taken_over(
            chat,
            tmp_path,
            auth=AuthConfig(jwt_secret=SECRET, max_token_bytes=40_000),
            api=ApiConfig(enabled=False),
            messages=attrs.evolve(chat.parts.common.config.messages, keep_days=1),
        )
        assert event.changed == ()
        assert event.needs_restart == ("auth.max_token_bytes", "messages.keep_days", "api.enabled")


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
