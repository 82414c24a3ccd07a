"""Questions answered in the room, as its people see it; the test holds the database."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from chatd.app.parts import answering
from chatd.store import CommitFailed
from chatd.wire.codes import Code
from tests.answers.services import HeldDatabase
from tests.answers.sql.readers import ReaderHere
from tests.service.chats import ROOM, Chat, ChatPeer, message, open_chat, token
from tests.service.test_catch_up_of_clients import FREE, all_told, come, go
from tests.service.test_supervision import crash

SQL = "SELECT n FROM numbers"
OTHER = "stock"  # a room without a database


class Databases:
    """The databases of a chat, by room, in place of those that it would start."""

    def __init__(self) -> None:
        self.by_room: dict[str, HeldDatabase] = {}

    def make(self, room: str, *_: object, **__: object) -> HeldDatabase:
        database = self.by_room[room] = RunningDatabase()
        return database


class RunningDatabase(HeldDatabase):
    why_unavailable = None

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        task_status.started()
        await trio.sleep_forever()


@asynccontextmanager
async def open_answering(
    directory: Path, /, *, read_only: bool = True, **sections: dict[str, object]
) -> AsyncIterator[tuple[Chat, HeldDatabase]]:
    """A chat in whose room there is a database."""
    database = {"sqlite": str(directory / "any"), "read_only": read_only}
    databases = Databases()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(answering, "McpDatabase", databases.make)
        patch.setattr(answering, "StatementReader", ReaderHere)
        settings: dict[str, dict[str, object]] = {"limits": dict(FREE), **sections}
        async with open_chat(directory, databases={ROOM: database}, **settings) as chat:
            yield chat, databases.by_room[ROOM]


async def ask(peer: ChatPeer, content: str = SQL, **fields: object) -> str:
    """Ask, and return the question's id once it is stored."""
    asked = message(content, **fields)
    ack = await peer.call("chat:message", asked)
    assert ack["ok"], ack
    return str(asked["messageId"])


async def called(database: HeldDatabase, count: int = 1) -> Any:
    """The call that the database gets, once it has."""
    while len(database.calls) < count:
        await trio.lowlevel.checkpoint()
    return database.calls[count - 1]


async def heard(peer: ChatPeer, last: str) -> list[tuple[str, Any]]:
    """What the peer hears, up to the first packet of this name."""
    packets: list[tuple[str, Any]] = []
    while not packets or packets[-1][0] != last:
        packets.append(await peer.packet())
    return packets


async def test_all_in_the_room_see_the_answer_grow_and_end(tmp_path: Path) -> None:
    async with open_answering(tmp_path) as (chat, database):
        ada, bob = await chat.enter("ada"), await chat.enter("bob")
        question = await ask(ada)
        call = await called(database)
        call.rows(1, 2)
        call.rows(3)
        call.end()
        packets = await heard(bob, "chat:answer:end")
        assert [name for name, _ in packets] == [
            "chat:message",
            "chat:answer:start",
            "chat:answer:status",
            "chat:answer:status",
            "chat:answer:status",
            "chat:answer:rows",
            "chat:answer:rows",
            "chat:answer:end",
        ]
        answer_id = packets[1][1]["messageId"]
        for _, payload in packets[1:]:
            assert payload["messageId"] == answer_id
            assert (payload["replyTo"], payload["connectionId"]) == (question, ROOM)
        assert packets[5][1]["columns"] == [{"name": "n", "type": "integer"}]
        assert [packet["rows"] for _, packet in packets[5:7]] == [[[1], [2]], [[3]]]
        assert packets[7][1]["state"] == "done"
        final = await bob.expect("chat:message")
        assert (final["messageId"], final["replyTo"]) == (answer_id, question)
        assert final["userId"] == f"db:{ROOM}"
        assert final["answer"]["rows"] == [[1], [2], [3]]
        assert "| n |" in final["content"]
        assert "error" not in final
        [seen] = [it for name, it in await heard(ada, "chat:answer:end") if name.endswith("end")]
        assert seen == packets[7][1]


async def test_who_comes_later_is_shown_what_there_is_so_far(tmp_path: Path) -> None:
    async with open_answering(tmp_path) as (chat, database):
        ada = await chat.enter("ada")
        await ask(ada)
        call = await called(database)
        call.rows(1)
        bob, _ = await come(chat)
        told = await all_told(bob)
        assert [name for name, _ in told] == [
            "presence:snapshot",
            "chat:history",
            "chat:answer:start",
            "chat:answer:status",
            "chat:answer:rows",
        ]
        assert told[3][1]["phase"] == "fetching"
        call.rows(2)
        call.end()
        assert (await bob.until("chat:answer:rows"))["rows"] == [[2]]
        assert (await bob.until("chat:message"))["answer"]["rows"] == [[1], [2]]


