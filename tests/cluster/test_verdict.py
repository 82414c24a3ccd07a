"""Each check finds what it is for, in a history that is right but for one thing.

In the room, ada writes 1 and asks 3, which the database answers with 4; bob writes 2, which he
edits, 5, to which ada reacts, and 6. ada moves from node a to node b after 2. carl is away from 3
on, and comes back with nothing.
"""

from collections.abc import Callable, Sequence
from typing import Any

import attrs

from tests.cluster.histories import (
    Acked,
    Case,
    CaughtUp,
    ChangeAcked,
    Changed,
    Changing,
    Ended,
    Joined,
    Left,
    Live,
    Marker,
    Note,
    Page,
    Presence,
    Reading,
    Received,
    Refused,
    Reread,
    Row,
    Stage,
    Tried,
    Typing,
)
from tests.cluster.judged_signals import TYPING_S
from tests.cluster.verdict import CHECKS, judge
from tests.rows import rows

RED = "red"
EPOCH = "one"
LIKED = frozenset({("+", "ada")})
EDITED = {"stage": Stage.EDITED, "content": "two!", "rev": 1}
LOG = (
    Row(1, "m1", "ada", "one"),
    Row(2, "m2", "bob", "two!", rev=1, stage=Stage.EDITED),
    Row(3, "m3", "ada", "how many?"),
    Row(4, "m4", "db:red", "", reply_to="m3", state="done"),
    Row(5, "m5", "bob", "five", rev=2, reactions=LIKED),
    Row(6, "m6", "bob", "six"),
)
NEW = attrs.evolve(LOG[1], content="two", rev=0, stage=Stage.WRITTEN)  # 2 before its edit
PLAIN = attrs.evolve(LOG[4], rev=0, reactions=frozenset())  # 5 before the reaction
EDIT = Changed(RED, 2, "m2", 1, Stage.EDITED, "two!")
LIKE = Changed(RED, 5, "m5", 2, reaction=("+", "ada"))
LEFT = Left(10.0, is_clean=True)
BACK = Joined("c", EPOCH, 30.0, 30.5, {}, {RED: 4})


def live(row: Row, is_replay: bool = False) -> Live:
    return Live(RED, row, is_replay)


def joined(node: str, at_s: float, since: int | None = None, owed: int = 0) -> Joined:
    return Joined(node, EPOCH, at_s, at_s, {} if since is None else {RED: since}, {RED: owed})


ADA = (
    *(joined("a", 0.0), Page(RED, [], False, 0), CaughtUp()),
    *(Tried(RED, "m1", "one", 1.0), Acked(RED, "m1", 1, EPOCH, 1.1), live(LOG[0]), live(NEW)),
    *(Left(5.0, True), joined("b", 5.5, since=2), Page(RED, [], False, 1), CaughtUp()),
    Reread(RED, [LOG[1]]),
    *(Tried(RED, "m3", "how many?", 11.0), live(LOG[2])),
    *(Acked(RED, "m3", 3, EPOCH, 11.1, True), Ended("m3", "m4", "done"), live(LOG[3])),
    *(Reading(RED, 3, False), Reading(RED, 3, True), live(PLAIN)),
    *(Changing("m5", reaction="+"), ChangeAcked("m5", reaction="+"), LIKE, live(LOG[5])),
)
BOB = (
    *(joined("b", 0.0), Page(RED, [], False, 0), CaughtUp(), live(LOG[0])),
    *(Tried(RED, "m2", "two", 2.0), live(NEW), Acked(RED, "m2", 2, EPOCH, 2.1)),
    *(Changing("m2", Stage.EDITED, "two!"), ChangeAcked("m2", Stage.EDITED), EDIT),
    *(live(LOG[2]), Ended("m3", "m4", "done"), live(LOG[3])),
    *(Tried(RED, "m5", "five", 12.0), Acked(RED, "m5", 5, EPOCH, 12.1), live(PLAIN), LIKE),
    *(Tried(RED, "m6", "six", 13.0), Acked(RED, "m6", 6, EPOCH, 13.1), live(LOG[5])),
)
CARL = (
    *(joined("c", 0.0), Page(RED, [], False, 0), CaughtUp(), live(LOG[0]), live(NEW), EDIT),
    *(Received(RED, 2), LEFT, BACK, Page(RED, LOG[5:], False, 2)),
    *(live(row, is_replay=True) for row in LOG[2:5]),
    CaughtUp(),
)
STATUSES = {"ada": "online", "bob": "online", "carl": "online"}
RIGHT = Case(
    notes={"ada": ADA, "bob": BOB, "carl": CARL},
    logs={"a": {RED: LOG}, "b": {RED: LOG}},
    epoch=EPOCH,
    presences=[Presence(node, RED, STATUSES) for node in "ab"],
    present={RED: frozenset(STATUSES)},
    typings=[Typing({"a": 0.0, "b": 0.2})],
    markers=[Marker(node, "ada", RED, 3) for node in "ab"],
)

