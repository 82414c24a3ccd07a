"""What the disk, or somebody, does to the state directory: the real daemon says it, and what it
acknowledges is found again.

Each test here ends what it starts; the daemons listen on ports of their own.
"""

import json
import os
import shutil
import signal
import socket
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import trio

from chatd.store.log_file import LOG_NAME
from tests.app.client import Client, token_for
from tests.app.daemon import NO_LIMITS, House, fetch, fetch_inside
from tests.app.test_disk_trouble import health, health_becomes
from tests.app.test_kill import SECRET

ENV = {**NO_LIMITS, "CHATD_AUTH__JWT_SECRET": SECRET, "CHATD_ANSWERS__ENABLED": "false"}
WORDS = "the words of a row"


async def reasons(house: House) -> tuple[int, list[str]]:
    status, _, body = await fetch_inside(house.state_dir / "internal.sock", "/readyz")
    return status, [one["code"] for one in json.loads(body)["reasons"]]


async def test_acknowledged_messages_that_a_lost_wal_held_are_told_of_and_reset_the_clients(
    house: House, nursery: trio.Nursery
) -> None:
    daemon = await house.start(env=ENV)
    alice = await Client.connect(nursery, daemon.port, token_for(SECRET, "alice"))
    epoch = (await alice.hear("connection:status"))["epoch"]
    for number in range(12):
        assert (await alice.say(f"message {number}"))["ok"]
    await daemon.kill()
    (house.state_dir / f"{LOG_NAME}-wal").unlink()
    verified = await house.run("store", "verify")
    assert verified.code == 74
    assert "12 messages among them" in verified.out

    daemon = await house.start(env=ENV)
    lost = await daemon.event("store.lost")
    assert (lost["kind"], lost["messages"], lost["proof"]) == ("end", 12, f"{LOG_NAME}.mark")
    assert lost["detail"].split(";")[0] in verified.out
    token = token_for(SECRET, "alice")
    # Its place is taken again meanwhile: only the epoch tells it from what the client knows.
    bob = await Client.connect(nursery, daemon.port, token_for(SECRET, "bob"))
    for number in range(12):
        await bob.say(f"another {number}")
    again = await Client.connect(nursery, daemon.port, token, since={"demo": 12}, epoch=epoch)
    assert (await again.hear("connection:status"))["epoch"] != epoch
    history = await again.hear("chat:history")
    assert history["reset"]
    assert [one["content"] for one in history["messages"]] == [f"another {n}" for n in range(12)]
    await daemon.kill()
    daemon = await house.start(env=ENV)
    assert not daemon.events("store.lost")
    await daemon.stop()
    assert (await house.run("store", "verify")).code == 0


async def test_nothing_is_acknowledged_while_the_state_directory_is_away(
    house: House, nursery: trio.Nursery
) -> None:
    daemon = await house.start(env=ENV)
    alice = await Client.connect(nursery, daemon.port, token_for(SECRET, "alice"))
    assert (await alice.say("before"))["ok"]
    away = house.state_dir.with_name("away")
    house.state_dir.rename(away)
    refused = await alice.say("into nothing")
    assert (refused["ok"], refused["error"]["code"]) == (False, "storage_error")
    displaced = await daemon.event("store.displaced")
    assert LOG_NAME in displaced["detail"]
    assert await health(daemon) == (503, "degraded")
    second = await house.begin(env=ENV)
    assert await second.ended() == 1
    assert "in use by another chatd" in second.err.text
    restored = await house.run("store", "restore", str(away / LOG_NAME))
    assert restored.code == 1
    assert "in use by another chatd" in restored.err

    shutil.rmtree(house.state_dir)  # the second one had made it
    away.rename(house.state_dir)
    await health_becomes(daemon, (200, "ok"))
    await daemon.event("store.returned")
    assert (await alice.say("after"))["seq"] == 2
    assert [one["content"] for one in await alice.whole_room()] == ["before", "after"]
    await daemon.stop()


async def test_a_wal_that_was_away_for_a_while_is_gone_on_with(
    house: House, nursery: trio.Nursery
) -> None:
    daemon = await house.start(env=ENV)
    alice = await Client.connect(nursery, daemon.port, token_for(SECRET, "alice"))
    assert (await alice.say("before"))["ok"]
    wal = house.state_dir / f"{LOG_NAME}-wal"
    away = wal.with_name("away")
    wal.rename(away)
    for _ in range(2):
        refused = await alice.say("into nothing")
        assert (refused["ok"], refused["error"]["code"]) == (False, "storage_error")
    await daemon.event("store.displaced")
    away.rename(wal)
    await daemon.event("store.returned")
    assert [(await alice.say(f"after {number}"))["seq"] for number in range(3)] == [2, 3, 4]
    shown = [one["content"] for one in await alice.whole_room()]
    assert shown == ["before", "after 0", "after 1", "after 2"]
    assert not daemon.events("actor.crashed")
    await daemon.stop()


