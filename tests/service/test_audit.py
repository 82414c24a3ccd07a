"""What the audit gets of questions and downloads, and that plain talk costs it nothing."""

from pathlib import Path

from chatd.chat.audit import BEGUN, AuditAction, AuditEntry
from chatd.store import AuditQuery, CommitFailed, look_at_audit
from chatd.wire.codes import Code
from tests.answers.services import HeldDatabase, failed
from tests.engine.polls import until
from tests.service.chats import ROOM, Chat, ChatPeer, message, token
from tests.service.events.test_answers import SQL, ask, called, open_answering
from tests.service.test_downloads import Asker, answered


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
