import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from chatd.actors.group_commit import ENOUGH, WINDOW_S
from chatd.actors.loop import BATCH_MAX, run_messages
from chatd.actors.machine_ledger import MachineLedger
from chatd.actors.mailbox import Mailbox
from chatd.actors.pulse import SILENT_S, Pulse
from chatd.chat.commits import CommitFailed, RecordRefused, StoreClosed
from chatd.chat.message_machine import MessageMachine
from chatd.chat.messages import (
    Accepted,
    Command,
    Conflicted,
    Joined,
    MarkRead,
    RemoveMember,
    Repeated,
)
from chatd.chat.queue import PRESENT, Queue
from chatd.chat.records import MemberKept, MemberRemoved, MessageStored, ReadMarked
from chatd.wire.codes import Code
from tests.actors.fakes import MemoryLog, Notebook
from tests.chat.commands import join, leave, send, stored
from tests.clocks import SetClock

NOW_MS = 5_000


class Actor:
    """The messages actor with a log in memory; `serve` is one life of it."""

    def __init__(self, log: MemoryLog, machine: MessageMachine) -> None:
        self.log, self.machine = log, machine
        self.ledger = MachineLedger(machine, log)
        self.mailbox: Mailbox[Command] = Mailbox(10 * BATCH_MAX)
        self.notebook = Notebook()

        self.clock = SetClock(wall=NOW_MS / 1000)
        self.window_s = WINDOW_S
        self.pulse = Pulse(self.mailbox)
        self.sizes: list[int] = []
        self.took_s: list[float] = []
        self.ended_by: Exception | None = None

    def acknowledged(self, commands: int, took_s: float) -> None:
        self.sizes.append(commands)
        self.took_s.append(took_s)

    async def run(self) -> None:
        await run_messages(
            self.ledger,
            self.mailbox,
            self.notebook,
            self.clock,
            window_s=self.window_s,
            pulse=self.pulse,
            acknowledged=self.acknowledged,
        )

    async def end(self) -> None:
        """Run, and note what ended that."""
        try:
            await self.run()
        except Exception as error:
            self.ended_by = error

    async def serve(self, *batch: Command) -> None:
        """Put a batch in, close, and run to the end."""
        for command in batch:
            assert self.mailbox.offer(command)
        self.mailbox.close()
        with trio.fail_after(5):
            await self.run()


@pytest.fixture
def actor() -> Actor:
    return Actor(MemoryLog(), MessageMachine({}, {}))


def accepted(number: int, seq: int) -> Accepted:
    command = send(number)
    return Accepted(command, stored(command, seq, NOW_MS))


async def test_a_batch_is_one_commit_and_its_effects_are_run_together(actor: Actor) -> None:
    await actor.serve(send(1), join("demo"), send(2))
    effects = [accepted(1, 1), Joined(join("demo"), (1,), ((),), (None,)), accepted(2, 2)]
    assert actor.notebook.lines == effects
    assert len(actor.log.commits) == 1
    assert actor.machine.last_seq("demo") == 2


async def test_nothing_is_applied_or_told_before_the_commit(
    actor: Actor, nursery: trio.Nursery
) -> None:
    actor.log.open_gate = trio.Event()
    actor.mailbox.offer(send(1))
    nursery.start_soon(actor.run)
    await wait_all_tasks_blocked()
    assert actor.notebook.lines == []
    assert actor.machine.last_seq("demo") == 0
    actor.log.open_gate.set()
    await wait_all_tasks_blocked()
    assert actor.notebook.lines == [accepted(1, 1)]
    assert actor.machine.last_seq("demo") == 1
    actor.mailbox.close()


async def test_what_arrives_during_a_commit_is_the_next_batch(
    actor: Actor, nursery: trio.Nursery
) -> None:
    actor.log.open_gate = trio.Event()
    actor.mailbox.offer(send(1))
    nursery.start_soon(actor.run)
    await wait_all_tasks_blocked()
    for number in (2, 3):
        actor.mailbox.offer(send(number))
    actor.log.open_gate.set()
    actor.mailbox.close()
    await wait_all_tasks_blocked()
    assert actor.notebook.lines == [accepted(1, 1), accepted(2, 2), accepted(3, 3)]