Break = Callable[[Case], Case]


def noted(user: str, change: Callable[[list[Note]], Any]) -> Break:
    def broken(case: Case) -> Case:
        notes = list(case.notes[user])
        change(notes)
        return attrs.evolve(case, notes={**case.notes, user: notes})

    return broken


def without(user: str, note: Note) -> Break:
    return noted(user, lambda notes: notes.remove(note))


def instead(user: str, note: Note, *others: Note) -> Break:
    def change(notes: list[Note]) -> None:
        at = notes.index(note)
        notes[at : at + 1] = others

    return noted(user, change)


def logged(*stored: Row, at: Sequence[str] = ("a", "b")) -> Break:
    return lambda case: attrs.evolve(
        case, logs={**case.logs, **{node: {RED: stored} for node in at}}
    )


def log_with(row: Row, at: Sequence[str] = ("a", "b")) -> Break:
    return logged(*(row if kept.seq == row.seq else kept for kept in LOG), at=at)


def so(**fields: Any) -> Break:
    return lambda case: attrs.evolve(case, **fields)


def both(*breaks: Break) -> Break:
    def broken(case: Case) -> Case:
        for one in breaks:
            case = one(case)
        return case

    return broken


GONE = attrs.evolve(LOG[5], message_id="other")
DIED = instead("carl", LEFT, Left(10.0, is_clean=False))
OLD = attrs.evolve(BACK, epoch="zero")
LATE_S = TYPING_S + 0.5

