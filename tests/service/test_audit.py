"""What the audit gets of questions and downloads, and that plain talk costs it nothing."""

from pathlib import Path

import pytest
import trio

from chatd.answers.reruns import Reruns
from chatd.answers.stored_table import StoredTable
from chatd.answers.workbook import WorkbookFile
from chatd.auth.revocations import REVOCATIONS_NAME
from chatd.chat.audit import BEGUN, AuditAction, AuditEntry
from chatd.observe import AdministratorActed, ExportEnded
from chatd.service.export_files import FileWanted
from chatd.store import AuditQuery, CommitFailed, StoreClosed, StoreReadFailed, look_at_audit
from chatd.wire.codes import Code, Refusal
from tests.answers.services import HeldDatabase, failed
from tests.engine.polls import until
from tests.service.chats import ROOM, Chat, ChatPeer, message, token
from tests.service.events.test_answers import SQL, ask, called, open_answering
from tests.service.test_downloads import Asker, answered
from tests.service.test_export_files import open_cut


def entries(chat: Chat, **query: object) -> list[AuditEntry]:
    return look_at_audit(chat.store.path.parent, AuditQuery(**query))  # type: ignore[arg-type]


async def ended(peer: ChatPeer) -> None:
    await peer.until("chat:answer:end")
    await peer.expect("chat:message")


async def test_a_question_has_an_entry_as_soon_as_its_room_hears_of_its_end(
    tmp_path: Path,
) -> None:
    async with open_answering(tmp_path) as (chat, database):
        ada = await chat.enter("ada")
        question = await ask(ada, f"Please:\n```sql\n{SQL}\n```")
        call = await called(database)
        call.rows(1, 2)
        call.end()
        await ended(ada)
        [entry] = entries(chat)
        assert (entry.action, entry.user_id, entry.connection_id) == (AuditAction.ASK, "ada", ROOM)
        assert (entry.statement, entry.message_id) == (SQL, question)
        assert (entry.outcome, entry.code, entry.rows) == ("done", None, 2)
        assert entry.address == "127.0.0.1"
        assert entry.elapsed_ms is not None


async def test_what_failed_or_was_refused_is_there_too(tmp_path: Path) -> None:
    async with open_answering(tmp_path) as (chat, database):
        database.at_once = lambda call: call.end(failed(Code.DB_ERROR))
        ada = await chat.enter("ada")
        asked = [
            ("SELECT 1; DROP TABLE x", "db_statement_rejected"),
            ("/describe nothing", "db_error"),
            (SQL, "db_error"),
        ]
        for content, _ in asked:
            await ask(ada, content)
            await ended(ada)
        told = [(entry.statement, entry.code) for entry in entries(chat)]
        assert told == asked
        assert {entry.outcome for entry in entries(chat)} == {"error"}


async def test_a_question_that_is_taken_back_stays_in_the_audit(tmp_path: Path) -> None:
    async with open_answering(tmp_path) as (chat, database):
        ada = await chat.enter("ada")
        question = await ask(ada)
        await called(database)
        await ada.call("chat:message:delete", {"connectionId": ROOM, "messageId": question})
        await ended(ada)
        [entry] = entries(chat)
        assert (entry.statement, entry.outcome) == (SQL, "cancelled")


async def test_plain_talk_leaves_nothing_in_the_audit(tmp_path: Path) -> None:
    async with open_answering(tmp_path) as (chat, _):
        ada = await chat.enter("ada")
        await ada.say(message("How many orders came in today?"))
        await ada.call("chat:message", message("select something nice for lunch"))
        assert entries(chat) == []


async def downloaded(chat: Chat, database: HeldDatabase) -> str:
    answer_id = await answered(chat, database)
    response = await Asker(chat).ask(f"{answer_id}.csv", token("bob"))
    assert response.status == 200
    return answer_id


async def test_a_download_has_an_entry_of_who_took_what_away(tmp_path: Path) -> None:
    async with open_answering(tmp_path) as (chat, database):
        answer_id = await downloaded(chat, database)
        await until(lambda: entries(chat, user_id="bob")[0].outcome != BEGUN)
        [entry] = entries(chat, user_id="bob")
        assert (entry.action, entry.format, entry.outcome) == (AuditAction.EXPORT, "csv", "sent")
        assert (entry.message_id, entry.statement, entry.rows) == (answer_id, SQL, 4)
        assert (entry.address, entry.connection_id) == ("127.0.0.1", ROOM)
        assert entry.size_bytes


async def test_the_entry_of_a_download_names_the_entry_of_its_question_and_holds_little_of_it(
    tmp_path: Path,
) -> None:
    async with open_answering(tmp_path) as (chat, database):
        database.at_once = lambda call: call.end()
        ada = await chat.enter("ada")
        statement = f"SELECT '{'x' * 3_000}'"
        await ask(ada, statement)
        await ada.until("chat:answer:end")
        answer_id = (await ada.expect("chat:message"))["messageId"]
        assert (await Asker(chat).ask(f"{answer_id}.csv", token("bob"))).status == 200
        asked, exported = entries(chat)
        assert (asked.statement, exported.statement) == (statement, statement[:100])
        assert (exported.message_id, exported.target) == (answer_id, asked.message_id)


async def test_a_look_at_the_head_of_a_file_takes_nothing_away(tmp_path: Path) -> None:
    async with open_answering(tmp_path) as (chat, database):
        answer_id = await answered(chat, database)
        await Asker(chat).ask(f"{answer_id}.csv", token("bob"), method="HEAD")
        assert entries(chat, user_id="bob") == []


