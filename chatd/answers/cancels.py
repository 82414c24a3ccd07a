"""Cancels of answers that other nodes own.

The owner is told again and again until the end is seen, since messages to and from it may get lost.
The log has the last word.
"""

from collections.abc import Callable
from typing import Final

import attrs
import trio

from chatd.answers.life import AnswerLog
from chatd.answers.other_nodes import OtherNodes
from chatd.wire.codes import Code, Refusal

CANCEL_AGAIN_S: Final = 1.0
"""Seconds between two times that the other nodes are told of a cancel."""
CANCEL_TIMES: Final = 10
"""After so many times the cancel is refused: the owner may be dead, and another node ends the
answer."""
NOT_REACHED: Final = "The answering node did not say that the answer has ended; try again shortly."


@attrs.frozen
class CancelOutcome:
    """What came of a cancel: the state that the answer has ended in.

    `is_confirmed`, if it was cancelled: the database says that nothing of it runs on.
    """

    state: str
    is_confirmed: bool | None = None


@attrs.define(eq=False)
class _Wait:
    """Clients that wait for the end of one answer."""

    count: int = 0
    ended: trio.Event = attrs.field(factory=trio.Event)
    outcome: CancelOutcome | None = None


@attrs.define(eq=False)
class CancelsElsewhere:
    """The cancels that wait."""

    _log: AnswerLog
    _others: OtherNodes
    _waits: dict[str, _Wait] = attrs.field(init=False, factory=dict)  # by the question's id

    async def cancel(
        self, question_id: str, connection_id: str, end_here: Callable[[str, str], bool]
    ) -> CancelOutcome | Refusal:
        """Have the answer to a question stopped, and return when it has ended. The id is the one
        that clients know. `end_here` ends the answer if it is this node's by now. Raises
        StoreReadFailed, StoreClosed."""
        wait = self._waits.setdefault(question_id, _Wait())
        wait.count += 1
        try:
            for _ in range(CANCEL_TIMES):
                if not end_here(question_id, connection_id):
                    self._others.want_end(question_id, connection_id)
                with trio.move_on_after(CANCEL_AGAIN_S):
                    await wait.ended.wait()
                if wait.outcome is not None:
                    return wait.outcome
                known = await self._log.answer_to(question_id, (connection_id,))
                if known is None:  # it was plain talk
                    return Refusal(Code.NOT_FOUND, path="messageId")
                if known.state is not None:
                    return CancelOutcome(known.state)
        finally:
            wait.count -= 1
            if not wait.count:
                del self._waits[question_id]
        return Refusal(Code.OVERLOADED, NOT_REACHED, path="messageId")

    def ended(self, question_id: str, outcome: CancelOutcome) -> None:
        """An answer has ended like this."""
        wait = self._waits.get(question_id)
        if wait is not None:
            wait.outcome = outcome
            wait.ended.set()
