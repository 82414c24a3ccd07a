"""The internal listener of a real daemon: where it is, who may reach it, what it says."""

import json
import os
import re
import stat
import sys
from pathlib import Path
from typing import Any

import pytest
import trio
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from chatd.net.http.internal import HEAD_S
from tests.app.client import Client, token_for
from tests.app.daemon import PAUSE_S, START_S, Daemon, House, fetch, fetch_inside
from tests.cli import operations_tables
from tests.observe.promtool import promtool
from tests.processes import open_files

SECRET = "a secret for the tests, of more than 32 bytes"
QUIET = {"CHATD_AUTH__JWT_SECRET": SECRET, "CHATD_ANSWERS__ENABLED": "false"}


async def readiness(place: Path) -> tuple[int, Any]:
    status, _, body = await fetch_inside(place, "/readyz")
    return status, json.loads(body)


def samples(text: bytes) -> dict[tuple[str, ...], float]:
    """Every sample of the metrics by its name and the values of its labels."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def samples_of(text: bytes, name: str) -> list[Sample]:
    """The samples of one metric."""
    return [
        sample
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
        if sample.name == name
    ]


async def metrics(place: Path) -> dict[tuple[str, ...], float]:
    status, headers, body = await fetch_inside(place, "/metrics")
    assert status == 200
    assert headers["content-type"].startswith("text/plain; version=0.0.4")
    return samples(body)


async def test_it_is_a_private_socket_in_the_state_directory_and_not_on_the_port(
    house: House,
) -> None:
    daemon = await house.start(env=QUIET)
    place = house.state_dir / "internal.sock"
    assert daemon.events("daemon.started")[0]["internal"] == str(place)
    mode = place.stat().st_mode
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600
    assert await readiness(place) == (200, {"status": "ready", "reasons": []})
    assert (await fetch_inside(place, "/livez"))[0] == 200
    assert (await metrics(place))[("chatd_ready",)] == 1
    for path in ("/livez", "/readyz", "/metrics"):
        assert (await fetch(daemon.port, path))[0] == 404
    await daemon.stop()
    assert not place.exists()


async def test_a_scrape_has_what_is_described_each_with_its_labels_and_no_other(
    house: House,
) -> None:
    daemon = await house.start(env=QUIET)
    _, _, body = await fetch_inside(house.state_dir / "internal.sock", "/metrics")
    known = {one.name: one for one in operations_tables.metrics()}
    found = set()
    for family in text_string_to_metric_families(body.decode()):
        assert family.documentation
        if family.name.startswith("process_"):
            continue
        one = known[f"{family.name}_total" if family.type == "counter" else family.name]
        found.add(one.name)
        assert (family.type, family.documentation) == (one.kind, one.doc)
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        assert labels <= set(one.labels)
    assert found == known.keys()
    assert promtool("check", "metrics", given=body) == ""
    build = samples_of(body, "chatd_build_info")[0].labels
    assert build["version"] == daemon.events("daemon.started")[0]["version"]
    assert samples_of(body, "process_start_time_seconds")


async def test_readiness_can_be_read_without_a_tool(house: House) -> None:
    await house.start(env={**QUIET, "CHATD_STATE__MIN_FREE_BYTES": str(2**50)})
    place = house.state_dir / "internal.sock"
    with trio.fail_after(START_S):
        while (await readiness(place))[1]["status"] == "ready":  # noqa: ASYNC110 - of a process
            await trio.sleep(PAUSE_S)
    status, headers, body = await fetch_inside(place, "/readyz", (("Accept", "text/plain"),))
    assert (status, headers["content-type"]) == (200, "text/plain; charset=utf-8")
    first, second = body.decode().splitlines()
    assert first == "degraded"
    assert re.fullmatch(r"disk_low: [\d,]+ MiB are free on the disk of .*: make room\.", second)


async def test_times_are_histograms_of_a_daemon_at_work(
    house: House, nursery: trio.Nursery
) -> None:
    daemon = await house.start(env=QUIET)
    place = house.state_dir / "internal.sock"
    alice = await Client.connect(nursery, daemon.port, token_for(SECRET, "alice"))
    before = await metrics(place)
    for number in range(5):
        await alice.say(f"message {number}")
    with trio.fail_after(START_S):
        while (await metrics(place))[("chatd_loop_lag_seconds_count",)] < 2:  # noqa: ASYNC110 - of a process
            await trio.sleep(PAUSE_S)
    _, _, body = await fetch_inside(place, "/metrics")
    after = samples(body)
    for name in ("ack_seconds", "batch_commands", "commit_seconds", "sync_seconds"):
        assert after[f"chatd_{name}_count",] >= before[f"chatd_{name}_count",] + 5
    parts = ("ack_seconds", "commit_seconds", "sync_seconds")
    sums = [after[f"chatd_{name}_sum",] for name in parts]
    assert sums == sorted(sums, reverse=True)
    assert after[("chatd_message_stored_seconds_count",)] == 5
    assert after[("chatd_message_delivered_seconds_count",)] == 5
    stored_s = after[("chatd_message_stored_seconds_sum",)]
    assert 0 < stored_s <= after[("chatd_message_delivered_seconds_sum",)]
    assert after[("chatd_handshake_seconds_count",)] == 1
    assert after["chatd_condition", "storage_error"] == 0
    assert 0 < after[("chatd_disk_free_bytes",)] <= after[("chatd_disk_size_bytes",)]
    assert after[("chatd_connections",)] == 1 < after[("chatd_connections_limit",)]
    assert after[("chatd_tasks",)] > 10
    assert after[("chatd_log_lines_lost_total",)] == 0
    assert after["chatd_store_bytes", "log"] > 0
    assert ("chatd_store_bytes", "wal") in after
    for family in text_string_to_metric_families(body.decode()):
        if family.type != "histogram":
            continue
        buckets = [one for one in family.samples if one.name.endswith("_bucket")]
        counts = [one.value for one in buckets]
        assert counts == sorted(counts)
        if buckets:
            assert buckets[-1].labels["le"] == "+Inf"
            labels = [value for key, value in buckets[-1].labels.items() if key != "le"]
            assert counts[-1] == after[f"{family.name}_count", *labels]


async def test_who_asks_nothing_is_soon_hung_up_on(house: House) -> None:
    await house.start(env=QUIET)
    async with await trio.open_unix_socket(str(house.state_dir / "internal.sock")) as stream:
        await stream.send_all(b"GET /livez HTTP/1.1\r\n")
        with trio.fail_after(HEAD_S + 5):
            assert (await stream.receive_some()).startswith(b"HTTP/1.1 408 ")


async def test_what_a_killed_daemon_left_behind_is_replaced(house: House) -> None:
    daemon = await house.start(env=QUIET)
    place = house.state_dir / "internal.sock"
    await daemon.kill()
    assert place.is_socket()
    await house.start(env=QUIET)
    assert (await readiness(place))[0] == 200


async def test_it_may_be_a_port_of_its_own(house: House) -> None:
    daemon = await house.start(env={**QUIET, "CHATD_SERVER__INTERNAL": "127.0.0.1:0"})
    host, _, port = daemon.events("daemon.started")[0]["internal"].rpartition(":")
    assert (host, int(port) != daemon.port) == ("127.0.0.1", True)
    assert (await fetch(int(port), "/readyz"))[0] == 200
    assert not (house.state_dir / "internal.sock").exists()


async def test_a_place_that_is_taken_is_named(house: House) -> None:
    place = house.path / "shared.sock"
    env = {**QUIET, "CHATD_SERVER__INTERNAL": str(place)}
    first = await house.start(env=env)
    second = await house.begin("--state-dir", str(house.path / "other"), env=env)
    assert await second.ended() == 1
    assert (
        f"The internal socket {place} cannot be opened: something is there already; "
        "set server.internal." in second.err.text
    )
    assert (await readiness(place))[0] == 200
    await first.stop()

    place.write_text("a file of somebody else")
    third = await house.begin(env=env)
    assert await third.ended() == 1
    assert place.read_text() == "a file of somebody else"

    port = {**QUIET, "CHATD_SERVER__INTERNAL": "192.0.2.1:9100"}  # an address of nobody
    fourth = await house.begin(env=port)
    assert await fourth.ended() == 1
    assert "192.0.2.1 is not an address of this machine; set server.internal." in fourth.err.text


async def test_the_name_of_a_state_directory_may_be_longer_than_that_of_a_socket(
    house: House,
) -> None:
    state_dir = house.path / ("long" * 40)
    await house.start("--state-dir", str(state_dir), env=QUIET)
    directory = os.open(state_dir, os.O_PATH)
    try:
        place = Path(f"/proc/self/fd/{directory}/internal.sock")
        assert (await readiness(place))[0] == 200
    finally:
        os.close(directory)


async def test_refusals_by_limits_are_counted(house: House, nursery: trio.Nursery) -> None:
    env = {**QUIET, "CHATD_LIMITS__USER_MESSAGES_PER_MINUTE": "2", "CHATD_LOG__LEVEL": "error"}
    daemon = await house.begin(env=env)  # which says nothing of what it counts
    place = house.state_dir / "internal.sock"
    await ready(place)
    port = listening_port(daemon)
    alice = await Client.connect(nursery, port, token_for(SECRET, "alice"))
    answers = [await alice.say(f"number {number}") for number in range(3)]
    assert [answer["ok"] for answer in answers] == [True, True, False]
    for _ in range(11):
        await alice.ask("chat:typing:start", {"connectionId": "demo"})
    status, _, _ = await fetch(port, "/socket.io/?EIO=3&transport=polling")
    assert status == 400
    found = await metrics(place)
    assert found["chatd_limits_hit_total", "user_messages_per_minute"] == 1
    assert found["chatd_limits_hit_total", "user_typing_per_minute"] == 1
    assert found["chatd_messages_refused_total", "rate_limited"] == 1
    assert found["chatd_messages_total", "false"] == 2
    assert found["chatd_handshakes_refused_total", "Unsupported protocol version"] == 1
    assert found["chatd_sessions_opened_total", "websocket"] == 1
    assert found[("chatd_sockets",)] == found[("chatd_sessions",)] == 1
    assert found[("chatd_commit_seconds_count",)] >= 2
    assert found[("process_open_fds",)] > 0


async def ready(place: Path) -> None:
    """Return when the daemon at this place is ready, whatever it says meanwhile."""
    with trio.fail_after(START_S):
        while True:
            try:
                if (await readiness(place))[0] == 200:
                    return
            except OSError:
                await trio.sleep(PAUSE_S)


def listening_port(daemon: Daemon) -> int:
    """The port at which a silent daemon listens, as the kernel knows it."""
    inodes = {
        opened[len("socket:[") : -1]
        for opened in open_files(daemon.process.pid)
        if opened.startswith("socket:[")
    }
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[3] == "0A" and fields[9] in inodes:  # it listens, and it is the daemon's
            return int(fields[1].partition(":")[2], 16)
    raise AssertionError("the daemon listens at no port")


@pytest.mark.answers
@pytest.mark.parametrize("program", [f"{sys.executable} -c pass", "/nowhere/there"])
async def test_a_database_that_is_away_is_a_reason_and_no_end_of_service(
    house: House, nursery: trio.Nursery, program: str
) -> None:
    house.config(
        f"""
        [auth]
        jwt_secret = "{SECRET}"
        [databases.away]
        command = {json.dumps(program.split())}
        dialect = "sqlite"
        mapping = "chatd"
        credentials = "read-only"
        [databases.good]
        sample = true
        """
    )
    daemon = await house.start()
    place = house.state_dir / "internal.sock"
    lost = 1
    while (await daemon.events_of("database.lost", lost))[-1]["connection_id"] != "away":
        lost += 1
    await daemon.event("database.connected")
    status, told = await readiness(place)
    assert (status, told["status"]) == (200, "degraded")
    [reason] = told["reasons"]
    assert (reason["code"], reason["connectionId"]) == ("db_unavailable", "away")
    assert reason["message"].startswith("The server of this database cannot be asked: ")
    found = await metrics(place)
    assert found["chatd_database_up", "away"] == 0
    assert found["chatd_condition", "db_unavailable"] == 1
    assert (await daemon.event("condition.began"))["connection_id"] == "away"
    assert found["chatd_database_up", "good"] == 1
    assert found["chatd_database_losses_total", "away"] >= 1
    assert found[("chatd_ready",)] == 1
    alice = await Client.connect(nursery, daemon.port, token_for(SECRET, "alice", ["away"]))
    assert (await alice.say("the chat goes on", room="away"))["ok"]


@pytest.mark.answers
async def test_a_database_that_is_being_started_is_said(house: House) -> None:
    house.config(
        """
        [databases.slow]
        command = ["sleep", "600"]
        dialect = "sqlite"
        mapping = "chatd"
        credentials = "read-only"
        start_timeout_s = 600
        """
    )
    await house.start()
    place = house.state_dir / "internal.sock"
    status, told = await readiness(place)
    assert (status, told["status"]) == (200, "starting")
    assert [(one["code"], one["connectionId"]) for one in told["reasons"]] == [
        ("db_starting", "slow")
    ]
    assert (await metrics(place))["chatd_database_up", "slow"] == 0


async def test_an_end_is_clean_whatever_is_in_the_place_of_the_socket_by_then(house: House) -> None:
    daemon = await house.start()
    place = house.state_dir / "internal.sock"
    place.unlink()
    place.mkdir()
    await daemon.stop()
    assert daemon.events("daemon.stopped")[0]["clean"] is True
