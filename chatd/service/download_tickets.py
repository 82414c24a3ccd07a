"""One download of one answer, for a link that can carry no header (docs/protocol, "Answers").

A ticket is as good as the token that it was given for, for a minute and for one file: it stays good
if its use is refused, as a retry may help. Whether its
user may still use the room is checked when it is used. It is void earlier if another token of its
user, no older than the first, does not give the room, or no longer lets the user write there: a
directory of claims would go by the old token. Tickets are held in memory: a restart forgets them.

Where several nodes share a log, a ticket belongs to its node, and begins with the node's name, as
the id of a session does: the proxy brings it there (docs/cluster). So it is good once over all
nodes. The nodes tell each other what makes it void.
"""

from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping
from typing import Protocol

import attrs

from chatd.auth import Grant, Identity
from chatd.observe.ids import unguessable_id

TICKET_S = 60.0  # how long a ticket is good
TICKETS_PER_USER = 20  # tickets of a user; beyond, the user's oldest is void
TICKETS_MAX = 10_000  # tickets of everybody; beyond, the oldest is void


@attrs.frozen
class DownloadTicket:
    """Who may download what, and until when, by a clock that never goes back."""

    message_id: str
    connection_id: str
    identity: Identity
    may_write: bool
    until_s: float


class OtherTickets(Protocol):
    """The tickets of other nodes. No method waits."""

    def given(self, user_id: str) -> None:
        """This node has given a ticket to a user, which others may have to withdraw."""
        ...

    def withdraw(
        self, user_id: str, issued_at_s: float, rooms: Collection[str], writable: Collection[str]
    ) -> None:
        """As `DownloadTickets.withdraw_of`, on the other nodes."""
        ...

    def void(self, user_id: str) -> None:
        """All tickets of a user are void, on the other nodes."""
        ...


@attrs.define(eq=False)
class DownloadTickets:
    """The tickets that were given out and not used, `tickets_max` at most. `is_revoked` says
    whether the token that a ticket was given for is no longer taken; `node` is the name of this
    node, empty if it is alone."""

    _tickets_max: int = TICKETS_MAX
    _is_revoked: Callable[[Identity], bool] = lambda _identity: False
    _node: str = ""
    _others: OtherTickets | None = None
    _tickets: OrderedDict[str, DownloadTicket] = attrs.field(init=False, factory=OrderedDict)
    _of_user: dict[str, OrderedDict[str, None]] = attrs.field(init=False, factory=dict)
    _used: set[str] = attrs.field(init=False, factory=set)  # of these, by name

    def __len__(self) -> int:
        return len(self._tickets) - len(self._used)

    def give(
        self,
        message_id: str,
        connection_id: str,
        identity: Identity,
        now_s: float,
        *,
        may_write: bool = True,
    ) -> str:
        """A new ticket for the answer in a message of this room, where the user may write or
        not."""
        name = f"{self._node}.{unguessable_id()}" if self._node else unguessable_id()
        own = self._of_user.setdefault(identity.user_id, OrderedDict())
        self._tickets[name] = DownloadTicket(
            message_id, connection_id, identity, may_write, now_s + TICKET_S
        )
        own[name] = None
        if len(own) > TICKETS_PER_USER:
            self._remove(next(iter(own)))
        while self._tickets and (
            len(self._tickets) > self._tickets_max
            or next(iter(self._tickets.values())).until_s <= now_s
        ):
            self._remove(next(iter(self._tickets)))
        if self._others is not None:
            self._others.given(identity.user_id)
        return name

    def withdraw(self, identity: Identity, grants: Mapping[str, Grant]) -> None:
        """A token was accepted that gives its user these rooms: tickets that give more, for tokens
        that are no newer, are void, whichever node has them. A bot, whose token tells no time, gets
        no tickets."""
        if "iat" not in identity.claims:
            return
        writable = [room for room, grant in grants.items() if grant.may_write]
        if self._others is not None:
            self._others.withdraw(identity.user_id, identity.issued_at_s, grants, writable)
        self.withdraw_of(identity.user_id, identity.issued_at_s, grants, writable)

    def withdraw_of(
        self, user_id: str, issued_at_s: float, rooms: Collection[str], writable: Collection[str]
    ) -> None:
        """The same for the tickets of this node; the user may write in the rooms `writable`."""
        for name in list(self._of_user.get(user_id, ())):
            ticket = self._tickets[name]
            allowed = writable if ticket.may_write else rooms
            if ticket.connection_id not in allowed and ticket.identity.issued_at_s <= issued_at_s:
                self._remove(name)

    def void(self, user_id: str) -> None:
        """All tickets of a user are void, whichever node has them."""
        if self._others is not None:
            self._others.void(user_id)
        self.void_of(user_id)

    def void_of(self, user_id: str) -> None:
        """All tickets of a user on this node are void."""
        for name in list(self._of_user.get(user_id, ())):
            self._remove(name)

    def use(self, name: str, message_id: str, now_s: float) -> Identity | None:
        """The user of a ticket for this message, once; None if it is not good. It is held until its
        time is over, as it may be given back."""
        identity = self.look(name, message_id, now_s)
        if name in self._tickets:
            self._used.add(name)
        return identity

    def give_back(self, name: str) -> None:
        """Nothing came of the use of a ticket: it is as good as if it had not been used."""
        self._used.discard(name)

    def look(self, name: str, message_id: str, now_s: float) -> Identity | None:
        """As `use`, and the ticket stays good: for a HEAD request."""
        ticket = None if name in self._used else self._tickets.get(name)
        if ticket is None or ticket.message_id != message_id or now_s >= ticket.until_s:
            return None
        return None if self._is_revoked(ticket.identity) else ticket.identity

    def _remove(self, name: str) -> None:
        ticket = self._tickets.pop(name)
        self._used.discard(name)
        own = self._of_user[ticket.identity.user_id]
        del own[name]
        if not own:
            del self._of_user[ticket.identity.user_id]
