"""What the file of an answer holds, and what is said of it; the test holds the database."""

import errno
import io
import re
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import pytest
import trio
from openpyxl import load_workbook

from chatd.answers import spool
from chatd.answers.cut import WHOLE, Cut
from chatd.answers.exports import FORMATS
from chatd.answers.requests import Answered, DatabaseFailed
from chatd.answers.table import Column, Row
from chatd.observe import ExportEnded, StoreFailed
from chatd.service import export_files
from chatd.wire.codes import EXPLANATIONS, Code
from chatd.wire.names import RowsCut
from tests.answers.services import Call, HeldDatabase
from tests.engine.polls import until
from tests.rows import rows
from tests.service.chats import ROOM, Chat, token
from tests.service.events.test_answers import SQL, ask, called, open_answering
from tests.service.test_downloads import Answer, Asker, refused

COLUMNS = (Column("n", "integer"), Column("t", "text"))
MORE = Cut(RowsCut.MAX_ROWS)


def table(count: int) -> list[Row]:
    return [[number, f"row {number}"] for number in range(count)]


async def stored(
    chat: Chat,
    database: HeldDatabase,
    rows: Sequence[Row],
    outcome: Answered | DatabaseFailed,
    **asked: Any,
) -> str:
    """The id of an answer that ended like this."""
    ada = await chat.enter("ada")
    await ask(ada, **asked)
    call = await called(database, len(database.calls) + 1)
    call.sink.columns(COLUMNS)
    call.sink.rows(rows)
    call.end(outcome)
    await ada.until("chat:answer:end")
    message = await ada.expect("chat:message")
    return str(message["messageId"])


@asynccontextmanager
async def open_cut(
    directory: Path, rows: int = 2, cut: Cut = MORE, **answers: Any
) -> AsyncIterator[tuple[Chat, HeldDatabase, Asker, str]]:
    """A chat with an answer of which its message lacks something."""
    async with open_answering(directory, answers=answers) as (chat, database):
        answer_id = await stored(chat, database, table(rows), Answered(cut))
        yield chat, database, Asker(chat), answer_id


def objects(response: Answer) -> list[Any]:
    assert response.status == 200, response
    return [orjson.loads(line) for line in response.body.splitlines()]


async def ended(chat: Chat, count: int = 1) -> list[ExportEnded]:
    """What the log was told of downloads, once it was told of so many."""
    await until(lambda: len(chat.recorder.of(ExportEnded)) >= count)
    found = list(chat.recorder.of(ExportEnded))
    assert len(found) == count
    return found


# What the message holds


@rows("name", FORMATS)
@rows("cut", [WHOLE, Cut(RowsCut.MAX_BYTES, values=1)])
async def test_what_is_cut_is_said_beside_the_file(tmp_path: Path, cut: Cut, name: str) -> None:
    async with open_cut(tmp_path, cut=cut) as (chat, database, asker, answer_id):
        for method in ("HEAD", "GET"):
            response = await asker.ask(f"{answer_id}.{name}", token(), method=method)
            assert response.status == 200
            told = response.headers
            assert told.get("x-chatd-truncated") == (cut.header or None)
            what = "-truncated" if cut else ""
            disposition = rf'attachment; filename="{ROOM}-\d{{4}}-\d\d-\d\d-\d{{4}}{what}\.{name}"'
            assert re.fullmatch(disposition, told["content-disposition"])
            assert datetime.fromisoformat(told["x-chatd-executed-at"]).tzinfo is not None
        text = response.body.decode("latin-1")
        sentences = cut.sentences(2)
        match name:
            case "md":
                lines = text.splitlines()
                assert [line for line in lines if line][4:] == sentences
            case "xlsx":
                book = load_workbook(io.BytesIO(response.body))
                notes = book["Notes"].values if cut else ()
                assert [line for (line,) in notes] == sentences
                assert list(book["Answer"].values) == [("n", "t"), (0, "row 0"), (1, "row 1")]
                assert told["content-length"] == str(len(response.body))
            case _:
                assert not any(sentence in text for sentence in sentences)
        assert len(database.calls) == 1
        [event] = await ended(chat)
        assert event == ExportEnded(
            *(answer_id, ROOM, "ada", name, "sent", False, bool(cut)),
            *(2, len(response.body), event.elapsed_ms),
        )


