"""How many rows of each answer a client wants, whichever event says so."""

from chatd.wire.codes import Code, Refusal

WRONG_ANSWER_ROWS = "answerRows is a whole number from 0 on."


def check_answer_rows(wanted: int | None) -> Refusal | None:
    """Why a client cannot want so many; None if it can."""
    if wanted is None or wanted >= 0:
        return None
    return Refusal(Code.INVALID_PAYLOAD, WRONG_ANSWER_ROWS, path="answerRows")
