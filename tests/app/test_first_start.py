"""With no configuration at all: what a person and an operator find."""

import itertools
import json
import re
import shlex
import shutil
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import click
import jwt
import pytest
import trio
from click.testing import CliRunner

from chatd import __version__
from chatd.answers.mcp.settings import DatabaseSettings
from chatd.app.secret import make_keys, make_verifier, mint_token, usual_rooms
from chatd.cli.commands import main
from chatd.config import Config
from tests.app.client import Client, Refused, token_for
from tests.app.daemon import END_S, REPOSITORY, House, fetch

LINK = r"http://127\.0\.0\.1:(\d+)/#token=(\S+)"


ELSEWHERE = ("/bin/sh", "-c", 'cd / && unset XDG_STATE_HOME && exec "$@"', "sh")


COLLECTIONS_NOTED = (
    sys.executable,
    str(Path(__file__).with_name("collections_noted.py")),
    "serve",
)


SECRET = "a secret for the tests, of more than 32 bytes"


async def follow_the_hint(house: House, out: str) -> str:
    """The token from the command that was printed, as another shell runs it, elsewhere."""
    hint = re.search(r"http://127\.0\.0\.1:\d+/ with: (chatd .*)\n", out)
    assert hint is not None, out
    minted = await house.run(*shlex.split(hint[1]), program=ELSEWHERE)
    assert minted.code == 0, minted.err
    return minted.out.strip()


@pytest.mark.answers  # as it is with no configuration
async def test_elsewhere_than_on_a_terminal_the_printed_command_gives_a_token_that_works(
    house: House, nursery: trio.Nursery
) -> None:
    daemon = await house.start()
    await daemon.out.having("\n")
    alice = await Client.connect(
        nursery, daemon.port, await follow_the_hint(house, daemon.out.text)
    )
    status = await alice.hear("connection:status", status="connected")
    assert alice.heard[0][0] == "connection:status"
    assert status["userId"] == "alice"
    assert [room["connectionId"] for room in status["rooms"]] == ["demo"]
    assert (await alice.say("hello"))["seq"] == 1


@pytest.mark.parametrize("by", ["flag", "file", "usual file", "variable"])
async def test_the_printed_command_works_where_the_daemon_was_given_its_places(
    house: House, nursery: trio.Nursery, by: str
) -> None:
    arguments, env = [], {}
    file = "[state]\ndir = 'else where'\n[auth]\naudience = 'us'\n"
    match by:
        case "flag":
            arguments = ["--state-dir", "else where"]
        case "file":
            house.config(file, "my own.toml")
            arguments = ["--config", "my own.toml"]
        case "usual file":
            house.config(file)
        case "variable":
            env = {"CHATD_STATE__DIR": "else where"}
    daemon = await house.start(*arguments, env=env)
    await daemon.out.having("\n")
    token = await follow_the_hint(house, daemon.out.text)
    assert (house.path / "else where" / "log.sqlite3").exists()
    assert not house.state_dir.exists()
    await Client.connect(nursery, daemon.port, token)


async def test_the_printed_command_is_short_where_all_is_as_usual(house: House) -> None:
    daemon = await house.start(env={"XDG_STATE_HOME": ""})
    await daemon.out.having(r"with: chatd token mint --user alice\n")


@pytest.mark.answers  # as it is with no configuration
async def test_on_a_terminal_the_printed_link_holds_a_token_that_works(
    house: House, nursery: trio.Nursery
) -> None:
    daemon = await house.start(terminals=("stdout", "stderr"))
    link = await daemon.out.having(LINK)
    assert int(link[1]) == daemon.port
    guest = await Client.connect(nursery, daemon.port, link[2])
    status = await guest.hear("connection:status", status="connected")
    assert status["userId"] == "guest"
    assert status["expiresAt"] - status["serverTime"] <= 3_600_000
    assert "[info" in daemon.err.text
    assert not any(line.startswith("{") for line in daemon.err.text.splitlines())
    assert link[2] not in daemon.err.text
    assert "This link opens the chat, for a guest and for an hour:" in daemon.out.text
    assert "Others get a token with: chatd token mint" in daemon.out.text