async def test_the_answer_and_its_end_say_what_is_cut(tmp_path: Path) -> None:
    async with open_answering(tmp_path) as (chat, database):
        ada = await chat.enter("ada")
        await ask(ada)
        call = await called(database)
        call.rows(1)
        call.end(Answered(Cut(RowsCut.LARGE_VALUE, values=2, names=1)))
        cut = {"rows": "large_value", "values": 2, "names": 1}
        assert (await ada.until("chat:answer:end"))["cut"] == cut
        message = await ada.expect("chat:message")
        assert message["answer"]["cut"] == cut
        assert message["answer"]["truncated"] is True
        for said in ("a value in the next row", "2 values are shortened", "1 column"):
            assert said in message["content"]


@rows(
    "failure",
    [DatabaseFailed(Code.DB_ERROR, "No."), DatabaseFailed(Code.DB_TIMEOUT)],
)
async def test_an_answer_that_failed_has_no_file_and_no_ticket(
    tmp_path: Path, failure: DatabaseFailed
) -> None:
    async with open_answering(tmp_path) as (chat, database):
        answer_id = await stored(chat, database, table(1), failure)
        asker = Asker(chat)
        for name in FORMATS:
            response = await asker.ask(f"{answer_id}.{name}", token())
            refused(response, 409, "answer_failed")
            sentence = EXPLANATIONS[Code.ANSWER_FAILED].sentence
            assert response.json()["error"]["message"] == sentence
        assert (await asker.ask(f"{answer_id}.csv", token(), method="HEAD")).status == 409
        refused(
            await asker.ask(f"{answer_id}/ticket", token(), method="POST"), 409, "answer_failed"
        )
        refused(await asker.ask(f"{answer_id}.csv", token(rooms=["other"])), 404, "not_found")
        told = await ended(chat, len(FORMATS))
        assert {event.outcome for event in told} == {"answer_failed"}


async def test_a_byte_order_mark_comes_where_it_is_asked_for(tmp_path: Path) -> None:
    async with open_cut(tmp_path) as (_, _, asker, answer_id):
        plain = await asker.ask(f"{answer_id}.csv", token())
        marked = await asker.ask(f"{answer_id}.csv", token(), bom="1")
        assert marked.body == b"\xef\xbb\xbf" + plain.body
        assert (await asker.ask(f"{answer_id}.csv", token(), bom="0")).body == plain.body
        assert objects(await asker.ask(f"{answer_id}.ndjson", token(), bom="1"))


# More than the message holds


@asynccontextmanager
async def downloading(
    asker: Asker, database: HeldDatabase, file: str, user: str = "bob", **query: str
) -> AsyncIterator[tuple[Call, list[Answer]]]:
    """A download that has the question run once more: the call, and the response once it came."""
    count = len(database.calls)
    responses: list[Answer] = []

    async def download() -> None:
        responses.append(await asker.ask(file, token(user), **query))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(download)
        yield await called(database, count + 1), responses


