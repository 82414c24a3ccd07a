"""What a batch of commands comes to: decided first, then committed, then applied."""

import attrs

from chatd.chat.messages import Effect
from chatd.chat.receipts import Frontier
from chatd.chat.records import Record


@attrs.define
class Decision:
    """The records to commit, and one effect for each command of the batch, in order.

    Two things are for memory alone, by connectionId: `frontiers`, how far rooms are acknowledged
    once this is committed, and `kept_from`, the first seq that retention has left in a room.
    """

    records: list[Record]
    effects: list[Effect]
    frontiers: dict[str, Frontier] = attrs.field(factory=dict)
    kept_from: dict[str, int] = attrs.field(factory=dict)
