"""Every question reaches exactly one end, in time, whatever its database does."""

import pytest
import trio
import trio.testing

from chatd.answers.cancels import CancelOutcome
from chatd.answers.requests import (
    Answered,
    DescribeTable,
    ExplainStatement,
    ListTables,
    RunStatement,
    SampleTable,
    Stopped,
)
from chatd.answers.slots import OWN_BUSY
from chatd.answers.sql.commands import Help, Misused, Question
from chatd.answers.sql.reader import WAITING_MAX
from chatd.answers.sql.reading import Piece
from chatd.answers.sql.verdicts import ONLY_READING, Policy
from chatd.answers.terms import SENT_AS_READ_ONLY
from chatd.auth import Grant
from chatd.chat.changes import deleted, edited
from chatd.chat.records import Message, OpenAnswer
from chatd.observe import AnswerEnded, InternalError
from chatd.store import StoreReadFailed
from chatd.wire.codes import EXPLANATIONS, Code, Refusal
from tests.answers.services import (
    COLUMNS,
    OTHER_ROOM,
    ROOM,
    Call,
    Service,
    failed,
    open_service,
)
from tests.answers.sql.readers import ENDLESS
from tests.chat.commands import message_id

MINE = {ROOM: Grant(ROOM, None)}


async def test_an_answer_grows_before_the_room_and_ends_with_a_message(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with open_service() as service:
        question = await service.ask()
        [call] = service.database.calls
        assert call.request == RunStatement("SELECT 1")
        call.rows(1, 2)
        call.rows(3)
        call.end()
        await service.settled()
        assert [what for what, _ in service.watcher.shown[question]] == [
            "start",
            "status",
            "status",
            "status",
            "rows",
            "rows",
            "end",
        ]
        assert service.told(question, "start") == [
            {"read_only": True, "dry_run": False, "deadline_ms": 1_700_000_030_000}
        ]
        assert service.told(question, "status") == ["queued", "running", "fetching"]
        assert service.told(question, "rows") == [(0, COLUMNS, [[1], [2]]), (1, None, [[3]])]
        assert "end" not in service.shelf.shown_before[question]  # the message is stored first
        end = service.end(question)
        assert (end["state"], end["rows"], end["rowCount"]) == ("done", [[1], [2], [3]], 3)
        assert (end["truncated"], end["cached"]) == (False, False)
        [ended] = service.recorder.of(AnswerEnded)
        assert (ended.kind, ended.state, ended.rows, ended.code) == ("sql", "done", 3, None)


@pytest.mark.parametrize(
    ("question", "context", "kind"),
    [
        (RunStatement("SELECT 1"), {}, "sql"),
        (RunStatement("SELECT 1"), {"dryRun": True}, "explain"),
        (ExplainStatement("SELECT 1"), {}, "explain"),
        (ListTables(), {}, "tables"),
        (DescribeTable("t"), {}, "describe"),
        (SampleTable("t"), {}, "sample"),
        (Help(), {}, "help"),
        (Misused("Write it alone."), {}, "none"),
        (RunStatement("DELETE FROM orders"), {}, "none"),
    ],
    ids=str,
)
async def test_an_answer_is_counted_by_what_was_asked(
    mock_clock: trio.testing.MockClock, question: Question, context: dict[str, object], kind: str
) -> None:
    async with open_service() as service:
        service.database.at_once = Call.end
        await service.ask(question, config=context)
        assert [ended.kind for ended in service.recorder.of(AnswerEnded)] == [kind]


async def test_an_empty_result_shows_its_columns(mock_clock: trio.testing.MockClock) -> None:
    async with open_service() as service:
        question = await service.ask()
        service.database.calls[0].sink.columns(COLUMNS)
        service.database.calls[0].end()
        await service.settled()
        assert service.told(question, "rows") == [(0, COLUMNS, [])]
        assert service.end(question)["columns"] == [{"name": "n", "type": "integer"}]


async def test_many_rows_at_once_are_shown_in_pieces(mock_clock: trio.testing.MockClock) -> None:
    async with open_service() as service:
        question = await service.ask()
        service.database.calls[0].rows(*range(450))
        assert [len(rows) for _, _, rows in service.told(question, "rows")] == [200, 200, 50]
        assert [index for index, _, _ in service.told(question, "rows")] == [0, 1, 2]


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("DELETE FROM orders", Code.DB_READ_ONLY),
        ("SELECT 1; SELECT 2", Code.DB_STATEMENT_REJECTED),
        ("SELECT load_extension('x')", Code.DB_STATEMENT_REJECTED),
    ],
)
async def test_what_the_guard_refuses_never_reaches_the_database(
    mock_clock: trio.testing.MockClock, sql: str, code: Code
) -> None:
    async with open_service() as service:
        question = await service.ask(RunStatement(sql))
        assert service.database.calls == []
        end = service.end(question)
        assert (end["state"], end["error"]["code"]) == ("error", code)


async def test_writing_needs_the_word_of_the_connection_and_of_the_message(
    mock_clock: trio.testing.MockClock,
) -> None:
    write = "UPDATE orders SET n = 1"
    async with open_service(read_only=False) as service:
        refused = await service.ask(write)
        assert service.end(refused)["error"] == {
            "code": "db_read_only",
            "message": SENT_AS_READ_ONLY,
            "retryable": False,
        }
        await service.ask(write, config={"readOnly": False})
        assert service.database.calls[0].terms.read_only is False
    async with open_service(read_only=True) as service:
        refused = await service.ask(write, config={"readOnly": False})
        assert service.database.calls == []
        assert service.end(refused)["error"]["message"] == ONLY_READING


