"""Whom a new message mentions: the rule of `chatd.chat.mentions`, with the names of the members of
its room, and with what statements look like."""

import re
from typing import Final

import attrs

from chatd.answers.sql.first_look import is_like_question, may_be_question
from chatd.answers.sql.likeness import Likeness, first_word, likeness
from chatd.chat.mentions import mentioned
from chatd.service.readings import Readings

_SELECTS_A_VARIABLE: Final = re.compile(r"\s*select\s+@", re.IGNORECASE)


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
    """Whether a text is a statement or a command rather than talk: when in doubt, nobody is
    mentioned."""
    if not may_be_question(text):
        return False
    if is_like_question(text) or _SELECTS_A_VARIABLE.match(text) is not None:
        return True
    return first_word(text) is not None and likeness(text) is not Likeness.NONE