WRONG: Sequence[tuple[str, str, Break]] = (
    ("acknowledged", "what was acknowledged is not stored", logged(*LOG[:5])),
    ("acknowledged", "another message has its seq", log_with(GONE)),
    ("acknowledged", "it was acknowledged with another seq",
     instead("bob", Acked(RED, "m6", 6, EPOCH, 13.1), Acked(RED, "m6", 5, EPOCH, 13.1))),
    ("acknowledged", "it was acknowledged with two seqs",
     instead("bob", Acked(RED, "m6", 6, EPOCH, 13.1), Acked(RED, "m6", 6, EPOCH, 13.1),
             Acked(RED, "m6", 7, EPOCH, 13.2))),
    ("acknowledged", "it is stored twice", logged(*LOG, attrs.evolve(LOG[5], seq=7))),
    ("acknowledged", "the text is another one", log_with(attrs.evolve(LOG[5], content="sic"))),
    ("acknowledged", "the author is another one", log_with(attrs.evolve(LOG[5], user_id="ada"))),
    ("acknowledged", "nobody wrote it", without("bob", Tried(RED, "m6", "six", 13.0))),
    ("dense", "a seq is missing", logged(*LOG[:3], *LOG[4:])),
    ("dense", "a seq is there twice", logged(*LOG[:4], LOG[3], *LOG[4:])),
    ("dense", "a node shows less", logged(*LOG[:5], at=["b"])),
    ("dense", "a node shows an older form", log_with(PLAIN, at=["b"])),
    ("refusals", "somebody was refused",
     noted("bob", lambda notes: notes.append(Refused("chat:read", "not_found", 1.0)))),
    ("streams", "a message did not come", without("bob", live(LOG[2]))),
    ("streams", "the last message did not come", without("bob", live(LOG[5]))),
    ("streams", "a message came twice", instead("bob", live(LOG[2]), live(LOG[2]), live(LOG[2]))),
    ("streams", "two messages were swapped",
     both(without("bob", live(LOG[3])), instead("bob", live(LOG[2]), live(LOG[3]), live(LOG[2])))),
    ("streams", "another message came", instead("bob", live(LOG[5]), live(GONE))),
    ("streams", "a page leaves out what came meanwhile",
     both(without("ada", live(LOG[2])), instead("ada", live(LOG[3]),
                                               Page(RED, LOG[3:4], False, 1)))),
    ("streams", "a page begins before what the client has",
     instead("ada", Page(RED, [], False, 1), Page(RED, LOG[1:2], False, 1))),
    ("streams", "a client was told to start over",
     instead("ada", Page(RED, [], False, 1), Page(RED, LOG[:2], True, 1))),
    ("streams", "the epoch is another one", instead("carl", BACK, OLD)),
    ("streams", "a replay is ahead of the stream",
     instead("carl", live(LOG[4], True), live(attrs.evolve(LOG[5], seq=7), True))),
    ("streams", "a change did not come",
     both(instead("ada", live(PLAIN), Changed(RED, 2, "m2", 1), live(PLAIN)),
          instead("ada", LIKE, attrs.evolve(LIKE, rev=3)))),
    ("views", "an edit did not come", without("bob", EDIT)),
    ("views", "a reaction did not come", without("bob", LIKE)),
    ("views", "a change was not told to who came back", without("ada", Reread(RED, [LOG[1]]))),
    ("views", "an edit came with another text",
     instead("bob", EDIT, attrs.evolve(EDIT, content="2!"))),
    ("changes", "an edit that was acknowledged is lost", log_with(NEW)),
    ("changes", "a reaction that was acknowledged is lost", log_with(PLAIN)),
    ("changes", "nobody edited it so", log_with(attrs.evolve(LOG[1], content="?"))),
    ("changes", "nobody edited it",
     log_with(attrs.evolve(LOG[5], stage=Stage.EDITED, content="sic"))),
    ("changes", "nobody reacted so",
     log_with(attrs.evolve(LOG[5], reactions=frozenset({("+", "bob")})))),
    ("changes", "what was deleted is still read",
     both(noted("bob", lambda notes: notes.append(Changing("m6", Stage.DELETED))),
          log_with(attrs.evolve(LOG[5], stage=Stage.DELETED)))),
    ("questions", "a question has no end", log_with(attrs.evolve(LOG[3], reply_to="m1"))),
    ("questions", "a question has two ends",
     logged(*LOG, attrs.evolve(LOG[3], seq=7, message_id="m7", state="interrupted"))),
    ("questions", "somebody was told another end",
     instead("bob", Ended("m3", "m4", "done"), Ended("m3", "m4", "interrupted"))),
    ("questions", "somebody was told two ends",
     instead("bob", Ended("m3", "m4", "done"), Ended("m3", "m4", "done"),
             Ended("m3", "m7", "interrupted"))),
    ("markers", "a marker went back", so(markers=[Marker(node, "ada", RED, 2) for node in "ab"])),
    ("markers", "nodes differ",
     so(markers=[Marker("a", "ada", RED, 3), Marker("b", "ada", RED, 4)])),
    ("owed", "too little is owed", instead("carl", BACK, attrs.evolve(BACK, owed={RED: 2}))),
    ("owed", "too much is owed", instead("carl", BACK, attrs.evolve(BACK, owed={RED: 5}))),
    ("owed", "what is owed does not come", without("carl", live(LOG[4], True))),
    ("owed", "what was received comes again",
     instead("carl", live(LOG[2], True), live(LOG[1], True), live(LOG[2], True))),
    ("owed", "what somebody has said is owed to that very one",
     noted("ada", lambda notes: notes.append(live(LOG[0], True)))),
    ("owed", "a new member is owed something",
     instead("carl", joined("c", 0.0), joined("c", 0.0, owed=1))),
    ("owed", "too little is owed to whom a node forgot",
     both(DIED, so(detection_s=1.5), instead("carl", BACK, attrs.evolve(BACK, owed={RED: 1})))),
    ("owed", "too much is owed to whom a node forgot",
     both(DIED, so(detection_s=1.5), instead("carl", BACK, attrs.evolve(BACK, owed={RED: 5})))),
    ("presence", "a node does not show somebody",
     so(presences=[Presence("a", RED, STATUSES), Presence("b", RED, {"ada": "online"})])),
    ("presence", "a node shows another status",
     so(presences=[Presence("a", RED, STATUSES),
                   Presence("b", RED, {**STATUSES, "bob": "away"})])),
    ("presence", "all nodes show somebody who is gone",
     so(present={RED: frozenset({"ada", "bob"})})),
    ("crashes", "an actor crashed", so(crashes=["a: actor.crashed"])),
    ("typing", "a node does not show it", so(typings=[Typing({"a": 0.0, "b": None})])),
    ("typing", "a node shows it late", so(typings=[Typing({"a": 0.0, "b": LATE_S})] * 3)),
)  # fmt: skip


