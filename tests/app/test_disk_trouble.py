"""The disk is full, broken or hangs under a real daemon, and is well again.

No acknowledgement is false, what was refused is nowhere, and nobody has to do anything when the
disk is back. `troubled_disk` makes the trouble; once it is the kernel's own, under `chatd` itself.
"""

import json
import resource
import signal
import sys
from collections.abc import Callable
from typing import Any

import pytest
import trio

from tests.app.client import Client, message, token_for
from tests.app.daemon import NO_LIMITS, PAUSE_S, START_S, Daemon, House, fetch, fetch_inside
from tests.app.test_drain import SLACK_S
from tests.app.test_kill import SECRET
from tests.app.troubled_disk import BROKEN, FULL, HANGS, SNAPSHOTS_HANG

TROUBLED = (sys.executable, "-m", "tests.app.troubled_disk", "serve")
HEALTH = "/api/websocket/health"


class Disk:
    """The disk of one daemon, as the test wants it."""

    def __init__(self, house: House) -> None:
        self._path = house.path / "trouble"
        self.be("")
        self.env = {
            **NO_LIMITS,
            "CHATD_AUTH__JWT_SECRET": SECRET,
            "CHATD_ANSWERS__ENABLED": "false",  # it is about the disk of the log
            "TROUBLE": str(self._path),
        }

    def be(self, word: str) -> None:
        fresh = self._path.with_suffix(".new")
        fresh.write_text(word)
        fresh.rename(self._path)


@pytest.fixture
def disk(house: House) -> Disk:
    return Disk(house)


async def health(daemon: Daemon) -> tuple[int, str]:
    status, _, body = await fetch(daemon.port, HEALTH)
    return status, json.loads(body)["status"]


async def health_becomes(daemon: Daemon, expected: tuple[int, str]) -> None:
    with trio.fail_after(START_S):
        while True:
            if await health(daemon) == expected:
                return
            await trio.sleep(PAUSE_S)


async def require_refusal(client: Client, written: dict[str, Any], code: str) -> None:
    """The message is refused to its sender, in the ack and by name."""
    refused = await client.ask("chat:message", written)
    assert not refused["ok"]
    assert (refused["error"]["code"], refused["error"]["retryable"]) == (code, True)
    told = await client.hear("chat:message:error", messageId=written["messageId"])
    assert (told["code"], told["retryable"]) == (code, True)


async def require_no_loss(
    house: House, nursery: trio.Nursery, daemon: Daemon, disk: Disk, expected: list[str]
) -> None:
    """After a kill the room holds the expected ids, in their order, and the store is sound."""
    await daemon.kill()
    again = await house.start(env=disk.env)
    reader = await Client.connect(nursery, again.port, token_for(SECRET, "reader"))
    kept = await reader.whole_room()
    assert [shown["messageId"] for shown in kept] == expected
    assert [shown["seq"] for shown in kept] == list(range(1, len(expected) + 1))
    await again.stop()
    verified = await house.run("store", "verify")
    assert verified.code == 0, verified.out