async def test_a_dry_run_asks_for_the_plan_and_runs_nothing(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with open_service() as service:
        await service.ask("SELECT 1", config={"dryRun": True})
        assert service.database.calls[0].request == ExplainStatement("SELECT 1")
        tables = await service.ask(ListTables(), config={"dryRun": True})
        assert service.end(tables)["error"]["code"] == "db_dry_run_unsupported"
        service.database.can_explain = False
        question = await service.ask("SELECT 2", config={"dryRun": True})
        assert service.end(question)["error"]["code"] == "db_dry_run_unsupported"
        assert len(service.database.calls) == 1


async def test_the_context_narrows_what_may_be_touched(mock_clock: trio.testing.MockClock) -> None:
    async with open_service() as service:
        inside = await service.ask("SELECT * FROM orders", tables=["orders"])
        outside = await service.ask("SELECT * FROM users", tables=["orders"])
        other = await service.ask(DescribeTable("users"), tables=["orders"])
        assert [call.terms.tables for call in service.database.calls] == [("orders",)]
        assert inside not in service.shelf.stored
        for question in (outside, other):
            assert service.end(question)["error"]["code"] == "db_statement_rejected"


@pytest.mark.parametrize(
    ("dialect", "typed", "table", "schema"),
    [
        ("sqlite", '"orders"', "orders", None),
        ("sqlite", "`order items`", "order items", None),
        ("sqlite", "[Orders]", "Orders", None),
        ("sqlite", "main.orders", "orders", "main"),
        ("postgres", "ORDERS", "orders", None),
        ("postgres", 'Sales."Orders"', "Orders", "sales"),
        ("mysql", "shop.`order items`", "order items", "shop"),
    ],
)
async def test_a_table_is_asked_about_by_the_name_that_was_judged(
    mock_clock: trio.testing.MockClock, dialect: str, typed: str, table: str, schema: str | None
) -> None:
    async with open_service(dialect=dialect) as service:
        await service.ask(DescribeTable(typed))
        await service.ask(SampleTable(typed))
        assert [call.request for call in service.database.calls] == [
            DescribeTable(table, schema),
            SampleTable(table, schema),
        ]


async def test_a_context_with_one_spelling_lets_no_other_table_be_sampled(
    mock_clock: trio.testing.MockClock,
) -> None:
    # In Postgres Orders is orders, and "Orders" another table.
    async with open_service(dialect="postgres") as service:
        await service.ask(SampleTable("Orders"), tables=["orders"])
        assert [call.request for call in service.database.calls] == [SampleTable("orders")]
        refused = await service.ask(SampleTable('"Orders"'), tables=["orders"])
        assert service.end(refused)["error"]["code"] == "db_statement_rejected"
        assert len(service.database.calls) == 1


async def test_help_and_misused_commands_need_no_database(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with open_service() as service:
        help_asked = await service.ask(Help())
        content, end = service.shelf.stored[help_asked]
        assert end["state"] == "done"
        assert "/tables" in content
        assert "This database is SQLite." in content
        misused = await service.ask(Misused(""))
        assert service.end(misused)["error"]["message"].startswith("Write /describe TABLE")
        assert service.database.calls == []


async def test_the_help_of_a_room_names_the_kind_of_its_database(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with open_service(dialect="postgres") as service:
        content, _ = service.shelf.stored[await service.ask(Help())]
        assert "This database is PostgreSQL." in content


@pytest.mark.parametrize(
    ("columns", "written", "content"),
    [
        (0, 3, "Done; 3 rows were changed."),
        (0, 1, "Done; 1 row was changed."),
        (0, 0, "Done; 0 rows were changed."),
        (1, 2, "| 2 |\n\nDone; 2 rows were changed."),
        (1, 0, "| 2 |"),
        (1, None, "| 2 |"),
    ],
)
async def test_an_answer_says_how_many_rows_it_changed(
    mock_clock: trio.testing.MockClock, columns: int, written: int | None, content: str
) -> None:
    async with open_service(read_only=False) as service:
        question = await service.ask(config={"readOnly": False})
        [call] = service.database.calls
        if columns:
            call.rows(1, 2)
        else:
            call.sink.columns(())
        call.end(Answered(rows_written=written))
        await service.settled()
        text, end = service.shelf.stored[question]
        assert text.endswith(content)
        assert end.get("rowsWritten") == written


@pytest.mark.parametrize(
    ("outcome", "state", "code"),
    [
        (failed(Code.DB_SYNTAX), "error", "db_syntax"),
        (failed(Code.DB_UNAVAILABLE), "error", "db_unavailable"),
        (failed(Code.DB_TIMEOUT), "timeout", "db_timeout"),
        (KeyError("a fault of ours"), "error", "db_error"),
    ],
)
async def test_a_database_that_fails_is_an_end_too(
    mock_clock: trio.testing.MockClock, outcome: Exception, state: str, code: str
) -> None:
    async with open_service() as service:
        question = await service.ask()
        service.database.calls[0].end(outcome)
        await service.settled()
        end = service.end(question)
        assert (end["state"], end["error"]["code"]) == (state, code)
        assert len(service.recorder.of(InternalError)) == (code == "db_error")


async def test_a_database_that_hangs_is_stopped_at_the_deadline(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with open_service() as service:
        question = await service.ask()
        [call] = service.database.calls
        call.rows(1)
        mock_clock.jump(30)
        await service.settled()
        assert call.stop.is_set()
        end = service.end(question)
        assert (end["state"], end["error"]["code"], end["rows"]) == ("timeout", "db_timeout", [[1]])


async def test_a_database_that_does_not_stop_is_left_alone(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with open_service() as service:
        service.database.stops = False
        question = await service.ask()
        [call] = service.database.calls
        mock_clock.jump(30)
        await service.settled()
        assert question not in service.shelf.stored
        mock_clock.jump(2)
        await service.settled()
        assert call.is_cancelled
        assert service.end(question)["state"] == "timeout"


async def cancelled(
    service: Service, question: str, user_id: str = "ann"
) -> CancelOutcome | Refusal:
    return await service.answers.cancel(question, user_id, MINE)


@pytest.mark.parametrize("confirms", [True, False])
async def test_a_cancel_is_told_as_it_went(
    mock_clock: trio.testing.MockClock, confirms: bool
) -> None:
    async with open_service() as service:
        service.database.confirms = confirms
        question = await service.ask()
        service.database.calls[0].rows(1)
        outcome = await cancelled(service, question)
        assert outcome == CancelOutcome("cancelled", confirms)
        end = service.end(question)
        assert (end["state"], end["error"]["code"], end["rows"]) == (
            "cancelled",
            "db_cancelled",
            [[1]],
        )
        assert ("did not say" in end["error"]["message"]) is not confirms


async def test_a_cancel_that_comes_too_late_is_told_how_it_ended(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with open_service() as service:
        question = await service.ask()
        service.database.calls[0].end()
        await service.settled()
        assert await cancelled(service, question) == CancelOutcome("done")


async def test_a_database_that_is_done_when_it_is_told_to_stop_is_done(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with open_service() as service:
        service.database.stops = False
        question = await service.ask()
        [call] = service.database.calls
        async with trio.open_nursery() as nursery:
            outcomes: list[CancelOutcome | Refusal] = []

            async def cancel() -> None:
                outcomes.append(await cancelled(service, question))

            nursery.start_soon(cancel)
            await service.settled()
            assert call.stop.is_set()
            call.rows(1)
            call.end()
        assert outcomes == [CancelOutcome("done")]
        assert service.end(question)["rows"] == [[1]]


async def test_only_who_asked_cancels_unless_everybody_may(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with open_service() as service:
        question = await service.ask()
        outcome = await cancelled(service, question, "bob")
        assert isinstance(outcome, Refusal)
        assert outcome.code is Code.FORBIDDEN
        assert not service.database.calls[0].stop.is_set()
    async with open_service(anybody_cancels=True) as service:
        question = await service.ask()
        assert await cancelled(service, question, "bob") == CancelOutcome("cancelled", True)


async def test_what_is_not_there_or_not_in_ones_rooms_is_not_found(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with open_service() as service:
        elsewhere = await service.ask(room=OTHER_ROOM)
        for question in (elsewhere, message_id(77)):
            outcome = await cancelled(service, question)
            assert isinstance(outcome, Refusal)
            assert outcome.code is Code.NOT_FOUND
        assert not service.other.calls[0].stop.is_set()


async def test_equal_questions_share_one_run_from_which_a_cancel_detaches_one_asker(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with open_service() as service:
        first = await service.ask(user_id="ann")
        [call] = service.database.calls
        call.rows(1)
        second = await service.ask(user_id="bob")
        assert len(service.database.calls) == 1
        assert service.told(second, "rows") == [(0, COLUMNS, [[1]])]
        assert await cancelled(service, first) == CancelOutcome("cancelled", None)
        assert not call.stop.is_set()
        call.rows(2)
        call.end()
        await service.settled()
        assert service.end(second)["rows"] == [[1], [2]]
        assert service.end(first)["rows"] == [[1]]


async def test_the_last_one_who_goes_stops_the_run(mock_clock: trio.testing.MockClock) -> None:
    async with open_service() as service:
        first, second = await service.ask(user_id="ann"), await service.ask(user_id="bob")
        [call] = service.database.calls
        await cancelled(service, first)
        assert not call.stop.is_set()
        assert await cancelled(service, second, "bob") == CancelOutcome("cancelled", True)
        assert call.stop.is_set()


async def test_a_run_that_was_stopped_is_joined_by_nobody(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with open_service() as service:
        service.database.stops = False
        await service.ask(user_id="ann")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(cancelled, service, message_id(1))
            await service.settled()
            await service.ask(user_id="bob")
            assert len(service.database.calls) == 2
            mock_clock.jump(2)


async def test_who_joins_a_run_late_has_all_of_the_own_time(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with open_service() as service:
        service.database.keeps_time = True
        first = await service.ask(user_id="ann")
        mock_clock.jump(25)
        second = await service.ask(user_id="bob")
        [call] = service.database.calls
        mock_clock.jump(5)
        await service.settled()
        assert service.end(first)["state"] == "timeout"
        mock_clock.jump(24.9)
        await service.settled()
        assert second not in service.shelf.stored
        assert not call.stop.is_set()
        call.rows(1)
        mock_clock.jump(0.1)
        await service.settled()
        assert call.stop.is_set()
        assert len(service.database.calls) == 1
        end = service.end(second)
        assert (end["state"], end["elapsedMs"], end["rows"]) == ("timeout", 30_000, [[1]])


async def test_who_would_outlast_a_run_has_one_of_their_own(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with open_service() as service:
        service.database.keeps_time = True
        await service.ask(user_id="ann")
        for user in ("bob", "eve"):
            mock_clock.jump(25)
            last = await service.ask(user_id=user)
        mock_clock.jump(25)
        await service.settled()
        assert len(service.database.calls) == 2
        service.database.calls[1].rows(1)
        service.database.calls[1].end()
        await service.settled()
        assert service.end(last)["state"] == "done"


async def test_who_joined_a_run_that_the_database_gave_up_has_it_begun_anew(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with open_service() as service:
        first = await service.ask(user_id="ann")
        mock_clock.jump(10)
        late = [await service.ask(user_id=user) for user in ("bob", "eve")]
        mock_clock.jump(10)
        service.database.calls[0].end(failed(Code.DB_TIMEOUT))
        await service.settled()
        assert service.end(first)["state"] == "timeout"
        _, again = service.database.calls
        again.rows(1)
        again.end()
        await service.settled()
        for question in late:
            end = service.end(question)
            assert (end["state"], end["elapsedMs"], end["rows"]) == ("done", 10_000, [[1]])


@pytest.mark.parametrize("rows", [(), (1, 2)])
async def test_a_run_is_begun_anew_for_nobody_who_has_seen_some_of_it_or_is_out_of_time(
    mock_clock: trio.testing.MockClock, rows: tuple[int, ...]
) -> None:
    async with open_service() as service:
        await service.ask(user_id="ann")
        [call] = service.database.calls
        mock_clock.jump(10)
        late = await service.ask(user_id="bob")
        if rows:
            call.rows(*rows)
        else:
            mock_clock.jump(30)
        call.end(failed(Code.DB_TIMEOUT))
        await service.settled()
        end = service.end(late)
        assert (end["state"], end["rows"]) == ("timeout", [[row] for row in rows])
        assert len(service.database.calls) == 1


async def test_rooms_and_terms_share_nothing(mock_clock: trio.testing.MockClock) -> None:
    async with open_service() as service:
        await service.ask("SELECT * FROM orders")
        await service.ask("SELECT * FROM orders", room=OTHER_ROOM, user_id="bob")
        await service.ask("SELECT * FROM orders", user_id="eve", tables=["orders"])
        assert (len(service.database.calls), len(service.other.calls)) == (2, 1)


async def test_a_result_answers_the_same_question_again_for_a_short_time(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with open_service() as service:
        await service.ask()
        service.database.calls[0].rows(1)
        service.database.calls[0].end()
        await service.settled()
        again = await service.ask(user_id="bob")
        end = service.end(again)
        assert (end["cached"], end["rows"], end["state"]) == (True, [[1]], "done")
        assert service.told(again, "rows") == [(0, COLUMNS, [[1]])]
        mock_clock.jump(31)
        await service.ask()
        assert len(service.database.calls) == 2


async def test_a_failure_answers_nobody_again(mock_clock: trio.testing.MockClock) -> None:
    async with open_service() as service:
        await service.ask()
        service.database.calls[0].end(failed(Code.DB_ERROR))
        await service.settled()
        await service.ask()
        assert len(service.database.calls) == 2


async def test_a_write_empties_the_cache_also_of_what_is_being_read(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with open_service(read_only=False) as service:
        await service.ask("SELECT 1")
        service.database.calls[0].rows(1)
        service.database.calls[0].end()
        await service.settled()
        reading = await service.ask("SELECT 2", user_id="bob")
        await service.ask("UPDATE orders SET n = 1", config={"readOnly": False}, user_id="eve")
        _, read, write = service.database.calls
        write.end()
        await service.settled()
        read.rows(2)
        read.end()
        await service.settled()
        assert service.end(reading)["state"] == "done"
        for sql in ("SELECT 1", "SELECT 2"):
            await service.ask(sql, user_id=sql)
        assert len(service.database.calls) == 5


async def test_a_question_after_a_write_joins_no_run_from_before_it(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with open_service(read_only=False) as service:
        await service.ask("SELECT 1")
        await service.ask("UPDATE orders SET n = 1", config={"readOnly": False}, user_id="bob")
        service.database.calls[1].end()
        await service.settled()
        await service.ask("SELECT 1", user_id="eve")
        assert len(service.database.calls) == 3


async def test_writes_are_never_shared(mock_clock: trio.testing.MockClock) -> None:
    async with open_service(read_only=False) as service:
        for user in ("ann", "bob"):
            await service.ask("INSERT INTO t VALUES (1)", user_id=user, config={"readOnly": False})
        assert len(service.database.calls) == 2


async def test_who_finds_no_place_waits_for_a_bounded_time(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with open_service(per_user=1) as service:
        await service.ask("SELECT 1")
        second = await service.ask("SELECT 2")
        third = await service.ask("SELECT 3")
        assert service.told(second, "status") == ["queued"]
        service.database.calls[0].end()
        await service.settled()
        assert [call.request for call in service.database.calls] == [
            RunStatement("SELECT 1"),
            RunStatement("SELECT 2"),
        ]
        mock_clock.jump(5)
        await service.settled()
        end = service.end(third)
        assert (end["state"], end["error"]["code"]) == ("error", "db_busy")
        assert end["error"]["message"] == OWN_BUSY.format("1 answer")
        assert second not in service.shelf.stored


async def test_room_and_database_have_bounds_of_their_own(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with open_service(per_room=2, per_database=9, wait_s=1.0) as service:
        for user in "abc":
            await service.ask(f"SELECT '{user}'", user_id=user)
        assert len(service.database.calls) == 2
    async with open_service(per_room=9, per_database=2, wait_s=1.0) as service:
        questions = [await service.ask(f"SELECT '{user}'", user_id=user) for user in "abc"]
        assert len(service.database.calls) == 2
        mock_clock.jump(1)
        await service.settled()
        error = service.end(questions[2])["error"]
        assert (error["code"], error["message"]) == ("db_busy", EXPLANATIONS[Code.DB_BUSY].sentence)


async def test_who_waits_for_a_place_can_be_cancelled(mock_clock: trio.testing.MockClock) -> None:
    async with open_service(per_user=1) as service:
        await service.ask("SELECT 1")
        second = await service.ask("SELECT 2")
        assert await cancelled(service, second) == CancelOutcome("cancelled", None)
        service.database.calls[0].end()
        await service.settled()
        assert len(service.database.calls) == 1


async def test_an_end_that_the_log_refuses_is_tried_until_it_is_taken(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with open_service() as service:
        service.shelf.refusals = [Refusal(Code.STORAGE_FULL), Refusal(Code.INTERNAL)]
        question = await service.ask()
        service.database.calls[0].end()
        await service.settled()
        assert question not in service.shelf.stored
        for _ in range(2):
            mock_clock.jump(1)
            await service.settled()
        assert service.end(question)["state"] == "done"


async def test_an_answer_whose_place_is_taken_ends_in_another(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with open_service() as service:
        service.shelf.refusals = [Refusal(Code.MESSAGE_ID_CONFLICT)]
        question = await service.ask()
        service.database.calls[0].end()
        await service.settled()
        assert service.end(question)["state"] == "done"
        assert len(service.told(question, "end")) == 1


async def test_two_waits_for_places_are_one(mock_clock: trio.testing.MockClock) -> None:
    async with open_service(per_user=1, per_database=1, wait_s=5.0) as service:
        await service.ask("SELECT 1", user_id="ann")
        await service.ask("SELECT 2", user_id="bob")  # waits for the database
        last = await service.ask("SELECT 3", user_id="ann")  # waits for its own place first
        mock_clock.jump(4)
        service.database.calls[0].end()
        await service.settled()
        assert len(service.database.calls) == 2  # it is bob's turn, and ann waits for the database
        mock_clock.jump(1)
        await service.settled()
        assert service.end(last)["error"]["code"] == "db_busy"


async def test_a_drain_ends_all_that_is_under_way_and_leaves_what_is_to_be_read(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with open_service(per_user=1) as service:
        running, waiting = await service.ask("SELECT 1"), await service.ask("SELECT 2")
        service.reader.hold()
        unread = [await service.ask("SELECT 3"), await service.ask("SELECT 4")]
        refused: list[CancelOutcome | Refusal] = []

        async def cancel() -> None:
            refused.append(await cancelled(service, unread[0]))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(cancel)
            await service.settled()
            await service.answers.drain()
        unread.append(await service.ask("SELECT 5"))
        service.reader.release()
        await service.settled()
        for question in (running, waiting):
            end = service.end(question)
            assert (end["state"], end["error"]["code"]) == ("interrupted", "db_interrupted")
        for question in unread:  # the next start finds them in the log
            assert question not in service.shelf.stored
            assert question not in service.shelf.read
            assert question not in service.watcher.shown
        assert refused == [Refusal(Code.DRAINING, path="messageId")]


async def test_an_end_that_a_drain_has_no_time_to_store_is_told_to_nobody(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with open_service(per_user=1) as service:
        question = await service.ask()
        service.shelf.refusals = [Refusal(Code.DRAINING)]
        assert await cancelled(service, question) == Refusal(Code.DRAINING, path="messageId")
        assert service.recorder.of(AnswerEnded) == []
        assert service.told(question, "end") == []
        assert service.answers.count == 0
        adopted = OpenAnswer(question, message_id(1001), ROOM, "ann", None, 5)
        service.answers.adopt([adopted])  # as the next start does
        await service.settled()
        assert service.end(question)["state"] == "interrupted"
        assert [ended.state for ended in service.recorder.of(AnswerEnded)] == ["interrupted"]


async def test_what_a_crash_left_open_ends_as_interrupted(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with open_service() as service:
        known = await service.ask()
        lost = OpenAnswer(message_id(500), message_id(501), "gone", "ann", None, 5)
        here = OpenAnswer(known, message_id(1001), ROOM, "ann", None, 5)
        service.answers.adopt([lost, here])
        await service.settled()
        assert service.end(message_id(500))["state"] == "interrupted"
        assert known not in service.shelf.stored
        service.database.calls[0].end()
        await service.settled()
        assert service.end(known)["state"] == "done"


async def test_a_service_that_is_started_again_ends_what_it_was_at(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with open_service() as service:
        question = await service.ask()
        assert len(service.database.calls) == 1
        async with trio.open_nursery() as nursery:
            await nursery.start(service.answers.run)
            await service.settled()
            assert service.end(question)["state"] == "interrupted"
            again = await service.ask("SELECT 2")
            service.database.calls[1].end()
            await service.settled()
            assert service.end(again)["state"] == "done"
            nursery.cancel_scope.cancel()
        service.answers._open.clear()


async def test_rows_beyond_the_bounds_are_left_out_and_said(
    mock_clock: trio.testing.MockClock,
) -> None:
    from chatd.answers.terms import Bounds

    async with open_service(bounds=Bounds(max_rows=2, max_bytes=100, timeout_s=5)) as service:

        def pour(call: Call) -> None:
            call.rows(*range(50))
            call.end()

        service.database.at_once = pour
        question = await service.ask()
        end = service.end(question)
        assert (end["rows"], end["rowCount"], end["truncated"]) == ([[0], [1]], 2, True)


async def test_stopped_for_no_reason_is_still_an_end(mock_clock: trio.testing.MockClock) -> None:
    async with open_service() as service:
        question = await service.ask()
        service.database.calls[0].end(Stopped(is_confirmed=True))
        await service.settled()
        assert service.end(question)["state"] == "timeout"


# What may be a question, and is read once it is stored


async def test_plain_talk_is_answered_nothing_and_the_log_knows_that_it_was_read(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with open_service() as service:
        talk = await service.ask("select the best one, please.")
        question = await service.ask("SELECT 1")
        assert service.shelf.read == {talk: False, question: True}
        assert talk not in service.shelf.stored
        assert talk not in service.watcher.shown
        assert service.answers.count == 1


async def test_nothing_is_shown_before_a_message_is_read(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with open_service() as service:
        service.reader.hold()
        question = await service.ask("SELECT 1")
        assert question not in service.watcher.shown
        assert service.answers.count == 1
        mock_clock.jump(2)
        service.reader.release()
        await service.settled()
        assert service.told(question, "start") == [
            {"read_only": True, "dry_run": False, "deadline_ms": 1_700_000_028_000}
        ]


async def test_a_message_is_read_in_the_dialect_and_on_the_terms_of_its_question(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with open_service(dialect="postgres", read_only=False) as service:
        await service.ask(
            "SELECT * FROM a", schema="s", tables=["a", "b"], config={"readOnly": False}
        )
        [piece] = service.reader.pieces
        assert piece == Piece("SELECT * FROM a", Policy("postgres", False, "s", ("a", "b")))


async def test_a_text_that_takes_too_long_to_read_is_told_so(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with open_service() as service:
        question = await service.ask(ENDLESS)
        end = service.end(question)
        assert (end["state"], end["error"]["code"]) == ("error", "db_statement_rejected")
        assert "takes too long to read" in end["error"]["message"]
        assert service.told(question, "end")
        assert service.database.calls == []


async def test_where_nothing_can_be_read_questions_are_told_so(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with open_service() as service:
        service.reader.is_running = False
        question = await service.ask("SELECT 1")
        end = service.end(question)
        assert (end["error"]["code"], end["error"]["retryable"]) == ("db_unavailable", True)


async def test_many_messages_of_one_user_hold_up_another_for_one_of_them(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with open_service() as service:
        service.reader.hold()
        for _ in range(30):
            service.store("select something slow, please.", user_id="eve")
        await service.settled()
        await service.ask("SELECT 1", user_id="ann")
        service.reader.release()
        await service.settled()
        contents = [piece.content for piece in service.reader.pieces]
        assert contents.index("SELECT 1") == 1
        assert len(contents) == 31


async def test_the_questions_of_a_user_are_read_and_answered_in_their_order(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with open_service(per_user=99, per_room=99, per_database=99) as service:
        statements = [f"SELECT {number}" for number in range(20)]
        for statement in statements:
            service.store(statement)
        await service.settled()
        assert [piece.content for piece in service.reader.pieces] == statements
        assert [call.request.sql for call in service.database.calls] == statements  # type: ignore[union-attr]


async def test_a_user_with_too_much_to_read_is_told_when_to_ask_again(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with open_service() as service:
        service.reader.hold()
        asked = [service.store("SELECT 1") for _ in range(WAITING_MAX + 2)]
        await service.settled()
        error = service.end(asked[-1])["error"]
        assert (error["code"], error["retryAfterMs"]) == ("db_busy", 2_000)
        assert asked[-2] not in service.shelf.stored
        mock_clock.jump(5)
        await service.settled()
        for question in asked[1:-1]:  # nobody waits longer for a turn
            assert service.end(question)["error"]["code"] == "db_busy"
        assert asked[0] not in service.shelf.stored


async def test_what_is_under_way_is_bounded_for_all_together(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with open_service(open_max=3) as service:
        service.reader.hold()
        asked = [await service.ask("SELECT 1", user_id=user) for user in "abcd"]
        assert [question in service.shelf.stored for question in asked] == [False] * 3 + [True]
        assert service.end(asked[3])["error"]["code"] == "db_busy"


async def test_a_message_is_cancelled_once_it_is_read(mock_clock: trio.testing.MockClock) -> None:
    async with open_service() as service:
        outcomes: dict[str, CancelOutcome | Refusal] = {}

        async def cancel(question: str) -> None:
            outcomes[question] = await cancelled(service, question)

        service.reader.hold()
        asked = [await service.ask(text) for text in ("SELECT 1", "select the best one, please.")]
        async with trio.open_nursery() as nursery:
            for question in asked:
                nursery.start_soon(cancel, question)
            await service.settled()
            assert outcomes == {}
            service.reader.release()
        assert outcomes[asked[0]] == CancelOutcome("cancelled")
        assert outcomes[asked[1]] == Refusal(Code.NOT_FOUND, path="messageId")
        assert service.database.calls == []


async def test_a_service_that_is_started_again_reads_what_it_was_reading(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with open_service() as service:
        service.reader.hold()
        question = await service.ask("SELECT 1")
        talk = await service.ask("select the best one, please.", user_id="bob")
        async with trio.open_nursery() as nursery:
            await nursery.start(service.answers.run)
            service.reader.release()
            await service.settled()
            nursery.cancel_scope.cancel()
        assert service.end(question)["state"] in ("interrupted", "done")
        assert talk not in service.shelf.stored


# What a crash has left to be read


def left_over(service: Service, number: int, content: str | None, room: str = ROOM) -> OpenAnswer:
    """A message that the log holds as one to be read."""
    one = OpenAnswer(
        message_id(number), message_id(number + 1), room, "ann", None, 5, is_to_read=True
    )
    if content is not None:
        service.shelf.messages[one.question_id] = Message(
            one.question_id, room, number, "ann", None, content, None, None, 5
        )
    return one


async def test_what_was_left_to_be_read_ends_where_it_is_a_question_and_only_there(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with open_service() as service:
        service.answers.adopt(
            [
                left_over(service, 500, "SELECT 1"),
                left_over(service, 510, "select the best one, please."),
                left_over(service, 520, "DELETE FROM orders"),
                left_over(service, 530, ENDLESS),
                left_over(service, 540, "SELECT 1", room="a room without a database"),
                left_over(service, 550, None),
            ]
        )
        await service.settled()
        ended = {question: end["state"] for question, (_, end) in service.shelf.stored.items()}
        assert ended == dict.fromkeys([message_id(n) for n in (500, 520, 530)], "interrupted")
        assert service.shelf.read == {
            message_id(number): number in (500, 520, 530) for number in range(500, 560, 10)
        }
        for question in ended:  # who waits for it learns that it was a question
            assert [what for what, _ in service.watcher.shown[question]] == ["start", "end"]
        assert service.answers.count == 0
        assert service.database.calls == []


async def test_what_was_left_and_was_deleted_is_no_question(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with open_service() as service:
        one = left_over(service, 500, "SELECT 1")
        message = service.shelf.messages[one.question_id]
        service.shelf.messages[one.question_id] = deleted(message, 1, 9)
        service.answers.adopt([one])
        await service.settled()
        assert service.shelf.stored == {}
        assert service.shelf.read == {one.question_id: False}


async def test_what_was_left_and_was_edited_is_read_as_it_was_sent(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with open_service() as service:
        asked, said = left_over(service, 500, "SELECT 1"), left_over(service, 510, "talk")
        shelf = service.shelf
        for one, other in ((asked, "talk"), (said, "SELECT 1")):
            shelf.first[one.question_id] = message = shelf.messages[one.question_id]
            shelf.messages[one.question_id] = edited(message, other, 1, 9)
        service.answers.adopt([asked, said])
        await service.settled()
        assert shelf.read == {asked.question_id: True, said.question_id: False}


@pytest.mark.parametrize("when", ["read", "running", "ended", "never asked"])
async def test_a_question_that_is_withdrawn_ends_as_if_it_was_cancelled(
    mock_clock: trio.testing.MockClock, when: str
) -> None:
    async with open_service() as service:
        if when == "read":
            service.reader.hold()
        question = await service.ask()
        if when == "running":
            service.database.calls[0].rows(1)
        elif when == "ended":
            service.database.calls[0].end()
            await service.settled()
        service.answers.withdraw(message_id(999) if when == "never asked" else question, ROOM)
        service.reader.release()
        await service.settled()
        if when == "never asked":
            assert service.answers.count == 1
            return
        assert service.end(question)["state"] == ("done" if when == "ended" else "cancelled")
        assert len(service.database.calls) == (0 if when == "read" else 1)


async def test_what_was_left_is_read_one_at_a_time_beside_what_comes(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with open_service() as service:
        service.reader.hold()
        service.answers.adopt(
            [left_over(service, 500 + 2 * number, "SELECT 1") for number in range(100)]
        )
        await service.settled()
        assert len(service.reader.pieces) == 1
        question = await service.ask("SELECT 2")
        service.reader.release()
        await service.settled()
        assert service.reader.pieces[1].content == "SELECT 2"
        assert len(service.reader.pieces) == 101
        assert question not in service.shelf.stored
        assert len(service.shelf.stored) == 100


async def test_what_was_left_waits_for_a_reader_and_for_the_log(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with open_service() as service:
        service.reader.is_running = False
        service.shelf.is_readable = False
        service.answers.adopt([left_over(service, 500, "SELECT 1")])
        await service.settled()
        assert (service.shelf.stored, service.shelf.read) == ({}, {})
        service.shelf.is_readable = True
        mock_clock.jump(0.5)
        await service.settled()
        assert (service.shelf.stored, service.answers.count) == ({}, 1)
        service.reader.is_running = True
        mock_clock.jump(1)
        await service.settled()
        assert service.end(message_id(500))["state"] == "interrupted"


async def test_what_was_left_and_cannot_be_read_yet_ends_where_nobody_waits_for_it(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with open_service() as service:
        service.reader.is_running = False
        asked, other = (left_over(service, number, "SELECT 1") for number in (500, 510))
        service.answers.adopt([asked, other])
        await service.settled()
        assert await cancelled(service, asked.question_id) == Refusal(
            Code.NOT_FOUND, path="messageId"
        )
        await service.settled()
        assert (service.answers.count, service.shelf.read) == (1, {asked.question_id: False})
        await service.answers.end_those(connection_id=ROOM)
        assert (service.answers.count, service.shelf.stored) == (0, {})


async def test_a_leftover_that_is_cancelled_while_it_cannot_be_read_ends_at_once(
    mock_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_service() as service:
        one = left_over(service, 500, "SELECT 1")

        async def failing(*_: object) -> None:
            service.answers.withdraw(one.question_id, ROOM)
            raise StoreReadFailed("for the test")

        monkeypatch.setattr(service.shelf, "message", failing)
        service.answers.adopt([one])
        await service.settled()
        assert (service.answers.count, service.shelf.read) == (0, {one.question_id: False})


async def test_what_was_left_is_left_again_by_a_drain(mock_clock: trio.testing.MockClock) -> None:
    async with open_service() as service:
        service.reader.hold()
        service.answers.adopt([left_over(service, 500 + 2 * n, "SELECT 1") for n in range(3)])
        await service.settled()
        await service.answers.drain()
        service.reader.release()
        await service.settled()
        assert (service.shelf.stored, service.shelf.read) == ({}, {})


# Places


async def test_one_user_leaves_a_session_to_others(mock_clock: trio.testing.MockClock) -> None:
    async with open_service(per_user=9, per_room=9, per_database=8) as service:
        service.database.sessions = 2
        first, second = [await service.ask(f"SELECT {n}", user_id="eve") for n in (1, 2)]
        assert len(service.database.calls) == 1
        await service.ask("SELECT 3", user_id="ann")
        assert service.database.calls[1].request == RunStatement("SELECT 3")
        mock_clock.jump(5)
        await service.settled()
        error = service.end(second)["error"]
        assert (error["code"], error["retryAfterMs"]) == ("db_busy", 2_000)
        assert error["message"] == OWN_BUSY.format("1 answer")  # of two sessions one is for others
        assert first not in service.shelf.stored


async def test_who_waits_for_a_session_is_told_in_time(mock_clock: trio.testing.MockClock) -> None:
    async with open_service(per_user=2, per_room=9, per_database=8) as service:
        service.database.sessions = 2
        for user in ("eve", "dan"):
            await service.ask(f"SELECT '{user}'", user_id=user)
        question = await service.ask("SELECT 3", user_id="ann")
        mock_clock.jump(4.9)
        await service.settled()
        assert question not in service.shelf.stored
        mock_clock.jump(0.1)
        await service.settled()
        assert service.end(question)["error"]["code"] == "db_busy"
        assert len(service.database.calls) == 2


async def test_the_wait_counts_from_when_the_message_was_stored(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with open_service(per_user=1) as service:
        await service.ask("SELECT 1")
        service.reader.hold()
        question = await service.ask("SELECT 2")
        mock_clock.jump(4)
        service.reader.release()
        await service.settled()
        assert question not in service.shelf.stored
        mock_clock.jump(1)
        await service.settled()
        assert service.end(question)["error"]["code"] == "db_busy"


async def test_where_there_is_one_session_users_have_it_in_turn(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with open_service(per_user=9, per_room=9) as service:
        service.database.sessions = 1
        for number in range(3):
            await service.ask(f"SELECT {number}", user_id="eve")
        await service.ask("SELECT 'ann'", user_id="ann")
        service.database.calls[0].end()
        await service.settled()
        assert service.database.calls[1].request == RunStatement("SELECT 'ann'")


async def test_who_waited_for_a_session_joins_what_was_begun_meanwhile(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with open_service(per_user=9, per_room=9) as service:
        service.database.sessions = 2
        await service.ask("SELECT 1", user_id="eve")
        await service.ask("SELECT 2", user_id="eve")  # waits: the last session is for others
        await service.ask("SELECT 2", user_id="ann")
        await service.ask("SELECT 3", user_id="eve")
        one, two = service.database.calls
        one.end()
        await service.settled()
        assert len(service.database.calls) == 3  # it gave the place on to SELECT 3
        assert service.database.calls[2].request == RunStatement("SELECT 3")
        two.rows(7)
        two.end()
        await service.settled()
        rows = [end["rows"] for _, end in service.shelf.stored.values() if end["rows"]]
        assert rows == [[[7]], [[7]]]


async def test_an_end_that_another_node_was_faster_with_is_dropped_quietly(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with open_service(per_user=1) as service:
        question = await service.ask()
        service.shelf.ended_elsewhere.add(question)
        service.database.calls[0].end()
        await service.settled()
        assert [what for what, _ in service.watcher.shown[question]][-1] == "drop"
        assert service.told(question, "end") == []
        assert service.answers.count == 0
        assert service.recorder.of(AnswerEnded) == []
        await service.ask()  # and its place is free
        assert len(service.database.calls) == 2


async def test_a_cancel_that_another_node_was_faster_than_is_told_how_the_answer_ended(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with open_service() as service:
        question = await service.ask()
        service.shelf.ended_elsewhere.add(question)
        service.shelf.stored[question] = ("", {"state": "interrupted"})
        assert await cancelled(service, question) == CancelOutcome("interrupted")