async def test_an_answer_belongs_to_the_room_and_goes_on_without_who_asked(tmp_path: Path) -> None:
    async with open_answering(tmp_path) as (chat, database):
        ada, bob = await chat.enter("ada"), await chat.enter("bob")
        await ask(ada)
        call = await called(database)
        await go(ada)
        call.rows(1)
        call.end()
        assert (await bob.until("chat:answer:end"))["state"] == "done"
        again, status = await come(chat, "ada")
        assert status["rooms"][0]["owed"] == 1
        history = dict(await all_told(again))["chat:history"]
        assert history["messages"][-1]["answer"]["rows"] == [[1]]


async def test_who_asked_cancels_and_is_told_how_it_went(tmp_path: Path) -> None:
    async with open_answering(tmp_path) as (chat, database):
        ada, bob = await chat.enter("ada"), await chat.enter("bob")
        question = await ask(ada)
        await called(database)
        refused = await bob.call("answer:cancel", {"messageId": question})
        assert refused["error"]["code"] == "forbidden"
        ack = await ada.call("answer:cancel", {"messageId": question})
        assert ack == {"ok": True, "state": "cancelled", "confirmed": True}
        final = await bob.until("chat:answer:end")
        assert (final["state"], final["error"]["code"]) == ("cancelled", "db_cancelled")
        late = await ada.call("answer:cancel", {"messageId": question})
        assert late == {"ok": True, "state": "cancelled"}
        stored = await ada.call("chat:history:get", {"connectionId": ROOM})
        assert stored["messages"][-1]["error"] == "The answer was cancelled."


async def test_a_cancel_of_what_has_no_answer_says_so_to_those_who_may_read_it(
    tmp_path: Path,
) -> None:
    async with open_answering(tmp_path) as (chat, database):
        ada, eve = await chat.enter("ada"), await chat.connect({"token": token("eve", [OTHER])})
        talk = message("Good morning!")
        await ada.say(talk)
        question = await ask(ada)
        (await called(database)).end()
        answer_id = (await ada.until("chat:answer:end"))["messageId"]
        for message_id, words in [
            (talk["messageId"], "has no answer"),
            (answer_id, "name its question"),
        ]:
            refusals = [
                (await peer.call("answer:cancel", {"messageId": message_id}))["error"]
                for peer in (ada, eve)
            ]
            assert [it["code"] for it in refusals] == ["not_found"] * 2
            assert [words in it["message"] for it in refusals] == [True, False]
        bob = await chat.enter("bob")
        late = await bob.call("answer:cancel", {"messageId": question})
        assert late == {"ok": True, "state": "done"}


async def test_a_cancel_right_behind_its_question_finds_it(tmp_path: Path) -> None:
    async with open_answering(tmp_path) as (chat, _):
        ada = await chat.enter("ada")
        asked = message(SQL)
        await ada.ask("chat:message", asked)
        ack = await ada.call("answer:cancel", {"messageId": asked["messageId"]})
        assert (ack["ok"], ack["state"]) == (True, "cancelled")


async def test_nobody_takes_the_place_of_an_answer(tmp_path: Path) -> None:
    async with open_answering(tmp_path) as (chat, database):
        ada, eve = await chat.enter("ada"), await chat.enter("eve")
        await ask(ada)
        answer_id = (await eve.until("chat:answer:start"))["messageId"]
        stolen = await eve.call("chat:message", message("stolen", message_id=answer_id))
        assert stolen["error"]["code"] == "message_id_conflict"
        (await called(database)).end()
        assert (await ada.until("chat:answer:end"))["state"] == "done"
        assert (await ada.expect("chat:message"))["messageId"] == answer_id


async def test_every_member_may_cancel_where_it_is_so_configured(tmp_path: Path) -> None:
    members = {"enabled": True, "cancel": "members"}
    async with open_answering(tmp_path, answers=members) as (chat, database):
        ada, bob = await chat.enter("ada"), await chat.enter("bob")
        question = await ask(ada)
        await called(database)
        assert (await bob.call("answer:cancel", {"messageId": question}))["state"] == "cancelled"
        eve = await chat.connect({"token": token("eve", [OTHER])})
        refused = await eve.call("answer:cancel", {"messageId": question})
        assert refused["error"]["code"] == "not_found"


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ({}, "invalid_payload"),
        ({"messageId": 7}, "invalid_payload"),
        ({"messageId": "no uuid"}, "invalid_message_id"),
        ({"messageId": "00000000-0000-4000-8000-000000000000"}, "not_found"),
    ],
)
async def test_a_cancel_that_is_no_good_is_refused_in_ack_and_event(
    tmp_path: Path, payload: dict[str, object], code: str
) -> None:
    async with open_answering(tmp_path) as (chat, _):
        ada = await chat.enter("ada")
        ack = await ada.call("answer:cancel", payload)
        assert ack["error"]["code"] == code
        error = await ada.until("chat:error")
        assert (error["event"], error["code"]) == ("answer:cancel", code)


