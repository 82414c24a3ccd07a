"""Two rooms, two files with equal tables: equal questions, and never each other's rows."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.app.client import Client, token_for
from tests.app.daemon import NO_LIMITS, House
from tests.app.questions import PATIENT, answer, ask, ends
from tests.sqlite_mcp.databases import checksum

pytestmark = pytest.mark.answers

ROOMS = ("north", "south")
STOCK = {"north": [["anchor", 1], ["buoy", 2]], "south": [["cactus", 3], ["date", 4]]}
QUESTION = "SELECT item, pieces FROM stock ORDER BY item"
WRITE = "INSERT INTO stock VALUES ('sand', 5)"
MAY_WRITE = {"readOnly": False}


def make_stock(path: Path, rows: list[list[Any]]) -> Path:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE stock (item TEXT, pieces INTEGER)")
        connection.executemany("INSERT INTO stock VALUES (?, ?)", rows)
    return path


async def shop(house: House, nursery: trio.Nursery) -> tuple[Client, dict[str, Path]]:
    """A member of both rooms, and the files; that of the south may be written to."""
    files = {room: make_stock(house.path / f"{room}.db", STOCK[room]) for room in ROOMS}
    house.config(
        f"""
        [answers]
        cache_ttl_s = 3600
        answers_per_user = 100
        [databases.north]
        sqlite = "{files["north"]}"
        [databases.south]
        sqlite = "{files["south"]}"
        read_only = false
        """
    )
    daemon = await house.start(env=NO_LIMITS, program=PATIENT)
    alice = await Client.connect(nursery, daemon.port, token_for(house.secret, "alice", ROOMS))
    await alice.caught_up(ROOMS)
    return alice, files


async def test_equal_questions_at_the_same_time_are_answered_from_the_room_s_own_file(
    house: House, nursery: trio.Nursery
) -> None:
    alice, _ = await shop(house, nursery)
    came: dict[str, list[Any]] = {room: [] for room in ROOMS}

    async def keep_asking(room: str) -> None:
        for _ in range(5):
            came[room].append(await answer(alice, QUESTION, room))

    async with trio.open_nursery() as asking:
        for room in ROOMS:
            asking.start_soon(keep_asking, room)
            asking.start_soon(keep_asking, room)
    for room in ROOMS:
        assert [it["rows"] for it in came[room]] == [STOCK[room]] * 10
        assert [it["cached"] for it in came[room]].count(False) <= 2  # the first of each asker
        assert (await answer(alice, "/sample stock", room))["rows"] == STOCK[room]
        assert set((await ends(alice, room)).values()) == {"done"}
    for told in alice.said("chat:answer:rows"):
        assert all(row in STOCK[told["connectionId"]] for row in told["rows"])


async def test_a_write_needs_both_words_and_empties_the_cache_of_its_room_only(
    house: House, nursery: trio.Nursery
) -> None:
    alice, files = await shop(house, nursery)
    before = {room: checksum(files[room]) for room in ROOMS}
    for room in ROOMS:
        assert not (await answer(alice, QUESTION, room))["cached"]
    refusals: list[tuple[str, dict[str, Any]]] = [
        ("north", {}),
        ("north", {"config": MAY_WRITE}),  # the configuration does not say so
        ("south", {}),  # the message does not say so
        ("south", {"config": {"readOnly": True}}),
        ("south", {"config": {}}),
    ]
    for room, context in refusals:
        refused = await answer(alice, f"/sql {WRITE}", room, **context)
        assert (refused["state"], refused["error"]["code"]) == ("error", "db_read_only"), context
    assert {room: checksum(files[room]) for room in ROOMS} == before
    for room in ROOMS:  # what was refused has emptied nothing
        again = await answer(alice, QUESTION, room)
        assert (again["cached"], again["rows"]) == (True, STOCK[room])

    assert (await answer(alice, f"/sql {WRITE}", "south", config=MAY_WRITE))["state"] == "done"
    south = await answer(alice, QUESTION, "south")
    assert (south["cached"], south["rows"]) == (False, [*STOCK["south"], ["sand", 5]])
    north = await answer(alice, QUESTION, "north")
    assert (north["cached"], north["rows"]) == (True, STOCK["north"])
    assert checksum(files["north"]) == before["north"]


async def test_a_statement_that_writes_says_how_many_rows_it_changed(
    house: House, nursery: trio.Nursery
) -> None:
    alice, _ = await shop(house, nursery)
    writes = {"config": {"readOnly": False}}
    question = await ask(alice, "UPDATE stock SET item = item || '!'", "south", **writes)
    final = await alice.hear("chat:message", replyTo=question)
    count = len(STOCK["south"])
    assert final["content"] == f"Done; {count} rows were changed."
    assert final["answer"]["rowsWritten"] == count
    made = await answer(alice, "CREATE TABLE made (a int)", "south", **writes)
    assert "rowsWritten" not in made  # it is about no rows
    asked = await answer(alice, "SELECT count(*) AS n FROM stock", "south", **writes)
    assert "rowsWritten" not in asked
    refused = await answer(alice, "DELETE FROM stock", "north", **writes)
    assert refused["error"]["code"] == "db_read_only"
    assert "Only reading is allowed here" in refused["error"]["message"]
