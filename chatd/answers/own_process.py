"""A child process of the daemon, which does what would block the loop, and is kept going.

It talks in `frames` on its standard input and output. It is given no descriptor of the daemon, and
only those of the daemon's variables that it needs. It is started anew when it ends, no more often
than every `START_INTERVAL_S`; one that does not get ready is started again after 1 s, 2 s, and so
on up to a minute. The child's own side is `own_process_end`.
"""

import os
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import Final, Generic, Protocol, TypeVar

import trio

from chatd.answers.frames import READY, FrameBreach, Frames, framed
from chatd.chat.backoff import Backoff

START_S: Final = 20.0
"""Seconds that a process may take to get ready. Beyond: it is killed, and tried again later."""
START_INTERVAL_S: Final = 1.0
"""Seconds from one start to the next, at least, so that a process that ends at once does not
spin."""
RESTART_BACKOFF_S: Final = (1.0, 60.0)
"""Seconds before the next start after one that failed, at first and at most; doubled in between."""
END_S: Final = 1.0
"""Seconds that a killed process is waited for; then it is left to the system."""
READ_BYTES: Final = 65_536
"""Bytes read at once from a process."""


def own_command(module: str, *arguments: str) -> tuple[str, ...]:
    """The command that starts a module as a child of this process, whose id is its first
    argument."""
    return (sys.executable, "-P", "-m", module, str(os.getpid()), *arguments)


def passed(own: Mapping[str, str], names: Sequence[str]) -> dict[str, str]:
    """Those of the daemon's own variables that a process is given."""
    return {name: own[name] for name in names if name in own}


class Outgoing:
    """What goes into a pipe: at once if the pipe has room, otherwise `run` writes it, in order."""

    def __init__(self, stream: trio.lowlevel.FdStream) -> None:
        self._stream = stream
        self._waiting: deque[bytes] = deque()
        self._news = trio.Event()
        self.waiting_bytes = 0
        """Bytes that the pipe had no room for yet."""

    def offer(self, *contents: bytes) -> None:
        """Write frames without waiting; in one write, since each wakes the other end. If the other
        end is gone, they are dropped."""
        frames = b"".join(map(framed, contents))
        if not self._waiting:
            try:
                frames = frames[os.write(self._stream.fileno(), frames) :]
            except BlockingIOError:
                pass
            except OSError:
                return
        if frames:
            self._waiting.append(frames)
            self.waiting_bytes += len(frames)
            self._news.set()

    async def run(self) -> None:
        """Write what the pipe had no room for, until the other end is gone."""
        try:
            while True:
                await self._news.wait()
                while self._waiting:
                    await self._stream.send_all(self._waiting[0])
                    self.waiting_bytes -= len(self._waiting.popleft())
                self._news = trio.Event()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass


class OwnProcess:
    """One life of a process. Subclasses add what the daemon says to it and hears from it."""

    def __init__(self, command: Sequence[str], variables: Mapping[str, str]) -> None:
        """Start it; raises `OSError`.

        Not by Trio, which would start it in a thread: the kernel ends it with the thread that
        started it.
        """
        with ExitStack() as theirs, ExitStack() as on_failure:
            theirs_in, to_process = os.pipe()
            theirs.callback(os.close, theirs_in)
            on_failure.callback(os.close, to_process)
            from_process, theirs_out = os.pipe()
            theirs.callback(os.close, theirs_out)
            on_failure.callback(os.close, from_process)
            self.process = subprocess.Popen(
                command,
                stdin=theirs_in,
                stdout=theirs_out,
                stderr=subprocess.DEVNULL,
                env=dict(variables),
                start_new_session=True,  # Ctrl-C is the daemon's: it drains
            )
            on_failure.pop_all()
        self.to_process = trio.lowlevel.FdStream(to_process)
        self.from_process = trio.lowlevel.FdStream(from_process)
        self.frames = Frames()
        self.is_over = False  # it gets nothing more to do
        self._why_over = "it ended"

    async def get_ready(self) -> bool:
        """Return when it is ready; False if it ended, or said something else."""
        while received := await self.from_process.receive_some(READ_BYTES):
            try:
                contents = list(self.frames.feed(received))
            except FrameBreach:
                return False
            if contents:
                return contents == [READY]
        return False

    async def heard(self, hear: Callable[[bytes], None]) -> str:
        """Pass on what it says until it has ended; returns why it did. `hear` may raise
        `FrameBreach`."""
        try:
            while received := await self.from_process.receive_some(READ_BYTES):
                for content in self.frames.feed(received):
                    hear(content)
        except FrameBreach:
            reason = "it said something that is not an answer"
        except trio.BrokenResourceError:
            reason = "it cannot be read from"
        else:
            reason = self._why_over
        self.kill()
        await self._wait()
        return reason

    def kill(self, why: str = "it ended") -> None:
        """End it, whatever it is doing; `why` is told unless something else ended it before."""
        if not self.is_over:
            self._why_over = why
        self.is_over = True
        self.process.kill()

    async def end(self) -> None:
        """Kill it, and wait a little for its end."""
        self.kill()
        await self._wait()
        # Not `aclose`: if this is cancelled, its checkpoint would leave the rest undone.
        self.to_process.close()
        self.from_process.close()

    async def _wait(self) -> None:
        with trio.move_on_after(END_S, shield=True):
            await trio.to_thread.run_sync(self.process.wait, abandon_on_cancel=True)


