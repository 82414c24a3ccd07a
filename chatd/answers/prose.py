"""The readable text of the message that ends an answer: clients that know no answers show it."""

from typing import assert_never

from chatd.answers.answer import Answer, State
from chatd.answers.markdown import (
    cancelled_text,
    error_text,
    interrupted_text,
    table_text,
    timeout_text,
    with_partial_table,
)


def readable(answer: Answer) -> str:
    """What an answer that has ended says: its table, or why there is none, or not all of it."""
    ending = answer.ending
    assert ending is not None
    sentence = ending.sentence or ""
    match ending.state:
        case State.DONE:
            if ending.text is not None:
                return ending.text
            return table_text(answer.columns or (), answer.rows, is_truncated=answer.is_truncated)
        case State.ERROR:
            text = error_text(sentence)
        case State.CANCELLED:
            text = cancelled_text(sentence)
        case State.TIMEOUT:
            text = timeout_text(sentence)
        case State.INTERRUPTED:
            text = interrupted_text(sentence)
        case State.ASKED | State.QUEUED | State.RUNNING | State.FETCHING:
            raise AssertionError(f"{ending.state} is no end")
        case _:
            assert_never(ending.state)
    return with_partial_table(text, answer.columns, answer.rows)
