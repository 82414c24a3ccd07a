"""Changes of messages: what each comes to, and the walk of a machine that forgets quickly beside a
log that remembers everything."""

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import attrs
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from chatd.chat.known_changes import KnownChanges
from chatd.chat.message_machine import MessageMachine
from chatd.chat.messages import (
    Accepted,
    ChangeCommand,
    ChangeKept,
    ChangeRefused,
    ChangeRepeated,
    Command,
    DeleteMessage,
    EditMessage,
    Effect,
    ForgetMessages,
    PutReaction,
    Repeated,
)
from chatd.chat.reactions import KINDS_MAX
from chatd.chat.records import (
    Changes,
    Message,
    MessageDeleted,
    MessageEdited,
    MessageStored,
    Reaction,
    ReactionChanged,
    Record,
)
from chatd.wire.codes import Code
from tests.chat.commands import send

NOW_MS = 1_000
THUMB = "\N{THUMBS UP SIGN}"


def edit(message: Message, content: str = "other", seen: int | None = None) -> EditMessage:
    return EditMessage(None, message.user_id, message, message.rev, content, seen)


def delete(message: Message) -> DeleteMessage:
    return DeleteMessage(None, message.user_id, message, message.rev)


def react(
    message: Message, emoji: str = THUMB, *, user_id: str = "bob", is_on: bool = True
) -> PutReaction:
    return PutReaction(None, user_id, message, message.rev, emoji, is_on)


@attrs.define
class Room:
    """A machine that stored some messages of ann in the room `demo`."""

    machine: MessageMachine = attrs.field(factory=lambda: MessageMachine({}, {}))
    log: list[Record] = attrs.field(factory=list)

    def say(self, *contents: str) -> list[Message]:
        first = len(self.log) + 1
        batch = [send(first + at, content) for at, content in enumerate(contents)]
        return [one.message for one in self.carry_out(*batch) if isinstance(one, Accepted)]

    def carry_out(self, *commands: Command) -> list[Effect]:
        decision = self.machine.decide(commands, NOW_MS)
        self.machine.apply(decision)
        self.log += decision.records
        return decision.effects

    def change(self, command: ChangeCommand) -> Message:
        [effect] = self.carry_out(command)
        assert isinstance(effect, ChangeKept), effect
        return effect.change.message


@pytest.fixture
def room() -> Room:
    return Room()


def test_changes_of_a_room_are_numbered_whatever_they_are_and_whichever_message(room: Room) -> None:
    first, second = room.say("one", "two")
    changed = [
        room.change(one)
        for one in (edit(first), react(second), react(first), delete(second), edit(first, "more"))
    ]
    assert [one.rev for one in changed] == [1, 2, 3, 4, 5]
    assert [one.seq for one in changed] == [1, 2, 1, 2, 1]
    assert room.machine.last_rev("demo") == 5
    assert room.machine.last_rev("elsewhere") == 0


def test_an_edited_message_keeps_its_place_and_its_reactions(room: Room) -> None:
    [message] = room.say("one")
    liked = room.change(react(message))
    edited = room.change(edit(message, "other"))
    reactions = (Reaction(THUMB, ("bob",)),)
    changes = Changes(2, NOW_MS, edited_rev=2, edited_ms=NOW_MS, reactions=reactions)
    assert edited == attrs.evolve(liked, content="other", changes=changes)


def test_of_a_deleted_message_only_its_place_is_left(room: Room) -> None:
    [effect] = room.carry_out(send(1, "secret", context=b'{"schema":"s"}', thread_id=None))
    assert isinstance(effect, Accepted)
    room.change(react(effect.message))
    gone = room.change(delete(effect.message))
    assert gone.is_deleted
    assert (gone.content, gone.context, gone.seq, gone.user_id) == ("", None, 1, "ann")
    assert gone.changes == Changes(2, NOW_MS, deleted_ms=NOW_MS)


@pytest.mark.parametrize("again", [edit, react, lambda it: react(it, is_on=False)])
def test_a_deleted_message_does_not_change_any_more(
    room: Room, again: Callable[[Message], ChangeCommand]
) -> None:
    [message] = room.say("one")
    room.change(delete(message))
    [effect] = room.carry_out(again(message))
    assert isinstance(effect, ChangeRefused)
    assert effect.code is Code.MESSAGE_DELETED


def test_what_changes_nothing_takes_no_number(room: Room) -> None:
    [message] = room.say("one")
    for command in (edit(message, "one"), react(message, is_on=False)):
        [effect] = room.carry_out(command)
        assert effect == ChangeRepeated(command, message)
    for made in (edit(message), react(message), delete(message)):
        now = room.change(made)
        [effect] = room.carry_out(made)
        assert effect == ChangeRepeated(made, now)
    assert room.machine.last_rev("demo") == 3
    assert len(room.log) == 4


