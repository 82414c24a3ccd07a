"""`schema:get`: the tables and columns of a room's database."""

from collections.abc import Callable
from pathlib import Path

import pytest

from chatd.answers.requests import Answered
from chatd.answers.table import Column
from chatd.service.events.schema import WAITS_MAX
from chatd.wire.codes import EXPLANATIONS, Code
from tests.answers.services import Call, failed
from tests.service.chats import NO_ROOM, ROOM, ChatPeer, in_no_room, message, token
from tests.service.events.test_answers import OTHER, called, open_answering
from tests.service.test_catch_up_of_clients import go

ASKED = {"connectionId": ROOM}
TABLES = [
    {"name": "a<b>", "kind": "table", "columns": [{"name": "x", "type": "int"}]},
    {"name": "v", "kind": "view", "columns": []},
]


def tell(call: Call) -> None:
    call.sink.columns([Column(name) for name in ("name", "kind", "column_name", "column_type")])
    call.sink.rows([["a<b>", "table", "x", "int"], ["v", "view", None, None]])
    call.end(Answered())


async def until(happened: Callable[[], bool], peer: ChatPeer) -> None:
    """Let time pass, in which others come to their turn, until something has happened."""
    while not happened():
        await peer.quiet()


async def test_a_client_gets_tables_and_columns_and_nobody_hears_of_it(tmp_path: Path) -> None:
    async with open_answering(tmp_path) as (chat, database):
        ada, bob = await chat.enter("ada"), await chat.enter("bob")
        ack_id = await ada.ask("schema:get", ASKED)
        tell(await called(database))
        ack = await ada.expect(ack_id)
        assert ack == {"ok": True, "connectionId": ROOM, "tables": TABLES, "truncated": False}
        assert await bob.call("schema:get", ASKED) == ack
        assert len(database.calls) == 1
        await ada.quiet()
        assert (await ada.call("chat:history:get", ASKED))["messages"] == []


async def test_a_client_that_waits_goes_on_with_all_else(tmp_path: Path) -> None:
    async with open_answering(tmp_path) as (chat, database):
        ada = await chat.enter("ada")
        ack_id = await ada.ask("schema:get", {**ASKED, "refresh": True})
        call = await called(database)
        await ada.say(message())
        tell(call)
        ack = await ada.expect(ack_id)
        assert (ack["tables"], ack["ignored"]) == (TABLES, ["refresh"])


async def test_where_nobody_waits_any_more_the_database_is_stopped(tmp_path: Path) -> None:
    async with open_answering(tmp_path) as (chat, database):
        ada, bob = await chat.enter("ada"), await chat.enter("bob")
        await ada.ask("schema:get", ASKED)
        call = await called(database)
        await go(ada)
        await until(lambda: call.is_cancelled, bob)
        ack_id = await bob.ask("schema:get", ASKED)
        tell(await called(database, 2))
        assert (await bob.expect(ack_id))["tables"] == TABLES


async def test_a_failure_is_a_refusal_with_its_code(tmp_path: Path) -> None:
    async with open_answering(tmp_path) as (chat, database):
        ada = await chat.enter("ada")
        ack_id = await ada.ask("schema:get", ASKED)
        (await called(database)).end(failed(Code.DB_UNAVAILABLE, "It is away."))
        error = {"code": "db_unavailable", "message": "It is away.", "retryable": True}
        assert await ada.expect(ack_id) == {"ok": False, "error": error}
        notice = await ada.expect("chat:error")
        assert (notice["event"], notice["code"]) == ("schema:get", "db_unavailable")
        assert notice["connectionId"] == ROOM


@pytest.mark.parametrize(
    ("room", "code"),
    [(OTHER, "not_found"), ("elsewhere", "forbidden_room")],
)
async def test_rooms_that_have_no_database_or_are_not_permitted(
    tmp_path: Path, room: str, code: str
) -> None:
    async with open_answering(tmp_path) as (chat, _):
        ada = await chat.enter("ada", [ROOM, OTHER])
        ack = await ada.call("schema:get", {"connectionId": room})
        assert (ack["error"]["code"], ack["error"]["path"]) == (code, "connectionId")
        if code == "not_found":
            assert ack["error"]["message"] != EXPLANATIONS[Code.NOT_FOUND].sentence


async def test_a_client_needs_not_be_in_the_room_nor_is_it_afterwards(tmp_path: Path) -> None:
    async with open_answering(tmp_path) as (chat, database):
        bob = await chat.connect({"token": token("bob"), "connectionId": NO_ROOM})
        await in_no_room(bob)
        ack_id = await bob.ask("schema:get", ASKED)
        tell(await called(database))
        assert (await bob.expect(ack_id))["ok"]
        await bob.quiet()


async def test_one_client_waits_for_so_many_at_once(tmp_path: Path) -> None:
    async with open_answering(tmp_path) as (chat, database):
        ada = await chat.enter("ada")
        waiting = [await ada.ask("schema:get", ASKED) for _ in range(WAITS_MAX)]
        error = (await ada.call("schema:get", ASKED))["error"]
        assert (error["code"], error["retryable"]) == ("overloaded", True)
        await ada.expect("chat:error")
        tell(await called(database))
        for ack_id in waiting:
            assert (await ada.expect(ack_id))["tables"] == TABLES
        assert (await ada.call("schema:get", ASKED))["ok"]


async def test_without_an_ack_there_is_nobody_to_tell(tmp_path: Path) -> None:
    async with open_answering(tmp_path) as (chat, database):
        ada = await chat.enter("ada")
        await ada.emit("schema:get", ASKED)
        await ada.quiet()
        assert database.calls == []


async def test_who_loses_the_room_meanwhile_gets_no_schema(tmp_path: Path) -> None:
    async with open_answering(tmp_path) as (chat, database):
        ada = await chat.enter("ada", [ROOM, OTHER])
        ack_id = await ada.ask("schema:get", ASKED)
        call = await called(database)
        assert (await ada.call("auth:refresh", {"token": token("ada", [OTHER])}))["ok"]
        tell(call)
        assert (await ada.until(ack_id))["error"]["code"] == "forbidden_room"
