"""A room on PostgreSQL, from the chat to the server and back, with the real db-mcp between."""

import csv
import io
import json
import os

import attrs
import pytest
import trio

from tests.app.client import Client, token_for
from tests.app.daemon import PAUSE_S, Daemon, House
from tests.app.questions import ANSWER_S, answer, answer_to, ask
from tests.app.test_exports import download
from tests.app.test_internal import readiness
from tests.postgres import Postgres, a_server
from tests.processes import commands_of

pytestmark = pytest.mark.answers

PASSWORD = "s3cret-of-the-shop"
SCHEMA = """
    DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'clerk')
        THEN CREATE ROLE clerk LOGIN; END IF; END $$;
    CREATE SCHEMA sales;
    CREATE TABLE sales.orders (id int PRIMARY KEY, total numeric(10,2), note text);
    INSERT INTO sales.orders SELECT i, i + 0.10, repeat('x', 100) FROM generate_series(1, 5000) i;
    INSERT INTO sales.orders VALUES (0, 'NaN', '=1+1');
    CREATE TABLE "Price List" ("Price [EUR]" numeric, at timestamptz, raw bytea);
    INSERT INTO "Price List" VALUES (1.10, '2026-11-28 19:00:00+00', '\\x00ff');
    CREATE TABLE secret (word text);
    GRANT USAGE ON SCHEMA sales TO clerk;
    GRANT SELECT ON sales.orders, "Price List" TO clerk;
"""
ENDLESS = "SELECT count(*) FROM generate_series(1, 1000000000000)"
# What comes before and after the rows of a statement (BEGIN, DISCARD ALL) is not counted: who ends
# a session there ends no statement.
SESSIONS = """
    SELECT count(*) FILTER (WHERE state = 'active' AND query LIKE 'FETCH%%'), count(*)
    FROM pg_stat_activity WHERE application_name = 'chatd' AND datname = %s
"""
END_SESSIONS = """
    SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
    WHERE application_name = 'chatd' AND datname = %s
"""


@attrs.frozen
class Room:
    """The room `demo`, and its database in a server."""

    daemon: Daemon
    alice: Client
    token: str
    postgres: Postgres
    database: str

    def sessions(self) -> tuple[int, int]:
        """How many sessions of chatd's read the rows of a statement, and how many there are."""
        with self.postgres.connect("postgres") as connection:
            [(busy, every)] = connection.execute(SESSIONS, [self.database]).fetchall()
            return busy, every

    async def has_busy(self, busy: int) -> None:
        """Return when so many sessions read the rows of a statement."""
        with trio.fail_after(ANSWER_S):
            while True:
                if self.sessions()[0] == busy:
                    return
                await trio.sleep(PAUSE_S)

    async def file(self, answer_id: str, extension: str) -> tuple[dict[str, str], bytes]:
        """The headers and the body of a download."""
        return await trio.to_thread.run_sync(
            download, self.daemon.port, f"{answer_id}.{extension}", self.token
        )


@pytest.fixture
async def room(house: House, nursery: trio.Nursery, postgres: Postgres) -> Room:
    database = postgres.new_database()
    with postgres.connect(database) as connection:
        connection.execute(SCHEMA)
    address = postgres.url(database, f"clerk:{PASSWORD}")
    house.config(f"[answers]\nexport_rows = 100_000\n[databases.demo]\npostgres = '{address}'\n")
    daemon = await house.start()
    token = token_for(house.secret, "alice")
    alice = await Client.connect(nursery, daemon.port, token)
    await alice.hear("chat:history")
    return Room(daemon, alice, token, postgres, database)


async def test_tables_and_exact_values_come_and_failures_say_why(room: Room) -> None:
    tables = await answer(room.alice, "/tables")
    assert [row[:2] for row in tables["rows"]] == [["Price List", "public"], ["orders", "sales"]]
    prices = await answer(room.alice, 'SELECT * FROM "Price List"')
    assert prices["rows"] == [["1.10", "2026-11-28T19:00:00+00:00", {"$bytes": "AP8="}]]
    assert [column["type"] for column in prices["columns"]] == [
        "numeric",
        "timestamp with time zone",
        "bytea",
    ]
    for content, code, words in (
        ("DELETE FROM sales.orders", "db_read_only", ""),
        ("SELECT * FROM secret", "db_error", "permission denied"),
        ("SELECT * FROM sales.order", "db_error", "; did you mean sales.orders?"),
        ('SELECT * FROM "Price Lst"', "db_error", '; did you mean "Price List"?'),
        ("SELECT totl FROM sales.orders", "db_error", "; did you mean total?"),
        ("SELECT *\n FROM order", "db_syntax", 'near "order" (line 2, column 7).'),
        ("SELECT 1/0", "db_error", "division by zero"),
    ):
        failed = await answer(room.alice, content)
        assert failed["error"]["code"] == code, content
        assert words in failed["error"]["message"]


