"""`chatd user` and `chatd room` beside a running daemon, and instead of one that was killed."""

import json
from pathlib import Path
from typing import Any

import trio

from tests.app.client import Client, message, token_for
from tests.app.daemon import NO_LIMITS, PAUSE_S, House
from tests.app.test_errors import sentence
from tests.app.test_kill import SECRET
from tests.store.whole_files import whole_files

ENV = {**NO_LIMITS, "CHATD_AUTH__JWT_SECRET": SECRET, "CHATD_STATE__SNAPSHOT_INTERVAL_S": "0.2"}
WORD = "quincejam"


def files_with(house: House, word: str) -> list[str]:
    """The files of the state directory in which a word stands."""
    files = whole_files(house.state_dir)
    return [name for name, content in files.items() if word.encode() in content]


async def exported(house: House, *arguments: str) -> list[dict[str, Any]]:
    done = await house.run(*arguments, "out.ndjson")
    assert (done.code, done.err) == (0, ""), done
    path = house.path / "out.ndjson"
    assert path.stat().st_mode & 0o777 == 0o600
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    path.unlink()
    assert done.out.split()[2] == str(len(lines))
    return lines


async def test_what_is_known_of_a_user_is_given_out_and_erased_while_the_daemon_runs(
    house: House, nursery: trio.Nursery
) -> None:
    daemon = await house.start(env=ENV)
    eve = await Client.connect(nursery, daemon.port, token_for(SECRET, "eve"))
    bob = await Client.connect(nursery, daemon.port, token_for(SECRET, "bob"))
    await eve.hear("chat:history")
    await bob.hear("chat:history")
    for number in range(20):
        await eve.say(f"{WORD} {number}")
    await bob.say("marmalade")
    known = await exported(house, "user", "export", "eve")
    assert known[0]["id"] == "eve"
    said = [line["content"] for line in known if line["kind"] == "message"]
    assert said == [f"{WORD} {number}" for number in range(20)]
    assert [line["connectionId"] for line in known if line["kind"] == "membership"] == ["demo"]
    assert files_with(house, WORD)

    declined = await house.run("user", "erase", "eve", given=b"n\n")
    assert (declined.code, "nothing was done" in declined.err) == (1, True)
    done = await house.run("user", "erase", "eve", "--yes")
    assert (done.code, done.err) == (0, ""), done
    assert done.out.startswith(
        "eve is erased: 20 messages (answers among them), 0 reactions, 1 membership."
    )
    assert "Backups hold it still" in done.out
    again = await house.run("user", "erase", "eve", "--yes")
    assert again.out == (
        "Nothing is known of eve, so nothing was erased. "
        "Is it the id (`sub` of the token, `chatd admin users`), and not the name?\n"
    ), again
    nowhere = await house.run("room", "delete", "nowhere", "--yes")
    assert nowhere.out == (
        "There was nothing in nowhere, so nothing was deleted. "
        "Is it the connectionId (`chatd admin rooms`), and not the title?\n"
    ), nowhere
    outcomes = [one["outcome"] for one in await daemon.events_of("admin.acted", 3)]
    assert outcomes == ["done", "nothing", "nothing"]
    assert files_with(house, WORD) == []
    await eve.gone()
    await bob.hear("chat:message:deleted", seq=20)
    kept = await bob.whole_room()
    assert [one["seq"] for one in kept] == list(range(1, 22))
    assert [one["content"] for one in kept if one["content"]] == ["marmalade"]
    assert {line["kind"] for line in await exported(house, "user", "export", "eve")} == {
        "user",
        "audit",
    }
    assert (await house.run("store", "verify")).code == 0
    assert WORD not in daemon.err.text
    await daemon.stop()


