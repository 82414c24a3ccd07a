"""Client libraries of npm and PyPI ask the sample database of `chatd serve`, in the room `demo`."""

import uuid
from typing import Any

import pytest

from tests.peers.conftest import NewClient
from tests.peers.drivers import Client
from tests.peers.servers import Server
from tests.peers.test_chat import entered, message

ROOM = "demo"
KINDS = ["npm-4.8", "npm-3.1", "python-sync", "python-asyncio"]
ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


def ask(client: Client, content: str) -> str:
    """Ask in the room; the id of the question."""
    asked = message(ROOM, content)
    (ack,) = client.call("chat:message", asked)
    assert ack["ok"], ack
    (heard,) = client.expect("chat:message")
    assert heard["messageId"] == asked["messageId"]
    return str(asked["messageId"])


def answered(client: Client, question: str) -> dict[str, Any]:
    """The message that ends the answer, after all that came before it."""
    (start,) = client.expect("chat:answer:start")
    assert (start["replyTo"], start["connectionId"]) == (question, ROOM)
    assert (start["readOnly"], start["dryRun"]) == (True, False)
    (end,) = client.expect("chat:answer:end")
    (final,) = client.expect("chat:message")
    of_the_answer = {key: start[key] for key in ("messageId", "replyTo", "connectionId")}
    assert client.came("chat:answer:status") >= 1
    statuses = client.take("chat:answer:status", client.came("chat:answer:status"))
    pieces = client.take("chat:answer:rows", client.came("chat:answer:rows"))
    for payload in (end, final, *[told for (told,) in (*statuses, *pieces)]):
        assert {key: payload[key] for key in of_the_answer} == of_the_answer
    assert {told["phase"] for (told,) in statuses} <= {"starting", "queued", "running", "fetching"}
    answer: dict[str, Any] = final["answer"]
    assert [row for (told,) in pieces for row in told["rows"]] == answer["rows"]
    assert all(told["columns"] == answer["columns"] for (told,) in pieces if told["index"] == 0)
    assert (final["userId"], end["state"]) == (f"db:{ROOM}", answer["state"])
    assert end["rowCount"] == answer["rowCount"] == len(answer["rows"])
    return final


@pytest.mark.parametrize("kind", KINDS)
def test_a_question_gets_its_start_status_rows_end_and_message(
    new_client: NewClient, chat_server: Server, kind: str
) -> None:
    client = entered(new_client(chat_server, kind), "ann", ROOM)
    final = answered(client, ask(client, "/tables"))
    assert final["answer"]["state"] == "done"
    tables = [row[0] for row in final["answer"]["rows"]]
    assert "orders" in tables
    assert "orders" in final["content"]
    # What nobody has asked before: an answer that is known already has no rows to wait for.
    mark = str(uuid.uuid4())
    final = answered(client, ask(client, f"SELECT 7 AS n, '{mark}' AS mark, NULL AS gap"))
    assert final["answer"]["rows"] == [[7, mark, None]]
    assert [column["name"] for column in final["answer"]["columns"]] == ["n", "mark", "gap"]
    assert f"| 7 | {mark} |" in final["content"]


def test_a_refused_statement_ends_with_its_code(new_client: NewClient, chat_server: Server) -> None:
    client = entered(new_client(chat_server, "npm-4.8"), "ann", ROOM)
    question = ask(client, "DROP TABLE orders")
    (end,) = client.expect("chat:answer:end")
    assert (end["replyTo"], end["state"], end["error"]["code"]) == (
        *(question, "error"),
        "db_read_only",
    )
    (final,) = client.expect("chat:message")
    assert final["error"] == end["error"]["message"]


def test_an_answer_is_cancelled_by_who_asked(new_client: NewClient, chat_server: Server) -> None:
    asker = entered(new_client(chat_server, "npm-4.8"), "ann", ROOM)
    other = entered(new_client(chat_server, "python-asyncio"), "bob", ROOM)
    question = ask(asker, ENDLESS)
    asker.expect("chat:answer:start")
    (refused,) = other.call("answer:cancel", {"messageId": question})
    assert refused["error"]["code"] == "forbidden"
    (ack,) = asker.call("answer:cancel", {"messageId": question})
    assert (ack["ok"], ack["state"]) == (True, "cancelled")
    for client in (asker, other):
        (end,) = client.expect("chat:answer:end")
        assert (end["replyTo"], end["state"]) == (question, "cancelled")
        assert end["error"]["code"] == "db_cancelled"


@pytest.mark.parametrize("kind", KINDS)
def test_the_sender_alone_hears_what_was_nearly_a_question(
    new_client: NewClient, chat_server: Server, kind: str
) -> None:
    ann, bob = new_client(chat_server, kind), new_client(chat_server, kind)
    entered(ann, "ann", ROOM)
    entered(bob, "bob", ROOM)
    for content, question, code in (
        ("good morning", False, None),
        ("Select a date from the calendar", True, "talk"),
        ("drop table reservations", True, "near_sql"),
        ("/tabels", True, "unknown_command"),
    ):
        asked = message(ROOM, content)
        (ack,) = ann.call("chat:message", asked)
        assert (ack["ok"], ack["question"]) == (True, question)
        if code is not None:
            (hint,) = ann.expect("chat:hint")
            assert (hint["messageId"], hint["connectionId"]) == (asked["messageId"], ROOM)
            assert (hint["code"], "message" in hint) == (code, code != "talk")
        assert bob.expect("chat:message")[0]["messageId"] == asked["messageId"]
    assert (bob.came("chat:hint"), ann.came("chat:hint")) == (0, 0)
