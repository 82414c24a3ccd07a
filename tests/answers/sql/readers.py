"""A reader that reads in this process; the test may hold it, or say what comes of a text."""

from collections.abc import Callable, Sequence

import trio

from chatd.actors.fair_queue import FairQueue
from chatd.answers.sql.reader import BUSY, TOO_LONG, WAITING_MAX
from chatd.answers.sql.reading import UNAVAILABLE, Piece, Response, read
from chatd.observe import EventLog

ENDLESS = "SELECT 'this takes too long'"
"""A text that it does not get through."""


class ReaderHere:
    """Stands where a `StatementReader` stands, without a child."""

    def __init__(self, command: Sequence[str] = (), event_log: EventLog | None = None) -> None:
        self.is_running = True
        self.is_free = trio.Event()
        self.is_free.set()
        self.pieces: list[Piece] = []
        self.foreseen: list[Piece] = []
        self._turns = FairQueue(1, waiting_max=WAITING_MAX)

    @property
    def why_unavailable(self) -> str | None:
        return None if self.is_running else "It is not running."

    async def run(
        self,
        after: trio.Event | None = None,
        *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        task_status.started()
        await trio.sleep_forever()

    def foresee(self, user_id: str, piece: Piece) -> None:
        self.foreseen.append(piece)

    async def respond(self, user_id: str, piece: Piece, accept: Callable[[], None]) -> Response:
        if await self._turns.acquire(user_id) is not None:
            return BUSY
        try:
            self.pieces.append(piece)
            await self.is_free.wait()
            if not self.is_running:
                return UNAVAILABLE
            return TOO_LONG if piece.content == ENDLESS else read(piece)
        finally:
            self._turns.release(user_id)

    def hold(self) -> None:
        """Let no piece get further than to be begun."""
        self.is_free = trio.Event()

    def release(self) -> None:
        """Let them go on."""
        self.is_free.set()