async def overlap(actor: Actor, nursery: trio.Nursery) -> trio.Event:
    """Have one message committed, and another one on its way to the disk, which takes it when the
    event is set."""
    first, second = trio.Event(), trio.Event()
    actor.log.gates = [first, second]
    actor.window_s = 0.0
    actor.mailbox.offer(send(1))
    nursery.start_soon(actor.end)
    await wait_all_tasks_blocked()
    actor.mailbox.offer(send(2))
    first.set()
    await wait_all_tasks_blocked()
    return second


async def test_senders_are_answered_while_the_log_takes_the_next_batch(
    actor: Actor, nursery: trio.Nursery
) -> None:
    disk = await overlap(actor, nursery)
    assert actor.notebook.lines == [accepted(1, 1)]
    assert actor.sizes == [1]
    assert actor.machine.last_seq("demo") == 1
    disk.set()
    await wait_all_tasks_blocked()
    assert actor.notebook.lines == [accepted(1, 1), accepted(2, 2)]
    assert actor.sizes == [1, 1]
    actor.mailbox.close()


async def test_a_disk_that_fails_takes_nothing_from_the_batch_before(
    actor: Actor, nursery: trio.Nursery
) -> None:
    actor.log.outcomes = [None, CommitFailed(Code.STORAGE_FULL, "the disk is full")]
    disk = await overlap(actor, nursery)
    disk.set()
    await wait_all_tasks_blocked()
    assert actor.notebook.lines == [accepted(1, 1), ([send(2)], "storage_full")]
    assert actor.machine.last_seq("demo") == 1
    actor.mailbox.close()


async def test_a_crash_ends_the_actor_once_the_log_has_what_it_was_given(
    actor: Actor, nursery: trio.Nursery
) -> None:
    """Else the next life would begin with less than the log is about to hold."""
    actor.notebook.crash_at = 0
    disk = await overlap(actor, nursery)
    assert actor.notebook.lines == [([send(1)], "internal")]
    assert actor.ended_by is None
    disk.set()
    await wait_all_tasks_blocked()
    assert isinstance(actor.ended_by, ZeroDivisionError)
    assert actor.notebook.lines == [([send(1)], "internal"), ([send(2)], "internal")]
    assert len(actor.log.commits) == 2


async def test_what_comes_soon_after_a_commit_shares_the_next_one(
    actor: Actor, nursery: trio.Nursery, mock_clock: MockClock
) -> None:
    nursery.start_soon(actor.run)
    for number in (1, 2, 3):
        actor.mailbox.offer(send(number))
        await wait_all_tasks_blocked()
        mock_clock.jump(WINDOW_S / 4)
    assert [len(records) for records in actor.log.commits] == [1]
    mock_clock.jump(WINDOW_S)
    await wait_all_tasks_blocked()
    assert [len(records) for records in actor.log.commits] == [1, 2]
    actor.mailbox.close()


async def test_what_is_urgent_waits_for_nothing_and_takes_with_it_what_waits(
    actor: Actor, nursery: trio.Nursery, mock_clock: MockClock
) -> None:
    nursery.start_soon(actor.run)
    for number in (1, 2):
        actor.mailbox.offer(send(number))
        await wait_all_tasks_blocked()
    assert [len(records) for records in actor.log.commits] == [1]
    actor.mailbox.offer(send(3), is_urgent=True)
    await wait_all_tasks_blocked()
    assert [len(records) for records in actor.log.commits] == [1, 2]
    actor.mailbox.offer(send(4))  # which has the window again
    await wait_all_tasks_blocked()
    assert [len(records) for records in actor.log.commits] == [1, 2]
    mock_clock.jump(WINDOW_S)
    await wait_all_tasks_blocked()
    assert [len(records) for records in actor.log.commits] == [1, 2, 1]
    actor.mailbox.close()