async def test_the_printed_link_and_command_grant_the_rooms_that_have_a_database(
    house: House, nursery: trio.Nursery
) -> None:
    house.config("".join(f"[databases.{room}]\nsample = true\n" for room in ("stock", "shop")))
    daemon = await house.start(terminals=("stdout",))
    link = await daemon.out.having(LINK)
    minted = await house.run("token", "mint", "--user", "alice")
    for token in (link[2], minted.out.strip()):
        person = await Client.connect(nursery, daemon.port, token)
        status = await person.hear("connection:status", status="connected")
        assert {room["connectionId"] for room in status["rooms"]} == {"stock", "shop"}


def test_a_token_of_many_rooms_with_databases_is_one_that_the_daemon_takes() -> None:
    names = [f"{index:03}{'x' * 125}" for index in range(200)]  # as long as a name may be
    databases = {name: DatabaseSettings(sample=True) for name in names}
    config = Config(databases=databases)
    token = mint_token(config, SECRET, "guest", usual_rooms(config), "Guest", 60, time.time())
    assert (
        make_verifier(config, make_keys(config, SECRET)).verify(token, time.time()).user_id
        == "guest"
    )


@pytest.mark.parametrize("host", ["127.0.0.5", "[::1]", "::ffff:127.0.0.1", "LocalHost"])
async def test_the_printed_link_leads_there_whatever_the_host(house: House, host: str) -> None:
    daemon = await house.start("--host", host, terminals=("stdout",))
    [url] = (await daemon.out.having(r"(http://\S+/)#token=")).groups()
    place = urlsplit(url)
    request = (
        f"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: {place.netloc}\r\n"
        f"Origin: http://{place.netloc}\r\nConnection: close\r\n\r\n"
    )
    assert place.hostname is not None
    assert place.port is not None
    with trio.fail_after(END_S):
        async with await trio.open_tcp_stream(place.hostname, place.port) as stream:
            await stream.send_all(request.encode())
            answer = b"".join([piece async for piece in stream])
    assert answer.startswith(b"HTTP/1.1 200 ")
    asked = await house.run(
        "health", env={"CHATD_SERVER__HOST": host, "CHATD_SERVER__PORT": str(daemon.port)}
    )
    assert asked.code == 0, asked.err


async def test_on_every_address_both_families_are_served(house: House) -> None:
    daemon = await house.start("--host", "::", env={"CHATD_AUTH__JWT_SECRET": SECRET})
    for address in ("127.0.0.1", "::1"):
        with trio.fail_after(END_S):
            await (await trio.open_tcp_stream(address, daemon.port)).aclose()
    asked = await house.run(
        "health", env={"CHATD_SERVER__HOST": "::", "CHATD_SERVER__PORT": str(daemon.port)}
    )
    assert asked.code == 0, asked.err
    await daemon.stop()


async def test_neither_secret_nor_tokens_are_in_the_output(
    house: House, nursery: trio.Nursery
) -> None:
    daemon = await house.start("--log-level", "debug", terminals=("stdout",))
    token = (await daemon.out.having(LINK))[2]
    await Client.connect(nursery, daemon.port, token)
    await Client.connect(nursery, daemon.port, query={"token": token})
    await Client.connect(
        nursery, daemon.port, headers=[(b"Authorization", b"Bearer " + token.encode())]
    )
    with pytest.raises(Refused) as refused:
        await Client.connect(nursery, daemon.port, query={"auth": token[:-8] + "A" * 8})
    assert refused.value.code == "token_invalid"
    await daemon.event("authentication.failed")
    await daemon.stop()
    secret = house.secret
    assert len(daemon.events("socket.connected")) == 3
    assert daemon.out.text.count(token) == 1
    for part in (secret, token, token.split(".")[1], token.split(".")[2][:-8]):
        assert part not in daemon.err.text
    assert secret not in daemon.out.text


