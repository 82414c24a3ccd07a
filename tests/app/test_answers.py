"""Questions to a daemon with a db-mcp of its own: answered from the first start on.

Also, whatever ends the daemon, each question reaches one end, and no db-mcp
outlives it.
"""

import json
import os
import signal
import sys
from pathlib import Path

import pytest
import trio

from tests.app.client import Client, token_for
from tests.app.daemon import END_S, Daemon, House, fetch_inside
from tests.app.questions import (
    ANSWER_S,
    ENDLESS,
    PATIENT,
    answer,
    answer_to,
    ask,
    children,
    ended,
    ends,
    has_ended,
    watched,
)

pytestmark = pytest.mark.answers

UNREADING = (sys.executable, str(Path(__file__).with_name("unreading.py")), "serve")
NOTING_IMPORTS = (sys.executable, str(Path(__file__).with_name("imports_noted.py")), "serve")


async def alice_of(house: House, daemon: Daemon, nursery: trio.Nursery) -> Client:
    """A client of a member of the room `demo`, caught up."""
    alice = await Client.connect(nursery, daemon.port, token_for(house.secret, "alice"))
    await alice.hear("chat:history")
    return alice


async def db_mcp_of(daemon: Daemon) -> int:
    """The process of the db-mcp of a daemon, once it is ready."""
    await daemon.event("database.connected")
    [host] = children(daemon.process.pid, "chatd.answers.mcp.host_process")
    [warden] = children(host, "db-mcp")
    [child] = children(warden, "db-mcp")
    return child


async def reader_of(daemon: Daemon) -> int:
    """The process that reads messages for a daemon, once it is ready."""
    await daemon.event("reader.ready")
    [child] = children(daemon.process.pid, "chatd.answers.sql.reader_process")
    return child


def seen_of(pid: int) -> tuple[str, str]:
    """The environment and the command line of a process."""
    process = Path("/proc") / str(pid)
    return (process / "environ").read_text(), (process / "cmdline").read_text()


async def test_with_nothing_configured_every_kind_of_question_is_answered(
    house: House, nursery: trio.Nursery
) -> None:
    daemon = await house.start()
    alice = await alice_of(house, daemon, nursery)
    tables = await answer(alice, "/tables")
    assert [column["name"] for column in tables["columns"]] == ["name", "kind", "columns"]
    assert tables["rows"] == [
        ["customers", "table", 7],
        ["order_items", "table", 5],
        ["orders", "table", 6],
        ["payments", "table", 5],
        ["products", "table", 7],
        ["sales", "view", 10],
        ["suppliers", "table", 4],
        ["type_examples", "table", 7],
    ]
    described = await answer(alice, "/describe suppliers")
    assert described["rows"] == [
        ["id", "INTEGER", False, None, 1, None],
        ["name", "TEXT", False, None, None, None],
        ["country", "TEXT", False, None, None, None],
        ["rating", "REAL", True, None, None, None],
    ]
    sampled = await answer(alice, "/sample suppliers")
    assert sampled["rows"][5:] == [
        [6, "Łódzki Len", "Poland", 4.1],
        [7, "Cooper & Sons", "United Kingdom", 3.8],
        [8, "Orto e Terra", "Italy", None],
    ]
    dearest = await answer(alice, "SELECT name, price FROM products ORDER BY price DESC LIMIT 2")
    assert dearest["rows"] == [["Writing desk", 529.0], ["Oak bookcase", 489.0]]
    recent = await answer(
        alice, "SELECT count(*) > 0 FROM orders WHERE placed_at >= date('now', '-7 days')"
    )
    assert recent["rows"] == [[1]]
    sums = await answer(alice, "SELECT sum(total), sum(round(total * 100)) / 100 FROM orders")
    assert sums["rows"][0][0] == sums["rows"][0][1]
    plan = await answer(alice, "/explain SELECT name FROM products WHERE supplier_id = 3")
    assert [row[2] for row in plan["rows"]] == [
        "SEARCH products USING INDEX products_by_supplier (supplier_id=?)"
    ]
    told = await alice.hear("chat:message", replyTo=await ask(alice, "/help"))
    assert "- `/sample TABLE` shows some rows of a table" in told["content"]
    assert told["answer"]["state"] == "done"


