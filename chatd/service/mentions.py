"""Whom a message mentions that somebody writes: the rule of `chatd.chat.mentions`, with what the
members of its room are called, and with what statements look like."""

import attrs

from chatd.answers.sql.questions import is_like_question, may_be_question
from chatd.chat.mentions import mentioned
from chatd.service.readings import Readings


@attrs.define(eq=False)
class Mentions:
    """Finds the users whom contents mention."""

    _readings: Readings

    def of(self, connection_id: str, content: str) -> tuple[str, ...]:
        """The users whom a content mentions in this room."""
        if "@" not in content:
            return ()
        return mentioned(content, self._readings.names_in(connection_id), _is_statement)


def _is_statement(text: str) -> bool:
    return may_be_question(text) and is_like_question(text)
