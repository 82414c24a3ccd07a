"""The users behind the sockets: identity, rooms, and what they may still send.

One `Client` is one authenticated socket. `Clients` owns what sockets share and a restart forgets:
the token buckets of users and rooms, and which sockets a user has.
"""

import math
from collections.abc import Collection, Mapping
from typing import Protocol

import attrs
import trio

from chatd.auth import Grant, Identity
from chatd.chat.limits import Backoff, Backoffs, Bucket, Limiter, admit, take
from chatd.chat.presence import Status
from chatd.net.deadlines import Deadlines, TimerEntry
from chatd.sockets.socket import Socket

EXPIRY_NOTICE_S = 60.0  # `auth:expiring` comes so long before the token runs out (SPEC 2)
CEILING_RETRY_S = 5.0  # what is told at first where a ceiling on a count was reached


class TokenEvents(Protocol):
    """What is done about a token that runs out."""

    def on_token_expiring(self, client: "Client") -> None:
        """The token has a minute left."""
        ...

    def on_token_expired(self, client: "Client") -> None:
        """The token has run out."""
        ...


@attrs.frozen
class Rates:
    """How much is admitted, a minute; and how many sockets a user may have."""

    user_messages: float
    socket_messages: float
    room_messages: float
    user_typing: float
    socket_events: float
    sockets_per_user: float
    rooms_per_socket: float


class Allowance:
    """What a socket may send, whichever of the sockets of its session it is. `__slots__`: one for
    each session of a user."""

    __slots__ = ("_backoff", "_events", "messages")

    def __init__(self, rates: Rates) -> None:
        now_s = trio.current_time()
        self.messages = Bucket(rates.socket_messages, now_s)
        self._events = Bucket(rates.socket_events, now_s)
        self._backoff: Backoff | None = None  # most are never refused

    def admit_event(self) -> int | None:
        """Count an event, or the milliseconds to wait before another try."""
        now_s, backoff = trio.current_time(), self._backoff
        blocked_s = backoff.blocked_s(now_s) if backoff is not None else 0.0
        wait_s = blocked_s or self._events.wait_s(now_s)
        if wait_s == 0.0:
            self._events.take()
            if backoff is not None:
                backoff.admitted()
            return None
        if backoff is None:
            backoff = self._backoff = Backoff()
        return math.ceil(backoff.refuse(wait_s, now_s) * 1000)


class Client:
    """One authenticated socket. `__slots__`: there are as many as sockets.

    `wanted` are the rooms that it is in or about to be in; each of them holds its feed. None there
    says that it gets what is published, a number is the last seq that it has seen or is catching up
    with. `declared` are the statuses that it declared by room, `missed` the rooms in which it was
    too slow for presence and typing, and whose typing that was; both are None where there are none.
    """

    __slots__ = (
        "_clients",
        "_expires_s",
        "_noticed",
        "allowance",
        "deadline_entry",
        "declared",
        "grants",
        "identity",
        "missed",
        "socket",
        "wanted",
    )

    def __init__(
        self,
        clients: "Clients",
        socket: Socket,
        identity: Identity,
        grants: Mapping[str, Grant],
        allowance: Allowance,
    ) -> None:
        self._clients = clients
        self.socket = socket
        self.identity = identity
        self.grants = grants
        self.wanted: dict[str, int | None] = {}
        self.declared: dict[str, Status] | None = None
        self.missed: dict[str, set[str]] | None = None
        self.allowance = allowance
        self.deadline_entry: TimerEntry | None = None
        self._expires_s = math.inf
        self._noticed = False

    def renew(self, identity: Identity, remaining_s: float, leeway_s: float) -> None:
        """The token expires in `remaining_s`, and is taken for `leeway_s` more."""
        self.identity = identity
        self._noticed = False
        expires_s = trio.current_time() + remaining_s
        self._expires_s = expires_s + leeway_s
        self._clients.deadlines.schedule(self, expires_s - EXPIRY_NOTICE_S)

    def on_deadline(self, now_s: float) -> float:
        """Tell that the token runs out, then end it."""
        try:
            if now_s >= self._expires_s:
                self._clients.token_events.on_token_expired(self)
                return math.inf
            if not self._noticed:
                self._noticed = True
                self._clients.token_events.on_token_expiring(self)
        except Exception as error:  # one client's fault must not stop everybody's deadlines
            self.socket.session.fail(error)
            return math.inf
        return self._expires_s

    def take_message(self, connection_id: str) -> bool:
        """Count a message, if there is room for it; if not, nothing is held against anybody."""
        return self._clients.take_message(self, connection_id)

    def admit_message(self, connection_id: str) -> int | None:
        """Count a message, or the milliseconds to wait before another try."""
        return self._clients.admit_message(self, connection_id)

    def message_limit(self, connection_id: str) -> str:
        """Which limit has refused a message, by its key in the configuration."""
        return self._clients.message_limit(self, connection_id)

    def admit_room(self) -> int | None:
        """Whether the client may be in one more room, or the milliseconds to wait until a try."""
        most = self._clients.rates.rooms_per_socket
        is_room = len(self.wanted) < most
        return self._clients.admit_one_more("rooms_per_socket", self.identity.user_id, is_room)

    def admit_typing(self) -> int | None:
        """Count a start of typing, or the milliseconds to wait before another try."""
        return self._clients.admit_typing(self)

    def give_back(self, connection_id: str) -> None:
        """A message that was counted turned out to be one that was counted before."""
        self._clients.give_back(self, connection_id)


