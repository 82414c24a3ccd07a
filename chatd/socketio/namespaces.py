"""Which namespaces one connection has joined, and what a packet means there.

Owns the state of each namespace of a connection, and the acks that the server waits for. Must not
know which peer may join (the shell authenticates, then calls `accept` or `refuse`), the time, or
bytes. Source: Socket.IO protocol 5, "Connection to a namespace".

One namespace:

    state     what happens                  then
    absent    CONNECT from the peer         joining, `ConnectRequested`
    joining   `accept`                      joined
    joining   `refuse`                      absent: the peer may try again
    joined    EVENT, ACK from the peer      joined
    joined    DISCONNECT from the peer      absent, `NamespaceLeft`
    joined    `disconnect`                  absent: a packet already on its way here now closes

From the peer, what is not in the table is a breach and raises `ProtocolError`; from the shell it is
a mistake and raises `LocalProtocolError`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias, assert_never

import attrs

from .encoder import Encoded, encode
from .packet import (
    MAIN_NAMESPACE,
    Ack,
    Connect,
    ConnectError,
    Disconnect,
    Event,
    Packet,
    ProtocolError,
)

MAX_NAMESPACES: Final = 16
"""How many namespaces one connection may be in or be joining. Beyond it: `ProtocolError`. chatd
itself has one; the number bounds what a peer can make the server remember."""

MAX_OUTSTANDING_ACKS: Final = 1_000
"""How many acks the server may wait for on one connection. Beyond it: `TooManyAcks`."""


_MAIN_ALONE: Final = (MAIN_NAMESPACE,)
"""What nearly every connection has joined: all of them share this tuple."""

OnAnswer: TypeAlias = Callable[[list[Any]], None]
"""Called with the arguments of an ack."""


class LocalProtocolError(Exception):
    """This side asked for something that the state of the namespace does not allow: a mistake."""


class TooManyAcks(Exception):
    """The peer owes too many acks already: send without one, or give the peer up."""


@attrs.frozen
class ConnectRequested:
    """The peer wants to join. Answer once, with `accept` or `refuse`; until then it must wait."""

    namespace: str
    auth: dict[str, Any] | None


@attrs.frozen
class AckReceived:
    """The peer has answered the event that was sent with `ack_id`; it cannot answer again."""

    namespace: str
    ack_id: int
    args: list[Any]
    on_answer: OnAnswer


@attrs.frozen
class NamespaceLeft:
    """The peer has left; no answer is sent."""

    namespace: str


Received: TypeAlias = ConnectRequested | Event | AckReceived | NamespaceLeft


@attrs.define(eq=False, repr=False, weakref_slot=False)
class Namespaces:
    """The namespaces of one connection.

    Most connections have just `/`, and every event asks whether its namespace is joined. So the
    names stand in tuples: searching a tuple of one is as fast as searching a dict, and an idle
    connection has no dict at all. Others may only read `joined`, the oldest first, `joining` and
    `has_joined_any`.
    """

    joined: tuple[str, ...] = ()
    joining: tuple[str, ...] = ()
    has_joined_any: bool = False  # a later DISCONNECT does not begin the wait for one again
    _next_ack_id: int = 0
    _acks_due: dict[int, tuple[str, OnAnswer]] | None = None

    def receive(self, packet: Packet) -> Received | None:
        """What `packet` means: None for an ack that nobody waits for; an event is returned as it
        is. Raises `ProtocolError` if the table above has no entry."""
        if isinstance(packet, Event):
            if packet.namespace in self.joined:
                return packet
            raise ProtocolError("An event came for a namespace that is not joined.")
        match packet:
            case Connect(namespace, auth):
                return self._receive_connect(namespace, auth)
            case Ack(namespace, ack_id, args):
                if namespace not in self.joined:
                    raise ProtocolError("An ack came for a namespace that is not joined.")
                return self._receive_ack(namespace, ack_id, args)
            case Disconnect(namespace):
                if namespace not in self.joined:
                    raise ProtocolError("A disconnect came for a namespace that is not joined.")
                self._leave(namespace)
                return NamespaceLeft(namespace)
            case ConnectError():
                raise ProtocolError("A client refused a connection.")
            case _:
                assert_never(packet)

    def accept(self, namespace: str, sid: str) -> Encoded:
        """Let the peer in and return the reply. `sid` is new, unguessable, not the transport's."""
        self._answer(namespace)
        if namespace == MAIN_NAMESPACE and not self.joined:
            self.joined = _MAIN_ALONE
        else:
            self.joined += (namespace,)
        self.has_joined_any = True
        return encode(Connect(namespace, {"sid": sid}))

    def refuse(self, namespace: str, message: str, data: Any = None) -> Encoded:
        """Keep the peer out and return the reply; the connection stays, and it may try again.
        `message` is for people, `data` for programs: any JSON value, None for none."""
        self._answer(namespace)
        payload: dict[str, Any] = {"message": message}
        if data is not None:
            payload["data"] = data
        return encode(ConnectError(namespace, payload))

    def disconnect(self, namespace: str) -> Encoded:
        """Remove the peer from a joined namespace and return the packet that tells it. Stock
        clients do not come back by themselves after this: if they should, end the transport."""
        if namespace not in self.joined:
            raise LocalProtocolError("Only a joined namespace can be disconnected.")
        self._leave(namespace)
        return encode(Disconnect(namespace))

    def register_ack(self, namespace: str, on_answer: OnAnswer) -> int:
        """The id for an event that asks the peer for an ack. Ids are never used again, so that a
        late answer meets nothing. Raises `TooManyAcks`."""
        if namespace not in self.joined:
            raise LocalProtocolError("Only in a joined namespace can an ack be asked for.")
        if self._acks_due is None:
            self._acks_due = {}
        if len(self._acks_due) >= MAX_OUTSTANDING_ACKS:
            raise TooManyAcks("The peer owes too many acks.")
        ack_id = self._next_ack_id
        self._next_ack_id += 1
        self._acks_due[ack_id] = namespace, on_answer
        return ack_id

    def forget_ack(self, ack_id: int) -> None:
        """Stop waiting for an ack, after a timeout; an answer that still comes is ignored."""
        if self._acks_due is not None:
            self._acks_due.pop(ack_id, None)

    def _receive_connect(self, namespace: str, auth: dict[str, Any] | None) -> ConnectRequested:
        if namespace in self.joined or namespace in self.joining:
            raise ProtocolError("A second connect came for the same namespace.")
        if len(self.joined) + len(self.joining) >= MAX_NAMESPACES:
            raise ProtocolError("The connection has too many namespaces.")
        self.joining += (namespace,)
        return ConnectRequested(namespace, auth)

    def _answer(self, namespace: str) -> None:
        if namespace not in self.joining:
            raise LocalProtocolError("Only a namespace that waits for an answer can be answered.")
        self.joining = tuple(name for name in self.joining if name != namespace)

    def _receive_ack(
        self, namespace: str, ack_id: int | None, args: list[Any]
    ) -> AckReceived | None:
        if ack_id is None or self._acks_due is None or ack_id not in self._acks_due:
            return None
        asked_in, on_answer = self._acks_due[ack_id]
        if asked_in != namespace:
            return None
        del self._acks_due[ack_id]
        return AckReceived(namespace, ack_id, args, on_answer)

    def _leave(self, namespace: str) -> None:
        self.joined = tuple(name for name in self.joined if name != namespace)
        if self._acks_due:
            self._acks_due = {
                ack_id: due for ack_id, due in self._acks_due.items() if due[0] != namespace
            }