@pytest.mark.parametrize(("word", "code"), [(FULL, "storage_full"), (BROKEN, "storage_error")])
async def test_a_disk_that_takes_nothing_costs_no_message_and_passes_by_itself(
    house: House, nursery: trio.Nursery, disk: Disk, word: str, code: str
) -> None:
    daemon = await house.start(program=TROUBLED, env=disk.env)
    alice = await Client.connect(nursery, daemon.port, token_for(SECRET, "alice"))
    bob = await Client.connect(nursery, daemon.port, token_for(SECRET, "bob"))
    await bob.hear("chat:history")
    first = await alice.say("before")
    await bob.hear("chat:message", seq=1)
    assert await health(daemon) == (200, "ok")

    disk.be(word)
    written = [message(f"refused {number}") for number in range(3)]
    for one in written:
        await require_refusal(alice, one, code)
    assert await health(daemon) == (503, "degraded")
    asked = await house.run("health", "--url", f"http://127.0.0.1:{daemon.port}")
    assert (asked.code, json.loads(asked.out)["status"]) == (1, "degraded")
    status, _, body = await fetch_inside(house.state_dir / "internal.sock", "/readyz")
    assert (status, [one["code"] for one in json.loads(body)["reasons"]]) == (
        503,
        ["storage_error"],
    )
    refused = await bob.ask("chat:ack", {"messageId": first["messageId"]})
    assert refused["error"]["code"] == code
    assert not alice.said("chat:message:status")
    place = {"messageId": first["messageId"], "connectionId": "demo"}
    changes: list[tuple[str, dict[str, Any]]] = [
        ("chat:message:edit", {**place, "content": "again"}),
        ("chat:message:react", {**place, "emoji": ":done:", "on": True}),
        ("chat:message:delete", place),
    ]
    for event, change in changes:
        assert (await alice.ask(event, change))["error"]["code"] == code
    # Reading goes on, and says nothing of what was refused.
    for client in (alice, bob):
        assert [shown["content"] for shown in await client.whole_room()] == ["before"]
        assert len(client.said("chat:message")) == 1
    assert (await daemon.event("store.failed"))["code"] == code

    disk.be("")
    await health_becomes(daemon, (200, "ok"))
    for seq, one in enumerate(written, 2):
        taken = await alice.ask("chat:message", one)
        assert (taken["ok"], taken["seq"], taken.get("duplicate")) == (True, seq, None)
        again = await alice.ask("chat:message", one)
        assert (again["seq"], again["duplicate"]) == (seq, True)
        assert (await bob.hear("chat:message", seq=seq))["messageId"] == one["messageId"]
    assert (await bob.ask("chat:ack", {"messageId": first["messageId"]}))["ok"]
    await alice.hear("chat:message:status", messageId=first["messageId"])
    assert len(bob.said("chat:message")) == 4
    for rev, (event, change) in enumerate(changes, 1):
        assert (await alice.ask(event, change))["rev"] == rev
    gone = await bob.hear("chat:message:deleted", messageId=first["messageId"])
    assert gone["rev"] == len(changes)
    expected = [first["messageId"], *(one["messageId"] for one in written)]
    await require_no_loss(house, nursery, daemon, disk, expected)


@pytest.mark.parametrize("word", [FULL, BROKEN])
async def test_who_comes_and_goes_while_the_disk_takes_nothing_misses_nothing(
    house: House, nursery: trio.Nursery, disk: Disk, word: str
) -> None:
    daemon = await house.start(program=TROUBLED, env=disk.env)
    alice = await Client.connect(nursery, daemon.port, token_for(SECRET, "alice"))
    bob = await Client.connect(nursery, daemon.port, token_for(SECRET, "bob"))
    await bob.hear("chat:history")
    await alice.say("before")
    await bob.hear("chat:message", seq=1)

    disk.be(word)
    assert not (await alice.say("refused"))["ok"]
    await bob.close()
    carl = await Client.connect(nursery, daemon.port, token_for(SECRET, "carl"))
    history = await carl.hear("chat:history")
    assert [shown["content"] for shown in history["messages"]] == ["before"]

    disk.be("")
    await health_becomes(daemon, (200, "ok"))
    for number in range(60):  # more than a history shows
        assert (await alice.say(f"number {number}"))["ok"]
    await carl.hear("chat:message", seq=61)
    await daemon.kill()
    daemon = await house.start(program=TROUBLED, env=disk.env)
    bob = await Client.connect(nursery, daemon.port, token_for(SECRET, "bob"))
    [room] = (await bob.hear("connection:status"))["rooms"]
    assert room["owed"] == 60
    await bob.hear("chat:message", seq=11, replay=True)
    replayed = [told["seq"] for told in bob.said("chat:message") if told.get("replay")]
    assert replayed == list(range(2, 12))


async def test_a_kill_while_the_disk_is_full_loses_nothing_that_was_acknowledged(
    house: House, nursery: trio.Nursery, disk: Disk
) -> None:
    daemon = await house.start(program=TROUBLED, env=disk.env)
    alice = await Client.connect(nursery, daemon.port, token_for(SECRET, "alice"))
    first = await alice.say("before")
    disk.be(FULL)
    await require_refusal(alice, message("refused"), "storage_full")
    await require_no_loss(house, nursery, daemon, disk, [first["messageId"]])


