"""The rooms that a database lists: one query, whose only parameter is the user id.

The query runs in a read-only transaction, under a timeout in the server, through a cursor from
which no more rows are taken than a user may have. All settings belong to the transaction: a pooler
may give the next one another session. What Postgres says is for the operator; the user is told a
sentence. If the user id cannot be compared with the column, that is a different sentence, since
then nothing is out of order.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

import attrs
import psycopg

from chatd.auth.directory import NO_ANSWER, DirectoryFailed, DirectoryStatus, Grant, role_of
from chatd.auth.display import display_text
from chatd.auth.refusals import TokenRefused
from chatd.auth.tokens import Identity
from chatd.observe.lines import visible
from chatd.postgres_client import Pool, TrioConnection, Unreachable
from chatd.wire.codes import Code
from chatd.wire.identifiers import is_connection_id
from chatd.wire.names import Role

DEFAULT_QUERY: Final = """
SELECT c.id::text AS connection_id, left(c.title, 100) AS title, 'owner' AS role
FROM public.connections AS c
WHERE c.owner_id = $1
UNION ALL
SELECT c.id::text, left(c.title, 100), m.role::text
FROM public.connection_members AS m
JOIN public.connections AS c ON c.id = m.connection_id
WHERE m.user_id = $1
ORDER BY 2, 1
"""
"""For a table of connections with owners, and a table of members (docs/operations, "Rooms in
SQL")."""

ROOMS_MAX: Final = 1000
"""Rows for one user (our choice, as for the list in a token). With more, the user gets none: a list
that was cut would lose rooms without a trace."""
STATEMENT_PART: Final = 0.8
"""The share of the time for an answer after which the server gives up the statement, and can say
so."""
NOBODY: Final = "00000000-0000-0000-0000-000000000000"
"""A user id that is a UUID as well as a text, for a question on nobody's behalf."""

_FAULTY: Final = "The directory of rooms has a fault; tell the operator of this server."
_NOT_COMPARED: Final = (
    "The user id (sub) of this token cannot be one of the directory of rooms; sign in as another "
    "user, or tell the operator of this server."
)
_SHOWN_CHARS: Final = 300
_NOT_OF_ITS_TYPE: Final = ("22P02", "22003", "22007", "22008")
"""A text is not a value of a type, or is out of its range: a uuid, an integer, a date."""
_PARAMETER: Final = re.compile(r"\$1\b")
_BEGIN: Final = """
    BEGIN READ ONLY;
    SELECT pg_catalog.set_config(s.name, s.value, true)
    FROM (VALUES
        ('statement_timeout', '{timeout_ms}'), ('lock_timeout', '{timeout_ms}'),
        ('idle_in_transaction_session_timeout', '{timeout_ms}'), ('cursor_tuple_fraction', '1'),
        ('client_connection_check_interval', '2000')
    ) AS s(name, value)
    WHERE pg_catalog.current_setting(s.name, true) IS NOT NULL
"""  # a server before PostgreSQL 14 does not know the last one
_FETCH: Final = f"FETCH FORWARD {ROOMS_MAX + 1} FROM chatd_rooms; ROLLBACK"

_RANKS: Final = {Role.VIEWER: 0, Role.MEMBER: 1, Role.OWNER: 2}


@attrs.frozen
class Listed:
    """What the query gave: grants by connectionId, and how many rows gave none, with an example."""

    grants: Mapping[str, Grant]
    passed_over: int = 0
    why: str | None = None


@attrs.define(eq=False)
class SqlDirectory:
    """The directory in the database of a pool.

    `query` is one that reads, with `$1` for the user id; "" is the default one. `timeout_s` is how
    long an answer may take, including the wait for a connection. `on_change` is told why the
    directory becomes unavailable, again if the reason changes, and None when it is well again;
    `on_passed_over` is told what is wrong with rows that give no room.
    """

    _pool: Pool
    _query: str
    _timeout_s: float = attrs.field(kw_only=True)
    _on_change: Callable[[str | None], None] = attrs.field(kw_only=True)
    _on_passed_over: Callable[[str], None] = attrs.field(kw_only=True)
    status: DirectoryStatus = attrs.field(init=False, factory=DirectoryStatus)

    def grants_now(self, identity: Identity) -> None:
        """It always waits."""

    async def grants(self, identity: Identity) -> Mapping[str, Grant]:
        return (await self.ask(identity.user_id)).grants

    async def ask(self, user_id: str) -> Listed:
        """What the database says about a user; as `grants`, and also says what was wrong with
        rows."""
        try:
            columns, rows = await self._pool.run(
                lambda connection: self._rows(connection, user_id), self._timeout_s
            )
            listed = listed_of(columns, rows)
        except Unreachable as error:
            raise self._failed(DirectoryFailed(NO_ANSWER, str(error))) from None
        except psycopg.Error as error:
            if _is_about_user(error, user_id):
                self._note(None)
                reason = f"The user id (sub) of the token fits no column. {_said(error)}"
                raise TokenRefused(Code.TOKEN_INVALID, _NOT_COMPARED, reason) from None
            raise self._failed(DirectoryFailed(_FAULTY, _said(error))) from None
        except DirectoryFailed as error:
            raise self._failed(error) from None
        self._note(None)
        if len(rows) > ROOMS_MAX:
            reason = f"directory.query gives more than {ROOMS_MAX} rows for this user."
            raise DirectoryFailed(_FAULTY, reason)
        if listed.why is not None:
            self._on_passed_over(listed.why)
        return listed

    async def check(self) -> Listed:
        """Ask once, on nobody's behalf, whether the directory answers. Raises DirectoryFailed."""
        try:
            return await self.ask(NOBODY)
        except TokenRefused:  # the user ids of this database are not UUIDs, and it has answered
            return Listed({})

    def close(self) -> None:
        """Close the connections."""
        self._pool.close()

    async def _rows(
        self, connection: TrioConnection, user_id: str
    ) -> tuple[Sequence[str], Sequence[Sequence[str | None]]]:
        """The names of the columns, and the rows, as the server writes them."""
        timeout_ms = max(1, round(self._timeout_s * STATEMENT_PART * 1000))
        await connection.execute(_BEGIN.format(timeout_ms=timeout_ms).encode())
        declare = f"DECLARE chatd_rooms NO SCROLL CURSOR FOR {self._query or DEFAULT_QUERY}"
        await connection.execute_raw(declare.encode(), [user_id])
        fetched = await connection.execute(_FETCH.encode())
        result = fetched.pgresult
        assert result is not None
        places = range(result.nfields)
        names = [(result.fname(place) or b"").decode(errors="replace") for place in places]
        rows = []
        for row in range(result.ntuples):
            values = (result.get_value(row, place) for place in places)
            rows.append([None if one is None else one.decode(errors="replace") for one in values])
        return names, rows

    def _failed(self, error: DirectoryFailed) -> DirectoryFailed:
        self._note(error.reason)
        return error

    def _note(self, why: str | None) -> None:
        if why != self.status.why_unavailable:
            self.status = DirectoryStatus(why)
            self._on_change(why)


def listed_of(columns: Sequence[str], rows: Sequence[Sequence[str | None]]) -> Listed:
    """The grants in rows of these columns; columns other than `connection_id`, `title` and `role`
    are ignored. Of several rows for one room the greatest role counts, and the first title.

    A row without a connectionId, or with an unknown role, gives no room. Raises DirectoryFailed if
    `connection_id` is missing.
    """
    if "connection_id" not in columns:
        named = ", ".join(visible(name)[:40] for name in columns[:8])
        raise DirectoryFailed(
            _FAULTY, f"directory.query has no column connection_id; its columns are: {named}."
        )
    grants: dict[str, Grant] = {}
    passed_over, why = 0, None
    for values in rows:
        row = dict(zip(columns, values, strict=True))
        name, role = row["connection_id"], role_of(row.get("role"))
        if name is None or not is_connection_id(name):
            passed_over, why = passed_over + 1, f"connection_id {_quoted(name)} names no room"
        elif role is None:
            passed_over, why = passed_over + 1, f"{_quoted(row.get('role'))} is not a role"
        else:
            known = grants.get(name)
            if known is None:
                grants[name] = Grant(name, display_text(row.get("title")), role)
            elif _RANKS[known.role] < _RANKS[role]:
                grants[name] = attrs.evolve(known, role=role)
    return Listed(MappingProxyType(grants), passed_over, why)


def _quoted(value: str | None) -> str:
    return "NULL" if value is None else f'"{visible(value[:40])}"'


def _is_about_user(error: psycopg.Error, user_id: str) -> bool:
    """Whether the value that the server could not read is the user id, rather than one from its
    tables."""
    if error.sqlstate not in _NOT_OF_ITS_TYPE:
        return False
    if _PARAMETER.search(error.diag.context or ""):  # "unnamed portal parameter $1"
        return True
    return f'"{user_id}"' in (error.diag.message_primary or "")


def _said(error: psycopg.Error) -> str:
    """What the server says, for the operator."""
    words = visible(error.diag.message_primary or " ".join(str(error).split()))[:_SHOWN_CHARS]
    hint = error.diag.message_hint
    also = f" {visible(hint)[:_SHOWN_CHARS].rstrip('.')}." if hint else ""
    return f"The database refuses directory.query (SQLSTATE {error.sqlstate}): {words}.{also}"