async def test_an_erasure_that_is_killed_is_finished_by_the_next_start(
    house: House, nursery: trio.Nursery
) -> None:
    daemon = await house.start(env=ENV)
    eve = await Client.connect(nursery, daemon.port, token_for(SECRET, "eve"))
    for number in range(300):
        await eve.ask("chat:message", message(f"{WORD} {number}"))
    is_over = trio.Event()

    async def erase() -> None:
        done = await house.run("user", "erase", "eve", "--yes")
        assert (done.code, "eve is erased: " in done.out) == (0, True), done
        is_over.set()

    async with trio.open_nursery() as erasing:
        erasing.start_soon(erase)
        while not await _has_begun(house) and not is_over.is_set():  # noqa: ASYNC110 - of a process
            await trio.sleep(PAUSE_S)
        await daemon.kill()
    assert (await house.run("store", "verify")).code == 0  # whatever it has come to
    again = await house.start(env=ENV)
    assert files_with(house, WORD) == []
    bob = await Client.connect(nursery, again.port, token_for(SECRET, "bob"))
    assert [one["content"] for one in await bob.whole_room()] == [""] * 300
    await again.stop()
    assert (await house.run("store", "verify")).code == 0


async def _has_begun(house: House) -> bool:
    found = await trio.to_thread.run_sync(
        lambda: b"erase_user" in Path(house.state_dir / "log.sqlite3-wal").read_bytes()
    )
    return bool(found)


async def test_a_room_is_given_out_and_deleted_where_no_daemon_runs(
    house: House, nursery: trio.Nursery
) -> None:
    daemon = await house.start(env=ENV)
    eve = await Client.connect(nursery, daemon.port, token_for(SECRET, "eve", ["demo", "other"]))
    await eve.say(WORD)
    await eve.say("chutney", room="other")
    await daemon.kill()
    known = await exported(house, "room", "export", "demo")
    assert [line["content"] for line in known if line["kind"] == "message"] == [WORD]
    done = await house.run("room", "delete", "demo", "--yes", env=ENV)
    assert (done.code, done.err) == (0, ""), done
    assert done.out.startswith("demo is empty. Deleted: 1 message and 1 membership.")
    assert files_with(house, WORD) == []
    assert files_with(house, "chutney")
    again = await house.start(env=ENV)
    eve = await Client.connect(nursery, again.port, token_for(SECRET, "eve", ["demo"]))
    assert await eve.whole_room() == []
    assert (await eve.say("anew"))["seq"] == 2
    await again.stop()


async def test_who_is_not_known_is_exported_to_no_file(house: House) -> None:
    daemon = await house.start(env=ENV)
    for kind, asked in (
        ("user", "Is it the id (`sub` of the token, `chatd admin users`), and not the name?"),
        ("room", "Is it the connectionId (`chatd admin rooms`), and not the title?"),
    ):
        said = sentence(await house.run(kind, "export", "Typo", "out"), 1)
        assert "of Typo, so out was not made. " in said
        assert said.endswith(asked)
        assert not list(house.path.glob("out*"))
    (house.path / "out").write_text("mine")
    assert "replaces nothing" in sentence(await house.run("user", "export", "Typo", "out"), 1)
    assert (house.path / "out").read_text() == "mine"
    await daemon.stop()


async def test_what_cannot_be_done_is_told_in_a_sentence(house: House) -> None:
    nowhere = await house.run("user", "erase", "eve", "--yes", "--state-dir", "nowhere")
    assert "there is no state directory" in sentence(nowhere, 1)
    assert "nothing to export" in sentence(await house.run("user", "export", "eve", "out"), 1)
    env = {**ENV, "CHATD_SERVER__INTERNAL": "127.0.0.1:0"}
    daemon = await house.start(env=env)
    locked = await house.run("user", "erase", "eve", "--yes", env=env)
    assert "is in use by another chatd" in sentence(locked, 1)
    (house.path / "out").write_text("")
    assert "replaces nothing" in sentence(await house.run("user", "export", "eve", "out"), 1)
    await daemon.stop()
    database = await house.run("user", "erase", "db:sample", "--yes")
    assert "is a database, and no user" in sentence(database, 1)