async def test_nothing_is_downloaded_that_the_disk_does_not_note(tmp_path: Path) -> None:
    async with open_answering(tmp_path) as (chat, database):
        answer_id = await answered(chat, database)
        chat.log.failure = CommitFailed(Code.STORAGE_FULL, "no space")
        response = await Asker(chat).ask(f"{answer_id}.csv", token("bob"))
        assert (response.status, response.json()["error"]["code"]) == (503, "storage_full")
        chat.log.failure = None
        assert entries(chat, user_id="bob") == []
        assert [event.outcome for event in chat.recorder.of(ExportEnded)] == ["storage_full"]


FAULTS = [
    (Reruns, "prepare", StoreReadFailed("for the test"), "storage_read_error"),
    (Reruns, "prepare", StoreClosed(), "storage_read_error"),
    (Reruns, "prepare", ValueError(), "internal"),
    (Reruns, "run", ValueError(), "internal"),
    (WorkbookFile, "begin", ValueError(), "internal"),
]


async def download(chat: Chat, answer_id: str, name: str = "csv") -> None:
    """Have a file made, for bob."""
    message = await chat.store.readers.message(answer_id)
    assert message is not None
    assert message.answer is not None
    table = StoredTable.of(message.answer)
    respond = chat.parts.http.export_files.respond
    await respond(FileWanted(name), message, table, "bob", "::1", trio.sleep_forever)


async def one_ended(chat: Chat, outcome: str) -> None:
    """The one download of bob has this end in the audit, and in the log."""
    await until(lambda: bool(entries(chat, user_id="bob")))
    await until(lambda: entries(chat, user_id="bob")[0].outcome != BEGUN)
    assert [entry.outcome for entry in entries(chat, user_id="bob")] == [outcome]
    assert [event.outcome for event in chat.recorder.of(ExportEnded)] == [outcome]


@pytest.mark.parametrize(("owner", "name", "fault", "outcome"), FAULTS)
async def test_a_download_that_a_fault_ended_has_its_end(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    owner: type,
    name: str,
    fault: Exception,
    outcome: str,
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise fault

    async with open_cut(tmp_path, export_rows=9) as (chat, database, _, answer_id):
        database.at_once = lambda call: call.end()
        monkeypatch.setattr(owner, name, fails)
        with pytest.raises((type(fault), ExceptionGroup)):
            await download(chat, answer_id, "xlsx")
        await one_ended(chat, outcome)


@pytest.mark.parametrize("at", ["the beginning", "the question", "the rows"])
async def test_a_download_whose_task_is_cancelled_has_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    async with open_cut(tmp_path, export_rows=9) as (chat, database, _, answer_id):
        reached = trio.Event()

        async def held(*_: object, **__: object) -> None:
            reached.set()
            await trio.sleep_forever()

        if at == "the beginning":
            chat.log.held = trio.Event()
        if at == "the question":
            monkeypatch.setattr(Reruns, "prepare", held)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(download, chat, answer_id)
            match at:
                case "the beginning":
                    await until(lambda: chat.log.held.statistics().tasks_waiting == 1)
                case "the question":
                    await reached.wait()
                case _:
                    await called(database, 2)
            nursery.cancel_scope.cancel()
        chat.log.held.set()
        await one_ended(chat, "broken_off")


async def test_what_a_crash_interrupted_is_in_the_audit_in_the_order_of_asking(
    tmp_path: Path,
) -> None:
    asked = [f"SELECT {number}" for number in range(5)]
    async with open_answering(tmp_path) as (chat, database):
        ada = await chat.enter("ada")
        for count, statement in enumerate(asked, 1):
            await ask(ada, statement)
            if count <= 2:
                await called(database, count)
    async with open_answering(tmp_path) as (chat, _):
        await until(lambda: len(entries(chat)) == 5 and not chat.parts.answering.service.count)
        told = [(one.statement, one.outcome, one.address) for one in entries(chat)]
        assert told == [(statement, "interrupted", "127.0.0.1") for statement in asked]


# What administrators do


async def test_an_action_of_an_administrator_says_what_came_of_it(tmp_path: Path) -> None:
    async with open_answering(tmp_path) as (chat, _):
        administration = chat.parts.operators.administration
        await administration.kick("ada", "uid:0")
        await administration.say(None, "Down at six", "uid:0")
        ada = await chat.enter("ada")
        await administration.say(None, "Down at six", "uid:0")
        await administration.kick("ada", "uid:0")
        await ada.ended()
        told = [(one.action, one.target, one.outcome) for one in entries(chat)]
        assert told == [
            (AuditAction.KICK, "ada", "nothing"),
            (AuditAction.SAY, None, "nothing"),
            (AuditAction.SAY, None, "done"),
            (AuditAction.KICK, "ada", "done"),
        ]
        acted = [one.outcome for one in chat.recorder.of(AdministratorActed)]
        assert acted == ["nothing", "nothing", "done", "done"]


async def test_an_action_that_failed_is_not_said_to_be_done(tmp_path: Path) -> None:
    async with open_answering(tmp_path) as (chat, _):
        await chat.enter("ada")
        (chat.store.path.parent / REVOCATIONS_NAME).mkdir()
        refused = await chat.parts.operators.administration.revoke("ada", "uid:0")
        assert isinstance(refused, Refusal)
        [entry] = entries(chat)
        assert (entry.action, entry.outcome) == (AuditAction.REVOKE, BEGUN)
