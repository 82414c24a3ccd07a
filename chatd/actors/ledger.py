"""The port through which the messages actor carries batches out, whatever keeps them; and the port
to a log that keeps them."""

from collections.abc import Collection, Sequence
from typing import Protocol

from chatd.chat.commits import CommitOutcome
from chatd.chat.messages import Command, Effect, LeaveRooms
from chatd.chat.records import Record


class Ledger(Protocol):
    """Carries out commands, one batch at a time. What its effects say is durable.

    What either method raises ends the actor: its state may not be that of the log.
    """

    async def begin(
        self,
        in_rooms: Collection[tuple[str, str]],
        now_ms: int,
        leaving: Sequence[LeaveRooms] = (),
    ) -> None:
        """Begin a life of the actor: the users in `in_rooms`, as (connectionId, userId), have
        sockets there, and no other user has. Of those who left since the last life, `leaving` says
        what they had seen; these commands come with a later batch too."""
        ...

    async def carry_out(self, batch: Sequence[Command], now_ms: int) -> Sequence[Effect]:
        """Carry out a batch as of `now_ms`; returns its effects, to be run in order.

        Each command is in one of them, in `NotStored` if it had no effect.
        """
        ...

    @property
    def kept(self) -> Sequence[Command]:
        """Commands that the log does not know of yet: they are carried out with the next batch."""
        return ()


class RecordLog(Protocol):
    """Makes records durable."""

    async def commit(self, records: Sequence[Record]) -> CommitOutcome:
        """Write all of them or none; raises CommitFailed if the disk does not take them, and
        StoreClosed at the end."""
        ...