async def test_the_log_is_json_elsewhere_than_on_a_terminal_and_tells_the_life_of_the_daemon(
    house: House,
) -> None:
    daemon = await house.start()
    await daemon.stop()
    lines = [json.loads(line) for line in daemon.err.text.splitlines()]
    assert [line["event"] for line in lines] == [
        "configuration.loaded",
        "store.recovered",
        "daemon.started",
        "daemon.stopping",
        "daemon.stopped",
    ]
    assert lines[0]["source"] is None
    assert lines[2]["host"] == "127.0.0.1"
    assert lines[2]["pid"] == daemon.process.pid
    assert lines[2]["state_dir"] == str(house.state_dir)
    assert lines[3]["reason"] == "SIGTERM"
    assert lines[4]["clean"] is True


async def test_health_is_told_over_http_and_by_the_command(
    house: House, nursery: trio.Nursery
) -> None:
    began_s = trio.current_time()
    daemon = await house.start()
    alice = await Client.connect(nursery, daemon.port, token_for(house.secret, "alice"))
    await alice.hear("chat:history")
    status, headers, body = await fetch(daemon.port, "/api/websocket/health")
    assert status == 200
    assert headers["content-type"] == "application/json"
    health = json.loads(body)
    assert health.keys() == {"status", "connectedClients", "uptime"}
    assert (health["status"], health["connectedClients"]) == ("ok", 1)
    assert 0 < health["uptime"] <= trio.current_time() - began_s

    url = f"http://127.0.0.1:{daemon.port}"
    # A proxy for the way out is none for the way to a daemon that is asked for by its address.
    env = {"CHATD_SERVER__PORT": str(daemon.port), "http_proxy": "http://127.0.0.1:9"}
    for well in await house.run_each(("health",), ("health", "--url", url), env=env):
        assert (well.code, json.loads(well.out)["status"]) == (0, "ok")

    await daemon.stop()
    gone = await house.run("health", "--url", url)
    assert (gone.code, gone.out) == (1, "")
    sentence = f"chatd: no daemon answers at {url}: Connection refused; is it running?"
    assert gone.err == f"{sentence}\n"
    gone = await house.run("health", env=env)
    assert gone.err == f"{sentence} If it listens elsewhere, name its address with --url.\n"


async def test_the_page_is_at_the_root(house: House) -> None:
    daemon = await house.start()
    status, headers, body = await fetch(daemon.port, "/")
    assert status == 200
    assert headers["content-type"].startswith("text/html")
    assert b"<!doctype html>" in body[:100].lower()
    links = [link.decode() for link in re.findall(rb'(?:src|href)="\./([^"]+)"', body)]
    assert any(link.endswith(".js") for link in links)
    for link in links:
        assert (await fetch(daemon.port, f"/{link}"))[0] == 200
    assert (await fetch(daemon.port, "/nothing"))[0] == 404
    status, _, body = await fetch(daemon.port, "/api/web/config")
    told = {"title": "chatd", "version": __version__, "mints": True}
    assert (status, json.loads(body)) == (200, told)
    assert daemon.events("daemon.started")[0]["page"] == "built"


async def test_where_the_page_was_not_built_a_plain_one_stands_in_and_the_log_says_so_once(
    house: House,
) -> None:
    package = house.path / "installed" / "chatd"
    leave_out = shutil.ignore_patterns("client", "dist", "__pycache__")
    shutil.copytree(REPOSITORY / "chatd", package, ignore=leave_out)
    daemon = await house.start(env={"PYTHONPATH": str(package.parent)}, terminals=("stdout",))
    await daemon.out.having(r"opens a plain page that says how to connect, [^\n]*:\s+" + LINK)
    status, _, body = await fetch(daemon.port, "/")
    assert status == 200
    assert b"pip install --force-reinstall" in body
    assert daemon.events("daemon.started")[0]["page"] == "missing"
    (told,) = daemon.events("page.missing")
    assert "CHATD_WEB=required" in told["detail"]