async def test_enough_that_waits_is_committed_at_once(
    actor: Actor, nursery: trio.Nursery, mock_clock: MockClock
) -> None:
    nursery.start_soon(actor.run)
    for number in range(1, ENOUGH + 1):
        actor.mailbox.offer(send(number))
        await wait_all_tasks_blocked()
    assert [len(records) for records in actor.log.commits] == [1]
    actor.mailbox.offer(send(ENOUGH + 1))
    await wait_all_tasks_blocked()
    assert [len(records) for records in actor.log.commits] == [1, ENOUGH]
    actor.mailbox.close()


async def test_a_batch_is_timed_from_its_first_command_to_its_last_answer(
    actor: Actor, nursery: trio.Nursery, mock_clock: MockClock
) -> None:
    actor.log.open_gate = trio.Event()
    actor.mailbox.offer(send(1))
    mock_clock.jump(1.0)
    actor.mailbox.offer(send(2))
    nursery.start_soon(actor.run)
    await wait_all_tasks_blocked()
    mock_clock.jump(2.0)
    assert actor.took_s == []
    actor.log.open_gate.set()
    await wait_all_tasks_blocked()
    assert actor.took_s == [3.0]
    assert actor.sizes == [2]
    mock_clock.jump(10.0)
    actor.mailbox.offer(send(3))
    await wait_all_tasks_blocked()
    assert actor.took_s == [3.0, 0.0]
    actor.mailbox.close()


async def test_an_actor_that_waits_for_a_disk_does_not_answer_until_the_disk_does(
    actor: Actor, nursery: trio.Nursery, mock_clock: MockClock
) -> None:
    actor.log.open_gate = trio.Event()
    nursery.start_soon(actor.run)
    await wait_all_tasks_blocked()
    mock_clock.jump(SILENT_S * 2)
    assert not actor.pulse.is_silent(trio.current_time())  # nothing waits for it
    actor.mailbox.offer(send(1))
    await wait_all_tasks_blocked()
    mock_clock.jump(SILENT_S - 0.1)
    assert not actor.pulse.is_silent(trio.current_time())
    mock_clock.jump(0.2)
    assert actor.pulse.is_silent(trio.current_time())
    actor.log.open_gate.set()
    await wait_all_tasks_blocked()
    assert not actor.pulse.is_silent(trio.current_time())
    actor.mailbox.close()


async def test_an_actor_that_takes_nothing_does_not_answer(
    actor: Actor, mock_clock: MockClock
) -> None:
    actor.mailbox.offer(MarkRead(None, "bob", "demo", 1), 5.0)  # it may wait so long by itself
    mock_clock.jump(SILENT_S)
    assert not actor.pulse.is_silent(trio.current_time())
    mock_clock.jump(5.0)
    assert actor.pulse.is_silent(trio.current_time())


async def test_a_start_that_waits_for_a_disk_counts_too(
    nursery: trio.Nursery, mock_clock: MockClock
) -> None:
    actor = Actor(MemoryLog(), MessageMachine({"demo": 0}, {"demo": {"bob": PRESENT}}))
    actor.log.open_gate = trio.Event()
    nursery.start_soon(actor.run)
    await wait_all_tasks_blocked()
    mock_clock.jump(SILENT_S)
    assert actor.pulse.is_silent(trio.current_time())
    actor.log.open_gate.set()
    actor.mailbox.close()


async def test_the_time_between_two_commits_is_an_argument(
    actor: Actor, nursery: trio.Nursery, mock_clock: MockClock
) -> None:
    actor.window_s = 0.0
    nursery.start_soon(actor.run)
    for number in (1, 2, 3):
        actor.mailbox.offer(send(number))
        await wait_all_tasks_blocked()
    assert [len(records) for records in actor.log.commits] == [1, 1, 1]
    actor.mailbox.close()