def test_one_batch_sees_what_it_has_changed_itself(room: Room) -> None:
    [message] = room.say("one")
    effects = room.carry_out(
        edit(message), edit(message), react(message), delete(message), edit(message)
    )
    assert list(map(type, effects)) == [
        ChangeKept,
        ChangeRepeated,
        ChangeKept,
        ChangeKept,
        ChangeRefused,
    ]


def test_an_edit_after_an_edit_that_was_not_seen_conflicts_and_a_reaction_does_not(
    room: Room,
) -> None:
    [message] = room.say("one")
    room.change(react(message))
    room.change(edit(message, "two", seen=0))
    [effect] = room.carry_out(edit(message, "three", seen=1))
    assert isinstance(effect, ChangeRefused)
    assert effect.code is Code.EDIT_CONFLICT
    [effect] = room.carry_out(edit(message, "two", seen=0))
    assert isinstance(effect, ChangeRepeated), "the retry of what was stored"
    assert room.change(edit(message, "three", seen=2)).content == "three"
    assert room.change(edit(message, "four")).content == "four"


def test_a_reaction_too_many_is_refused(room: Room) -> None:
    [message] = room.say("one")
    for number in range(KINDS_MAX):
        room.change(react(message, f":{number}:"))
    [effect] = room.carry_out(react(message))
    assert isinstance(effect, ChangeRefused)
    assert effect.code is Code.TOO_MANY_REACTIONS


def test_a_message_that_is_sent_again_is_compared_with_what_was_first_written(room: Room) -> None:
    [message] = room.say("one")
    room.change(edit(message, "two"))
    [effect] = room.carry_out(send(1, "one"))
    assert isinstance(effect, Repeated)
    room.change(delete(message))
    [effect] = room.carry_out(send(1, "one"))
    assert isinstance(effect, Repeated)


def test_a_message_that_retention_has_removed_is_not_found(room: Room) -> None:
    first, second = room.say("one", "two")
    room.carry_out(ForgetMessages("demo", 2))
    [effect] = room.carry_out(edit(first))
    assert isinstance(effect, ChangeRefused)
    assert effect.code is Code.NOT_FOUND
    room.machine.restore({"demo": 2}, {}, 3)
    [effect] = room.carry_out(edit(first))
    assert isinstance(effect, ChangeRefused), "also for the next life of the actor"
    assert room.change(edit(second)).rev == 1


def test_a_look_up_that_may_be_out_of_date_is_to_be_made_again() -> None:
    room = Room(MessageMachine({}, {}, changed_max=1))
    first, second = room.say("one", "two")
    room.change(edit(first))
    room.change(edit(second))  # the first is forgotten for it
    [effect] = room.carry_out(react(first))
    assert isinstance(effect, ChangeRefused)
    assert effect.code is Code.OVERLOADED
    [stored] = [one.message for one in room.log if isinstance(one, MessageEdited)][:1]
    assert room.change(react(stored)).content == "other"


def test_a_decision_that_is_not_applied_leaves_no_trace(room: Room) -> None:
    [message] = room.say("one")
    batch = [edit(message), react(message), ForgetMessages("demo", 2)]
    first = room.machine.decide(batch, NOW_MS)
    assert room.machine.decide(batch, NOW_MS) == first
    assert room.change(react(message)).rev == 1


@pytest.mark.parametrize(
    "heavy",
    [
        {"content": "x" * 6},
        {"context": b"x" * 6},
        {"answer": b"x" * 6},
        {"reactions": (Reaction("x", ("ann", "bo")),)},
    ],
    ids=lambda heavy: next(iter(heavy)),
)
def test_the_memory_of_changes_is_bounded_by_characters_too(heavy: dict[str, Any]) -> None:
    known = KnownChanges({}, chars_max=10)
    reactions = heavy.pop("reactions", ())
    fields = {"content": "", "context": None, "answer": None, **heavy}
    stored = [
        Message(
            message_id="m",
            connection_id="demo",
            seq=seq,
            user_id="ann",
            name=None,
            thread_id=None,
            timestamp_ms=0,
            changes=Changes(seq, 0, reactions=reactions),
            **fields,
        )
        for seq in (1, 2)
    ]
    for one in stored:
        known.keep(one)
    assert known.newest("demo", 1) is None
    assert known.newest("demo", 2) is stored[1]
    assert known.has_all_since("demo", 1)
    assert not known.has_all_since("demo", 0)


# The walk

seqs, users = st.integers(1, 4), st.sampled_from(["ann", "bob"])
asked = st.one_of(
    st.tuples(st.just("say")),
    st.tuples(st.just("edit"), seqs, st.sampled_from(["a", "b", "ccccccc"]), st.none() | seqs),
    st.tuples(st.just("delete"), seqs),
    st.tuples(st.just("react"), seqs, users, st.sampled_from([THUMB, ":b:"]), st.booleans()),
)