def cut_to_nothing(wal: Path) -> None:
    os.truncate(wal, 0)


def cut_to_half(wal: Path) -> None:
    os.truncate(wal, wal.stat().st_size // 2)


def overwrite(wal: Path) -> None:
    with wal.open("r+b") as file:
        file.write(bytes(wal.stat().st_size))


@pytest.mark.parametrize("harm_of", [cut_to_nothing, cut_to_half, overwrite])
async def test_a_wal_that_was_cut_takes_no_message_and_its_loss_is_told_at_the_next_start(
    house: House, nursery: trio.Nursery, harm_of: Callable[[Path], None]
) -> None:
    daemon = await house.start(env=ENV)
    alice = await Client.connect(nursery, daemon.port, token_for(SECRET, "alice"))
    for number in range(3):
        assert (await alice.say(f"before {number}"))["ok"]
    harm_of(house.state_dir / f"{LOG_NAME}-wal")
    await daemon.event("store.displaced")
    refused = await alice.say("into nothing")
    assert (refused["ok"], refused["error"]["code"]) == (False, "storage_error")
    daemon.send_signal(signal.SIGTERM)
    assert await daemon.ended() == 1
    assert daemon.events("daemon.stopped")[0]["clean"] is False
    again = await house.start(env=ENV)
    assert again.events("store.lost")
    bob = await Client.connect(nursery, again.port, token_for(SECRET, "bob"))
    assert (await bob.say("after"))["ok"]
    await again.stop()


async def test_a_deleted_log_is_noticed_where_nobody_writes_and_the_daemon_still_ends_in_time(
    house: House, nursery: trio.Nursery
) -> None:
    daemon = await house.start(env=ENV)
    alice = await Client.connect(nursery, daemon.port, token_for(SECRET, "alice"))
    await alice.say("before")
    (house.state_dir / LOG_NAME).unlink()
    await daemon.event("store.displaced")
    assert await reasons(house) == (503, ["storage_error"])
    await daemon.stop()


async def test_a_deleted_lock_is_made_again_and_keeps_others_away(
    house: House, nursery: trio.Nursery
) -> None:
    daemon = await house.start(env=ENV)
    lock = house.state_dir / "lock"
    lock.unlink()
    second = await house.begin(env=ENV)
    assert await second.ended() == 1
    assert "in use by another chatd" in second.err.text
    await daemon.event("file.renewed")
    assert lock.exists()
    assert await health(daemon) == (200, "ok")
    await daemon.stop()


async def test_a_mark_that_was_deleted_is_made_again_and_still_proves_a_loss(
    house: House, nursery: trio.Nursery
) -> None:
    daemon = await house.start(env=ENV)
    alice = await Client.connect(nursery, daemon.port, token_for(SECRET, "alice"))
    await alice.say("before")
    (house.state_dir / f"{LOG_NAME}.mark").unlink()
    assert (await daemon.event("file.renewed"))["file"] == f"{LOG_NAME}.mark"
    await alice.say("after")
    daemon.process.kill()
    await daemon.ended()
    (house.state_dir / f"{LOG_NAME}-wal").unlink()
    again = await house.start(env=ENV)
    assert again.events("store.lost")[0]["messages"] == 2
    await again.stop()


def harm(house: House, *statements: str) -> None:
    connection = sqlite3.connect(house.state_dir / LOG_NAME, isolation_level=None)
    for statement in statements:
        connection.execute(statement)
    connection.close()


def broken_text() -> str:
    return f"CAST(X'{WORDS.encode().hex()}FF' AS TEXT)"


async def test_a_broken_row_is_shown_as_such_and_told_without_its_words(
    house: House, nursery: trio.Nursery
) -> None:
    daemon = await house.start(env=ENV)
    alice = await Client.connect(nursery, daemon.port, token_for(SECRET, "alice"))
    for number in range(60):
        await alice.say(f"message {number}")
    await daemon.stop()
    harm(house, f"UPDATE messages SET content = {broken_text()} WHERE seq IN (1, 30)")

    daemon = await house.start(env=ENV)
    assert daemon.events("store.damaged")  # the first lies among what a start looks at
    alice = await Client.connect(nursery, daemon.port, token_for(SECRET, "alice"))
    shown = await alice.whole_room()
    assert [one["seq"] for one in shown] == list(range(1, 61))
    damaged = [one for one in shown if one["status"] == "damaged"]
    assert [one["seq"] for one in damaged] == [1, 30]
    assert all(one["content"] == one["error"] for one in damaged)
    assert {one["userId"] for one in damaged} == {"alice"}
    assert await health(daemon) == (503, "degraded")
    assert await reasons(house) == (200, ["storage_damaged"])
    assert (await alice.say("it goes on"))["seq"] == 61
    await daemon.stop()
    places = [(one["connection_id"], one["seq"]) for one in daemon.events("store.damaged")]
    assert sorted(places) == [("demo", 1), ("demo", 30)]
    assert WORDS not in daemon.err.text + daemon.out.text
    verified = await house.run("store", "verify")
    assert verified.code == 74
    assert WORDS not in verified.out + verified.err


async def test_a_start_that_finds_no_way_to_serve_says_so_without_the_words_of_a_row(
    house: House, nursery: trio.Nursery
) -> None:
    daemon = await house.start(env=ENV)
    await daemon.stop()
    harm(
        house,
        f"INSERT INTO rooms (connection_id, room_id) VALUES ({broken_text()}, 1)",
    )
    daemon = await house.begin(env=ENV)
    assert await daemon.ended() == 74
    assert "is damaged" in daemon.err.text
    assert WORDS not in daemon.err.text


async def test_a_fault_that_nobody_caught_is_shown_without_its_words(house: House) -> None:
    fault = f"from chatd.cli import options; options.hide_words_of_exceptions(); {{}}[{WORDS!r}]"
    done = await house.run("-c", fault, program=(sys.executable,))
    assert done.code == 1
    assert "KeyError" in done.err
    assert WORDS not in done.err


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def make_directory(path: Path) -> None:
    path.mkdir()


def make_loop(path: Path) -> None:
    path.symlink_to(path)


def make_socket(path: Path) -> None:
    directory = os.open(path.parent, os.O_PATH)  # the path may be longer than that of a socket
    try:
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(f"/proc/self/fd/{directory}/{path.name}")
    finally:
        os.close(directory)


@pytest.mark.parametrize("make", [make_pipe, make_directory, make_loop, make_socket])
async def test_a_start_never_hangs_at_what_is_no_file(
    house: House, make: Callable[[Path], None]
) -> None:
    """One start for each file, one beside the other; the snapshot alone can be done without."""
    expected = {
        LOG_NAME: 1,
        f"{LOG_NAME}-wal": 1,
        f"{LOG_NAME}.mark": 1,
        "lock": 1,
        "jwt-secret": 1 if make is make_loop else 78,
        "chatd.toml": 78,
    }
    ended: dict[str, int] = {}

    async def one(name: str) -> None:
        state = house.path / f"of {name}"
        state.mkdir()
        make(state / name)
        config = ("--config", str(state / name)) if name == "chatd.toml" else ()
        daemon = await house.begin("--state-dir", str(state), *config)
        ended[name] = await daemon.ended()
        assert "chatd: " in daemon.err.text

    async with trio.open_nursery() as nursery:
        for name in expected:
            nursery.start_soon(one, name)
    assert ended == expected


async def test_a_snapshot_that_is_none_is_passed_over_and_told(house: House) -> None:
    daemon = await house.start(env=ENV)
    await daemon.stop()
    [whole] = house.state_dir.glob("snapshot-*")
    whole.write_bytes(whole.read_bytes()[:-1])
    pipe = house.state_dir / "snapshot-00000000000000000000-1.chatd"
    os.mkfifo(pipe)
    daemon = await house.start(env=ENV)
    told = {one["name"]: one["reason"] for one in daemon.events("snapshot.unusable")}
    assert told == {whole.name: "damaged", pipe.name: "unreadable"}
    assert await health(daemon) == (200, "ok")
    status, _, _ = await fetch(daemon.port, "/api/websocket/health")
    assert status == 200
    await daemon.stop()


async def test_a_snapshot_of_an_earlier_version_is_no_trouble(
    house: House, nursery: trio.Nursery
) -> None:
    daemon = await house.start(env=ENV)
    alice = await Client.connect(nursery, daemon.port, token_for(SECRET, "alice"))
    assert (await alice.say("before the update"))["ok"]
    await daemon.stop()
    [snapshot] = house.state_dir.glob("snapshot-*")
    snapshot.write_bytes(b"\x89chatd\r\n\0\1" + bytes(73))
    verified = await house.run("store", "verify")
    assert (verified.code, "earlier chatd" in verified.out) == (0, True)
    daemon = await house.start(env=ENV)
    assert [one["name"] for one in daemon.events("snapshot.outdated")] == [snapshot.name]
    # The time that ages go by is known from the message.
    assert not daemon.events("snapshot.unusable") + daemon.events("clock.doubted")
    assert await health(daemon) == (200, "ok")
    await daemon.stop()
    daemon = await house.start(env=ENV)
    assert not daemon.events("snapshot.outdated")
    await daemon.stop()
