"""Turns at work of which little runs at once, as searches or the reading of questions: one turn at
a time for each user, users in turn.

    a turn is free, and the user has none      the request takes it at once
    else, where few of the user's wait         it waits behind them, for a bounded time
    else, or when the time is over             it is refused, with the time until another try

A turn that is given back goes to the user who was served longest ago, not to the request that has
waited the longest: a user with many requests makes others wait for one turn. Requests that wait
hold no thread. Their number is bounded by the callers: a socket waits for its search before its
next event, and the answers that may be open bound the questions.
"""

from collections import deque

import trio

WAITING_MAX = 8  # requests of one user that wait, unless said otherwise; one more: refused at once
WAIT_S = 5.0  # that a request waits for its turn; beyond: refused
RETRY_MS = 2_000  # until a refused request may try again: about what two slow searches take


class FairQueue:
    """`at_once`: turns that may be taken at the same time; `waiting_max`: requests of one user that
    wait."""

    def __init__(self, at_once: int, *, waiting_max: int = WAITING_MAX) -> None:
        self._at_once = at_once
        self._waiting_max = waiting_max
        self._taken: set[str] = set()  # by these users
        # The requests that wait, by user, never empty; the user that is served next comes first.
        # Where a turn is free, these are only of users who have one.
        self._lines: dict[str, deque[trio.Event]] = {}

    @property
    def is_idle(self) -> bool:
        """Whether no turn is taken, and no request waits."""
        return not self._taken and not self._lines

    async def take(self, user_id: str) -> int | None:
        """Take a turn, to be given back by `leave`; or the milliseconds to wait before another try.

        A cancelled wait takes none: a turn that was given before wakes its task normally.
        """
        if len(self._taken) < self._at_once and user_id not in self._taken:
            self._taken.add(user_id)
            return None
        if len(self._lines.get(user_id, ())) >= self._waiting_max:
            return RETRY_MS
        turn = trio.Event()
        self._lines.setdefault(user_id, deque()).append(turn)
        try:
            with trio.move_on_after(WAIT_S):
                await turn.wait()
        finally:
            if not turn.is_set():
                self._remove(user_id, turn)
        return None if turn.is_set() else RETRY_MS

    def leave(self, user_id: str) -> None:
        """Give the turn of a user back; the next user gets it."""
        self._taken.remove(user_id)
        line = self._lines.pop(user_id, None)
        if line is not None:
            self._lines[user_id] = line  # behind all others
        for waiting_id in self._lines:
            if waiting_id not in self._taken:
                turn = self._lines[waiting_id][0]
                self._remove(waiting_id, turn)
                self._taken.add(waiting_id)
                turn.set()
                return

    def _remove(self, user_id: str, turn: trio.Event) -> None:
        line = self._lines[user_id]
        line.remove(turn)
        if not line:
            del self._lines[user_id]
