"""`chatd store` beside a running daemon: verify, back up, restore (docs/operations, "Backup")."""

import os
import sqlite3

import trio

from tests.app.client import Client, token_for
from tests.app.daemon import NO_LIMITS, House
from tests.app.test_errors import sentence
from tests.app.test_kill import ROOMS, SECRET, Flood, flood

ENV = {**NO_LIMITS, "CHATD_AUTH__JWT_SECRET": SECRET, "CHATD_STATE__SNAPSHOT_INTERVAL_S": "0.05"}


async def test_a_daemon_under_load_is_verified_and_backed_up(
    house: House, nursery: trio.Nursery
) -> None:
    house.state_dir.mkdir(mode=0o700, parents=True)
    (house.state_dir / "revocations.json").write_text('{"everybody": null, "users": {}}')
    daemon = await house.start(env=ENV)
    what = Flood()
    async with trio.open_nursery() as flooding:
        await flood(daemon.port, what, flooding)
        await what.reached(200)
        before = {room: dict(what.acked[room]) for room in ROOMS}
        verified, made = await house.run_each(
            ("store", "verify"), ("store", "backup", "monday"), within_s=60
        )
        after = what.count
        await what.reached(after + 100)  # it went on all the time
        flooding.cancel_scope.cancel()
    assert (verified.code, verified.err) == (0, "")
    assert f"The store {house.state_dir} is sound: " in verified.out.splitlines()[-1]
    assert made.code == 0, made.err
    assert "Neither the configuration nor its secrets" in made.out.splitlines()[-1]
    assert f"so keep copies yourself, from {house.state_dir}: revocations.json." in made.out
    await daemon.stop()

    put_back = await house.run("store", "restore", "monday", "--state-dir", "other")
    assert "What was erased after the backup was made is there again" in put_back.out
    assert "There is no revocations.json in " in put_back.out
    restored = await house.start("--state-dir", "other", env=ENV)
    reader = await Client.connect(nursery, restored.port, token_for(SECRET, "reader", ROOMS))
    for room in ROOMS:
        kept = await reader.whole_room(room)
        assert [shown["seq"] for shown in kept] == list(range(1, len(kept) + 1))
        found = {shown["seq"]: shown["messageId"] for shown in kept}
        assert before[room].items() <= found.items()
    await restored.stop()


async def test_clients_start_over_from_what_is_restored(
    house: House, nursery: trio.Nursery
) -> None:
    daemon = await house.start(env=ENV)
    token = token_for(SECRET, "alice")
    alice = await Client.connect(nursery, daemon.port, token)
    old = (await alice.hear("connection:status"))["epoch"]
    first, second = await alice.say("one"), await alice.say("two")
    assert (await house.run("store", "backup", "monday")).code == 0
    lost = await alice.say("three")
    refused = sentence(await house.run("store", "restore", "monday"), 1)
    assert f"in use by another chatd (process {daemon.process.pid})" in refused
    assert (await alice.say("four"))["seq"] == 4
    await daemon.stop()

    done = await house.run("store", "restore", "monday")
    assert (done.code, done.err) == (0, "")
    [replaced] = house.state_dir.glob("replaced-*")
    assert str(replaced) in done.out
    assert "log.sqlite3" in os.listdir(replaced)
    assert any(name.startswith("snapshot-") for name in os.listdir(replaced))
    verified = await house.run("store", "verify")
    assert (verified.code, "2 messages, 1 room, 1 member," in verified.out) == (0, True)

    daemon = await house.start(env=ENV)
    since = {"demo": 4}
    alice = await Client.connect(nursery, daemon.port, token, since=since, epoch=old)
    status = await alice.hear("connection:status")
    assert status["epoch"] != old
    assert status["rooms"][0]["lastSeq"] == 2
    history = await alice.hear("chat:history")
    assert history["reset"] is True
    assert [it["messageId"] for it in history["messages"]] == [
        first["messageId"],
        second["messageId"],
    ]
    # What the backup did not know can be sent again; what it knows is a repetition.
    assert (await alice.say("three", message_id=lost["messageId"]))["seq"] == 3
    again = await alice.say("one", message_id=first["messageId"])
    assert (again["seq"], again["duplicate"]) == (1, True)
    # A client of the new epoch goes on without a reset.
    bob = await Client.connect(
        nursery, daemon.port, token_for(SECRET, "bob"), since={"demo": 2}, epoch=status["epoch"]
    )
    history = await bob.hear("chat:history")
    assert "reset" not in history
    assert [it["seq"] for it in history["messages"]] == [3]
    await daemon.kill()
    await (await house.start(env=ENV)).stop()
    assert (await house.run("store", "verify")).code == 0


