"""The machine of messages on a random walk, beside a log that remembers everything."""

from collections import defaultdict
from typing import Any

import attrs
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from chatd.chat.decision import Decision
from chatd.chat.message_machine import MessageMachine
from chatd.chat.messages import (
    Accepted,
    Acknowledge,
    AcknowledgementKept,
    ClearOverflow,
    Command,
    Conflicted,
    Effect,
    ForgetMessages,
    Joined,
    JoinRooms,
    LeaveRooms,
    Marked,
    MarkRead,
    RemoveMember,
    Repeated,
    SendMessage,
    TrimQueues,
)
from chatd.chat.queue import Queue, QueueCut
from chatd.chat.reading import Lack, Reading, Stretch, seqs_of
from chatd.chat.records import (
    MemberKept,
    MemberRemoved,
    Message,
    MessageStored,
    ReadMarked,
    Record,
)
from tests.chat.commands import acknowledge, message_id, send, stored

numbers, users, rooms = st.integers(1, 6), st.sampled_from(["ann", "bob"]), st.sampled_from("abc")
SEEN = st.integers(0, 3)  # how many of the newest messages a leaving socket has not seen


class WholeLog(RuleBasedStateMachine):
    """A machine that forgets quickly, beside a model that keeps all that was ever committed."""

    def __init__(self) -> None:
        super().__init__()
        self.machine = MessageMachine({}, {}, recent_max=2, recent_chars_max=12)
        self.by_id: dict[str, Message] = {}
        self.by_room: dict[str, list[Message]] = defaultdict(list)
        self.owed: dict[tuple[str, str], set[int]] = {}
        self.away: dict[tuple[str, str], bool] = {}
        self.delivered: set[tuple[str, int]] = set()
        self.fallen: dict[tuple[str, str], set[int]] = {}  # and not told yet
        self.read: dict[tuple[str, str], int] = {}
        self.kept_from: dict[str, int] = {}
        self.log: list[Record] = []
        self.now_ms = 0
        self.tried: list[Command] = []

    commands = st.one_of(
        st.builds(
            send,
            numbers,
            st.sampled_from(["hello", "hi"]),
            user_id=users,
            connection_id=rooms,
            context=st.sampled_from([None, b"{}"]),
            thread_id=st.sampled_from([None, message_id(9)]),
        ),
        st.builds(JoinRooms, st.none(), users, st.lists(rooms, max_size=3).map(tuple)),
        st.tuples(users, rooms, SEEN),
        st.tuples(users, rooms, st.integers(1, 9), st.booleans()),
        st.builds(MarkRead, st.none(), users, rooms, st.integers(0, 12)),
    )

    @rule(batch=st.lists(commands, max_size=8))
    def commit(self, batch: list[Any]) -> None:
        self.now_ms += 1
        # What names messages is about those that were there before the batch, as with clients.
        commands = [one for given in batch if (one := self.command(given)) is not None]
        self.tried = commands
        decision = self.decided_in_knowledge_of_the_log(commands)
        for command, effect in zip(commands, decision.effects, strict=True):
            self.follow(command, effect)
        self.keep(decision)

    @rule(user=users, room=rooms, count=st.integers(1, 6))
    def be_away(self, user: str, room: str, count: int) -> None:
        """What the walk seldom comes to by itself: a queue that holds something."""
        other = {"ann": "bob", "bob": "ann"}[user]
        first = 100 + len(self.by_id)
        self.commit([JoinRooms(None, user, (room,)), (user, room, 0)])
        self.commit(
            [
                send(number, user_id=other, connection_id=room)
                for number in range(first, first + count)
            ]
        )

    def keep(self, decision: Decision) -> None:
        self.log += decision.records
        self.machine.apply(decision)

    def command(self, given: Any) -> Command | None:
        match given:
            case (str(user), str(room), int(unseen)):
                # Its own messages that are not recent, or that others have, it has seen.
                recent_from = self.machine.recent_from(room)
                seen_own = [
                    one.seq
                    for one in self.by_room[room]
                    if one.user_id == user
                    and (one.seq < recent_from or (room, one.seq) in self.delivered)
                ]
                seen = max([len(self.by_room[room]) - unseen, 0, *seen_own[-1:]])
                return LeaveRooms(user, ((room, seen),))
            case (str(user), str(room), int(seq), bool(up_to)):
                messages = self.by_room[room]
                if seq > len(messages):
                    return None
                first = 1 if up_to else seq
                recent = self.machine.undelivered(room, user, first, seq, 99)
                left = [
                    one
                    for one in messages[first - 1 : seq]
                    if one.user_id != user and (room, one.seq) not in self.delivered
                ]
                recent_from = self.machine.recent_from(room)
                assert [one.seq for one in recent] == [
                    one.seq for one in left if one.seq >= recent_from
                ]
                assert all(one.seq > self.machine.settled_to(room, user) for one in left)
                settles_to = seq if up_to else 0
                return acknowledge(
                    messages[seq - 1], *left, up_to=up_to, user_id=user, settles_to=settles_to
                )
            case command:
                return command  # type: ignore[no-any-return]

    @rule(batch=st.lists(commands, max_size=8))
    def fail_to_commit(self, batch: list[Any]) -> None:
        commands = [one for given in batch if (one := self.command(given)) is not None]
        first = self.machine.decide(commands, self.now_ms)
        assert self.machine.decide(commands, self.now_ms) == first

    @precondition(lambda self: self.tried)
    @rule()
    def send_all_again(self) -> None:
        retries = [attrs.evolve(command) for command in self.tried if type(command) is SendMessage]
        places = {room: len(messages) for room, messages in self.by_room.items()}
        self.commit(retries)
        assert places == {room: len(messages) for room, messages in self.by_room.items()}

    @rule(user=users, cuts=st.dictionaries(rooms, st.integers(1, 9), min_size=1))
    def trim(self, user: str, cuts: dict[str, int]) -> None:
        places = {room: QueueCut(first_seq, self.now_ms) for room, first_seq in cuts.items()}
        self.keep(self.machine.decide([TrimQueues(None, user, places)], self.now_ms))
        for room, first_seq in cuts.items():
            self.fall((room, user), first_seq)

    @rule(room=rooms, first_seq=st.integers(1, 9))
    def forget(self, room: str, first_seq: int) -> None:
        first_seq = min(first_seq, len(self.by_room[room]) + 1)
        self.kept_from[room] = max(first_seq, self.kept_from.get(room, 1))
        self.keep(self.machine.decide([ForgetMessages(room, first_seq)], self.now_ms))
        for user in ("ann", "bob"):
            self.fall((room, user), first_seq)

    def fall(self, member: tuple[str, str], first_seq: int) -> None:
        fell = {seq for seq in self.owed.get(member, ()) if seq < first_seq}
        self.owed.get(member, set()).difference_update(fell)
        self.fallen.setdefault(member, set()).update(fell)

    @rule(user=users, room=rooms)
    def tell(self, user: str, room: str) -> None:
        fell = self.fallen.pop((room, user), None)
        if fell:
            told = ClearOverflow(user, room, (min(fell), max(fell)))
            self.keep(self.machine.decide([told], self.now_ms))

    @rule(user=users, gone=st.sets(rooms, min_size=1))
    def remove(self, user: str, gone: set[str]) -> None:
        decision = self.machine.decide([RemoveMember(user, tuple(gone))], self.now_ms)
        assert len(decision.records) == len({(room, user) for room in gone} & self.owed.keys())
        self.keep(decision)
        for room in gone:
            for of_members in (self.owed, self.away, self.fallen, self.read):
                of_members.pop((room, user), None)  # type: ignore[attr-defined]

    @rule(is_daemon=st.booleans())
    def start_again(self, is_daemon: bool) -> None:
        """The actor crashed, or the daemon did, which leaves nobody in any room; what comes back is
        what the records of the log come to, one after the other."""
        last_seqs: dict[str, int] = {}
        members: dict[str, dict[str, Queue]] = defaultdict(dict)
        read_seqs: dict[str, dict[str, int]] = defaultdict(dict)
        for record in self.log:
            match record:
                case MessageStored(message):
                    assert message.seq == last_seqs.get(message.connection_id, 0) + 1
                    last_seqs[message.connection_id] = message.seq
                case MemberKept(room, user, queue, read_seq=read_seq):
                    members[room][user] = queue
                    read_seqs[room][user] = read_seq
                case MemberRemoved(room, user):
                    del members[room][user]
                case ReadMarked(room, user, read_seq):
                    assert read_seq > read_seqs[room][user]
                    read_seqs[room][user] = read_seq
        self.machine.restore(last_seqs, members, len(self.log), read_seqs=read_seqs)
        there = {member for member, is_away in self.away.items() if not is_away}
        self.keep(self.machine.reconcile(() if is_daemon else there, self.now_ms))
        if is_daemon:
            self.away = dict.fromkeys(self.away, True)

    def decided_in_knowledge_of_the_log(self, batch: list[Command]) -> Decision:
        """A decision that the log takes; the machine learns of known ids once, never twice."""
        for _ in range(2):
            decision = self.machine.decide(batch, self.now_ms)
            ids = [r.message.message_id for r in decision.records if type(r) is MessageStored]
            known = [self.by_id[one] for one in ids if one in self.by_id]
            if not known:
                return decision
            self.machine.remember(known)
        raise AssertionError("the machine forgot what it was just told")

    def follow(self, command: Command, effect: Effect) -> None:
        """The model takes the same step, and expects the same effect."""
        match command:
            case SendMessage():
                assert effect == self.expected(command)
            case JoinRooms():
                seqs = tuple(len(self.by_room[room]) for room in command.connection_ids)
                assert type(effect) is Joined
                assert effect.last_seqs == seqs
                rooms = zip(command.connection_ids, effect.owed, effect.fallen, strict=True)
                for room, gaps, fallen in rooms:
                    member = (room, command.user_id)
                    self.read.setdefault(member, len(self.by_room[room]))
                    fell = self.fallen.get(member)
                    assert fallen == ((min(fell), max(fell)) if fell else None)
                    self.away[member] = False
                    owed = self.owed.setdefault(member, set())
                    told = {seq for gap in gaps for seq in range(gap.first, gap.last + 1)}
                    assert told == owed
            case LeaveRooms():
                [(room, seen)] = command.rooms
                member = (room, command.user_id)
                if self.away.get(member) is False:
                    # What it was owed from before, it has been told of: nothing older is new.
                    floor = max([seen, *self.owed[member]])
                    unseen = self.by_room[room][floor:]
                    self.owed[member] |= {x.seq for x in unseen if x.user_id != command.user_id}
                    self.away[member] = True
            case MarkRead(_, user, room, seq):
                seq = min(seq, len(self.by_room[room]))
                before = self.read.get((room, user))
                has_moved = before is not None and seq > before
                assert effect == Marked(command, has_moved)
                if has_moved:
                    self.read[room, user] = seq
            case Acknowledge(_, user, message, up_to):
                room = message.connection_id
                first = 1 if up_to else message.seq
                seqs = range(first, message.seq + 1)
                self.owed.get((room, user), set()).difference_update(seqs)
                by_others = {
                    seq
                    for seq in seqs
                    if self.by_room[room][seq - 1].user_id != user
                    and (room, seq) not in self.delivered
                }
                assert type(effect) is AcknowledgementKept
                assert {one.seq for one in effect.delivered} == by_others
                self.delivered |= {(room, seq) for seq in by_others}

    def expected(self, command: SendMessage) -> Effect:
        room = self.by_room[command.connection_id]
        message = stored(command, len(room) + 1, self.now_ms)
        known = self.by_id.setdefault(command.message_id, message)
        if known is message:
            room.append(message)
            for (where, user), away in self.away.items():
                if where == command.connection_id and away and user != command.user_id:
                    self.owed[where, user].add(message.seq)
            return Accepted(command, message)
        same = attrs.evolve(message, seq=known.seq, timestamp_ms=known.timestamp_ms)
        return Repeated(command, known) if same == known else Conflicted(command)

    def reading(self, room: str, user: str) -> Reading:
        """What the machine counts, once it has learnt what that lacks."""
        while (lack := self.machine.lacking(room, user)) is not None:
            self.machine.learn(lack, self.stretch(lack))
        return self.machine.reading(room, user)

    def stretch(self, lack: Lack) -> Stretch:
        by_author = defaultdict(seqs_of)
        first_kept = self.kept_from.get(lack.connection_id, 1)
        for message in self.by_room[lack.connection_id]:
            if max(first_kept, lack.first_seq) <= message.seq <= lack.last_seq:
                by_author[message.user_id].append(message.seq)
        return Stretch(by_author, seqs_of(), first_kept, ())

    def expected_reading(self, room: str, user: str) -> Reading:
        messages, first_kept = self.by_room[room], self.kept_from.get(room, 1)
        read_seq = self.read.get((room, user), len(messages))
        behind = [one for one in messages if one.seq > read_seq and one.seq >= first_kept]
        return Reading(read_seq, sum(one.user_id != user for one in behind), 0)

    @invariant()
    def the_machine_stands_where_the_log_stands(self) -> None:
        for room in "abc":
            assert self.machine.last_seq(room) == len(self.by_room[room])
            for user in ("ann", "bob"):
                owed = self.owed.get((room, user))
                assert self.machine.members.has(room, user) is (owed is not None)
                assert self.machine.owed_count(room, user) == len(owed or ())
                assert self.reading(room, user) == self.expected_reading(room, user)
        for user in ("ann", "bob"):
            assert set(self.machine.members.rooms_of(user)) == {
                it for it, who in self.owed if who == user
            }


TestWholeLog = WholeLog.TestCase
TestWholeLog.settings = settings(stateful_step_count=25)