async def test_a_statement_that_hardly_does_what_was_meant_gets_a_remark(
    house: House, nursery: trio.Nursery
) -> None:
    daemon = await house.start()
    alice = await alice_of(house, daemon, nursery)
    question = await ask(alice, "SELECT name FROM suppliers WHERE rating = NULL")
    remark = "A comparison with NULL is true for no row; write rating IS NULL instead."
    ended = await alice.hear("chat:answer:end", replyTo=question)
    assert (ended["state"], ended["remark"]) == ("done", remark)
    stored = await alice.hear("chat:message", replyTo=question)
    assert stored["answer"]["remark"] == remark
    assert stored["content"] == f"No rows. Columns: name\n\nNote: {remark}"
    good = await answer(alice, "SELECT name FROM suppliers WHERE rating IS NULL")
    assert good["rows"] == [["Orto e Terra"]]
    assert "remark" not in good


async def test_a_table_may_be_named_in_every_way_that_its_dialect_has(
    house: House, nursery: trio.Nursery
) -> None:
    daemon = await house.start()
    alice = await alice_of(house, daemon, nursery)
    for question in (
        *('/describe "orders"', "/describe [Orders]", "/describe main.orders"),
        *("DESCRIBE `orders`", "SHOW COLUMNS FROM main.orders", 'DESC main."orders"'),
    ):
        described = await answer(alice, question)
        assert [row[0] for row in described.get("rows", ())][:2] == ["id", "customer_id"], question
    for question in ("/sample `customers`", "/sample MAIN.customers", "/sample customers"):
        sampled = await answer(alice, question)
        assert [row[0] for row in sampled.get("rows", ())][:3] == [1, 2, 3], question
    missing = await answer(alice, "/describe sales.orders")
    assert missing["error"]["message"] == "There is no schema sales here; the only one is main."


async def test_what_analysts_send_is_answered_and_what_fails_says_where(
    house: House, nursery: trio.Nursery
) -> None:
    daemon = await house.start()
    alice = await alice_of(house, daemon, nursery)
    pivot = ", ".join(f"sum(quantity) FILTER (WHERE product_id = {n}) AS p{n}" for n in range(101))
    for sql, columns in (
        ("(SELECT 1 + 1 AS two)", [("two", "INTEGER")]),
        (
            'SELECT 1 AS "Price [EUR]", 2 AS "Customer\'s name", \'x\' AS "say ""hi"""',
            [("Price [EUR]", "INTEGER"), ("Customer's name", "INTEGER"), ('say "hi"', "TEXT")],
        ),
        (
            (
                "WITH t AS (SELECT '{\"a\": [1, 2]}' AS j) "
                "SELECT json_array_length(j->'$.a') AS n, coalesce(j->'k', 0.5) AS k FROM t"
            ),
            [("n", "INTEGER"), ("k", "REAL")],
        ),
        (f"SELECT {pivot} FROM order_items", None),
    ):
        answered = await answer(alice, f"/sql {sql}")
        assert answered["state"] == "done", answered
        assert len(answered["rows"]) == 1
        if columns is not None:
            assert [(one["name"], one["type"]) for one in answered["columns"]] == columns
    for question, code, sentence in (
        ("SELECT now() FROM orders", "db_statement_rejected", "write datetime('now')."),
        ("/sql SELECT * FORM orders", "db_syntax", "FORM (line 1, column 10) is not understood"),
        ("SELECT * FROM ordrs", "db_error", "no such table: ordrs; did you mean orders?"),
        ("SELECT nam FROM products", "db_error", "no such column: nam; did you mean name?"),
        ("DELETE FROM orders", "db_read_only", "Only reading is allowed here"),
    ):
        error = (await answer(alice, question))["error"]
        assert error["code"] == code, error
        assert sentence in error["message"]