async def test_the_page_can_be_switched_off(house: House) -> None:
    daemon = await house.start(env={"CHATD_WEB__ENABLED": "false"}, terminals=("stdout",))
    await daemon.out.having(r"with: chatd token mint")
    assert "#token=" not in daemon.out.text
    for path in ("/", "/assets/a.js", "/sw.js"):
        status, _, body = await fetch(daemon.port, path)
        assert (status, json.loads(body)["error"]["code"]) == (404, "page_off")
    assert daemon.events("daemon.started")[0]["page"] == "off"


async def test_the_state_is_for_its_owner_only_and_a_second_start_keeps_the_secret(
    house: House, nursery: trio.Nursery
) -> None:
    minted = await house.run("token", "mint", "--user", "alice")  # before there ever was a daemon
    token = minted.out.strip()
    assert minted.err == (
        f"chatd: A new secret was made in {house.state_dir}; only a daemon with this state "
        "directory takes the token.\n"
    )
    assert (await house.run("token", "mint", "--user", "alice")).err == ""
    first = await house.start()
    await Client.connect(nursery, first.port, token)
    await first.kill()
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in house.state_dir.iterdir()}
    assert modes["jwt-secret"] == modes["log.sqlite3"] == modes["log.sqlite3-wal"] == 0o600
    assert not any(mode & 0o077 for mode in modes.values()), modes
    assert stat.S_IMODE(house.state_dir.stat().st_mode) == 0o700
    second = await house.start()
    await Client.connect(nursery, second.port, token)


async def test_a_check_makes_no_secret(house: House) -> None:
    done = await house.run("token", "check", "--state-dir", "elsewhere", given=b"a token")
    place = house.path / "elsewhere"
    assert (done.code, done.out) == (1, "")
    assert done.err == (
        f"chatd: There is no secret in {place}; is this the daemon's state directory "
        "(--state-dir)?\n"
    )
    assert not place.exists()


async def test_a_token_that_is_of_no_use_is_told_and_one_that_nobody_takes_is_not_made(
    house: House,
) -> None:
    house.config("[directory.connections.stock]\nusers = ['alice']\n")
    of_file = {"CHATD_DIRECTORY__SOURCE": "file", "CHATD_AUTH__JWT_SECRET": SECRET}
    mint = ("token", "mint", "--user")
    ignored, roomless, right = await house.run_each(
        (*mint, "alice", "--room", "shop"), (*mint, "bob"), (*mint, "alice"), env=of_file
    )
    assert ignored.err == (
        "chatd: warning: --room has no effect: the rooms of a user come from "
        'directory.source "file".\n'
    )
    assert roomless.err == (
        "chatd: warning: bob has no room: [directory.connections] gives this user none.\n"
    )
    assert right.err == ""
    for done in (ignored, roomless, right):
        assert (done.code, done.out.count("\n"), done.out.count(".")) == (0, 1, 2)
    house.config("")
    of_claim = {"CHATD_AUTH__JWT_SECRET": SECRET}
    rooms = [word for number in range(400) for word in ("--room", f"{number:020}")]
    long, strange = await house.run_each(
        (*mint, "alice", *rooms), (*mint, "alice", "--room", "<b>"), env=of_claim
    )
    assert (long.code, strange.code, long.out + strange.out) == (2, 2, "")
    assert "No daemon would take it: The token is longer than 8192 bytes." in long.err
    assert "a connectionId is 1 to 128 printable ASCII characters" in strange.err


