"""What a node tells all other nodes about answers that are not its own:

answer:cancel  [question, room]     end it as if its asker had cancelled it, if it is yours
answer:ended   [question, state, whether the database has stopped, or null]
answer:written [room]               forget what its database has answered
answer:erase   [user, room]         end all of a user, or of a room, one of which is null, and
                                    forget what any database has answered
"""

from collections.abc import Sequence
from typing import Any, Final

import attrs

from chatd.answers.service import AnswerService
from chatd.service.signals import Signals

_CANCEL: Final = "answer:cancel"
_ENDED: Final = "answer:ended"
_WRITTEN: Final = "answer:written"
_ERASE: Final = "answer:erase"


@attrs.define(eq=False)
class AnswerRelay:
    """The `OtherNodes` of the answers of this node; what others tell goes to the service that
    `serve` was given."""

    _signals: Signals

    def serve(self, answers: AnswerService) -> None:
        """Hand what other nodes tell of answers to this service."""

        def cancel(_room: str, _node: str, fields: Sequence[Any]) -> None:
            question_id, room = _texts(fields, 2)
            answers.end_for_others(question_id, room)

        def ended(_room: str, _node: str, fields: Sequence[Any]) -> None:
            question_id, state = _texts(fields, 2)
            is_confirmed = fields[2] if len(fields) > 2 else None
            if is_confirmed is not None and not isinstance(is_confirmed, bool):
                raise TypeError
            answers.ended_elsewhere(question_id, state, is_confirmed=is_confirmed)

        def written(_room: str, _node: str, fields: Sequence[Any]) -> None:
            [room] = _texts(fields, 1)
            answers.written_elsewhere(room)

        def erase(_room: str, _node: str, fields: Sequence[Any]) -> None:
            user_id, room, *_ = fields
            answers.end_for_erasure(user_id=user_id, connection_id=room)

        self._signals.on(_CANCEL, cancel)
        self._signals.on(_ENDED, ended)
        self._signals.on(_WRITTEN, written)
        self._signals.on(_ERASE, erase)

    def want_end(self, question_id: str, connection_id: str) -> None:
        self._signals.send_all(_CANCEL, [question_id, connection_id])

    def ended(self, question_id: str, state: str, *, is_confirmed: bool | None) -> None:
        self._signals.send_all(_ENDED, [question_id, state, is_confirmed])

    def written(self, connection_id: str) -> None:
        self._signals.send_all(_WRITTEN, [connection_id], latest_of=f"{_WRITTEN} {connection_id}")

    def end_those(self, user_id: str | None, connection_id: str | None) -> None:
        self._signals.send_all(_ERASE, [user_id, connection_id])


def _texts(fields: Sequence[Any], count: int) -> Sequence[str]:
    """The first fields, which are texts. Raises TypeError, ValueError."""
    texts = fields[:count]
    if len(texts) < count:
        raise ValueError
    if not all(isinstance(text, str) for text in texts):
        raise TypeError
    return texts
