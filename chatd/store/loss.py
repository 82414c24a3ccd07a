"""Whether a log has lost its end: it is compared with what knows how far it was.

Proof is the mark beside the log (`mark`), which notes every commit up to the last instants, and
a whole snapshot, whose position was committed before it was written. Both say "at least": a log may
have been further still. An intended change leaves no proof behind: a restore moves the mark and the
snapshots away with the log that they belong to.

Values in, values out: the callers (`opening`, `verify`) pass what they found.
"""

import enum

import attrs

from chatd.counts import counted
from chatd.store.mark import MARK_NAME, FoundLoss, Reached
from chatd.store.snapshots import PassedOver


class LossKind(enum.StrEnum):
    """How a log is less than it was."""

    END = "end"  # its last records are missing
    OTHER = "other"  # another log is in its place
    GONE = "gone"  # there is no log


@attrs.frozen
class Loss:
    """What is missing, and which file proves it.

    `records` and `messages`: at least so many; None if nothing can be said, because it is another
    log, or the proof does not count messages.
    """

    kind: LossKind
    proof: str
    reached: int
    position: int
    records: int | None
    messages: int | None

    @property
    def sentence(self) -> str:
        """What is wrong, for a person."""
        if self.kind is LossKind.OTHER:
            return (
                f"The log is not the one that was here: {self.proof} tells of another one, which "
                f"had reached position {self.reached}; what is missing of that is not known."
            )
        if self.kind is LossKind.GONE:
            return (
                f"The log is gone: {self.proof} shows that there was one, which had reached "
                f"position {self.reached}; missing of what was acknowledged: {self._missing}."
            )
        return (
            f"The log has lost its end: it stands at position {self.position}, and {self.proof} "
            f"shows that it had reached {self.reached}; missing of what was acknowledged: "
            f"{self._missing}."
        )

    @property
    def _missing(self) -> str:
        return "at least " + missing_words(self.records or 0, self.messages or 0)

    def found_at(self, at_ms: int) -> FoundLoss:
        """What the mark keeps of it."""
        return FoundLoss(self.records or 0, self.messages or 0, at_ms)


def missing_words(records: int, messages: int) -> str:
    """So many records, and so many messages among them, if that is known."""
    words = counted(records, "record")
    return f"{words} ({counted(messages, 'message')} among them)" if messages else words


def find_loss(now: Reached | None, marked: Reached | None, ahead: PassedOver | None) -> Loss | None:
    """What the log of a state directory has lost; None if nothing proves a loss.

    `now` is the log as it is, None if there is no log; `marked` is what the mark says; `ahead` is
    the furthest whole snapshot that is further than this log, or the furthest of all if there is no
    log.
    """
    if now is None:
        return _of_none(marked, ahead)
    if marked is not None and marked.epoch != now.epoch:
        return Loss(LossKind.OTHER, MARK_NAME, marked.position, now.position, None, None)
    messages = max(0, marked.messages - now.messages) if marked is not None else 0
    reached, proof = (marked.position if marked is not None else 0), MARK_NAME
    if ahead is not None and ahead.position > reached:
        reached, proof = ahead.position, ahead.name
    records = max(reached - now.position, messages)
    if records <= 0:
        return None
    return Loss(LossKind.END, proof, max(reached, now.position), now.position, records, messages)


def _of_none(marked: Reached | None, ahead: PassedOver | None) -> Loss | None:
    if marked is not None and marked.position > 0:
        reached, messages = marked.position, marked.messages
        return Loss(LossKind.GONE, MARK_NAME, reached, 0, reached, messages)
    if ahead is not None:
        return Loss(LossKind.GONE, ahead.name, ahead.position, 0, ahead.position, None)
    return None
