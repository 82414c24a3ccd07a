"""All known bad statements, asked in a room over a real db-mcp (docs/answers, "Statements").

Nothing is written, and what the guard refuses reaches no tool.
"""

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from chatd.answers.mcp.pool import McpDatabase
from chatd.answers.requests import (
    Answered,
    ExplainStatement,
    Request,
    RunStatement,
    Sink,
    Stopped,
    Terms,
)
from chatd.answers.sql.first_look import QUOTED
from chatd.app.parts import answering
from tests.answers.sql.corpus import bad
from tests.service.chats import ROOM, ChatPeer, message, open_chat
from tests.service.test_catch_up_of_clients import FREE
from tests.sqlite_mcp.databases import checksum, make_database
from tests.sqlite_mcp.hostile import ESCAPING, NEVER, NO_STATEMENTS, WRITING

BAD = [sql for dialect, sql, _ in bad() if dialect == "sqlite"]
GOOD = "SELECT count(*) FROM people"
LEFT_TO_THE_PEER = ["SELECT * FROM temp.sqlite_master"]
"""It changes nothing: the guard lets it pass, and the db-mcp refuses it."""
REFUSALS = {"db_read_only", "db_statement_rejected", "db_syntax"}


class RecordingDatabase(McpDatabase):
    """The real one, which notes the statements that it is asked to run or to explain."""

    def __init__(self, *how: Any, **more: Any) -> None:
        super().__init__(*how, **more)
        self.statements: list[str] = []

    async def ask(
        self, request: Request, terms: Terms, sink: Sink, stop: trio.Event
    ) -> Answered | Stopped:
        if isinstance(request, RunStatement | ExplainStatement):
            self.statements.append(request.sql)
        return await super().ask(request, terms, sink, stop)


@asynccontextmanager
async def asking(
    directory: Path, *, read_only: bool
) -> AsyncIterator[tuple[ChatPeer, RecordingDatabase, Path]]:
    """Somebody in a room whose database is a file."""
    file = make_database(directory / "people.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(answering, "McpDatabase", RecordingDatabase)
        databases = {ROOM: {"sqlite": str(file), "read_only": read_only}}
        # Each statement of a corpus takes 0.1 s, and several times that on a busy machine.
        async with open_chat(
            directory, limit_s=270, databases=databases, limits=dict(FREE)
        ) as chat:
            database = chat.parts.answering.databases[ROOM]
            assert isinstance(database, RecordingDatabase)
            yield await chat.enter("ada"), database, file


async def ending(peer: ChatPeer, content: str, **fields: object) -> dict[str, Any]:
    """How a question ends."""
    asked = message(content, **fields)
    ack = await peer.call("chat:message", asked)
    assert ack["ok"], (content, ack)
    end = await peer.until("chat:answer:end")
    assert end["replyTo"] == asked["messageId"]
    return dict(end)


def sendable(statements: Sequence[str]) -> list[str]:
    """Those that a message can hold, and of which /sql takes no quotes away."""
    held = [sql for sql in statements if "\ud800" not in sql and "\0" not in sql]
    return [sql for sql in held if QUOTED.fullmatch(sql) is None]


@pytest.mark.parametrize("command", ["sql", "explain"])
@pytest.mark.parametrize(
    ("statements", "left_to_the_peer"),
    [(BAD, []), ([*WRITING, *ESCAPING, *NO_STATEMENTS], LEFT_TO_THE_PEER)],
    ids=["corpus of the guard", "corpus of the peer"],
)
async def test_no_bad_statement_writes_or_gets_past_the_guard(
    tmp_path: Path, command: str, statements: Sequence[str], left_to_the_peer: list[str]
) -> None:
    async with asking(tmp_path, read_only=True) as (ada, database, file):
        assert (await ending(ada, f"/sql {GOOD}"))["state"] == "done"
        before = checksum(file)
        beside = sorted(os.listdir(tmp_path))
        for sql in sendable(statements):
            end = await ending(ada, f"/{command} {sql}")
            assert end["state"] == "error", sql
            assert end["error"]["code"] in REFUSALS, (sql, end)
        assert database.statements == [GOOD, *left_to_the_peer]
        assert checksum(file) == before
        assert sorted(os.listdir(tmp_path)) == beside


async def test_what_is_for_nobody_is_refused_where_both_words_allow_to_write(
    tmp_path: Path,
) -> None:
    may_write = {"context": {"config": {"readOnly": False}}}
    async with asking(tmp_path, read_only=False) as (ada, _, file):
        good = await ending(ada, "/sql UPDATE people SET salary = 1 WHERE id = 1", **may_write)
        assert good["state"] == "done"
        before = checksum(file)
        for sql in sendable(NEVER):
            end = await ending(ada, f"/sql {sql}", **may_write)
            assert end["state"] == "error", sql
            assert end["error"]["code"] in REFUSALS, (sql, end)
        assert checksum(file) == before


CHANGED_IN_CONTENT = [
    "SELECT '<br>' AS x",
    "SELECT '<!-- \u202e -->' AS x",
    "SELECT 'a\rb' AS x",
    'SELECT 1 AS "<b>"',
]
KEPT_IN_CONTENT = [
    "SELECT 1 -- one\n  , /* two */ 2",
    "SELECT 'a\u200bb\u2060\ufeff' AS x",
    "SELECT 'a\r\nb\tc' AS x",
    "SELECT 1 < 2 AS x",
]


@pytest.mark.parametrize("form", ["{}", "/sql {}", "Look:\n```sql\n{}\n```\nthanks"])
async def test_a_statement_is_run_and_delivered_exactly_as_it_was_written(
    tmp_path: Path, form: str
) -> None:
    """It was delivered with its literals changed, and asked again gave other rows."""
    async with asking(tmp_path, read_only=True) as (ada, database, _):
        for sql in [*CHANGED_IN_CONTENT, *KEPT_IN_CONTENT]:
            content, answers = form.format(sql), []
            for _ in range(2):
                await ada.ask("chat:message", message(content))
                told = await ada.until("chat:message")
                assert ("raw" in told) is (sql in CHANGED_IN_CONTENT)
                assert "<b" not in told["content"]
                content = told.get("raw", told["content"])
                assert content == form.format(sql)
                answers.append((await ada.until("chat:message"))["answer"])
            assert [it["statement"] for it in answers] == [sql, sql]
            assert answers[0]["rows"] == answers[1]["rows"]
        commented = KEPT_IN_CONTENT[0]  # the guard leaves comments out of what is run
        assert set(database.statements) >= {*CHANGED_IN_CONTENT, *KEPT_IN_CONTENT} - {commented}
        page = await ada.call("chat:history:get", {"connectionId": ROOM})
        found = await ada.call("chat:search", {"query": "br"})
        written = form.format(CHANGED_IN_CONTENT[0])
        assert page["messages"][0]["raw"] == written
        assert written in [hit["message"].get("raw") for hit in found["hits"]]


async def test_a_control_character_in_a_statement_is_refused_and_not_changed(
    tmp_path: Path,
) -> None:
    async with asking(tmp_path, read_only=True) as (ada, database, _):
        end = await ending(ada, "/sql SELECT '\x1b[31m' AS x")
        assert (end["state"], end["error"]["code"]) == ("error", "db_statement_rejected")
        assert database.statements == []
