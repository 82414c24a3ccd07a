"""Whoever asks a real daemon hears something: an answer in the room, or a hint to them alone."""

import os
import signal
from typing import Any

import pytest
import trio

from tests.app.client import Client, message, token_for
from tests.app.daemon import House
from tests.app.questions import ANSWER_S, PATIENT, answer
from tests.app.test_answers import alice_of, reader_of

pytestmark = pytest.mark.answers

TALK = [
    "good morning",
    "Select a date from the calendar",
    "With best regards",
    "set the table please",
    "begin with a walk",
    "show me the orders",
    "Table for two",
    "/etc/hosts",
]
ENDS: list[tuple[str, str]] = [
    ("WITH a AS (SELECT id FROM orders) SELECT count(*) FROM a", "done"),
    ("SELECT id,\u00a0name FROM customers LIMIT 2", "db_statement_rejected"),
    ("SELECT name FROM customers WHERE city = ‘Berlin’", "db_statement_rejected"),
    ("SELECT * FORM products", "db_syntax"),
    ("select count(* from orders", "db_syntax"),
    ("TABLE products", "done"),
    ("BEGIN; SELECT 1; COMMIT;", "db_statement_rejected"),
    ("SET search_path TO shop; SELECT 1", "db_statement_rejected"),
    ("\\d orders", "done"),
    (".tables", "done"),
    ("PRAGMA table_info(orders)", "done"),
    ("SELECT TOP 10 * FROM products", "db_syntax"),
    ("sqlite> SELECT 1;", "done"),
    ("SELECT " + "(" * 60 + "1" + ")" * 60, "db_syntax"),
    ("drop table reservations", "near_sql"),
    ("SELEC * FROM orders", "near_sql"),
    ("/tabels", "unknown_command"),
    ("\\l", "unknown_command"),
]


async def end_of(client: Client, asked: dict[str, Any]) -> str:
    """What a message that is read comes to: the state or the code of its answer, or of its hint."""
    message_id = asked["messageId"]
    with trio.fail_after(ANSWER_S):
        while True:
            hints = [told for told in client.said("chat:hint") if told["messageId"] == message_id]
            ends = [
                told for told in client.said("chat:answer:end") if told["replyTo"] == message_id
            ]
            if hints or ends:
                break
            await trio.sleep(0.01)
    starts = [told for told in client.said("chat:answer:start") if told["replyTo"] == message_id]
    assert (len(starts), len(ends), len(hints)) in ((1, 1, 0), (0, 0, 1))
    if hints:
        return str(hints[0]["code"])
    return str(ends[0]["error"]["code"] if "error" in ends[0] else ends[0]["state"])


async def test_every_example_of_what_people_type_ends_in_a_word(
    house: House, nursery: trio.Nursery
) -> None:
    daemon = await house.start()
    alice = await alice_of(house, daemon, nursery)
    bob = await Client.connect(nursery, daemon.port, token_for(house.secret, "bob"))
    for content in TALK:
        asked = message(content, "demo")
        ack = await alice.ask("chat:message", asked)
        if ack["question"]:
            assert await end_of(alice, asked) == "talk", content
            assert "message" not in alice.said("chat:hint")[-1]
    for content, end in ENDS:
        asked = message(content, "demo")
        ack = await alice.ask("chat:message", asked)
        assert ack["question"] is True, content
        assert await end_of(alice, asked) == end, content
        assert await alice.ask("chat:message", asked) == {**ack, "duplicate": True}
    assert [told["code"] for told in bob.said("chat:hint")] == []
    counted = await answer(alice, "SELECT count(*) FROM orders")
    assert (await answer(alice, ENDS[0][0]))["rows"] == counted["rows"]


async def test_what_a_reading_process_had_when_it_was_killed_ends_all_the_same(
    house: House, nursery: trio.Nursery
) -> None:
    daemon = await house.start(program=PATIENT)
    alice = await alice_of(house, daemon, nursery)
    child = await reader_of(daemon)
    os.kill(child, signal.SIGSTOP)
    sent = []
    for content in ("/help", "Select a date from the calendar", "/tabels") * 3:
        sent.append(message(content, "demo"))
        assert (await alice.ask("chat:message", sent[-1]))["question"] is True
    assert alice.said("chat:hint") == alice.said("chat:answer:start") == []
    os.kill(child, signal.SIGKILL)
    ends = [await end_of(alice, asked) for asked in sent]
    assert ends == ["done", "talk", "unknown_command"] * 3
