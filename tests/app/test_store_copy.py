"""`chatd store copy` as an operator runs it: clients go on in the copy where they were, and a copy
that is killed is not a copy."""

import json
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg
import pytest
import trio

from chatd.postgres_store.migrations import UNFINISHED_COPY
from chatd.store.opening import open_store
from tests.app.client import Client, token_for
from tests.app.daemon import NO_LIMITS, House
from tests.app.test_errors import sentence
from tests.app.test_kill import SECRET
from tests.postgres import Postgres
from tests.postgres_store.logs import new_address, opened_log, rows_of, run_in
from tests.store.full_store import write_to
from tests.store.logs import stored_from

pytestmark = pytest.mark.timeout(240)

PASSWORD = "hunter2-of-the-copy"
LIMIT_S = 120.0
ENV = {
    **NO_LIMITS,
    "CHATD_AUTH__JWT_SECRET": SECRET,
    "CHATD_ANSWERS__ENABLED": "false",
    "CHATD_STATE__DURABILITY": "write",
}


def url_file(house: House, address_url: str) -> Path:
    path = house.path / "log-url"
    path.write_text(address_url.replace("postgres@", f"postgres:{PASSWORD}@"))
    path.chmod(0o600)
    return path


def new_config(house: House, url: Path) -> Path:
    text = f'[state]\nurl_file = "{url}"\ndurability = "write"\n'
    return house.config(text, "new.toml")


async def test_clients_go_on_where_they_were_in_the_copy_and_in_the_copy_of_that(
    house: House, postgres: Postgres
) -> None:
    address = new_address(postgres)
    url = url_file(house, address.url)
    config = new_config(house, url)
    state_dir = ("--state-dir", str(house.path / "back"))
    count = 0
    known: dict[str, Any] = {}
    with trio.fail_after(LIMIT_S):
        for place in ((), ("--config", str(config)), state_dir):
            daemon = await house.start(*place, env=ENV)
            async with trio.open_nursery() as nursery:
                token = token_for(SECRET, "ada")
                client = await Client.connect(nursery, daemon.port, token, **known)
                status = await client.hear("connection:status")
                history = await client.hear("chat:history")
                assert "reset" not in history
                assert (history["messages"], history["lastSeq"]) == ([], count)
                assert known.get("epoch") in (None, status["epoch"])
                count += 1
                assert (await client.say("hello"))["seq"] == count
                known = {"since": {"demo": count}, "epoch": status["epoch"]}
                nursery.cancel_scope.cancel()
            await daemon.stop()
            if place == ():
                done = await house.run("store", "copy", "--url-file", str(url), env=ENV)
                assert done.code == 0, done.err
                assert "Copied and compared: 1 room, 1 message, 1 member" in done.out
            elif place != state_dir:
                target = str(house.path / "back")
                done = await house.run(
                    *("store", "copy", "--config", str(config), "--json", target), env=ENV
                )
                said = json.loads(done.out)
                assert [room["lastSeq"] for room in said["rooms"]] == [count]
            assert PASSWORD not in done.out + done.err


async def killed_at(heard: str, arguments: Sequence[str], house: House) -> None:
    """Run a command until it says so."""
    command = await trio.lowlevel.open_process(
        [*house.chatd, *arguments],
        stderr=subprocess.PIPE,
        env={**house.environment, **ENV},
        cwd=house.path,
    )
    assert command.stderr is not None
    said = b""
    async with command.stderr:
        while heard.encode() not in said:
            piece = await command.stderr.receive_some()
            assert piece, said
            said += piece
        command.kill()
        assert await command.wait() == -signal.SIGKILL


async def test_a_copy_that_is_killed_is_refused_by_a_start_and_begun_anew(
    house: House, postgres: Postgres
) -> None:
    store = open_store(house.state_dir, "write")
    write_to(store, [*stored_from(1, 2_000)])
    store.close()
    address = new_address(postgres)
    config = new_config(house, url_file(house, address.url))
    copy = ("store", "copy", "--to-config", str(config))
    with opened_log(address):  # as one that was begun
        run_in(address, f"CREATE TABLE chatd.{UNFINISHED_COPY} ()")
    with trio.fail_after(LIMIT_S):
        for held, heard in (("mentions", "copied messages: 2,000"), ("audit", "copied answers")):
            with psycopg.connect(address.url) as connection:
                connection.execute(f"LOCK TABLE chatd.{held}".encode())  # so that it stops there
                await killed_at(heard, copy, house)
            serve = ("serve", "--port", "0", "--config", str(config))
            taken = await house.run(*serve, env=ENV)
            assert "(copy_unfinished): A copy of a log into the schema chatd" in sentence(taken, 1)
        done = await house.run(*copy, env=ENV)
    assert done.code == 0, done.err
    assert rows_of(address, "SELECT count(*) FROM messages") == [(2_000,)]


async def test_a_target_is_named_once_and_an_address_best_in_a_file(
    house: House, postgres: Postgres
) -> None:
    url = new_address(postgres).url.replace("postgres@", f"postgres:{PASSWORD}@")
    for target, code, says in (
        ((), 2, "Name one of TARGET, --url-file and --to-config"),
        (("there", "--url-file", "url"), 2, "Name one of TARGET"),
        ((f"mysql://me:{PASSWORD}@db/app",), 2, "TARGET is a directory, or begins with"),
        (("--url-file", "nowhere"), 78, "cannot be read from the file that is named"),
        ((url, "--schema", "Odd"), 78, "state.schema must be 1 to 63"),
        ((url,), 1, "There is no log in"),
        ((url,), 1, "see an address on the command line"),
    ):
        done = await house.run("store", "copy", *target, env=ENV)
        assert done.code == code, done.err
        assert says in done.err
        assert PASSWORD not in done.out + done.err
