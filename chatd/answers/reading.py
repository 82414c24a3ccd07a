"""Messages looked at for questions, on their way into the log.

A cheap look decides for nearly all of them; what may be a question is read in a thread, as the
grammar takes some milliseconds, while the task of the connection waits and reads nothing more.
"""

from collections.abc import Container

import trio

from chatd.answers.questions import Question, may_be_question, question_in

READERS_MAX = 2  # messages that are read at once; a parser holds the interpreter


class QuestionReader:
    """Reads messages of rooms that have a database; in others everything is plain talk."""

    def __init__(self, rooms: Container[str]) -> None:
        self._rooms = rooms
        self._limiter = trio.CapacityLimiter(READERS_MAX)

    def may_be_one(self, connection_id: str, content: str) -> bool:
        """Whether a message is worth a closer look."""
        return connection_id in self._rooms and may_be_question(content)

    async def read(self, content: str) -> Question | None:
        """What a message asks; None for plain talk."""
        return await trio.to_thread.run_sync(question_in, content, limiter=self._limiter)
