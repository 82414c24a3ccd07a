"""The configuration as a running daemon shows it: which layer wins, what it changes."""

import pytest
import trio

from tests.app.client import Client, Refused, token_for
from tests.app.daemon import House

SECRET = "a secret for the tests, of more than 32 bytes"


async def test_the_environment_wins_over_the_file_and_flags_win_over_both(
    house: House, nursery: trio.Nursery
) -> None:
    path = house.config(
        f"""
        [server]
        port = 1
        max_payload_bytes = 50_000
        [auth]
        jwt_secret = "{SECRET}"
        [state]
        dir = "of-the-file"
        [messages]
        content_chars = 7
        [limits]
        user_messages_per_minute = 3
        [log]
        level = "error"
        format = "people"
        """
    )
    daemon = await house.start(
        "--state-dir",
        "of-the-flag",
        "--log-format",
        "json",
        env={
            "CHATD_STATE__DIR": "of-the-environment",
            "CHATD_LIMITS__USER_MESSAGES_PER_MINUTE": "5",
            "CHATD_LOG__LEVEL": "info",
            "CHATD_LOG__FORMAT": "logfmt",
            "CHATD_SERVER_PORT": "tcp://10.0.0.1:8765",  # as container platforms set them
        },
    )
    assert (await daemon.event("configuration.loaded"))["source"] == str(path)
    assert daemon.events("daemon.started")[0]["state_dir"] == str(house.path / "of-the-flag")
    assert daemon.port != 1
    assert daemon.out.text == ""  # with a secret of one's own there is nobody to invite
    alice = await Client.connect(nursery, daemon.port, token_for(SECRET, "alice"))
    limits = (await alice.hear("connection:status"))["limits"]
    assert limits["messagesPerMinute"] == 5
    assert limits["contentChars"] == 7
    assert limits["maxPayload"] == 50_000
    assert limits["historyPage"] == 200
    assert (await alice.say("1234567"))["ok"]
    assert (await alice.say("12345678"))["error"]["code"] == "content_too_long"
    answers = [await alice.say(str(number)) for number in range(5)]
    assert [answer["ok"] for answer in answers] == [True] * 4 + [False]
    assert answers[-1]["error"]["code"] == "rate_limited"
    assert 0 < answers[-1]["error"]["retryAfterMs"] <= 60_000


async def test_the_first_file_that_is_named_is_the_one_that_is_read(house: House) -> None:
    house.config("[log]\nlevel = 'error'\n")
    of_variable = house.config("[log]\nlevel = 'info'\n", "variable.toml")
    of_flag = house.config("[log]\nlevel = 'debug'\n", "flag.toml")
    env = {"CHATD_CONFIG": "variable.toml"}
    by_variable = await house.start(env=env)
    assert (await by_variable.event("configuration.loaded"))["source"] == str(of_variable)
    await by_variable.stop()
    by_flag = await house.start("--config", "flag.toml", env=env)
    assert (await by_flag.event("configuration.loaded"))["source"] == str(of_flag)


async def test_a_directory_in_the_file_says_who_may_use_which_room(
    house: House, nursery: trio.Nursery
) -> None:
    house.config(
        f"""
        [auth]
        jwt_secret = "{SECRET}"
        [directory]
        source = "file"
        [directory.connections.lobby]
        title = "The lobby"
        users = ["*"]
        [directory.connections."sales db"]
        users = ["alice"]
        """
    )
    daemon = await house.start()
    alice = await Client.connect(nursery, daemon.port, token_for(SECRET, "alice", ["demo"]))
    bob = await Client.connect(nursery, daemon.port, token_for(SECRET, "bob", ["sales db"]))
    rooms = {client: (await client.hear("connection:status"))["rooms"] for client in (alice, bob)}
    assert [room["connectionId"] for room in rooms[alice]] == ["lobby", "sales db"]
    assert [room["connectionId"] for room in rooms[bob]] == ["lobby"]
    assert rooms[bob][0]["title"] == "The lobby"
    await bob.hear("chat:history")
    assert (await alice.say("to all", "lobby"))["ok"]
    await bob.hear("chat:message", content="to all")
    assert (await bob.say("to sales", "sales db"))["error"]["code"] == "forbidden_room"
    assert (await alice.say("not here", "demo"))["error"]["code"] == "forbidden_room"


async def test_a_token_in_the_url_can_be_switched_off(house: House, nursery: trio.Nursery) -> None:
    token = token_for(SECRET, "alice")
    daemon = await house.start(
        env={"CHATD_AUTH__JWT_SECRET": SECRET, "CHATD_AUTH__QUERY_TOKEN": "false"}
    )
    for parameter in ("auth", "token"):
        with pytest.raises(Refused) as refused:
            await Client.connect(nursery, daemon.port, query={parameter: token})
        assert refused.value.code == "unauthorized"
    await Client.connect(nursery, daemon.port, token)
    await Client.connect(
        nursery, daemon.port, headers=[(b"Authorization", f"bearer {token}".encode())]
    )


async def test_another_secret_audience_or_issuer_is_refused(
    house: House, nursery: trio.Nursery
) -> None:
    daemon = await house.start(
        env={
            "CHATD_AUTH__JWT_SECRET": SECRET,
            "CHATD_AUTH__AUDIENCE": "team",
            "CHATD_AUTH__ISSUER": "https://id.example",
        }
    )
    good = {"aud": "team", "iss": "https://id.example"}
    await Client.connect(nursery, daemon.port, token_for(SECRET, "alice", **good))
    for token, code in (
        (token_for(SECRET + "!", "alice", **good), "token_invalid"),
        (token_for(SECRET, "alice", **(good | {"aud": "authenticated"})), "token_invalid"),
        (token_for(SECRET, "alice", **(good | {"iss": "https://evil.example"})), "token_invalid"),
        (token_for(SECRET, "alice", **(good | {"exp": 1_000_000_000})), "token_expired"),
        (None, "unauthorized"),
    ):
        with pytest.raises(Refused) as refused:
            await Client.connect(nursery, daemon.port, token)
        assert refused.value.code == code
