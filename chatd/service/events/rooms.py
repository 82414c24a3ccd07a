"""`connection:join` and `connection:leave` from clients."""

import attrs

from chatd.service.acks import Outcome, echoed_id
from chatd.service.answer_rows import check_answer_rows
from chatd.service.client import Client
from chatd.service.rooms import Rooms, Since
from chatd.service.routes import PERMITTED, Route, Routes
from chatd.wire.acks import LeaveAck
from chatd.wire.codes import Code, Refusal
from chatd.wire.names import ClientEvent
from chatd.wire.payloads import ConnectionJoin, ConnectionLeave


@attrs.define(eq=False)
class RoomEvents:
    """Lets clients into rooms and out of them."""

    _rooms: Rooms

    def routes(self) -> Routes:
        return {
            ClientEvent.CONNECTION_JOIN: Route(
                ConnectionJoin, self.join, self.read_join, PERMITTED
            ),
            ClientEvent.CONNECTION_LEAVE: Route(ConnectionLeave, self.leave),
        }

    def read_join(
        self, client: Client, join: ConnectionJoin, ack_id: int | None
    ) -> ConnectionJoin | Refusal:
        if join.since is not None and join.since < 0:
            return Refusal(Code.INVALID_PAYLOAD, path="since")
        return check_answer_rows(join.answer_rows) or join

    async def join(self, client: Client, join: ConnectionJoin, ack_id: int | None) -> None:
        """`Rooms.enter` acknowledges a room as soon as the client has caught up with it."""
        room = join.connection_id
        seqs = {} if join.since is None else {room: join.since}
        since = Since(seqs, join.epoch, join.answer_rows)
        await self._rooms.enter(client, [room], ack_id, since)

    def leave(self, client: Client, leave: ConnectionLeave, ack_id: int | None) -> Outcome:
        """The ack says where the room stands only to a client that may use it."""
        room = leave.connection_id
        self._rooms.leave(client, [room])
        if room in client.grants:
            at = self._rooms.position(room)
            return LeaveAck(connection_id=room, last_seq=at.last_seq, epoch=at.epoch)
        return LeaveAck(connection_id=echoed_id(room))
