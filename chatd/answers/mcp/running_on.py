"""Whether a statement of Postgres still runs after it was given up.

Some functions of Postgres look for minutes at nothing but their arguments (`a && b` of two large
arrays): no cancel, timeout or end of the session stops them, so that their backend outlives the
db-mcp. What a role runs, the role can see in pg_stat_activity. The backend is recognised by the age
of its transaction, which began when the call did: the db-mcp that knew its pid has ended.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeAlias

import attrs
import trio

from chatd.answers.requests import DatabaseFailed, RunStatement, Sink, Terms
from chatd.answers.table import Column, Row

FIRST_LOOK_S: Final = 1.0
"""Seconds from the end of the call to the first look."""
LOOK_S: Final = 5.0
"""Seconds between two looks while it runs, and after a look that failed."""
FAILED_MAX: Final = 12
"""Looks in a row that may fail; after them it counts as ended."""
LOOK_TERMS: Final = Terms(timeout_s=10.0)
_SLACK_S: Final = 5.0
"""By how much the ages of the call and of its transaction may differ: a connection is opened in
between."""
RUNNING: Final = RunStatement("""
    SELECT pid, CAST(extract(epoch FROM xact_start) AS text) AS began,
    CAST(extract(epoch FROM pg_catalog.clock_timestamp() - xact_start) AS text) AS age_s
    FROM pg_catalog.pg_stat_activity
    WHERE usename = current_user AND datname = pg_catalog.current_database() AND state = 'active'
    AND xact_start IS NOT NULL AND pid <> pg_catalog.pg_backend_pid()
""")
"""What the role of the db-mcp runs, beside this."""

Look: TypeAlias = Callable[[RunStatement, Sink], Awaitable[None]]
"""Has the database carry out a statement of ours; raises `DatabaseFailed`."""
Tell: TypeAlias = Callable[[tuple[int, ...], trio.Event], None]
"""Is told once in which backends a call runs on, and the event of its end."""


@attrs.frozen
class Backend:
    """A backend, and the transaction that it is in: its beginning, and how old it is."""

    pid: int
    began: str
    age_s: float = attrs.field(eq=False)


@attrs.define
class FoundBackends:
    """A sink of the backends that a look finds."""

    backends: list[Backend] = attrs.field(factory=list)

    def columns(self, columns: Sequence[Column]) -> None:
        """The columns, once, before the first rows."""

    def rows(self, rows: Sequence[Row]) -> None:
        """The next rows, in order."""
        self.backends += [
            Backend(int(str(pid)), str(began), float(str(age_s))) for pid, began, age_s in rows
        ]


async def watch(look: Look, began_s: float, tell: Tell) -> None:
    """Look whether a call that began then still runs, until it does not, or nobody can tell."""
    ended = trio.Event()
    known: list[Backend] = []
    failed = 0
    await trio.sleep(FIRST_LOOK_S)
    try:
        while failed < FAILED_MAX:
            found = FoundBackends()
            try:
                await look(RUNNING, found)
            except DatabaseFailed:
                failed += 1
            else:
                age_s = trio.current_time() - began_s  # by now: a look may wait for a session
                if known:
                    known = [one for one in found.backends if one in known]
                elif known := [one for one in found.backends if abs(one.age_s - age_s) < _SLACK_S]:
                    tell(tuple(one.pid for one in known), ended)
                if not known:
                    return
                failed = 0
            await trio.sleep(LOOK_S)
    finally:
        ended.set()