async def test_a_token_can_be_checked(house: House) -> None:
    token = (await house.run("token", "mint", "--user", "alice")).out.strip()
    good = await house.run("token", "check", given=token.encode() + b"\n")
    assert good.code == 0
    told = good.out.splitlines()
    assert re.fullmatch(r"The token is good for user 'alice' for 86\d{3} s\.", told[0])
    assert told[1:3] == ["name: none; others see the user id", "rooms: demo"]
    assert told[3] == "signed: HS256, with a secret"
    assert [re.sub(r"\d", "0", line) for line in told[4:]] == [
        "issued: 0000-00-00 00:00:00 UTC",
        "expires: 0000-00-00 00:00:00 UTC",
    ]
    assert token not in good.out
    secret = house.secret
    past_s = int(time.time()) - 4
    late = await house.run(
        "token", "check", given=token_for(secret, "alice", exp=past_s, iat=0).encode()
    )
    assert late.code == 0
    assert re.match(
        r"The token of user 'alice' expired \d+ s ago, and is still taken thanks to "
        r"auth\.leeway_s\.\n",
        late.out,
    )
    for given, said in (
        (b" \n", "Nothing came on standard input; pipe the token in."),
        (b"\xff" * 20_000, "token_invalid: "),
        (
            token_for(secret, "alice", exp=past_s - 60, iat=0).encode(),
            "token_expired: The token expired ",
        ),
        (token_for(secret, "alice", connections="demo").encode(), "token_invalid: "),
    ):
        bad = await house.run("token", "check", given=given)
        assert bad.code == 1
        assert bad.err.startswith(f"chatd: {said}")
        assert bad.err.count("\n") == 1, bad.err


async def test_the_check_of_a_token_tells_what_chatd_reads_in_it(house: House) -> None:
    house.config(
        "[directory.connections.lobby]\ntitle = 'The lobby'\nusers = ['*']\n"
        "[directory.connections.sales]\nusers = ['alice']\n"
    )
    claimed = {
        "app_metadata": {"connections": ["sales", {"id": "shop", "title": "Shop"}, 5]},
        "user_metadata": {"full_name": "Alice A.", "name": "no"},
        "exp": 4102444800,
        "iat": 1700000000,
    }
    await house.run("token", "mint", "--user", "x", env={"CHATD_DIRECTORY__SOURCE": "file"})
    given = token_for(house.secret, "alice", **claimed).encode()
    other = token_for(house.secret, "bob", **claimed).encode()
    house.config("[directory]\nclaim = 'app_metadata.connections'\n", "claim.toml")
    of_claim = await house.run("token", "check", "--config", "claim.toml", given=given)
    elsewhere = {"CHATD_DIRECTORY__CLAIM": "rooms"}
    none = await house.run("token", "check", "--config", "claim.toml", given=given, env=elsewhere)
    of_file = {"CHATD_DIRECTORY__SOURCE": "file"}
    everything = await house.run("token", "check", given=given, env=of_file)
    some = await house.run("token", "check", given=other, env=of_file)
    assert of_claim.out.splitlines()[1:] == [
        "name: Alice A.",
        "rooms: sales, shop (Shop)",
        "signed: HS256, with a secret",
        "issued: 2023-11-14 22:13:20 UTC",
        "expires: 2100-01-01 00:00:00 UTC",
    ]
    assert "rooms: none; the token lists none in its claim rooms\n" in none.out
    assert "rooms: all: lobby (The lobby), sales\n" in everything.out
    assert "rooms: lobby (The lobby)\n" in some.out


