"""`schema:get` from clients: the tables and columns of a room's database, for completion.

A client that waits for a database goes on meanwhile with all else that it sends: the ack comes when
the database has answered. `Schemas` reads once what several clients ask for.
"""

from functools import partial

import attrs

from chatd.answers.schema import Schema
from chatd.answers.schemas import Schemas, Wait
from chatd.service.acks import Outcome
from chatd.service.client import Client
from chatd.service.routes import PERMITTED, Route, Routes
from chatd.wire.acks import SchemaAck
from chatd.wire.codes import Code, Refusal
from chatd.wire.names import ClientEvent
from chatd.wire.payloads import SchemaGet

WAITS_MAX = 4  # schemas that one client waits for at once; beyond: overloaded


@attrs.define(eq=False)
class SchemaEvents:
    """Schemas for clients."""

    _schemas: Schemas
    _waits: dict[Client, dict[int, Wait]] = attrs.field(init=False, factory=dict)  # by ack id

    def routes(self) -> Routes:
        return {
            ClientEvent.SCHEMA_GET: Route(SchemaGet, self.get, room=PERMITTED, is_query=True),
        }

    async def get(self, client: Client, wanted: SchemaGet, ack_id: int | None) -> Outcome:
        """The ack at once, or once the database has answered; there is no event for it."""
        room = wanted.connection_id
        if ack_id is None:
            return None
        await client.drained()
        if client.is_gone:
            return None
        known = self._schemas.known(room)
        if known is not None:
            return _ack(room, known) if isinstance(known, Schema) else known
        waits = self._waits.get(client, {})
        if len(waits) == WAITS_MAX or ack_id in waits:
            sentence = "You wait for as many schemas as you may; ask again when one has come."
            return Refusal(Code.OVERLOADED, sentence)
        wait = self._schemas.read(client.user_id, room, partial(self._answer, client, room, ack_id))
        if isinstance(wait, Refusal):
            return wait
        self._waits.setdefault(client, {})[ack_id] = wait
        return None

    def _answer(self, client: Client, room: str, ack_id: int, outcome: Schema | Refusal) -> None:
        """The database has answered, or failed."""
        self._forget(client, ack_id)
        if room not in client.grants:  # it was taken away meanwhile
            outcome = Refusal(Code.FORBIDDEN_ROOM, path="connectionId")
        if isinstance(outcome, Schema):
            client.acknowledge(ack_id, _ack(room, outcome), is_page=True)
        else:
            refusal = attrs.evolve(outcome, connection_id=room)
            client.refuse(ClientEvent.SCHEMA_GET, ack_id, refusal)

    def _forget(self, client: Client, ack_id: int) -> None:
        waits = self._waits.get(client, {})
        waits.pop(ack_id, None)
        if not waits:
            self._waits.pop(client, None)

    def leave(self, client: Client) -> None:
        """The client is gone, and waits for nothing any more."""
        for wait in self._waits.pop(client, {}).values():
            wait.give_up()


def _ack(room: str, schema: Schema) -> SchemaAck:
    return SchemaAck(connection_id=room, tables=schema.tables, truncated=schema.is_truncated)