async def test_a_context_may_name_its_tables_as_a_statement_does(
    house: House, nursery: trio.Nursery
) -> None:
    daemon = await house.start()
    alice = await alice_of(house, daemon, nursery)
    tables = ["main.orders", '"Customers"', "[payments]"]
    listed = await answer(alice, "/tables", tables=tables)
    assert [row[0] for row in listed["rows"]] == ["customers", "orders", "payments"]
    for table in ("orders", "main.customers", '"payments"'):
        counted = await answer(alice, f"SELECT count(*) FROM {table}", tables=tables)
        assert counted["state"] == "done", counted
        described = await answer(alice, f"/describe {table}", tables=tables)
        assert described["rows"][0][0] == "id"
    for question in ("SELECT count(*) FROM products", "/sample products"):
        refused = await answer(alice, question, tables=tables)
        assert refused["error"]["code"] == "db_statement_rejected"


async def test_values_arrive_exactly_as_they_are(house: House, nursery: trio.Nursery) -> None:
    daemon = await house.start()
    alice = await alice_of(house, daemon, nursery)
    examples = await answer(
        alice, "SELECT whole, approximate, exact, text, bytes FROM type_examples WHERE id <= 7"
    )
    assert examples["columns"] == [
        {"name": "whole", "type": "BIGINT"},
        {"name": "approximate", "type": "REAL"},
        {"name": "exact", "type": "TEXT"},
        {"name": "text", "type": "TEXT"},
        {"name": "bytes", "type": "BLOB"},
    ]
    assert examples["rows"] == [
        [None, None, None, None, None],
        ["-9223372036854775808", -1.5e308, None, None, None],
        ["9007199254740993", 2.0**53, None, None, None],
        [None, 0.1, "0.10000000000000000001", None, None],
        [0, 0.0, "", "", {"$bytes": ""}],
        [None, None, None, None, {"$bytes": "UDYgMiAyIDI1NQr/AAAA/wAAAP///wA="}],
        [None, None, None, "Prefers <b>e-mail</b>; asked: is 3 < 4?", None],
    ]
    literals = await answer(
        alice,
        "Look:\n```sql\nSELECT -9223372036854775808 AS least, 9007199254740991 AS safe,"
        " 9007199254740992 AS beyond, x'00ff' AS bytes, x'' AS none, NULL AS void,"
        " '' AS empty, '🐘 <b> Ж' AS text, 0.1 AS tenth\n```",
    )
    assert literals["rows"] == [
        [
            "-9223372036854775808",
            9007199254740991,
            "9007199254740992",
            {"$bytes": "AP8="},
            {"$bytes": ""},
            None,
            "",
            "🐘 <b> Ж",
            0.1,
        ]
    ]
    states = await ends(alice)
    assert set(states.values()) == {"done"}


async def test_a_db_mcp_is_given_no_secret_of_the_daemon(
    house: House, nursery: trio.Nursery
) -> None:
    secret = "a secret for the tests, of more than 32 bytes"
    daemon = await house.start(
        env={
            "CHATD_AUTH__JWT_SECRET": secret,
            "CHATD_LIMITS__SOCKETS_PER_USER": "7",
            "PGPASSWORD": "hush",
        }
    )
    child = await db_mcp_of(daemon)
    block, words = seen_of(child)
    names = {entry.partition("=")[0] for entry in block.split("\0") if entry}
    assert names == {"PATH", "HOME", "LANG", "PYTHONPATH"}
    assert secret not in block + words
    assert "hush" not in block + words