def test_a_right_history_is_right() -> None:
    assert judge(RIGHT) == []


@rows(("check", "what", "wrong"), WRONG, ids=lambda value: value if isinstance(value, str) else "")
def test_what_is_wrong_is_found_by_the_check_for_it(check: str, what: str, wrong: Break) -> None:
    assert judge(wrong(RIGHT), [check]) != [], what


def test_every_check_is_shown_to_find_something() -> None:
    assert {check for check, _, _ in WRONG} == set(CHECKS)


def test_what_an_epoch_ended_does_not_count() -> None:
    """After a fail-over: carl was told a lost tail, and starts over."""
    lost = attrs.evolve(LOG[2], message_id="lost")
    before = attrs.evolve(joined("c", 0.0), epoch="zero")
    acked = (Tried(RED, "lost", "x", 1.0), Acked(RED, "lost", 3, "zero", 1.1))
    carl = (
        *(before, Page(RED, LOG[:2], False, 1), *acked, live(lost), Left(2.0, False)),
        *(joined("c", 20.0), Page(RED, LOG[4:], True, 2), CaughtUp()),
    )
    case = attrs.evolve(RIGHT, notes={**RIGHT.notes, "carl": carl}, is_epoch_kept=False)
    assert judge(case) == []
    assert judge(attrs.evolve(case, is_epoch_kept=True), ["streams"]) != []
    stays = attrs.evolve(case, notes={**case.notes, "carl": carl[:5]})
    assert judge(stays, ["streams"]) != []


def test_what_a_log_owes_as_it_takes_over_is_owed_until_it_is_received() -> None:
    lost = attrs.evolve(LOG[5], message_id="lost")
    before = (attrs.evolve(joined("c", 0.0), epoch="zero"), live(lost), Received(RED, 6))
    first = (joined("c", 20.0, owed=2), Page(RED, LOG[4:], True, 2), CaughtUp())
    again = (Left(21.0, True), joined("c", 21.5, since=6, owed=2), CaughtUp())
    for received, is_right in (((), True), ((Received(RED, 6),), False)):
        carl = (*before, Left(2.0, False), *first, *received, *again)
        case = attrs.evolve(RIGHT, notes={**RIGHT.notes, "carl": carl}, is_epoch_kept=False)
        assert (judge(case, ["owed"]) == []) is is_right


def test_a_retry_a_node_that_forgot_somebody_and_a_late_node_are_right() -> None:
    """What looks odd, and may be."""
    again = Acked(RED, "m6", 6, EPOCH, 13.4)
    for odd in (
        instead("bob", Acked(RED, "m6", 6, EPOCH, 13.1), Acked(RED, "m6", 6, EPOCH, 13.1), again),
        both(DIED, instead("carl", BACK, attrs.evolve(BACK, owed={RED: 5}))),
        both(DIED, instead("carl", BACK, attrs.evolve(BACK, owed={RED: 0}))),
        so(typings=[Typing({"a": 0.0, "b": LATE_S}), *[Typing({"a": 0.0, "b": 0.5})] * 2]),
    ):
        assert judge(odd(RIGHT)) == []


def test_a_node_may_have_let_somebody_in_who_heard_nothing_of_it() -> None:
    """What was written meanwhile may be owed, or may count as shown."""
    new = instead("carl", CARL[0], joined("c", 1.5, owed=1))
    knocked = instead("carl", CARL[0], Left(0.5, is_clean=False), joined("c", 1.5, owed=1))
    assert (judge(new(RIGHT), ["owed"]) != [], judge(knocked(RIGHT))) == (True, [])
    late = attrs.evolve(joined("c", 30.0), asked_s=29.0)
    never = (Left(0.5, is_clean=False), late, Page(RED, LOG, False, 2), CaughtUp())
    quick = attrs.evolve(RIGHT, notes={**RIGHT.notes, "carl": never}, detection_s=2.0)
    assert judge(quick, ["owed"]) == []
    fewer = instead("carl", BACK, attrs.evolve(BACK, owed={RED: 1}))
    knocks = both(fewer, instead("carl", LEFT, LEFT, Left(12.5, is_clean=False)))
    assert (judge(fewer(RIGHT), ["owed"]) != [], judge(knocks(RIGHT))) == (True, [])
