"""What a decision came to in a log that several nodes share, when other nodes were faster.

Messages may have got higher seqs than the decision gave them, and some receipts may not have been
the first. A decision is renumbered only if, in these rooms, it names no seqs but those of new
messages: the log decides that (`chatd.postgres_store.batch`).
"""

from collections.abc import Mapping

import attrs

from chatd.chat.commits import Committed
from chatd.chat.decision import Decision
from chatd.chat.messages import Accepted, AcknowledgementKept, Effect, Joined, Repeated
from chatd.chat.records import Message, MessageStored


def as_committed(decision: Decision, outcome: Committed) -> Decision:
    """The decision as it was committed."""
    if outcome.moved:
        decision = _renumbered(decision, outcome.moved)
    if outcome.repeated:
        effects = [_first_receipts(effect, outcome.repeated) for effect in decision.effects]
        decision = attrs.evolve(decision, effects=effects)
    return decision


def _renumbered(decision: Decision, moved: Mapping[str, int]) -> Decision:
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


def _first_receipts(effect: Effect, repeated: frozenset[tuple[str, int]]) -> Effect:
    """An acknowledgement without the messages that somebody else has acknowledged first."""
    if not isinstance(effect, AcknowledgementKept):
        return effect
    first = (one for one in effect.delivered if (one.connection_id, one.seq) not in repeated)
    return attrs.evolve(effect, delivered=tuple(first))