class Serving(Protocol):
    """What `KeptProcess` keeps."""

    @property
    def is_over(self) -> bool:
        """Whether it gets nothing more to do."""
        ...

    async def get_ready(self) -> bool:
        """Return when it is ready; False if it is not a process of this kind."""
        ...

    async def serve(self) -> str:
        """Work until it has ended; returns why it did."""
        ...

    async def end(self) -> None:
        """End it, now."""
        ...


P = TypeVar("P", bound=Serving)


class KeptProcess(Generic[P]):
    """Keeps a process going; `run` is the life of a child of a supervisor."""

    def __init__(
        self,
        start: Callable[[], P],
        on_ready: Callable[[float], None],
        on_lost: Callable[[str, float], None],
        *,
        start_s: float = START_S,
        start_interval_s: float = START_INTERVAL_S,
    ) -> None:
        """`start` may raise `OSError`. `on_ready` is told how many milliseconds a start took,
        `on_lost` why a process ended, and in how many seconds the next one is started."""
        self._start = start
        self._on_ready = on_ready
        self._on_lost = on_lost
        self._start_s = start_s
        self._start_interval_s = start_interval_s
        self._backoff = Backoff(*RESTART_BACKOFF_S)  # waits after starts in a row that failed
        self._is_running = False
        self._news = trio.Event()
        self.current: P | None = None
        """The process that is ready."""

    @property
    def is_failing(self) -> bool:
        """Whether it could not be started the last time."""
        return self._is_running and self._backoff.wait_s > 0

    async def ready(self) -> P | None:
        """A process that is ready; None if none is ready or on its way."""
        while self._is_running and not self._backoff.wait_s:
            if self.current is not None and not self.current.is_over:
                return self.current
            await self._news.wait()
        return None

    async def run(
        self,
        after: trio.Event | None = None,
        *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Keep a process going, until cancelled; the first is started `after` this event. Callers
        that ask for it before it is ready wait."""
        self._is_running = True
        task_status.started()
        try:
            if after is not None:
                await after.wait()
            while True:
                began_s = trio.current_time()
                reason, was_ready = await self._live()
                if not was_ready:
                    self._backoff.failed()
                left_s = began_s + self._start_interval_s - trio.current_time()
                wait_s = max(self._backoff.wait_s, left_s, 0.0)
                self._on_lost(reason, round(wait_s, 3))
                self._notify()
                await trio.sleep(wait_s)
        finally:
            self._is_running = False
            self._notify()

    async def _live(self) -> tuple[str, bool]:
        """One life of a process: why it ended, and whether it was ready before."""
        began_s = trio.current_time()
        try:
            process = self._start()
        except OSError as error:
            return error.strerror or type(error).__name__, False
        try:
            with trio.move_on_after(self._start_s) as starting:
                if not await process.get_ready():
                    return "it ended before it was ready", False
            if starting.cancelled_caught:
                return "not ready in time", False
            self.current = process
            self._backoff.succeeded()
            self._on_ready(round((trio.current_time() - began_s) * 1000, 1))
            self._notify()
            reason = await process.serve()
        finally:
            self.current = None
            await process.end()
        return reason, True

    def _notify(self) -> None:
        """Have all waiting tasks look again."""
        self._news.set()
        self._news = trio.Event()
