"""A decision whose messages got higher seqs than it gave them, since other nodes were faster.

Only what says nothing of seqs of these rooms but those of new messages is ever renumbered: that the
log decides (`chatd.postgres_store.batch`).
"""

from collections.abc import Mapping

import attrs

from chatd.chat.message_machine import Decision
from chatd.chat.messages import Accepted, Effect, Joined, Repeated
from chatd.chat.records import Message, MessageStored


def renumbered(decision: Decision, moved: Mapping[str, int]) -> Decision:
    """The decision, with seqs that are higher by `moved` in these rooms."""
    stored: dict[str, Message] = {}
    records = list(decision.records)
    for at, record in enumerate(records):
        if isinstance(record, MessageStored):
            message = record.message
            seq = message.seq + moved.get(message.connection_id, 0)
            stored[message.message_id] = message = attrs.evolve(message, seq=seq)
            records[at] = MessageStored(message)

    def told(effect: Effect) -> Effect:
        match effect:
            case Accepted(command, message):
                return Accepted(command, stored[message.message_id])
            case Repeated(command, message):
                return Repeated(command, stored.get(message.message_id, message))
            case Joined(command, last_seqs):
                seqs = (
                    seq + moved.get(room, 0)
                    for room, seq in zip(command.connection_ids, last_seqs, strict=True)
                )
                return attrs.evolve(effect, last_seqs=tuple(seqs))
            case _:
                return effect

    return attrs.evolve(decision, records=records, effects=list(map(told, decision.effects)))