class ChangedRooms(RuleBasedStateMachine):
    """Commands name a message as it was looked up some time ago."""

    rooms = st.sampled_from("ab")

    def __init__(self) -> None:
        super().__init__()
        self.machine = MessageMachine({}, {}, changed_max=2)
        self.log: list[Record] = []
        self.count = 0
        self.looked_up: dict[str, tuple[int, list[Message]]] = {"a": (0, []), "b": (0, [])}

    @rule(room=rooms)
    def look_up(self, room: str) -> None:
        """What a client's handler knows is as of now."""
        self.looked_up[room] = len(revs_of(self.log, room)), list(replayed(self.log)[room].values())

    @rule(batch=st.lists(st.tuples(rooms, asked), max_size=6), is_committed=st.booleans())
    def carry_out(self, batch: list[tuple[str, Any]], is_committed: bool) -> None:
        commands = [one for room, what in batch if (one := self.command(room, what)) is not None]
        decision = self.machine.decide(commands, NOW_MS)
        if not is_committed:
            assert self.machine.decide(commands, NOW_MS) == decision
            return
        before = replayed(self.log)
        self.machine.apply(decision)
        for command, effect in zip(commands, decision.effects, strict=True):
            self.judge(before, command, effect)
        self.log += decision.records

    def command(self, room: str, what: Any) -> Command | None:
        as_of_rev, messages = self.looked_up[room]
        match what:
            case ("say",):
                self.count += 1
                return send(self.count, "first", connection_id=room)
            case (_, seq, *_) if seq > len(messages):
                return None
            case ("edit", seq, content, seen):
                one = messages[seq - 1]
                return EditMessage(None, "ann", one, as_of_rev, content, seen)
            case ("delete", seq):
                return DeleteMessage(None, "ann", messages[seq - 1], as_of_rev)
            case ("react", seq, user, emoji, is_on):
                return PutReaction(None, user, messages[seq - 1], as_of_rev, emoji, is_on)
        raise AssertionError(what)

    def judge(self, now: dict[str, dict[int, Message]], command: Command, effect: Effect) -> None:
        """Each effect is right of the message as the log has it by then, which `now` is."""
        match effect:
            case Accepted(_, message):
                now[message.connection_id][message.seq] = message
            case ChangeKept(_, change):
                message = change.message
                before = now[message.connection_id][message.seq]
                assert not before.is_deleted
                assert attrs.evolve(message, changes=None, content="", context=None) == (
                    attrs.evolve(before, changes=None, content="", context=None)
                )
                assert message != before
                now[message.connection_id][message.seq] = message
            case ChangeRepeated(_, message):
                assert message == now[message.connection_id][message.seq]
            case ChangeRefused(command, code):
                one = now[command.message.connection_id][command.message.seq]
                assert code in (Code.MESSAGE_DELETED, Code.EDIT_CONFLICT, Code.OVERLOADED)
                if code is Code.MESSAGE_DELETED:
                    assert one.is_deleted
                if code is Code.OVERLOADED:
                    as_of_rev, _ = self.looked_up[one.connection_id]
                    assert as_of_rev < len(revs_of(self.log, one.connection_id))

    @rule()
    def start_again(self) -> None:
        last_seqs = {room: len(messages) for room, messages in replayed(self.log).items()}
        last_revs = {room: len(revs_of(self.log, room)) for room in "ab"}
        self.machine.restore(last_seqs, {}, len(self.log), (), last_revs)

    @invariant()
    def revs_are_dense(self) -> None:
        for room in "ab":
            revs = revs_of(self.log, room)
            assert revs == list(range(1, len(revs) + 1))
            assert self.machine.last_rev(room) == len(revs)


def replayed(log: list[Record]) -> dict[str, dict[int, Message]]:
    """The messages of each room, by seq, as the records say one after the other."""
    rooms: dict[str, dict[int, Message]] = defaultdict(dict)
    for record in log:
        match record:
            case MessageStored(message):
                rooms[message.connection_id][message.seq] = message
            case MessageEdited(message) | MessageDeleted(message) | ReactionChanged(message):
                assert message.seq in rooms[message.connection_id]
                rooms[message.connection_id][message.seq] = message
    return rooms


def revs_of(log: list[Record], room: str) -> list[int]:
    return [
        record.rev
        for record in log
        if isinstance(record, MessageEdited | MessageDeleted | ReactionChanged)
        and record.message.connection_id == room
    ]


TestChangedRooms = ChangedRooms.TestCase
TestChangedRooms.settings = settings(stateful_step_count=30)