async def test_who_is_busy_waits_for_nobody(
    actor: Actor, nursery: trio.Nursery, mock_clock: MockClock
) -> None:
    nursery.start_soon(actor.run)
    for number in range(1, 20):
        mock_clock.jump(0.1)
        actor.clock.worked += 0.1
        actor.mailbox.offer(send(number))
        await wait_all_tasks_blocked()
    before = len(actor.log.commits)
    actor.mailbox.offer(send(20))
    await wait_all_tasks_blocked()
    assert len(actor.log.commits) == before + 1
    actor.mailbox.close()


async def test_a_batch_has_a_most_and_the_rest_is_the_next_batch(actor: Actor) -> None:
    await actor.serve(*(send(number) for number in range(2 * BATCH_MAX + 1)))
    assert [len(records) for records in actor.log.commits] == [BATCH_MAX, BATCH_MAX, 1]
    assert len(actor.notebook.lines) == 2 * BATCH_MAX + 1
    assert actor.machine.last_seq("demo") == 2 * BATCH_MAX + 1


async def test_effects_are_finished_once_a_batch_behind_the_last(actor: Actor) -> None:
    await actor.serve(*(send(number) for number in range(BATCH_MAX + 2)))
    assert actor.notebook.finished_at == [BATCH_MAX, BATCH_MAX + 2]


async def test_a_crash_while_effects_are_finished_refuses_nobody_who_was_answered(
    actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def finish() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(actor.notebook, "finish", finish)
    with pytest.raises(ZeroDivisionError):
        await actor.serve(send(1), send(2))
    assert actor.notebook.lines == [accepted(1, 1), accepted(2, 2), ([], "internal")]


async def test_the_machine_has_caught_up_when_effects_run(
    actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    monkeypatch.setattr(
        actor.notebook, "run", lambda _effect: seen.append(actor.machine.last_seq("demo"))
    )
    await actor.serve(send(1), send(2))
    assert seen == [2, 2]


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (CommitFailed(Code.STORAGE_FULL, "no space"), "storage_full"),
        (CommitFailed(Code.STORAGE_ERROR, "an I/O error"), "storage_error"),
        (StoreClosed("the end"), "draining"),
    ],
    ids=["full disk", "broken disk", "closed log"],
)
async def test_a_commit_that_fails_is_told_to_its_senders_and_leaves_no_trace(
    actor: Actor, failure: Exception, code: str
) -> None:
    actor.log.outcomes.append(failure)
    batch = [send(number) for number in range(BATCH_MAX)]
    await actor.serve(*batch, send(BATCH_MAX))
    assert actor.notebook.lines == [(batch, code), accepted(BATCH_MAX, 1)]
    assert actor.machine.last_seq("demo") == 1


async def test_an_id_that_only_the_log_knows_makes_the_batch_be_decided_again() -> None:
    original = stored(send(1), 1)
    actor = Actor(MemoryLog([original]), MessageMachine({"demo": 1}, {}))
    await actor.serve(send(1), send(2), send(1, "else"))
    effects = [Repeated(send(1), original), accepted(2, 2), Conflicted(send(1, "else"))]
    assert actor.notebook.lines == effects
    assert len(actor.log.commits) == 1


async def test_a_batch_of_which_the_log_knows_all_commits_nothing_more() -> None:
    originals = [stored(send(number), number) for number in (1, 2, 3)]
    actor = Actor(MemoryLog(originals), MessageMachine({"demo": 3}, {"demo": {"ann": PRESENT}}))
    actor.notebook.there.add(("demo", "ann"))
    await actor.serve(send(1), join("demo"), send(3))
    effects = [Repeated(send(1), originals[0]), Joined(join("demo"), (3,), ((),), (None,))]
    assert actor.notebook.lines == [*effects, Repeated(send(3), originals[2])]
    assert actor.log.commits == []


