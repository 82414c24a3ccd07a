"""Supervisors: children are started in order, started again when they crash, stopped in reverse.

The semantics are those of OTP, over a nursery. A child is an async function that says when it is
ready, and is called anew for each of its lives; its creator holds what outlives a life.
A crash is an `Exception` that leaves a child; it is reported once, whatever becomes of it.

    child       ends by itself    crashes
    permanent   started again     started again
    transient   is done           started again

One for one starts the child alone; one for all stops the others in reverse, and starts all in
order. More than `intensity` starts within `period_s` are too many: the others are stopped, and the
supervisor raises `GaveUp`, which is a crash for the supervisor above. So the numbers of nested ones
multiply.

A child is shielded once it is ready: when a supervisor is cancelled it stops its children one after
the other, each within its grace. Beyond its grace the next one is stopped too, but no child is left
behind: the supervisor ends when all of them have. Children that do not need each other can be told
at the same moment (`stops_together`): the slowest of them, not their sum, is what the end takes.
"""

import enum
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeAlias

import attrs
import trio


class Restart(enum.Enum):
    """When a child is started again."""

    PERMANENT = enum.auto()
    TRANSIENT = enum.auto()


class Strategy(enum.Enum):
    """Which children are started again with one that crashed."""

    ONE_FOR_ONE = enum.auto()
    ONE_FOR_ALL = enum.auto()


class ChildRun(Protocol):
    """The life of a child: it calls `task_status.started()` when others may rely on it."""

    async def __call__(self, *, task_status: trio.TaskStatus[None]) -> None: ...


CrashReport: TypeAlias = Callable[[str, Exception], None]
"""Reports that a child, by its name, has crashed."""


@attrs.frozen
class Child:
    """What to run, and how. `grace_s`: how long it may take to stop before the next one is."""

    name: str
    run: ChildRun
    restart: Restart = Restart.PERMANENT
    grace_s: float = 5.0


class GaveUp(Exception):
    """A supervisor has started its children too often; the cause is the last crash, if any."""

    def __init__(self, supervisor: str, child: str) -> None:
        super().__init__(f"The supervisor {supervisor!r} gave up over {child!r}.")
        self.child = child


class Intensity:
    """How often something may happen: at most `most` times within `period_s`."""

    def __init__(self, most: int, period_s: float) -> None:
        self._most = most
        self._period_s = period_s
        self._times_s: deque[float] = deque()

    def allows(self, now_s: float) -> bool:
        """Count one more, and say whether it is not too many."""
        while self._times_s and self._times_s[0] <= now_s - self._period_s:
            self._times_s.popleft()
        self._times_s.append(now_s)
        return len(self._times_s) <= self._most


@attrs.define(eq=False)
class _Life:
    """One life of a child."""

    child: Child
    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    ended: trio.Event = attrs.field(factory=trio.Event)
    error: Exception | None = None
    is_stopping: bool = False
    is_ready: bool = False


@attrs.define
class _Ready:
    """Says that a child is ready."""

    _life: _Life
    _status: trio.TaskStatus[None]

    def started(self, value: Any = None) -> None:
        self._life.is_ready = True
        self._status.started(value)


@attrs.define(eq=False)
class Supervisor:
    """Runs children; see the module. A supervisor's `run` may be the life of a child."""

    _name: str
    _children: Sequence[Child]
    _strategy: Strategy = attrs.field(default=Strategy.ONE_FOR_ONE, kw_only=True)
    _intensity: int = attrs.field(default=3, kw_only=True)
    _period_s: float = attrs.field(default=60.0, kw_only=True)
    _stops_together: bool = attrs.field(default=False, kw_only=True)
    _on_crash: CrashReport = attrs.field(kw_only=True)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Start the children, say so, and supervise until cancelled, or until none is left.

        Raises what a child raises at the first start before it is ready, and `GaveUp`.
        """
        failure: Exception | None = None
        async with trio.open_nursery() as nursery:
            intensity = Intensity(self._intensity, self._period_s)
            run = _Run(self._name, self._strategy, intensity, nursery, self._on_crash)
            try:
                for child in self._children:
                    await run.start(child)
                task_status.started()
                await run.supervise()
            except Exception as error:
                failure = error
            finally:
                if self._stops_together:
                    run.tell(run.lives)
                await run.stop(list(run.lives))
        if failure is not None:
            raise failure


@attrs.define
class _Run:
    """One run of a supervisor: the lives that there are now, in the order of their children."""

    _name: str
    _strategy: Strategy
    _intensity: Intensity
    _nursery: trio.Nursery
    _on_crash: CrashReport
    _news: trio.Event = attrs.field(factory=trio.Event)
    lives: list[_Life] = attrs.field(factory=list)

    async def start(self, child: Child) -> None:
        """Start a child, and return when it is ready. Raises what it raises before it is."""
        self.lives.append(await self._begin(child))

    async def supervise(self) -> None:
        """See to those that have ended, until none is left."""
        while self.lives:
            ended = next((life for life in self.lives if life.ended.is_set()), None)
            if ended is None:
                await self._news.wait()
                self._news = trio.Event()
            elif _starts_again(ended):
                await self._start_again(ended)
            else:
                self.lives.remove(ended)

    def tell(self, lives: Sequence[_Life]) -> None:
        """Tell lives to stop."""
        for life in lives:
            life.is_stopping = True
            life.scope.cancel()

    async def stop(self, lives: Sequence[_Life]) -> None:
        """Stop lives in reverse order, each within its grace; bounded, and not cut short."""
        for life in reversed(lives):
            self.tell([life])
            with trio.move_on_after(life.child.grace_s, shield=True):
                await life.ended.wait()

    async def _start_again(self, ended: _Life) -> None:
        """The child, or all of them, have another life; a start that fails is one more crash."""
        failure = ended.error
        at = self.lives.index(ended)
        while True:
            if not self._intensity.allows(trio.current_time()):
                raise GaveUp(self._name, ended.child.name) from failure
            places = [at]
            if self._strategy is Strategy.ONE_FOR_ALL:
                await self.stop(self.lives)
                places = list(range(len(self.lives)))
            try:
                for place in places:
                    self.lives[place] = await self._begin(self.lives[place].child)
            except Exception as error:
                failure = error
            else:
                return

    async def _begin(self, child: Child) -> _Life:
        """Start a child, and shield it once it is ready: from then on it is stopped in its order. A
        start that is given up ends the child too, since nobody else knows of it."""
        life = _Life(child)
        await self._nursery.start(self._live, life, name=child.name)
        life.scope.shield = True
        return life

    async def _live(self, life: _Life, *, task_status: trio.TaskStatus[None]) -> None:
        try:
            with life.scope:
                await life.child.run(task_status=_Ready(life, task_status))
        except Exception as error:
            life.error = error
            self._on_crash(life.child.name, error)
            if not life.is_ready:
                raise
        finally:
            life.ended.set()
            self._news.set()


def _starts_again(life: _Life) -> bool:
    if life.is_stopping:
        return False
    return life.child.restart is Restart.PERMANENT or life.error is not None