async def test_the_process_that_reads_messages_is_given_no_secret_of_the_daemon(
    house: House,
) -> None:
    secret = "a secret for the tests, of more than 32 bytes"
    daemon = await house.start(env={"CHATD_AUTH__JWT_SECRET": secret, "PGPASSWORD": "hush"})
    block, words = seen_of(await reader_of(daemon))
    names = {entry.partition("=")[0] for entry in block.split("\0") if entry}
    assert names == {"HOME", "PYTHONPATH"}
    assert secret not in block + words
    assert "hush" not in block + words


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_the_process_that_reads_messages_does_not_outlive_its_daemon(
    house: House, nursery: trio.Nursery, number: signal.Signals
) -> None:
    daemon = await house.start()
    child = await reader_of(daemon)
    os.kill(child, signal.SIGSTOP)  # it does not see that its input ends
    with watched(child) as descriptor:
        alice = await alice_of(house, daemon, nursery)
        await ask(alice, "SELECT 1")
        daemon.send_signal(number)
        code = await daemon.ended()
        assert code == (0 if number == signal.SIGTERM else -signal.SIGKILL)
        await ended(descriptor)


async def test_a_reading_process_that_was_killed_costs_nobody_else(
    house: House, nursery: trio.Nursery
) -> None:
    daemon = await house.start()
    alice = await alice_of(house, daemon, nursery)
    os.kill(await reader_of(daemon), signal.SIGKILL)
    assert (await answer(alice, "SELECT 1"))["rows"] == [[1]]
    assert len(daemon.events("reader.lost")) == 1


async def test_messages_that_a_kill_caught_before_they_were_read_end_once_where_they_ask(
    house: House, nursery: trio.Nursery
) -> None:
    daemon = await house.start(program=PATIENT)
    os.kill(await reader_of(daemon), signal.SIGSTOP)
    alice = await alice_of(house, daemon, nursery)
    questions = [await ask(alice, f"SELECT {number}") for number in range(8)]
    for _ in range(8):
        await ask(alice, "select the best one, please.")
    assert alice.said("chat:answer:start") == []
    await daemon.kill()
    assert (await house.run("store", "verify")).code == 0

    daemon = await house.start()
    alice = await alice_of(house, daemon, nursery)
    assert (await answer(alice, "SELECT count(*) FROM customers"))["rows"] == [[240]]
    await daemon.events_of("answer.ended", 9, ANSWER_S)
    found = await ends(alice)
    assert {found.pop(question) for question in questions} == {"interrupted"}
    assert list(found.values()) == ["done"]
    await daemon.kill()

    daemon = await house.start()
    alice = await alice_of(house, daemon, nursery)
    assert len(await ends(alice)) == 9
    assert len(await alice.whole_room()) == 16 + 8 + 2  # messages, ends, and one that was answered
    await daemon.stop()
    assert (await house.run("store", "verify")).code == 0


async def test_one_user_with_many_nasty_texts_holds_up_nobody(
    house: House, nursery: trio.Nursery
) -> None:
    daemon = await house.start(program=PATIENT)
    eve = await Client.connect(nursery, daemon.port, token_for(house.secret, "eve"))
    alice = await alice_of(house, daemon, nursery)
    assert (await answer(alice, "SELECT 0"))["rows"] == [[0]]
    nasty = "/sql SELECT a" + "->'b'" * 1_900
    asked = [await ask(eve, nasty + f"->'{number}'") for number in range(25)]
    assert (await alice.say("hello"))["ok"]
    assert (await answer(alice, "SELECT 1"))["rows"] == [[1]]
    ended_before = {told["replyTo"] for told in alice.said("chat:answer:end")}
    assert len(ended_before & set(asked)) < 20


async def test_without_a_reading_process_questions_are_told_so_and_the_chat_goes_on(
    house: House, nursery: trio.Nursery
) -> None:
    daemon = await house.start(program=UNREADING)
    await daemon.event("reader.lost")
    alice = await alice_of(house, daemon, nursery)
    assert (await alice.say("hello"))["ok"]
    refused = await answer(alice, "SELECT 1")
    assert refused["error"]["code"] == "db_unavailable"
    assert refused["error"]["message"] == "Questions cannot be read just now; try again shortly."
    status, _, body = await fetch_inside(house.state_dir / "internal.sock", "/readyz")
    told = json.loads(body)
    assert (status, told["status"]) == (200, "degraded")
    assert "The process that reads questions cannot be started." in [
        reason["message"] for reason in told["reasons"]
    ]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("is_asked", [False, True], ids=["idle", "busy"])