async def test_more_retries_than_the_machine_remembers_do_not_go_round_for_ever() -> None:
    originals = [stored(send(number), number) for number in (1, 2, 3)]
    actor = Actor(MemoryLog(originals), MessageMachine({"demo": 3}, {}, recent_max=1))
    await actor.serve(send(1), send(2), send(3))
    assert actor.notebook.lines == [
        Repeated(send(number), original) for number, original in enumerate(originals, start=1)
    ]


async def test_a_failure_after_a_conflict_is_told_once_and_keeps_memory_bounded() -> None:
    originals = [stored(send(number), number) for number in (1, 2)]
    actor = Actor(MemoryLog(originals), MessageMachine({"demo": 2}, {}, recent_max=1))
    actor.log.outcomes = [None, CommitFailed(Code.STORAGE_FULL, "no space")]
    batch: list[Command] = [send(1), send(2), join("demo")]
    await actor.serve(*batch)
    joined = Joined(join("demo"), (2,), ((),), (None,))
    assert actor.notebook.lines == [(batch[:2], "storage_full"), joined]
    effects = actor.machine.decide(batch[:2], NOW_MS).effects
    assert [type(effect) for effect in effects] == [Accepted, Repeated]


async def test_a_batch_of_repeats_needs_no_commit(actor: Actor) -> None:
    actor.machine.remember([stored(send(1), 1)])
    actor.log.outcomes.append(CommitFailed(Code.STORAGE_FULL, "no space"))
    await actor.serve(send(1))
    assert actor.notebook.lines == [Repeated(send(1), stored(send(1), 1))]


async def test_a_closed_and_empty_mailbox_ends_the_loop(actor: Actor) -> None:
    await actor.serve()
    assert actor.notebook.lines == []


async def test_the_records_of_a_join_are_committed_before_its_effect(actor: Actor) -> None:
    await actor.serve(join("a", "b"))
    assert actor.log.commits == [[MemberKept(room, "ann", PRESENT, NOW_MS) for room in "ab"]]
    assert actor.notebook.lines == [Joined(join("a", "b"), (0, 0), ((), ()), (None, None))]


async def test_a_crash_is_told_to_whoever_was_not_told_yet_and_ends_the_actor(actor: Actor) -> None:
    actor.notebook.crash_at = 1
    with pytest.raises(ZeroDivisionError):
        await actor.serve(send(1), send(2), send(3))
    assert actor.notebook.lines == [accepted(1, 1), ([send(2), send(3)], "internal")]
    assert len(actor.log.commits) == 1


async def test_records_that_the_log_refuses_end_the_actor_for_its_state_is_not_the_logs(
    actor: Actor,
) -> None:
    actor.log.outcomes.append(RecordRefused("a gap"))
    with pytest.raises(RecordRefused):
        await actor.serve(send(1))
    assert actor.notebook.lines == [([send(1)], "internal")]
    assert actor.machine.last_seq("demo") == 0


async def test_who_is_not_there_at_the_start_is_away_before_anything_is_served() -> None:
    members = {"demo": {"ann": PRESENT, "bob": PRESENT}}
    actor = Actor(MemoryLog(), MessageMachine({"demo": 0}, members))
    actor.notebook.there.add(("demo", "bob"))
    await actor.serve(send(1))
    assert actor.log.commits[0] == [MemberKept("demo", "ann", Queue(0, NOW_MS), NOW_MS)]
    assert actor.machine.owed_count("demo", "bob") == 0


async def test_a_disk_that_fails_at_the_start_is_tried_again_with_the_next_batch() -> None:
    actor = Actor(MemoryLog(), MessageMachine({"demo": 0}, {"demo": {"bob": PRESENT}}))
    actor.log.outcomes = [CommitFailed(Code.STORAGE_FULL, "no space")]
    await actor.serve(send(1))
    [records] = actor.log.commits
    assert records[0] == MemberKept("demo", "bob", Queue(0, NOW_MS), NOW_MS)
    assert [type(record) for record in records] == [MemberKept, MessageStored]
    assert actor.machine.owed_count("demo", "bob") == 1