async def test_a_retry_of_a_question_is_answered_once(tmp_path: Path) -> None:
    async with open_answering(tmp_path) as (chat, database):
        ada = await chat.enter("ada")
        asked = message(SQL)
        assert (await ada.call("chat:message", asked))["ok"]
        assert (await ada.call("chat:message", asked))["duplicate"] is True
        (await called(database)).end()
        await ada.until("chat:answer:end")
        assert len(database.calls) == 1


async def test_plain_talk_and_rooms_without_a_database_are_not_answered(tmp_path: Path) -> None:
    async with open_answering(tmp_path) as (chat, database):
        ada = await chat.enter("ada", [ROOM, OTHER])
        await ask(ada, "select the best one, please.")
        await ask(ada, SQL, room=OTHER)
        await ask(ada, "/tables", room=OTHER)
        page = await ada.call("chat:history:get", {"connectionId": OTHER})
        assert len(page["messages"]) == 2
        assert database.calls == []


async def test_an_answer_stays_in_the_thread_of_its_question(tmp_path: Path) -> None:
    async with open_answering(tmp_path) as (chat, database):
        ada = await chat.enter("ada")
        opener = message("orders, then")
        await ada.say(opener)
        await ask(ada, threadId=opener["messageId"])
        (await called(database)).end()
        await ada.until("chat:answer:end")
        assert (await ada.expect("chat:message"))["threadId"] == opener["messageId"]


async def test_the_order_of_a_sender_holds_with_questions_in_between(tmp_path: Path) -> None:
    async with open_answering(tmp_path) as (chat, _):
        ada = await chat.enter("ada")
        contents = ["first", SQL, "second", "/tables", "third"]
        asks = [await ada.ask("chat:message", message(content)) for content in contents]
        for _ in asks:
            while not isinstance((await ada.packet())[0], int):
                pass
        page = await ada.call("chat:history:get", {"connectionId": ROOM})
        assert [it["content"] for it in page["messages"]] == contents


async def test_an_end_waits_for_the_disk_and_is_told_once(tmp_path: Path) -> None:
    async with open_answering(tmp_path) as (chat, database):
        ada = await chat.enter("ada")
        await ask(ada)
        call = await called(database)
        chat.log.failure = CommitFailed(Code.STORAGE_FULL, "for the test")
        call.end()
        assert (await ada.call("chat:message", message()))["error"]["code"] == "storage_full"
        chat.log.failure = None
        assert (await ada.until("chat:answer:end"))["state"] == "done"
        assert (await ada.expect("chat:message"))["seq"] == 2


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(1, 7))
async def test_a_crash_at_any_effect_leaves_each_question_one_end(
    tmp_path: Path, at: int, after: bool
) -> None:
    async with open_answering(tmp_path) as (chat, database):
        database.at_once = lambda call: call.end()
        ada, bob = await chat.enter("ada"), await chat.enter("bob")
        fault = crash(chat, chat.parts.chat.effects, "run", at, after=after)
        questions = []
        for number in range(3):
            asked = message(f"SELECT {number} FROM numbers")
            questions.append(asked["messageId"])
            while not (await ada.call("chat:message", asked))["ok"]:
                pass
        ended: list[str] = []
        while len(ended) < 3:
            name, payload = await bob.packet()
            if name == "chat:message" and "answer" in payload:
                ended.append(payload["replyTo"])
        assert fault.has_crashed
        assert sorted(ended) == sorted(questions)
        page = await ada.call("chat:history:get", {"connectionId": ROOM})
        assert [it["seq"] for it in page["messages"]] == list(range(1, 7))
        assert len({it["messageId"] for it in page["messages"]}) == 6
        states = {it["answer"]["state"] for it in page["messages"] if "answer" in it}
        assert states <= {"done", "interrupted"}


async def test_what_a_crash_of_the_daemon_left_open_ends_at_the_next_start(tmp_path: Path) -> None:
    async with open_answering(tmp_path) as (chat, database):
        ada = await chat.enter("ada")
        question = await ask(ada)
        await called(database)  # and the daemon is gone
    async with open_answering(tmp_path) as (chat, _):
        ada, _ = await come(chat, "ada")
        while True:
            page = await ada.call("chat:history:get", {"connectionId": ROOM})
            if len(page["messages"]) == 2:
                break
        final = page["messages"][-1]
        assert (final["replyTo"], final["answer"]["state"]) == (question, "interrupted")
        assert final["answer"]["error"]["code"] == "db_interrupted"
    async with open_answering(tmp_path) as (chat, _):
        ada, status = await come(chat, "ada")
        assert status["rooms"][0]["lastSeq"] == 2


