"""The loops of the actors: a mailbox, batches, effects.

The messages actor carries its batches out through a ledger, which keeps them. Presence and typing
keep no records: their machines change as they decide.

An exception ends the actor: the senders of the commands that it was working on are sent `internal`,
and its supervisor starts it again: the messages actor from the log, the others from what was last
sent to clients. The mailbox outlives the crash; the commands of the crash are not tried again.
"""

from collections.abc import Awaitable, Callable, Collection, Sequence
from functools import partial
from typing import Protocol, TypeVar

import attrs
import trio

from chatd.actors.group_commit import ENOUGH, WINDOW_S, GroupCommit
from chatd.actors.ledger import Ledger
from chatd.actors.mailbox import Mailbox
from chatd.actors.pulse import Pulse
from chatd.chat.messages import Command, Effect, LeaveRooms, NotStored
from chatd.observe.clock import Clock
from chatd.wire.codes import Code

BATCH_MAX = 1_000  # commands carried out together; more wait for the next turn

T = TypeVar("T")
C = TypeVar("C")
E = TypeVar("E")
C_contra = TypeVar("C_contra", contravariant=True)
E_co = TypeVar("E_co", covariant=True)
E_contra = TypeVar("E_contra", contravariant=True)


class EffectRunner(Protocol):
    """Carries the effects of messages out: the service, wired by `chatd.app`."""

    def run(self, effect: Effect) -> None:
        """Notify senders and rooms of what is in the log now, in the order of the effects. What
        rooms get of messages that were accepted may wait for the next effect, or for `finish`."""
        ...

    def finish(self) -> None:
        """Do what `run` has left to do, after the last effect of a batch."""
        ...

    def failed(self, batch: Sequence[Command], code: str) -> None:
        """Refuse, with a code, commands that stored nothing; never raises."""
        ...

    def in_rooms(self) -> Collection[tuple[str, str]]:
        """The users that have a socket in a room: (connectionId, userId)."""
        ...


async def run_messages(
    ledger: Ledger,
    mailbox: Mailbox[Command],
    runner: EffectRunner,
    clock: Clock,
    *,
    window_s: float = WINDOW_S,
    pulse: Pulse,
    acknowledged: Callable[[int, float], None] = lambda _commands, _took_s: None,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve the mailbox until it is closed and empty.

    If commands are waiting that may be committed at once, the effects of a batch are run while the
    log takes the next one: senders are answered and rooms written to while the disk works. Effects
    stay in order, and each batch is decided over those before it.

    `window_s` is the time between two commits while there is time to spare, unless something is
    urgent, or enough has gathered. `acknowledged` is told how many commands each batch had, and how
    long it took, in seconds, from when its first command was in the mailbox to when the last of its
    senders was answered: the wait of the slowest.
    """

    def follow(carried: _CarriedOut) -> None:
        """Run the effects of a batch. If one raises, the senders who were not answered are
        refused."""
        done = 0
        try:
            for effect in carried.effects:
                runner.run(effect)
                done += 1
            runner.finish()
        except Exception:
            runner.failed(_commands(carried.effects[done:]), Code.INTERNAL)
            raise
        acknowledged(carried.commands, max(0.0, trio.current_time() - carried.since_s))

    def may_begin() -> bool:
        """Whether the next commit need not wait any longer."""
        return mailbox.has_enough(ENOUGH) or pace.due_s() <= trio.current_time()

    pulse.begin(trio.current_time())
    leaving = [one for one in mailbox.left() if isinstance(one, LeaveRooms)]
    await ledger.begin(runner.in_rooms(), clock.wall_ms(), leaving)
    pulse.end()
    task_status.started()
    pace = GroupCommit(trio.current_time(), clock.worked_s(), window_s)
    owed: _CarriedOut | None = None  # its effects are still to be run
    while True:
        if owed is not None and not (mailbox.has_due and may_begin()):
            follow(owed)
            owed = None
            pulse.end()
        if not await mailbox.filled():
            return
        if not may_begin():
            await mailbox.gather(pace.due_s(), ENOUGH)
        since_s = mailbox.waiting_since_s
        batch = await mailbox.receive(BATCH_MAX)
        now_s = trio.current_time()
        pulse.begin(now_s)
        pace.begin(now_s, clock.worked_s())
        try:
            before, owed = owed, None
            if before is None:
                effects = await ledger.carry_out(batch, clock.wall_ms())
            else:
                meanwhile = partial(follow, before)
                effects = await _while(meanwhile, ledger.carry_out(batch, clock.wall_ms()))
        except Exception:
            runner.failed(batch, Code.INTERNAL)  # it may be in the log: a retry finds it there
            raise
        owed = _CarriedOut(effects, len(batch), since_s)


@attrs.frozen
class _CarriedOut:
    """A batch that the log has: its effects, how many commands it had, and since when the first of
    them had waited."""

    effects: Sequence[Effect]
    commands: int
    since_s: float


async def _while(do: Callable[[], None], carry_out: Awaitable[T]) -> T:
    """Begin `carry_out`, call `do` as soon as it waits, and return what it returns, or raise what
    either has raised; both are always brought to their end."""
    failures: list[Exception] = []
    outcome: list[T] = []

    async def call() -> None:
        try:
            do()
        except Exception as error:
            failures.append(error)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(call)
        try:
            outcome.append(await carry_out)
        except Exception as error:
            failures.append(error)
    if failures:
        raise failures[0]
    return outcome[0]


def _commands(effects: Sequence[Effect]) -> list[Command]:
    return [effect.command for effect in effects if not isinstance(effect, NotStored)]


class Machine(Protocol[C_contra, E_co]):
    """A machine without records, in which time passes."""

    def decide(self, batch: Sequence[C_contra], now_s: float, wall_ms: int) -> Sequence[E_co]:
        """Carry a batch out; returns what has become of it."""
        ...

    def tick(self, now_s: float, wall_ms: int) -> Sequence[E_co]:
        """What is due by now."""
        ...

    def next_deadline_s(self) -> float:
        """When something is due next; `math.inf` if nothing is."""
        ...


class Roster(Protocol[C_contra, E_contra]):
    """Carries the effects of such a machine out, and knows what was last sent to clients."""

    def run(self, effect: E_contra) -> None:
        """Notify the clients that it concerns."""
        ...

    def failed(self, batch: Sequence[C_contra]) -> None:
        """The machine, or one of its effects, raised at this batch; never raises."""
        ...


async def run_machine(
    machine: Machine[C, E],
    mailbox: Mailbox[C],
    roster: Roster[C, E],
    wall_ms: Callable[[], int],
) -> None:
    """Serve the mailbox, and time, until the mailbox is closed and empty."""
    while True:
        batch: list[C] | None = None
        with trio.move_on_at(machine.next_deadline_s()):
            batch = await mailbox.receive(BATCH_MAX)
        if batch == []:
            return
        now_s, now_ms = trio.current_time(), wall_ms()
        try:
            if machine.next_deadline_s() <= now_s:
                for effect in machine.tick(now_s, now_ms):
                    roster.run(effect)
            for effect in machine.decide(batch or (), now_s, now_ms):
                roster.run(effect)
        except Exception:
            roster.failed(batch or ())
            raise
