"""A log in memory and a runner that writes down what it is told, for the loops of actors."""

from collections.abc import Collection, Mapping, Sequence

import trio

from chatd.chat.commits import CommitOutcome, Committed, Conflict, RecordRefused
from chatd.chat.messages import Command, Effect, NotStored
from chatd.chat.records import Message, MessageStored, Record


class MemoryLog:
    """Takes records under the rules of the store: known ids conflict, a gap in seq is refused.

    `outcomes` are for the next commits, one each: an error to raise before anything is written, or
    None for the usual way. A commit stays on its way while `open_gate` is an event that is not set;
    `gates` are for the next commits, one each.
    """

    def __init__(self, known: Sequence[Message] = ()) -> None:
        self.by_id: dict[str, Message] = {one.message_id: one for one in known}
        self.commits: list[Sequence[Record]] = []
        self.outcomes: list[Exception | None] = []
        self.open_gate = trio.Event()
        self.open_gate.set()
        self.gates: list[trio.Event] = []
        self._position = 0

    async def commit(self, records: Sequence[Record]) -> CommitOutcome:
        await trio.lowlevel.checkpoint()
        await (self.gates.pop(0) if self.gates else self.open_gate).wait()
        error = self.outcomes.pop(0) if self.outcomes else None
        if error is not None:
            raise error
        messages = [record.message for record in records if isinstance(record, MessageStored)]
        existing: Mapping[str, Message] = {
            one.message_id: self.by_id[one.message_id]
            for one in messages
            if one.message_id in self.by_id
        }
        if existing:
            return Conflict(existing)
        heads: dict[str, int] = {}
        for one in self.by_id.values():
            heads[one.connection_id] = max(one.seq, heads.get(one.connection_id, 0))
        for one in messages:
            if one.seq != heads.get(one.connection_id, 0) + 1:
                raise RecordRefused("a gap in the seq")
            heads[one.connection_id] = one.seq
        self.by_id |= {one.message_id: one for one in messages}
        self.commits.append(list(records))
        self._position += len(records)
        return Committed(self._position)


class Notebook:
    """What the effects told, in order: an effect, or a batch and the code that it failed with."""

    def __init__(self) -> None:
        self.lines: list[Effect | tuple[list[Command], str]] = []
        self.there: set[tuple[str, str]] = set()
        self.crash_at: int | None = None  # the effect, counted from 0, that raises
        self.finished_at: list[int] = []  # how many lines there were
        self._count = 0

    def run(self, effect: Effect) -> None:
        if isinstance(effect, NotStored):
            self.failed(effect.commands, effect.code)
            return
        count, self._count = self._count, self._count + 1
        if count == self.crash_at:
            raise ZeroDivisionError
        self.lines.append(effect)

    def finish(self) -> None:
        self.finished_at.append(len(self.lines))

    def failed(self, batch: Sequence[Command], code: str) -> None:
        self.lines.append((list(batch), code))

    def in_rooms(self) -> Collection[tuple[str, str]]:
        return self.there