async def test_the_configuration_can_be_checked_and_shown_without_its_secret(house: House) -> None:
    secret = "not to be seen by anybody who looks on"
    path = house.config(f"[auth]\njwt_secret = '{secret}'\n[server]\nport = 1234\n")
    right = await house.run("config", "check")
    assert (right.code, right.err) == (0, "")
    assert str(path) in right.out
    shown = await house.run("config", "show", env={"CHATD_LOG__LEVEL": "warning"})
    assert shown.code == 0
    assert secret not in shown.out
    assert re.search(rf"port\b.*1234.*{re.escape(str(path))}", shown.out)
    assert re.search(r"level\b.*warning.*CHATD_LOG__LEVEL", shown.out)
    assert f'dir = ""  # default: {house.state_dir}\n' in shown.out
    assert f'internal = ""  # default: {house.state_dir}/internal.sock\n' in shown.out
    homeless = await house.run("config", "show", env={"HOME": "", "XDG_STATE_HOME": ""})
    assert 'dir = ""  # default\n' in homeless.out


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name)


@pytest.mark.parametrize("command", list(commands(main)), ids=" ".join)
def test_every_command_explains_itself(command: tuple[str, ...]) -> None:
    helped = CliRunner().invoke(main, [*command, "--help"])
    assert helped.exit_code == 0
    assert helped.output.startswith("Usage: ")
    assert "..." not in helped.output.replace("ARGS]...", "")


async def test_the_installed_command_and_the_module_are_the_same(house: House) -> None:
    as_module = await house.run("--version")
    as_command = await house.run("--version", program=("chatd",))
    assert as_module.code == as_command.code == 0
    assert as_module.out == as_command.out
    assert as_module.out.startswith("chatd, version ")


@pytest.mark.parametrize("closed", [1, 2], ids=["stdout", "stderr"])
async def test_a_daemon_without_an_output_stream_lives(
    house: House, nursery: trio.Nursery, closed: int
) -> None:
    """As a launcher starts it that closes what it does not use."""
    shell = ("/bin/sh", "-c", f'exec "$@" {closed}>&-', "sh")
    daemon = await house.begin(program=(*shell, *house.chatd, "serve"))
    if closed == 1:
        port = (await daemon.event("daemon.started"))["port"]
    else:
        port = int((await daemon.out.having(r"127\.0\.0\.1:(\d+)/.*\n"))[1])
    client = await Client.connect(nursery, port, token_for(house.secret, "alice"))
    assert (await client.say("is anybody there?"))["ok"]
    await daemon.stop()


async def test_a_daemon_whose_output_nobody_takes_any_more_lives(
    house: House, nursery: trio.Nursery
) -> None:
    shell = ("/bin/sh", "-c", 'exec "$@" >/dev/full', "sh")
    daemon = await house.begin(program=(*shell, *house.chatd, "serve"))
    port = (await daemon.event("daemon.started"))["port"]
    client = await Client.connect(nursery, port, token_for(house.secret, "alice"))
    assert daemon.process.stderr is not None
    await daemon.process.stderr.aclose()
    assert (await client.say("is anybody there?"))["ok"]
    await daemon.stop()


async def test_garbage_is_collected_from_when_the_daemon_is_ready_and_not_before(
    house: House, nursery: trio.Nursery
) -> None:
    daemon = await house.start(program=COLLECTIONS_NOTED)
    first = await daemon.event("collected")
    assert first["generation"] == 2  # all that the start left, once
    users = (f"user {number}" for number in itertools.count())  # each leaves something behind
    while not any(run["generation"] == 0 for run in daemon.events("collected")):
        await Client.connect(nursery, daemon.port, token_for(house.secret, next(users)))


async def test_a_token_for_the_page_of_administrators_needs_a_claim_that_says_who_is_one(
    house: House,
) -> None:
    refused = await house.run("token", "mint", "--user", "dave", "--admin")
    assert (refused.code, refused.out) == (78, "")
    assert "set auth.admin_claim" in refused.err
    house.config('[auth]\nadmin_claim = "app_metadata.role"\nadmin_role = "chief"\n')
    minted = await house.run("token", "mint", "--user", "dave", "--admin")
    assert minted.code == 0, minted.err
    claims = jwt.decode(minted.out.strip(), options={"verify_signature": False})
    assert claims["app_metadata"] == {"role": "chief"}
