"""Finds and removes what a log in PostgreSQL holds of a user or a room, by the rules of
`chatd.store.erasure`."""

from collections.abc import Sequence
from typing import Any, Final, Protocol

import attrs

from chatd.chat.audit import AuditAction
from chatd.chat.records import Message
from chatd.postgres_store.rows import CHANGED, MENTIONED, MESSAGE_COLUMNS
from chatd.store.erasure import Found, Unfinished
from chatd.store.rows import MESSAGE_WIDTH, message_from_row
from chatd.store.traces import Traces

_SELECT: Final = f"""
    SELECT {MESSAGE_COLUMNS}, m.position FROM messages m JOIN rooms r USING (room_id)
    {CHANGED} {MENTIONED}
"""
_OF_USER: Final = f"""
    {_SELECT} WHERE m.user_id = %s AND m.position > %s ORDER BY m.position LIMIT %s
"""
_ANSWERS_TO_USER: Final = f"""
    {_SELECT} WHERE m.message_id IN (
        SELECT a.answer_id FROM answers a WHERE a.user_id = %s AND a.state IS NOT NULL LIMIT %s)
"""
_REACTED: Final = f"""
    {_SELECT} WHERE c.reactions @> jsonb_build_array(jsonb_build_array(jsonb_build_array(%s::text)))
        AND m.position > %s ORDER BY m.position LIMIT %s
"""
_UNFINISHED: Final = """
    SELECT a.action, coalesce(a.target, a.room), a.user_id, a.span FROM audit a
    WHERE a.action = ANY (%s) AND a.span IS NOT NULL AND NOT EXISTS
        (SELECT FROM audit e WHERE e.span = a.span AND e.action IS NULL)
    ORDER BY a.position
"""
_FORGET_USER: Final = """
    WITH of AS (SELECT %s::text AS id, %s::text AS name),
    delivered AS (
        UPDATE messages m SET delivered_by = of.name FROM of WHERE m.delivered_by = of.id
        RETURNING 1),
    changing AS (
        UPDATE changes c SET user_id = of.name,
            written = CASE WHEN kind IN ('react', 'unreact') THEN '' ELSE written END
        FROM of WHERE c.user_id = of.id RETURNING 1),
    mentioned AS (
        UPDATE mentions n SET users = n.users - of.id FROM of
        WHERE n.users ? of.id AND n.users <> jsonb_build_array(of.id) RETURNING 1),
    only_mentioned AS (
        DELETE FROM mentions n USING of WHERE n.users = jsonb_build_array(of.id) RETURNING 1),
    asking AS (
        DELETE FROM answers a USING of WHERE a.user_id = of.id RETURNING 1),
    audited AS (
        UPDATE audit a SET statement = NULL, address = NULL FROM of
        WHERE a.user_id = of.id AND (a.statement IS NOT NULL OR a.address IS NOT NULL)
        RETURNING 1)
    SELECT 1 FROM delivered UNION ALL SELECT 1 FROM changing UNION ALL SELECT 1 FROM mentioned
    UNION ALL SELECT 1 FROM only_mentioned UNION ALL SELECT 1 FROM asking
    UNION ALL SELECT 1 FROM audited
"""
_FORGET_ROOM: Final = """
    UPDATE audit SET statement = NULL WHERE room = %s AND statement IS NOT NULL RETURNING position
"""


class Asking(Protocol):
    """Asks the database, over the connection that writes."""

    async def ask(self, statement: str, parameters: Sequence[object]) -> list[tuple[Any, ...]]:
        """The rows of a statement. Raises `CommitFailed`, `StoreClosed`."""
        ...


@attrs.frozen
class PostgresTraces(Traces):
    """Reads and removes over the connection that writes: an erasure is rare."""

    _log: Asking

    async def unfinished(self) -> Sequence[Unfinished]:
        actions = [str(AuditAction.ERASE_USER), str(AuditAction.DELETE_ROOM)]
        rows = await self._log.ask(_UNFINISHED, (actions,))
        return [Unfinished(AuditAction(action), *rest) for action, *rest in rows]

    async def messages_of(self, user_id: str, after: int, most: int) -> Found:
        return _found(await self._log.ask(_OF_USER, (user_id, after, most)), after)

    async def answers_to(self, user_id: str, most: int) -> Sequence[Message]:
        return _found(await self._log.ask(_ANSWERS_TO_USER, (user_id, most)), 0).messages

    async def reacted_by(self, user_id: str, after: int, most: int) -> Found:
        return _found(await self._log.ask(_REACTED, (user_id, after, most)), after)

    async def forget_user(self, user_id: str, name: str) -> int:
        return len(await self._log.ask(_FORGET_USER, (user_id, name)))

    async def forget_room(self, connection_id: str) -> int:
        return len(await self._log.ask(_FORGET_ROOM, (connection_id,)))

    async def write_anew(self) -> None:
        """The server's own vacuum does it; the server's owner takes care of its backups and
        standbys."""


def _found(rows: Sequence[tuple[Any, ...]], after: int) -> Found:
    last = rows[-1][MESSAGE_WIDTH] if rows else after
    return Found(tuple(message_from_row(row) for row in rows), last)
