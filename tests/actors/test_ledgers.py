"""What every ledger does with a command, whatever keeps it: SQLite and PostgreSQL."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from chatd.chat.audit import AuditAction, AuditEnd, AuditEntry
from chatd.chat.ids import scoped_id
from chatd.chat.messages import (
    Accepted,
    AcknowledgementKept,
    AnswerRequest,
    Audit,
    Barrier,
    ChangeKept,
    ChangeRefused,
    ChangeRepeated,
    ClearOverflow,
    Conflicted,
    DeleteMessage,
    EditMessage,
    Effect,
    Erased,
    EraseMessages,
    ForgetMessages,
    Joined,
    Marked,
    MarkRead,
    NoteRead,
    PutReaction,
    RemoveMember,
    Repeated,
    Reply,
    Settled,
    TrimQueues,
)
from chatd.chat.queue import Gap, QueueCut
from chatd.chat.records import Message, OpenAnswer
from chatd.wire.codes import Code
from tests.actors.ledgers import KINDS, NOW_MS, Kept, open_ledger
from tests.chat.commands import acknowledge, join, leave, message_id, send
from tests.postgres import Postgres

pytestmark = pytest.mark.timeout(120)

ANSWER = b'{"state":"done","rowCount":1,"columns":["a"],"rows":[["\\u0000 and \xe2\x82\xac"]]}'
CONTEXT = b'{"tables":["\\u0000",1.10,"\xc3\xa9"]}'


@pytest.fixture(params=KINDS)
async def kept(
    request: pytest.FixtureRequest, tmp_path: Path, postgres: Postgres
) -> AsyncIterator[Kept]:
    async with open_ledger(request.param, tmp_path / "state", postgres) as kept:
        yield kept


def message_of(effect: Effect) -> Message:
    assert isinstance(effect, Accepted | Repeated)
    return effect.message


async def stored(kept: Kept, number: int, **fields: Any) -> Message:
    [effect] = await kept.carry_out(send(number, **fields))
    assert isinstance(effect, Accepted)
    return effect.message


async def test_messages_are_numbered_in_each_room_in_the_order_in_which_they_came(
    kept: Kept,
) -> None:
    batch = [send(1), send(2, connection_id="other"), send(3), send(4, connection_id="other")]
    effects = await kept.carry_out(*batch)
    effects = [*effects, *await kept.carry_out(send(5), send(6, connection_id="other"))]
    assert [(message_of(one).connection_id, message_of(one).seq) for one in effects] == [
        ("demo", 1),
        ("other", 1),
        ("demo", 2),
        ("other", 2),
        ("demo", 3),
        ("other", 3),
    ]
    assert [row[:2] for row in kept.rows()["messages"]] == [
        (room, seq) for room in ("demo", "other") for seq in (1, 2, 3)
    ]


async def test_all_of_a_message_is_kept_as_it_came(kept: Kept) -> None:
    content = "\U0001f600 \\u0000 \u2028 e\u0301 \t\r\n {} %s $1 ' \" \\"
    thread = await stored(kept, 1, asks=AnswerRequest(message_id(9)))
    message = await stored(
        kept,
        2,
        content=content,
        name="Ann \N{SNOWMAN}",
        context=CONTEXT,
        thread_id=thread.message_id,
        mentions=("bob", 'c"%'),
        reply=Reply(thread.message_id, "done", ANSWER),
    )
    [_, row] = kept.rows()["messages"]
    assert row[7:11] == ("ann", "Ann \N{SNOWMAN}", CONTEXT.decode(), content)
    assert row[12] == ANSWER.decode()
    [mention] = kept.rows()["mentions"]
    assert mention == ("demo", 2, "ann", '["bob","c\\"%"]')
    await kept.restart()
    [again] = await kept.carry_out(
        send(2, content=content, context=CONTEXT, thread_id=thread.message_id)
    )
    assert isinstance(again, Repeated)
    assert again.message == attrs.evolve(message, mentions=())


async def test_a_message_that_is_sent_again_is_the_one_that_was_stored(kept: Kept) -> None:
    first = await stored(kept, 1)
    for _ in ("from memory", "from the log"):
        [again, other] = await kept.carry_out(send(1), send(1, content="something else"))
        assert isinstance(again, Repeated)
        assert again.message == first
        assert isinstance(other, Conflicted)
        await kept.restart()
    assert len(kept.rows()["messages"]) == 1


async def test_a_known_id_leaves_the_rest_of_its_batch_as_it_is(kept: Kept) -> None:
    await stored(kept, 1)
    await kept.restart()
    effects = await kept.carry_out(send(2), send(1), join("demo", user_id="bob"), send(3))
    assert [type(one) for one in effects] == [Accepted, Repeated, Joined, Accepted]
    assert [message_of(effects[at]).seq for at in (0, 3)] == [2, 3]
    assert isinstance(effects[2], Joined)
    assert effects[2].last_seqs == (2,)


async def test_an_id_of_a_room_that_the_sender_may_not_read_is_no_conflict(kept: Kept) -> None:
    await stored(kept, 1)
    await kept.restart()
    mine = send(1, connection_id="mine", rooms=("mine",))
    for _ in ("stored", "sent again"):
        [effect] = await kept.carry_out(mine)
        assert message_of(effect).message_id == scoped_id(message_id(1), "mine")
    await kept.restart()
    [effect] = await kept.carry_out(send(1, connection_id="mine"))
    assert isinstance(effect, Repeated)
    [effect] = await kept.carry_out(send(1, connection_id="mine", content="other"))
    assert isinstance(effect, Conflicted)


async def test_who_leaves_is_owed_what_comes_then_but_for_its_own_messages(kept: Kept) -> None:
    await kept.carry_out(join("demo"), join("demo", user_id="bob"), send(1))
    await kept.carry_out(leave(("demo", 1), user_id="bob"), leave(("demo", 1)))
    await kept.carry_out(send(2, user_id="bob"), send(3), send(4, user_id="bob"))
    await kept.restart()
    [bob, ann] = await kept.carry_out(join("demo", user_id="bob"), join("demo"))
    assert isinstance(bob, Joined)
    assert isinstance(ann, Joined)
    assert bob.owed == ((Gap(3, 3, NOW_MS),),)
    assert ann.owed == ((Gap(2, 2, NOW_MS), Gap(4, 4, NOW_MS)),)


async def test_an_acknowledgement_takes_messages_out_of_the_queue_and_is_a_receipt_once(
    kept: Kept,
) -> None:
    await kept.carry_out(join("demo", user_id="bob"), leave(("demo", 0), user_id="bob"))
    one, two, three = [await stored(kept, number) for number in (1, 2, 3)]
    [by_bob, by_eve] = await kept.carry_out(
        acknowledge(two, one, two, up_to=True),
        acknowledge(two, two, three, user_id="eve"),
        now_ms=NOW_MS + 9,
    )
    assert isinstance(by_bob, AcknowledgementKept)
    assert isinstance(by_eve, AcknowledgementKept)
    assert [place.seq for place in by_bob.delivered] == [1, 2]
    assert [place.seq for place in by_eve.delivered] == [3]
    assert [row[5:7] for row in kept.rows()["messages"]] == [
        (NOW_MS + 9, "bob"),
        (NOW_MS + 9, "bob"),
        (NOW_MS + 9, "eve"),
    ]
    await kept.restart()
    assert kept.machine.owed_to("bob") == {"demo": (Gap(3, 3, NOW_MS),)}


async def test_a_marker_goes_on_and_never_back(kept: Kept) -> None:
    await kept.carry_out(join("demo", user_id="bob"), send(1), send(2), send(3))
    marks = [MarkRead(None, "bob", "demo", seq) for seq in (2, 1, 99)]
    effects = await kept.carry_out(*marks, MarkRead(None, "eve", "demo", 1))
    assert [one.has_moved for one in effects if isinstance(one, Marked)] == [
        True,
        False,
        True,
        False,
    ]
    await kept.restart()
    assert kept.machine.reading("demo", "bob").read_seq == 3
    await kept.carry_out(send(4), MarkRead(None, "bob", "demo", 4))
    assert kept.recovered().read_seqs["demo"]["bob"] == 4


async def test_the_newest_name_of_a_member_is_kept(kept: Kept) -> None:
    await kept.carry_out(attrs.evolve(join("demo"), name="Ann"), send(1, name="Anna"))
    assert kept.recovered().names == {"demo": {"ann": "Anna"}}


async def test_who_is_removed_is_no_member_and_joins_anew(kept: Kept) -> None:
    await kept.carry_out(join("demo"), send(1))
    await kept.carry_out(RemoveMember("ann", ("demo", "other")), now_ms=NOW_MS + 1)
    assert kept.recovered().members == {}
    await kept.carry_out(
        join("demo"), RemoveMember("ann", ("demo",)), join("demo"), now_ms=NOW_MS + 2
    )
    [row] = kept.rows()["members"]
    assert row[:3] == ("demo", "ann", NOW_MS + 2)


async def test_a_member_keeps_the_time_of_its_first_joining(kept: Kept) -> None:
    await kept.carry_out(join("demo"))
    await kept.carry_out(leave(("demo", 0)), now_ms=NOW_MS + 5)
    await kept.restart()
    await kept.carry_out(join("demo"), now_ms=NOW_MS + 9)
    [row] = kept.rows()["members"]
    assert row[:3] == ("demo", "ann", NOW_MS)


async def test_what_is_trimmed_or_forgotten_falls_out_until_the_member_was_notified(
    kept: Kept,
) -> None:
    await kept.carry_out(join("demo", user_id="bob"), leave(("demo", 0), user_id="bob"))
    await kept.carry_out(*[send(number) for number in range(1, 6)])
    await kept.carry_out(TrimQueues(None, "bob", {"demo": QueueCut(3, NOW_MS)}))
    await kept.carry_out(ForgetMessages("demo", 4))
    await kept.restart()
    [joined] = await kept.carry_out(join("demo", user_id="bob"))
    assert isinstance(joined, Joined)
    assert (joined.fallen, joined.owed) == (((1, 3),), ((Gap(4, 5, NOW_MS),),))
    await kept.carry_out(ClearOverflow("bob", "demo", (1, 2)))
    assert kept.recovered().members["demo"]["bob"].fallen == (1, 3)
    await kept.carry_out(ClearOverflow("bob", "demo", (1, 3)))
    assert kept.recovered().members["demo"]["bob"].fallen is None


async def test_changes_are_numbered_in_their_room_and_the_message_stays_as_it_was_written(
    kept: Kept,
) -> None:
    first, second = await stored(kept, 1, mentions=("bob",)), await stored(kept, 2)
    elsewhere = await stored(kept, 3, connection_id="other")
    effects = await kept.carry_out(
        PutReaction(None, "bob", first, 0, "\N{THUMBS UP SIGN}", True),
        EditMessage(None, "ann", first, 0, "hi @eve", None, ("eve",)),
        PutReaction(None, "eve", first, 0, ":done:", True),
        DeleteMessage(None, "ann", second, 0),
        EditMessage(None, "ann", elsewhere, 0, "hi"),
        PutReaction(None, "bob", first, 0, "\N{THUMBS UP SIGN}", False),
        now_ms=NOW_MS + 1,
    )
    changes = [one.change for one in effects if isinstance(one, ChangeKept)]
    assert [(one.message.connection_id, one.rev) for one in changes] == [
        ("demo", 1),
        ("demo", 2),
        ("demo", 3),
        ("demo", 4),
        ("other", 1),
        ("demo", 5),
    ]
    rows = kept.rows()
    assert [row[10] for row in rows["messages"]] == ["hello", "hello", "hello"]
    assert [row[3] for row in rows["changes"]] == ["react", "edit", "react", "delete", "unreact",
                                                   "edit"]  # fmt: skip
    assert rows["mentions"] == [("demo", 1, "ann", '["eve"]')]
    assert rows["changed"][0] == (
        *("demo", 1, 5, NOW_MS + 1, 2, NOW_MS + 1, "hi @eve", None),
        '[[":done:",["eve"]]]',
    )
    await kept.restart()
    assert kept.machine.last_revs() == {"demo": 5, "other": 1}
    [effect] = await kept.carry_out(DeleteMessage(None, "ann", changes[-1].message, 5))
    assert isinstance(effect, ChangeKept)
    assert effect.change.rev == 6
    assert kept.rows()["mentions"] == []


async def test_a_change_of_what_is_deleted_is_refused_and_one_that_changes_nothing_is_no_other(
    kept: Kept,
) -> None:
    message = await stored(kept, 1)
    await kept.carry_out(DeleteMessage(None, "ann", message, 0))
    [edit, delete] = await kept.carry_out(
        EditMessage(None, "ann", message, 0, "again"), DeleteMessage(None, "ann", message, 0)
    )
    assert isinstance(edit, ChangeRefused)
    assert edit.code is Code.MESSAGE_DELETED
    assert isinstance(delete, ChangeRepeated)
    assert kept.machine.last_rev("demo") == 1


async def test_a_question_is_open_until_its_answer_is_stored(kept: Kept) -> None:
    asks = AnswerRequest(message_id(99), "192.0.2.1")
    question = await stored(kept, 1, asks=asks)
    talk = await stored(kept, 2, asks=AnswerRequest(message_id(98)))
    opened = OpenAnswer(
        *(question.message_id, message_id(99), "demo", "ann", None, NOW_MS),
        is_to_read=True,
        address="192.0.2.1",
    )
    assert kept.recovered().open_answers[0] == opened
    other = attrs.evolve(opened, question_id=talk.message_id, answer_id=message_id(98))
    await kept.carry_out(NoteRead(opened, True), NoteRead(other, False))
    assert kept.recovered().open_answers == (attrs.evolve(opened, is_to_read=False),)
    await kept.restart()
    [taken] = await kept.carry_out(send(99))  # its id is promised
    assert isinstance(taken, Conflicted)
    entry = AuditEntry(AuditAction.ASK, NOW_MS, "ann", "done", statement="SELECT 1", rows=1)
    reply = Reply(question.message_id, "done", ANSWER, entry)
    answer = await stored(kept, 99, user_id="db:demo", reply=reply)
    assert (answer.reply_to, answer.answer) == (question.message_id, ANSWER)
    rows = kept.rows()
    assert [row[5:] for row in rows["answers"]] == [(NOW_MS, "done", 0, None)]
    assert rows["audit"][0][:4] == (NOW_MS, "ask", "ann", "done")
    assert kept.recovered().open_answers == ()


async def test_the_audit_has_entries_in_order_and_their_ends(kept: Kept) -> None:
    began = AuditEntry(
        AuditAction.EXPORT, NOW_MS, "ann", "begun", "::1", "demo", message_id(1), "SELECT 1",
        "bob", "csv", "code", 5, 6, 7, "span",
    )  # fmt: skip
    effects = await kept.carry_out(
        Audit(began), Audit(AuditEnd("span", NOW_MS + 1, "done", 1, 2, 3)), Barrier(None)
    )
    assert [type(one) for one in effects] == [Settled] * 3
    assert kept.rows()["audit"] == [
        (NOW_MS, "export", "ann", "begun", "::1", "demo", message_id(1), "SELECT 1", "bob", "csv",
         "code", 5, 6, 7, "span"),
        (NOW_MS + 1, None, None, "done", None, None, None, None, None, None, None, 1, 2, 3,
         "span"),
    ]  # fmt: skip


async def test_of_what_is_erased_nothing_is_left_but_its_place(kept: Kept) -> None:
    question = await stored(
        kept, 1, asks=AnswerRequest(message_id(9)), name="Ann", mentions=("bob",)
    )
    edit = EditMessage(None, "ann", question, 0, "a better text", None, ("eve",))
    await kept.carry_out(edit)
    entry = AuditEntry(
        AuditAction.ASK, NOW_MS, "ann", "done", message_id=message_id(1), statement="hello"
    )
    await kept.carry_out(Audit(entry))
    await stored(kept, 2, user_id="bob")
    [effect] = await kept.carry_out(EraseMessages(None, [question], "chatd:erased:1"))
    assert isinstance(effect, Erased)
    assert [one.rev for one in effect.changes] == [2]
    rows = kept.rows()
    assert rows["messages"][0][7:] == ("chatd:erased:1", None, None, None, None, None)
    assert [row[1:5] for row in rows["changes"]] == [(2, 1, "erase", "chatd:erased:1")]
    assert (rows["mentions"], rows["answers"], rows["audit"][0][7]) == ([], [], None)
    assert [row[7] for row in rows["messages"]] == ["chatd:erased:1", "bob"]


async def test_a_batch_of_all_kinds_is_one_and_its_effects_keep_their_order(kept: Kept) -> None:
    message = await stored(kept, 1)
    effects = await kept.carry_out(
        join("demo", user_id="bob"),
        send(2),
        acknowledge(message, message),
        MarkRead(None, "bob", "demo", 2),
        PutReaction(None, "bob", message, 0, ":done:", True),
        send(1),
        leave(("demo", 2), user_id="bob"),
        Barrier(None),
        send(3),
    )
    assert [type(one) for one in effects] == [
        *(Joined, Accepted, AcknowledgementKept, Marked, ChangeKept, Repeated, Settled, Settled),
        Accepted,
    ]
    await kept.restart()
    assert kept.machine.owed_to("bob") == {"demo": (Gap(3, 3, NOW_MS),)}
    assert kept.machine.reading("demo", "bob").read_seq == 2


async def test_who_was_in_a_room_when_the_daemon_ended_has_left_it_then(kept: Kept) -> None:
    await kept.carry_out(join("demo", user_id="bob"), send(1))
    await kept.restart()
    await kept.carry_out(send(2))
    assert kept.machine.owed_to("bob") == {"demo": (Gap(2, 2, NOW_MS),)}