async def test_tables_and_columns_are_there_for_completion(room: Room) -> None:
    schema = await room.alice.ask("schema:get", {"connectionId": "demo"})
    assert schema["ok"], schema
    assert schema["tables"] == [
        {
            "name": "Price List",
            "schema": "public",
            "kind": "table",
            "columns": [
                {"name": "Price [EUR]", "type": "numeric"},
                {"name": "at", "type": "timestamp with time zone"},
                {"name": "raw", "type": "bytea"},
            ],
        },
        {
            "name": "orders",
            "schema": "sales",
            "kind": "table",
            "columns": [
                {"name": "id", "type": "integer"},
                {"name": "total", "type": "numeric(10,2)"},
                {"name": "note", "type": "text"},
            ],
        },
    ]
    assert not schema["truncated"]


async def test_a_download_has_what_the_message_lacks(room: Room) -> None:
    question = await ask(room.alice, "SELECT id, total, note FROM sales.orders ORDER BY id")
    shown = await answer_to(room.alice, question)
    assert (shown["rowCount"], shown["cut"]) == (1000, {"rows": "max_rows"})
    final = await room.alice.hear("chat:message", replyTo=question)
    for extension, read in (("csv", rows_of_csv), ("ndjson", rows_of_ndjson)):
        headers, body = await room.file(final["messageId"], extension)
        assert "x-chatd-truncated" not in headers
        rows = read(body)
        assert len(rows) == 5001
        assert rows[0][:2] == ["0", "NaN"]
        assert rows[5000] == ["5000", "5000.10", "x" * 100]


async def test_no_statement_outlives_its_question_and_no_session_the_daemon(room: Room) -> None:
    question = await ask(room.alice, ENDLESS)
    await room.has_busy(1)
    cancelled = await room.alice.ask("answer:cancel", {"messageId": question})
    assert cancelled["ok"], cancelled
    assert (await answer_to(room.alice, question))["state"] == "cancelled"
    await room.has_busy(0)

    question = await ask(room.alice, f"{ENDLESS} WHERE 2 = 2")
    await room.has_busy(1)
    with room.postgres.connect("postgres") as connection:
        connection.execute(END_SESSIONS, [room.database])
    lost = await answer_to(room.alice, question)
    assert lost["error"]["code"] == "db_unavailable"
    assert (await answer(room.alice, "SELECT 7 AS n"))["rows"] == [[7]]
    assert room.sessions() == (0, 1)

    await ask(room.alice, f"{ENDLESS} WHERE 3 = 3")
    await room.has_busy(1)
    everybody = map(int, filter(str.isdigit, os.listdir("/proc")))
    assert PASSWORD not in str(commands_of(*everybody))
    await room.daemon.stop()
    assert PASSWORD not in room.daemon.err.text
    with trio.fail_after(ANSWER_S):
        while True:  # the server looks every 2 s whether its client is there
            if room.sessions() == (0, 0):
                break
            await trio.sleep(PAUSE_S)


async def test_a_server_that_goes_away_is_told_to_the_operator_until_it_is_back(
    house: House, nursery: trio.Nursery
) -> None:
    place = house.state_dir / "internal.sock"
    with a_server() as postgres:
        address = postgres.url(postgres.new_database(), "postgres")
        house.config(f"[databases.demo]\npostgres = '{address}'\n")
        daemon = await house.start()
        alice = await Client.connect(nursery, daemon.port, token_for(house.secret, "alice"))
        await alice.hear("chat:history")
        assert (await answer(alice, "SELECT 7 AS n"))["rows"] == [[7]]
        assert (await readiness(place))[1]["status"] == "ready"

        postgres.stop()
        failed = await answer(alice, "SELECT 8 AS n")
        assert failed["error"]["code"] == "db_unavailable"
        began = await daemon.event("condition.began")
        assert (began["code"], began["connection_id"]) == ("db_unavailable", "demo")
        [reason] = (await readiness(place))[1]["reasons"]
        assert (reason["code"], reason["connectionId"]) == ("db_unavailable", "demo")
        assert daemon.events("database.lost")[-1]["last_words"].startswith(
            "The database cannot be reached: "
        )

        postgres.start()
        ended = await daemon.event("condition.ended")
        assert (ended["code"], ended["connection_id"]) == ("db_unavailable", "demo")
        assert len(daemon.events("condition.began")) == 1
        assert (await answer(alice, "SELECT 9 AS n"))["rows"] == [[9]]
        assert (await readiness(place))[1]["status"] == "ready"
        await daemon.stop()


def rows_of_csv(body: bytes) -> list[list[str]]:
    _, *rows = csv.reader(io.StringIO(body.decode(), newline=""))
    return rows


def rows_of_ndjson(body: bytes) -> list[list[str]]:
    return [list(map(str, json.loads(line).values())) for line in body.splitlines()]