async def test_a_daemon_with_a_full_disk_stops_in_order(
    house: House, nursery: trio.Nursery, disk: Disk
) -> None:
    daemon = await house.start(program=TROUBLED, env=disk.env)
    alice = await Client.connect(nursery, daemon.port, token_for(SECRET, "alice"))
    await alice.say("before")
    disk.be(FULL)
    await require_refusal(alice, message("refused"), "storage_full")
    began_s = trio.current_time()
    daemon.send_signal(signal.SIGTERM)
    await alice.gone()
    assert alice.said("server:draining")
    assert await daemon.ended() == 0
    assert trio.current_time() - began_s < SLACK_S
    assert any("snapshot" in failed["detail"] for failed in daemon.events("store.failed"))


async def test_a_snapshot_that_finds_no_space_is_told_and_costs_nothing(
    house: House, nursery: trio.Nursery, disk: Disk
) -> None:
    env = {**disk.env, "CHATD_STATE__SNAPSHOT_INTERVAL_S": "0.05"}
    daemon = await house.start(program=TROUBLED, env=env)
    alice = await Client.connect(nursery, daemon.port, token_for(SECRET, "alice"))
    disk.be(FULL)
    await daemon.err.having(r'"event":"store\.failed".*snapshot')
    disk.be("")
    first = await alice.say("after")
    assert first["ok"]
    await require_no_loss(house, nursery, daemon, disk, [first["messageId"]])
    assert not daemon.events("actor.crashed")


@pytest.mark.parametrize("word", [HANGS, SNAPSHOTS_HANG])
async def test_a_disk_that_hangs_does_not_stretch_the_drain(
    house: House, nursery: trio.Nursery, disk: Disk, word: str
) -> None:
    bound_s = 6.0  # in which the clients are told, whatever the machine
    env = {
        **disk.env,
        "CHATD_SERVER__DRAIN_TIMEOUT_S": str(bound_s),
        "CHATD_STATE__SNAPSHOT_INTERVAL_S": "0.05",
    }
    daemon = await house.start(program=TROUBLED, env=env)
    alice = await Client.connect(nursery, daemon.port, token_for(SECRET, "alice"))
    expected = [(await alice.say("before"))["messageId"]]
    disk.be(word)
    if word == SNAPSHOTS_HANG:
        expected.append((await alice.say("the log is well"))["messageId"])
    else:
        await alice.emit("chat:message", message("never to be stored"))
    began_s = trio.current_time()
    daemon.send_signal(signal.SIGTERM)
    await alice.gone()
    assert alice.said("server:draining")
    assert await daemon.ended() == 1
    assert trio.current_time() - began_s > bound_s * 0.5
    assert daemon.events("daemon.stopped")[0]["clean"] is False
    disk.be("")
    again = await house.start(env=disk.env)
    await require_no_loss(house, nursery, again, disk, expected)


async def test_an_error_of_the_kernel_is_met_in_the_same_way(
    house: House, nursery: trio.Nursery, disk: Disk
) -> None:
    """`chatd` itself, whose files may not be written to beyond their first byte for a while."""
    daemon = await house.start(env=disk.env)
    allow_files_of(daemon, lambda hard: hard)
    alice = await Client.connect(nursery, daemon.port, token_for(SECRET, "alice"))
    first = await alice.say("before")
    allow_files_of(daemon, lambda _: 1)
    written = message("refused at first")
    await require_refusal(alice, written, "storage_error")
    assert await health(daemon) == (503, "degraded")
    assert [shown["seq"] for shown in await alice.whole_room()] == [1]
    allow_files_of(daemon, lambda hard: hard)
    await health_becomes(daemon, (200, "ok"))
    taken = await alice.ask("chat:message", written)
    assert (taken["ok"], taken["seq"], taken.get("duplicate")) == (True, 2, None)
    await require_no_loss(house, nursery, daemon, disk, [first["messageId"], written["messageId"]])


def allow_files_of(daemon: Daemon, size: Callable[[int], int]) -> None:
    """Set how large a file of the daemon may be; `size` is told the most that can be set."""
    pid = daemon.process.pid
    _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size(hard), hard))