@rows("name", ["csv", "ndjson", "xlsx"])
async def test_the_question_runs_again_where_the_file_may_hold_more(
    tmp_path: Path, name: str
) -> None:
    async with open_cut(tmp_path, export_rows=5_000) as (chat, database, asker, answer_id):
        async with downloading(asker, database, f"{answer_id}.{name}") as (call, responses):
            first = database.calls[0]
            assert call.request == first.request
            assert call.terms.read_only
            assert (call.terms.max_rows, call.terms.max_bytes) == (5_000, 67_108_864)
            call.sink.columns(COLUMNS)
            for at in range(0, 3_000, 200):
                call.sink.rows(table(3_000)[at : at + 200])
                await call.sink.caught_up()
            assert responses == []  # the file is made whole first
            call.end()
        [response] = responses
        assert response.status == 200
        assert "x-chatd-truncated" not in response.headers
        assert "truncated" not in response.headers["content-disposition"]
        assert response.headers["content-length"] == str(len(response.body))
        of_message = await asker.ask(f"{answer_id}.csv", token(), stored="1")
        assert response.headers["x-chatd-executed-at"] > of_message.headers["x-chatd-executed-at"]
        if name == "ndjson":
            assert objects(response) == [{"n": n, "t": text} for n, text in table(3_000)]
        [event] = [event for event in await ended(chat, 2) if event.user_id == "bob"]
        assert (event.outcome, event.rerun, event.truncated) == ("sent", True, False)
        assert (event.rows, event.size) == (3_000, len(response.body))
        assert SQL not in repr(event)


@rows("event", ["chat:message:edit", "chat:message:delete"])
async def test_a_question_that_was_changed_since_runs_again_as_it_was_asked(
    tmp_path: Path, event: str
) -> None:
    async with open_answering(tmp_path, answers={"export_rows": 9}) as (chat, database):
        asked = str(uuid4())
        answer_id = await stored(chat, database, table(1), Answered(MORE), messageId=asked)
        ada = await chat.enter("ada")
        place = {"messageId": asked, "connectionId": ROOM}
        more = {"content": "SELECT m FROM others"} if event.endswith("edit") else {}
        assert (await ada.call(event, {**place, **more}))["ok"]
        async with downloading(Asker(chat), database, f"{answer_id}.csv") as (call, responses):
            assert call.request == database.calls[0].request
            call.rows(1, 2)
            call.end()
        assert responses[0].body == b"n\r\n1\r\n2\r\n"


async def test_a_question_with_an_id_in_capitals_runs_again(tmp_path: Path) -> None:
    async with open_answering(tmp_path, answers={"export_rows": 9}) as (chat, database):
        written = "0B5E5A3C-2B3E-4F0A-9A55-0D6C1E2F3A4B"
        answer_id = await stored(chat, database, table(1), Answered(MORE), messageId=written)
        async with downloading(Asker(chat), database, f"{answer_id}.csv") as (call, responses):
            call.rows(1, 2)
            call.end()
        assert responses[0].body == b"n\r\n1\r\n2\r\n"


async def test_what_the_export_lacks_is_said_before_it_comes(tmp_path: Path) -> None:
    async with open_cut(tmp_path, export_rows=3) as (chat, database, asker, answer_id):
        async with downloading(asker, database, f"{answer_id}.csv") as (call, responses):
            call.sink.columns(COLUMNS)
            call.sink.rows(table(3))
            call.end(Answered(Cut(RowsCut.MAX_BYTES, names=1)))
        [response] = responses
        assert response.headers["x-chatd-truncated"] == "rows=max_bytes, names=1"
        assert "-truncated.csv" in response.headers["content-disposition"]
        assert len(response.body.splitlines()) == 4
        assert (await ended(chat))[0].truncated


@rows(
    ("answers", "cut", "query"),
    [
        ({}, MORE, {}),  # nothing runs unless the operator says so
        ({"export_rows": 2}, MORE, {}),  # it would hold no more
        ({"export_rows": 9}, WHOLE, {}),
        ({"export_rows": 9}, MORE, {"stored": "1"}),
    ],
)
async def test_nothing_runs_where_the_file_would_hold_no_more(
    tmp_path: Path, answers: dict[str, Any], cut: Cut, query: dict[str, str]
) -> None:
    async with open_cut(tmp_path, cut=cut, **answers) as (_, database, asker, answer_id):
        for name in ("ndjson", "xlsx"):
            response = await asker.ask(f"{answer_id}.{name}", token(), **query)
            assert response.status == 200
            assert response.headers.get("x-chatd-truncated") == (cut.header or None)
        assert len(database.calls) == 1