async def test_rows_are_sent_as_they_are_and_content_as_content_is(tmp_path: Path) -> None:
    async with open_answering(tmp_path) as (chat, database):
        ada = await chat.enter("ada")
        await ask(ada)
        call = await called(database)
        call.sink.columns(())
        call.sink.rows([["<b>", None, "9007199254740993", {"$bytes": "AA=="}]])
        call.end()
        rows = await ada.until("chat:answer:rows")
        assert rows["rows"] == [["<b>", None, "9007199254740993", {"$bytes": "AA=="}]]
        final = await ada.until("chat:message")
        assert "<b" not in final["content"]


# Stored first, and read after


@asynccontextmanager
async def open_reading(directory: Path) -> AsyncIterator[tuple[Chat, HeldDatabase, ReaderHere]]:
    """A chat whose reader is held: nothing is read until it is released."""
    async with open_answering(directory) as (chat, database):
        reader = chat.parts.answering.reader
        assert isinstance(reader, ReaderHere)
        reader.hold()
        yield chat, database, reader


async def test_a_message_is_acknowledged_and_shown_before_it_is_read(tmp_path: Path) -> None:
    async with open_reading(tmp_path) as (chat, database, reader):
        ada, bob = await chat.enter("ada"), await chat.enter("bob")
        question = await ask(ada)
        assert (await bob.until("chat:message"))["messageId"] == question
        for number in range(2):  # nor do those behind it wait, of whatever kind
            assert (await ada.say(message(f"talk {number}")))["ok"]
            await ask(ada, f"SELECT {number}")
        eve, _ = await come(chat, "eve")
        assert [name for name, _ in await all_told(eve)] == ["presence:snapshot", "chat:history"]
        reader.release()
        assert (await eve.until("chat:answer:start"))["replyTo"] == question
        (await called(database)).end()


async def test_a_message_that_may_be_a_question_is_foreseen_as_it_is_read_and_no_other(
    tmp_path: Path,
) -> None:
    async with open_reading(tmp_path) as (chat, database, reader):
        ada = await chat.enter("ada")
        await ask(ada)
        assert (await ada.say(message("hello")))["ok"]
        assert (await ada.say(message(SQL, messageId="no id")))["ok"] is False
        assert len(reader.foreseen) == 1
        reader.release()
        (await called(database)).end()
        assert reader.pieces == reader.foreseen


async def test_a_retry_while_a_message_is_to_be_read_is_a_duplicate_and_read_once(
    tmp_path: Path,
) -> None:
    async with open_reading(tmp_path) as (chat, database, reader):
        ada = await chat.enter("ada")
        asked = message(SQL)
        assert (await ada.call("chat:message", asked))["ok"]
        assert (await ada.call("chat:message", asked))["duplicate"] is True
        reader.release()
        (await called(database)).end()
        await ada.until("chat:answer:end")
        assert [piece.content for piece in reader.pieces] == [SQL]


async def test_what_was_to_be_read_at_a_crash_has_its_one_end_at_the_next_start(
    tmp_path: Path,
) -> None:
    talk = "select the best one, please."
    async with open_reading(tmp_path) as (chat, _, _):
        ada = await chat.enter("ada")
        questions = [await ask(ada, f"SELECT {number}") for number in range(3)]
        for _ in range(3):
            await ask(ada, talk)
    for starts in range(2):
        async with open_answering(tmp_path) as (chat, database):
            while chat.parts.answering.service.count:
                await trio.lowlevel.checkpoint()
            ada, _ = await come(chat, "ada")
            page = await ada.call("chat:history:get", {"connectionId": ROOM})
            ends = [it for it in page["messages"] if "answer" in it]
            assert [it["replyTo"] for it in ends] == questions
            assert {it["answer"]["state"] for it in ends} == {"interrupted"}
            assert len(page["messages"]) == 9, starts
            assert database.calls == []


async def test_plain_talk_leaves_no_trace_of_being_read(tmp_path: Path) -> None:
    async with open_answering(tmp_path) as (chat, _):
        ada, bob = await chat.enter("ada"), await chat.enter("bob")
        await ask(ada, "select the best one, please.")
        await bob.until("chat:message")
        await bob.quiet()
        await ada.call("chat:message", message("and something after it"))
        while chat.parts.answering.service.count:
            await trio.lowlevel.checkpoint()
        assert chat.parts.messages.machine.promised == {}
        assert chat.store.reread().open_answers == ()


async def test_a_stop_leaves_what_is_to_be_read_to_the_next_start(tmp_path: Path) -> None:
    async with open_reading(tmp_path) as (chat, _, _):
        ada = await chat.enter("ada")
        question = await ask(ada)
        with trio.fail_after(10):
            await chat.parts.answering.service.drain()
        assert [one.question_id for one in chat.store.reread().open_answers] == [question]