async def test_no_db_mcp_outlives_its_daemon(
    house: House, nursery: trio.Nursery, number: signal.Signals, is_asked: bool
) -> None:
    daemon = await house.start()
    with watched(await db_mcp_of(daemon)) as child:
        if is_asked:
            alice = await alice_of(house, daemon, nursery)
            question = await ask(alice, ENDLESS)
            await alice.hear("chat:answer:rows", replyTo=question)
        daemon.send_signal(number)
        code = await daemon.ended()
        if number == signal.SIGTERM:
            assert code == 0
            assert has_ended(child)
        await ended(child)


async def test_a_db_mcp_that_crashed_before_the_first_question_answers_it(
    house: House, nursery: trio.Nursery
) -> None:
    daemon = await house.start()
    alice = await alice_of(house, daemon, nursery)
    os.kill(await db_mcp_of(daemon), signal.SIGKILL)
    await daemon.event("database.lost")
    assert (await answer(alice, "SELECT 1"))["rows"] == [[1]]


@pytest.mark.parametrize("order", ["clients come later", "clients come at once"])
async def test_an_answer_that_a_kill_cut_off_ends_once_at_the_next_start(
    house: House, nursery: trio.Nursery, order: str
) -> None:
    daemon = await house.start()
    alice = await alice_of(house, daemon, nursery)
    question = await ask(alice, ENDLESS)
    begun = await alice.hear("chat:answer:rows", replyTo=question)
    assert begun["rows"] == [[1]]
    await daemon.kill()
    assert (await house.run("store", "verify")).code == 0

    daemon = await house.start()
    if order == "clients come later":
        await daemon.event("answer.ended")
    alice = await alice_of(house, daemon, nursery)
    await daemon.event("answer.ended")
    assert (await answer(alice, "SELECT count(*) FROM customers"))["rows"] == [[240]]
    assert list((await ends(alice)).values()) == ["interrupted", "done"]
    [history] = alice.said("chat:history")
    told = [*history["messages"], *alice.said("chat:message")]
    [final] = [it for it in told if it.get("replyTo") == question and not it.get("replay")]
    assert final["messageId"] == begun["messageId"]
    assert final["answer"]["error"]["code"] == "db_interrupted"
    assert (await house.run("store", "verify")).code == 0
    await daemon.kill()

    daemon = await house.start()
    alice = await alice_of(house, daemon, nursery)
    assert list((await ends(alice)).values()) == ["interrupted", "done"]
    assert daemon.events("answer.ended") == []
    await daemon.stop()
    assert (await house.run("store", "verify")).code == 0


async def test_a_stop_ends_an_endless_answer_in_time_and_says_so(
    house: House, nursery: trio.Nursery
) -> None:
    daemon = await house.start()
    alice = await alice_of(house, daemon, nursery)
    question = await ask(alice, ENDLESS)
    await alice.hear("chat:answer:rows", replyTo=question)
    daemon.send_signal(signal.SIGTERM)
    ending = await answer_to(alice, question)
    assert (ending["state"], ending["error"]["code"]) == ("interrupted", "db_interrupted")
    assert ending["rows"][0] == [1]  # what came before the end stays
    await alice.gone()
    assert await daemon.ended(END_S) == 0
    assert daemon.events("daemon.stopped")[0]["clean"] is True
    assert (await house.run("store", "verify")).code == 0

    daemon = await house.start()
    alice = await alice_of(house, daemon, nursery)
    assert await ends(alice) == {question: "interrupted"}


async def test_the_daemon_never_imports_what_reads_sql_and_what_speaks_mcp(
    house: House, nursery: trio.Nursery
) -> None:
    daemon = await house.start(program=NOTING_IMPORTS)
    alice = await alice_of(house, daemon, nursery)
    assert (await answer(alice, "SELECT 1"))["rows"] == [[1]]
    assert daemon.events("imported") == []