async def test_head_runs_nothing_and_spends_no_ticket(tmp_path: Path) -> None:
    async with open_cut(tmp_path, export_rows=9) as (chat, database, asker, answer_id):
        ticket = await asker.ticket(answer_id, token("bob"))
        for name in FORMATS:
            response = await asker.ask(f"{answer_id}.{name}", method="HEAD", ticket=ticket)
            assert (response.status, response.body) == (200, b"")
            assert "x-chatd-executed-at" not in response.headers  # it was not
            assert "x-chatd-truncated" not in response.headers
        assert (len(database.calls), await ended(chat, 0)) == (1, [])
        async with downloading(asker, database, f"{answer_id}.csv", ticket=ticket) as (call, got):
            call.rows(1)
            call.end()
        assert got[0].status == 200


@rows(
    ("failure", "status"),
    [
        (DatabaseFailed(Code.DB_ERROR, "no such table: numbers"), 409),
        (DatabaseFailed(Code.DB_UNAVAILABLE), 503),
        (DatabaseFailed(Code.DB_TIMEOUT), 504),
        (DatabaseFailed(Code.INTERNAL), 500),
    ],
)
async def test_a_question_that_does_not_run_again_is_an_error_and_no_half_file(
    tmp_path: Path, failure: DatabaseFailed, status: int
) -> None:
    async with open_cut(tmp_path, export_rows=9) as (chat, database, asker, answer_id):
        async with downloading(asker, database, f"{answer_id}.csv") as (call, responses):
            call.sink.columns(COLUMNS)
            call.sink.rows(table(1))
            call.end(failure)
        [response] = responses
        refused(response, status, failure.code)
        sentence = response.json()["error"]["message"]
        assert sentence.startswith(failure.sentence)
        assert "?stored=1" in sentence
        assert [event.outcome for event in await ended(chat)] == [failure.code]
        assert (await asker.ask(f"{answer_id}.csv", token(), stored="1")).status == 200


async def test_an_export_is_over_at_its_deadline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    timeout_s, move_on_after = 1234.0, trio.move_on_after
    scopes: list[trio.CancelScope] = []

    def noted(seconds: float, **more: Any) -> trio.CancelScope:
        scope = move_on_after(seconds, **more)
        if seconds == timeout_s:
            scopes.append(scope)
        return scope

    monkeypatch.setattr(trio, "move_on_after", noted)
    async with open_cut(tmp_path, export_rows=9, export_timeout_s=timeout_s) as opened:
        _, database, asker, answer_id = opened
        async with downloading(asker, database, f"{answer_id}.csv") as (call, responses):
            [scope] = scopes
            scope.deadline -= timeout_s  # it has come while the database was asked
        refused(responses[0], 504, "db_timeout")
        assert call.is_cancelled


async def test_an_export_waits_for_a_place_like_an_answer(tmp_path: Path) -> None:
    async with open_cut(tmp_path, export_rows=9, answers_per_user=1, wait_s=0.1) as opened:
        chat, database, asker, answer_id = opened
        bob = await chat.enter("bob")
        await ask(bob, "SELECT 2")
        running = await called(database, 2)
        response = await asker.ask(f"{answer_id}.csv", token("bob"))
        refused(response, 503, "db_busy")
        assert int(response.headers["retry-after"]) >= 1
        running.end()
        await bob.until("chat:answer:end")
        async with downloading(asker, database, f"{answer_id}.csv") as (call, responses):
            call.rows(1)
            call.end()
        assert responses[0].status == 200


async def test_a_client_that_goes_away_stops_the_question(tmp_path: Path) -> None:
    async with open_cut(tmp_path, export_rows=9) as (chat, database, _, answer_id):
        for name in ("csv", "xlsx"):
            with socket.socket() as client:
                client.connect(chat.address)
                head = f"GET /api/answers/{answer_id}.{name} HTTP/1.1\r\nHost: localhost\r\n"
                client.sendall(f"{head}Authorization: Bearer {token()}\r\n\r\n".encode())
                call = await called(database, len(database.calls) + 1)
                call.rows(1, 2, 3)
            await until(lambda call=call: call.is_cancelled)
        assert [event.outcome for event in await ended(chat, 2)] == ["broken_off"] * 2