async def test_what_is_wrong_with_a_store_is_told_by_exit_code_and_sentence(house: House) -> None:
    assert f"no log in {house.state_dir}" in sentence(await house.run("store", "verify"), 1)
    await (await house.start(env=ENV)).stop()
    path = house.state_dir / "log.sqlite3"
    connection = sqlite3.connect(path)
    connection.execute("INSERT INTO rooms (room_id, connection_id) VALUES (1, 'demo')")
    connection.execute("UPDATE rooms SET forgotten_seq = -4")
    connection.commit()
    connection.close()
    damaged, backup, restore, config, usage = await house.run_each(
        ("store", "verify"),
        ("store", "backup", str(path)),
        ("store", "restore", "nowhere"),
        ("store", "verify", "--config", "nowhere.toml"),
        ("store", "backup"),
    )
    assert (damaged.code, damaged.err) == (74, "")
    told = damaged.out.splitlines()
    assert told[0] == "Room 'demo' is said to have forgotten seq -4."
    assert told[-1] == f"The store {house.state_dir} is damaged: 1 fault."
    assert "is there already" in sentence(backup, 1)
    assert "There is no backup at nowhere" in sentence(restore, 1)
    sentence(config, 78)
    assert usage.code == 2
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    assert "newer chatd" in sentence(await house.run("store", "verify"), 1)
    path.write_bytes(b"")
    empty, restore = await house.run_each(("store", "verify"), ("store", "restore", str(path)))
    assert empty.code == 74
    assert "The backup" in sentence(restore, 74)


async def test_a_path_that_leads_nowhere_is_told_by_what_is_missing_of_it(house: House) -> None:
    await (await house.start()).stop()
    here = house.path
    (here / "file").write_text("no log")
    (here / "empty").mkdir()
    commands = {
        ("backup", "no/such/folder/monday"): (
            f"The backup no/such/folder/monday was not made: the folder {here}/no does not exist; "
            "make that folder, or name another one."
        ),
        ("backup", "file/monday"): (
            f"The backup file/monday was not made: {here}/file is a file, not a folder; "
            "make that folder, or name another one."
        ),
        ("backup", "empty"): "empty is there already; a backup replaces nothing.",
        ("backup", "x", "--state-dir", "no/such"): (
            f"There is no log in {here}/no/such, and nothing to back up: the folder {here}/no does "
            "not exist; name the daemon's state directory with --state-dir."
        ),
        ("verify", "--state-dir", "file"): (
            f"There is no log in {here}/file, and nothing to verify: {here}/file is a file, not a "
            "folder; name the daemon's state directory with --state-dir."
        ),
        ("verify", "--state-dir", "empty"): f"There is no log in {here}/empty: nothing to verify.",
        ("restore", "no/monday"): (
            f"There is no backup at no/monday: the folder {here}/no does not exist."
        ),
        ("restore", "monday"): "There is no backup at monday: that file does not exist.",
        ("restore", "empty"): "There is no backup at empty: it is a directory, not a file.",
        ("restore", f"{house.state_dir}/log.sqlite3", "--state-dir", "file"): (
            f"{here}/file cannot be used: Not a directory. The state directory must be a directory "
            "that chatd may write to, on a disk with space left, and what is in it must be files."
        ),
    }
    each = await house.run_each(*(("store", *command) for command in commands))
    for done, said in zip(each, commands.values(), strict=True):
        assert sentence(done, 1) == f"chatd: {said}"
    assert sorted(path.name for path in here.iterdir()) == ["empty", "file", "state"]
