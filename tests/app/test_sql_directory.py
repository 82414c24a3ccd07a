"""A daemon whose rooms are in PostgreSQL: roles, what is taken away, a database that crashes."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from tests.app.client import Client, Refused, token_for
from tests.app.daemon import Daemon, House, fetch_inside
from tests.auth.directories_in_sql import ADA, BOB, EVE, Rooms, rooms_in
from tests.postgres import Postgres, a_server

PASSWORD = "hunter2-of-the-directory"
SECRET = "a secret for the tests, of more than 32 bytes"
LIMIT_S = 90.0


@pytest.fixture
def own_server() -> Iterator[Postgres]:
    with a_server() as server:
        yield server


def url_of(rooms: Rooms) -> str:
    return rooms.url.replace("postgres@", f"postgres:{PASSWORD}@")


def settings(rooms: Rooms, **more: str) -> dict[str, str]:
    return {
        "CHATD_AUTH__JWT_SECRET": SECRET,
        "CHATD_DIRECTORY__SOURCE": "sql",
        "CHATD_DIRECTORY__URL": url_of(rooms),
        "CHATD_DIRECTORY__TTL_S": "1",
        **{f"CHATD_DIRECTORY__{name}": value for name, value in more.items()},
    }


async def entered(daemon: Daemon, nursery: trio.Nursery, user_id: str) -> Client:
    return await Client.connect(nursery, daemon.port, token_for(SECRET, user_id, []))


async def test_rooms_and_roles_follow_the_database_also_through_a_crash_of_it(
    house: House, nursery: trio.Nursery, own_server: Postgres
) -> None:
    rooms = rooms_in(own_server)
    daemon = await house.start(env=settings(rooms, OUTAGE_S="3600"))
    ada, bob = [await entered(daemon, nursery, user_id) for user_id in (ADA, BOB)]
    status = await bob.hear("connection:status", status="connected")
    told = [(room["connectionId"], room["role"]) for room in status["rooms"]]
    assert told == [("hr", "owner"), ("sales", "viewer"), ("crm", "owner")]

    rooms.execute(f"UPDATE connection_members SET role = 'viewer' WHERE user_id = '{ADA}'")
    await ada.hear("connection:role", connectionId="crm", role="viewer")
    grant = f"INSERT INTO connection_members SELECT id, '{ADA}', 'member' FROM connections"
    rooms.execute(f"{grant} WHERE id = 'hr'")
    await ada.hear("connection:granted", connectionId="hr")
    rooms.execute(f"DELETE FROM connection_members WHERE user_id = '{BOB}'")
    await bob.hear("connection:left", connectionId="sales", code="forbidden_room")

    own_server.crash()
    await daemon.event("directory.unavailable")
    with pytest.raises(Refused) as caught:
        await entered(daemon, nursery, EVE)
    assert caught.value.code == "directory_unavailable"
    assert not ada.is_gone
    _, _, ready = await fetch_inside(house.state_dir / "internal.sock", "/readyz")
    assert b'"directory_unavailable"' in ready
    assert PASSWORD.encode() not in ready
    assert (await ada.ask("chat:history:get", {"connectionId": "sales"}))["ok"] is True

    own_server.start()
    await daemon.event("directory.recovered")
    _, _, ready = await fetch_inside(house.state_dir / "internal.sock", "/readyz")
    assert b'"directory_unavailable"' not in ready
    rooms.execute(f"DELETE FROM connection_members WHERE user_id = '{ADA}'")
    await ada.hear("connection:left", connectionId="crm")
    with pytest.raises(Refused) as caught:
        await entered(daemon, nursery, "ada")
    assert caught.value.code == "token_invalid"
    await daemon.stop()
    assert PASSWORD not in daemon.err.text + daemon.out.text
    assert [event["level"] for event in daemon.events("internal.error")] == []


async def test_a_reload_has_another_database_say_who_may_use_what(
    house: House, nursery: trio.Nursery, postgres: Postgres
) -> None:
    one, other = rooms_in(postgres), rooms_in(postgres)
    other.execute(f"DELETE FROM connection_members WHERE user_id = '{ADA}'")

    def written(rooms: Rooms) -> str:
        url = f'url = "{url_of(rooms)}"'
        return f'[auth]\njwt_secret = "{SECRET}"\n[directory]\nsource = "sql"\n{url}\n'

    path = house.config(written(one))
    daemon = await house.start()
    ada = await entered(daemon, nursery, ADA)
    await ada.hear("chat:history", connectionId="crm")
    path.write_text(written(other))
    daemon.send_signal(signal.SIGHUP)
    line = await daemon.event("configuration.reloaded")
    assert (line["changed"], line["needs_restart"]) == (["directory.url"], [])
    await ada.hear("connection:left", connectionId="crm")
    again = await entered(daemon, nursery, ADA)
    status = await again.hear("connection:status", status="connected")
    assert [room["connectionId"] for room in status["rooms"]] == ["sales"]
    path.write_text('[directory]\nsource = "sql"\nurl = "postgresql://ada@[::1/none"\n')
    daemon.send_signal(signal.SIGHUP)
    [mistake] = (await daemon.event("configuration.refused"))["mistakes"]
    assert "directory.url" in mistake
    assert not again.is_gone
    await daemon.stop()
    assert daemon.events("internal.error") == []
    assert PASSWORD not in daemon.err.text + daemon.out.text


async def test_a_database_that_is_away_at_the_start_keeps_nobody_from_the_daemon(
    house: House, nursery: trio.Nursery, tmp_path: Path
) -> None:
    nowhere = f"postgresql://ada:{PASSWORD}@127.0.0.1:1/none"
    env = {
        "CHATD_AUTH__JWT_SECRET": SECRET,
        "CHATD_DIRECTORY__SOURCE": "sql",
        "CHATD_DIRECTORY__URL": nowhere,
    }
    daemon = await house.start(env=env)
    said = (await daemon.event("directory.unavailable"))["reason"]
    assert "127.0.0.1" in said
    with pytest.raises(Refused) as caught:
        await entered(daemon, nursery, ADA)
    assert caught.value.code == "directory_unavailable"
    status, _, _ = await fetch_inside(house.state_dir / "internal.sock", "/livez")
    assert status == 200
    await daemon.stop()
    shown, checked = await house.run_each(["config", "show"], ["config", "check"], env=env)
    check = await house.run("token", "check", env=env, given=token_for(SECRET, ADA, []).encode())
    assert (check.code, check.err.count("\n")) == (1, 1)
    assert "the directory of rooms fails: The database cannot be reached" in check.err
    everything = "".join(one.out + one.err for one in (shown, checked, check)) + daemon.err.text
    assert PASSWORD not in everything


@pytest.mark.parametrize(
    ("url", "words"),
    [
        (f"postgresql://ada:{PASSWORD}@localhost:port/sales", "cannot be read|not read as it is"),
        (f"postgresql://ada:{PASSWORD}@[::1/sales", "cannot be read"),
        (f"user=ada pasword={PASSWORD}", "cannot be read"),
    ],
)
async def test_an_address_that_cannot_be_read_keeps_the_daemon_from_starting(
    house: House, url: str, words: str
) -> None:
    env = {"CHATD_DIRECTORY__SOURCE": "sql", "CHATD_DIRECTORY__URL": url}
    for command in (["serve", "--port", "0"], ["config", "check"]):
        done = await house.run(*command, env=env, within_s=LIMIT_S)
        assert done.code == 78
        assert PASSWORD not in done.err
        assert "directory.url" in done.err


async def test_a_token_is_checked_against_the_database(house: House, postgres: Postgres) -> None:
    rooms = rooms_in(postgres)
    tokens = [token_for(SECRET, user, []).encode() for user in (ADA, BOB, "ada")]
    ada, bob, no_uuid = [
        await house.run("token", "check", env=settings(rooms), given=one) for one in tokens
    ]
    assert "rooms: sales (Sales, owner), crm\n" in ada.out
    assert "rooms: hr (People, owner), sales (Sales, viewer), crm (owner)\n" in bob.out
    assert (no_uuid.code, no_uuid.err.count("token_invalid: ")) == (1, 1)
    assert "sub" in no_uuid.err