class Clients:
    """What the clients of a server share."""

    def __init__(self, rates: Rates, deadlines: Deadlines) -> None:
        self.rates = rates
        self.deadlines = deadlines
        self.token_events: TokenEvents
        self._users = Limiter(rates.user_messages)
        self._rooms = Limiter(rates.room_messages)
        self._typing = Limiter(rates.user_typing)
        self._backoffs = Backoffs()
        self._room_backoffs = Backoffs()  # by user and room: who fills one keeps nobody from others
        self._typing_backoffs = Backoffs()  # of its own: who types too much may still send
        self._ceilings = Backoffs()  # by limit and user
        self._by_user: dict[str, dict[Client, None]] = {}
        self.count = 0

    def admit_socket(self, user_id: str) -> int | None:
        """Whether the user may have one more socket, or the milliseconds to wait until a try."""
        is_room = len(self._by_user.get(user_id, ())) < self.rates.sockets_per_user
        return self.admit_one_more("sockets_per_user", user_id, is_room)

    def admit_one_more(self, limit: str, user_id: str, is_room: bool) -> int | None:
        """Where a ceiling on a count was reached, the milliseconds to wait until a try."""
        key, now_s = f"{limit} {user_id}", trio.current_time()
        if not is_room:
            return math.ceil(self._ceilings.refuse(key, CEILING_RETRY_S, now_s) * 1000)
        backoff = self._ceilings.get(key)
        if backoff is not None:
            backoff.admitted()
        return None

    def of(self, user_id: str) -> Collection[Client]:
        """The clients of a user."""
        return self._by_user.get(user_id, {}).keys()

    def everybody(self) -> list[Client]:
        """All clients there are now."""
        return [client for clients in self._by_user.values() for client in clients]

    def add(self, client: Client) -> None:
        """A client came."""
        self._by_user.setdefault(client.identity.user_id, {})[client] = None
        self.count += 1

    def remove(self, client: Client) -> None:
        """A client went."""
        self.deadlines.schedule(client, math.inf)
        user_id = client.identity.user_id
        clients = self._by_user[user_id]
        del clients[client]
        if not clients:
            del self._by_user[user_id]
        self.count -= 1

    def take_message(self, client: Client, connection_id: str) -> bool:
        """Take a token of the user, the socket and the room, if there is one of each."""
        now_s = trio.current_time()
        buckets = self._message_buckets(client, connection_id, now_s)
        key, backoffs = self._held_by(client, connection_id, buckets, now_s)
        return take(key, buckets, backoffs, now_s) == 0.0

    def admit_message(self, client: Client, connection_id: str) -> int | None:
        """The same, or tell how long to wait."""
        now_s = trio.current_time()
        buckets = self._message_buckets(client, connection_id, now_s)
        key, backoffs = self._held_by(client, connection_id, buckets, now_s)
        return admit(key, buckets, backoffs, now_s)

    def message_limit(self, client: Client, connection_id: str) -> str:
        """Which of them has refused, as far as can be told from what they hold now."""
        now_s = trio.current_time()
        buckets = self._message_buckets(client, connection_id, now_s)
        _, backoffs = self._held_by(client, connection_id, buckets, now_s)
        if backoffs is self._room_backoffs:
            return "room_messages_per_minute"
        user, socket, _ = buckets
        owner = "socket" if socket.wait_s(now_s) > user.wait_s(now_s) else "user"
        return f"{owner}_messages_per_minute"

    def _held_by(
        self,
        client: Client,
        connection_id: str,
        buckets: tuple[Bucket, Bucket, Bucket],
        now_s: float,
    ) -> tuple[str, Backoffs]:
        """Whose back-off a message is held against: the user's, for all rooms; or, where it is the
        room alone that is too full, that of the user in this room."""
        user_id = client.identity.user_id
        user, socket, room = buckets
        if not len(self._room_backoffs) and room.wait_s(now_s) == 0.0:  # as nearly always
            return user_id, self._backoffs
        key = f"{connection_id}\n{user_id}"  # no two are equal: neither holds a line break
        own, there = self._backoffs.get(user_id), self._room_backoffs.get(key)
        is_own = (own is not None and own.blocked_s(now_s) > 0.0) or (
            user.wait_s(now_s) > 0.0 or socket.wait_s(now_s) > 0.0
        )
        is_theirs = room.wait_s(now_s) > 0.0 or (there is not None and there.blocked_s(now_s) > 0.0)
        if is_theirs and not is_own:
            return key, self._room_backoffs
        if there is not None and not is_theirs and not is_own:
            there.admitted()
        return user_id, self._backoffs

    def _message_buckets(
        self, client: Client, connection_id: str, now_s: float
    ) -> tuple[Bucket, Bucket, Bucket]:
        return (
            self._users.bucket(client.identity.user_id, now_s),
            client.allowance.messages,
            self._rooms.bucket(connection_id, now_s),
        )

    def admit_typing(self, client: Client) -> int | None:
        """Take a token for a start of typing, or tell how long to wait."""
        now_s, user_id = trio.current_time(), client.identity.user_id
        return admit(user_id, (self._typing.bucket(user_id, now_s),), self._typing_backoffs, now_s)

    def give_back(self, client: Client, connection_id: str) -> None:
        """Undo `admit_message`."""
        now_s = trio.current_time()
        self._users.bucket(client.identity.user_id, now_s).give_back()
        client.allowance.messages.give_back()
        self._rooms.bucket(connection_id, now_s).give_back()
