"""The place of one session with a db-mcp, and when the session is opened again after it was
lost."""

from typing import Final

import attrs

from chatd.chat.backoff import Backoff

BACKOFF_S: Final = (1.0, 60.0)
"""Seconds before the first attempt to open a session again, and at most before a later one; doubled
in between."""


@attrs.define(eq=False)
class SessionSlot:
    """A session: whether it is there, or is being opened, or waits for its next try."""

    is_warm: bool
    is_ready: bool = False
    is_busy: bool = False
    is_opening: bool = False
    is_resting: bool = False
    backoff: Backoff = attrs.field(factory=lambda: Backoff(*BACKOFF_S))
    has_served: bool = False
    ready_at_s: float | None = None
    was_brief: bool = False
    last_words: tuple[str, ...] = ()

    @property
    def is_about_to_open(self) -> bool:
        """Whether it will be opened without being asked for, and did not fail before."""
        return self.is_warm and not self.backoff.wait_s

    def count(self, now_s: float, lasting_s: float) -> None:
        """Count a life that has ended, as one that failed or not.

        A life that served or lasted was of use. The first life that was ready but ended before that
        is not a failure yet, so that one crash does not fail the next request; a second one is, so
        that a peer that ends as soon as it is ready is not started in a loop.
        """
        has_lasted = self.ready_at_s is not None and now_s - self.ready_at_s >= lasting_s
        if self.has_served or has_lasted:
            self.was_brief = False
            self.backoff.succeeded()
        elif self.ready_at_s is not None and not self.was_brief:
            self.was_brief = True
            self.backoff.succeeded()
        else:
            self.backoff.failed()