async def test_who_comes_and_goes_while_the_disk_fails_is_kept_with_the_next_message(
    nursery: trio.Nursery, mock_clock: MockClock
) -> None:
    members = {"demo": {"ann": PRESENT, "bob": PRESENT, "dan": PRESENT}}
    actor = Actor(MemoryLog([stored(send(1), 1)]), MessageMachine({"demo": 1}, members))
    actor.notebook.there |= {("demo", name) for name in ("ann", "bob", "dan")}
    full = CommitFailed(Code.STORAGE_FULL, "no space")
    actor.log.outcomes = [full, full, None]
    nursery.start_soon(actor.run)
    await wait_all_tasks_blocked()
    batches: list[list[Command]] = [
        [leave(("demo", 1), user_id="bob"), join("demo", user_id="eve"), send(2)],
        [RemoveMember("dan", ("demo",)), leave(("demo", 1), user_id="eve")],
        [send(3), send(4)],
    ]
    for batch in batches:
        for command in batch:
            actor.mailbox.offer(command)
        mock_clock.jump(1)
        await wait_all_tasks_blocked()
    actor.mailbox.close()
    eve = Joined(join("demo", user_id="eve"), (1,), ((),), (None,))
    assert ([send(2)], "storage_full") in actor.notebook.lines
    assert eve in actor.notebook.lines
    assert [actor.machine.owed_count("demo", name) for name in ("ann", "bob", "eve")] == [0, 2, 2]
    assert not actor.machine.members.has("demo", "dan")
    [records] = actor.log.commits
    kept = {(one.user_id, type(one)) for one in records if not isinstance(one, MessageStored)}
    assert kept == {("bob", MemberKept), ("eve", MemberKept), ("dan", MemberRemoved)}


async def test_who_came_while_the_disk_failed_is_a_member_after_a_crash_too() -> None:
    actor = Actor(MemoryLog(), MessageMachine({"demo": 3}, {"demo": {"bob": Queue(1, NOW_MS)}}))
    actor.notebook.there |= {("demo", "bob"), ("demo", "eve")}
    await actor.serve(send(1, user_id="bob", connection_id="other"))
    assert actor.machine.members.has("demo", "eve")
    assert actor.machine.owed_count("demo", "bob") == 2  # what came before stays owed
    assert not actor.machine.members.freeze()["demo"]["bob"].is_away


async def test_who_leaves_before_the_actor_begins_anew_is_owed_what_came_since(
    actor: Actor,
) -> None:
    actor.machine.restore({"demo": 3}, {"demo": {"ann": PRESENT, "bob": PRESENT}}, 0)
    actor.notebook.there.add(("demo", "bob"))
    await actor.serve(leave(("demo", 1), user_id="ann"))
    assert actor.machine.owed_count("demo", "ann") == 2


async def test_a_patient_command_shares_the_commit_of_the_next_message(
    actor: Actor, nursery: trio.Nursery, mock_clock: MockClock
) -> None:
    nursery.start_soon(actor.run)
    actor.mailbox.offer(join("demo", user_id="bob"))
    actor.mailbox.offer(send(1))
    await wait_all_tasks_blocked()
    actor.mailbox.offer(MarkRead(None, "bob", "demo", 1), 1.0)
    mock_clock.jump(2 * WINDOW_S)
    await wait_all_tasks_blocked()
    assert [len(records) for records in actor.log.commits] == [2]
    actor.mailbox.offer(send(2))
    await wait_all_tasks_blocked()
    assert [len(records) for records in actor.log.commits] == [2, 2]
    actor.mailbox.offer(MarkRead(None, "bob", "demo", 2), 1.0)
    mock_clock.jump(1.1)
    await wait_all_tasks_blocked()
    assert actor.log.commits[-1] == [ReadMarked("demo", "bob", 2)]
    assert actor.took_s[-1] == pytest.approx(0.1)
    actor.mailbox.close()