async def test_a_client_that_takes_a_part_is_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_cut(tmp_path, export_rows=100_000) as (chat, database, _, answer_id):
        monkeypatch.setattr(chat.parts.http.listener._http, "_send_timeout_s", 0.2)
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(chat.address)
            head = f"GET /api/answers/{answer_id}.csv HTTP/1.1\r\nHost: localhost\r\n"
            client.sendall(f"{head}Authorization: Bearer {token()}\r\n\r\n".encode())
            call = await called(database, 2)
            call.sink.columns(COLUMNS)
            call.sink.rows([[number, "x" * 1_000] for number in range(20_000)])
            call.end()
            await ended(chat)
        [event] = await ended(chat)
        assert event.outcome == "broken_off"
        assert event.size < 20_000_000
        assert chat.parts.http.export_files._places.is_idle


async def test_a_drain_gives_up_what_is_being_made(tmp_path: Path) -> None:
    async with open_cut(tmp_path, export_rows=9) as (chat, database, asker, answer_id):
        async with downloading(asker, database, f"{answer_id}.csv") as (call, responses):
            chat.parts.http.export_files.drain()
        refused(responses[0], 503, "draining")
        assert call.is_cancelled
        refused(await asker.ask(f"{answer_id}.csv", token()), 503, "draining")
        assert len(database.calls) == 2
        assert (await asker.ask(f"{answer_id}.csv", token(), stored="1")).status == 200


async def test_a_disk_without_room_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    async with open_cut(tmp_path, export_rows=9) as (chat, database, asker, answer_id):
        with monkeypatch.context() as patch:
            patch.setattr(spool.LinesFile, "rows", full)
            async with downloading(asker, database, f"{answer_id}.csv") as (call, responses):
                call.rows(1)
        refused(responses[0], 503, "storage_full")
        assert call.is_cancelled
        assert [event.code for event in chat.recorder.of(StoreFailed)] == ["storage_full"]
        assert chat.parts.http.export_files._places.is_idle


async def test_one_user_does_not_take_all_places(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_files, "FILES_PER_USER", 1)
    monkeypatch.setattr(export_files, "WAIT_S", 0.1)
    async with open_cut(tmp_path, export_rows=9) as (_, database, asker, answer_id):
        async with downloading(asker, database, f"{answer_id}.csv") as (call, responses):
            refused(await asker.ask(f"{answer_id}.csv", token("bob")), 503, "overloaded")
            refused(
                await asker.ask(f"{answer_id}.xlsx", token("bob"), stored="1"), 503, "overloaded"
            )
            assert (await asker.ask(f"{answer_id}.xlsx", token("eve"), stored="1")).status == 200
            call.rows(1)
            call.end()
        assert responses[0].status == 200


@rows("gone", ["no longer there", "no question", "refused today"])
async def test_a_question_that_cannot_run_again_leaves_what_the_message_holds(
    tmp_path: Path, gone: str
) -> None:
    changes = {
        "no longer there": "DELETE FROM messages WHERE answer IS NULL",
        "no question": "UPDATE messages SET content = 'hello' WHERE answer IS NULL",
        "refused today": "UPDATE messages SET content = 'DROP TABLE x' WHERE answer IS NULL",
    }
    async with open_cut(tmp_path, export_rows=9) as (chat, database, asker, answer_id):
        await chat.log._current().maintain(lambda log: log.execute(changes[gone]))
        response = await asker.ask(f"{answer_id}.ndjson", token())
        assert len(objects(response)) == 2
        assert response.headers["x-chatd-truncated"] == "rows=max_rows"
        assert len(database.calls) == 1
