"""What nodes tell each other of download tickets, to all nodes; a ticket itself never travels:

    ticket:given  [user]                               the user has tickets of mine, for `TICKET_S`
    ticket:rooms  [user, issued at, rooms, writable]   a token gives the user these rooms, and lets
                                                       the user write in some: withdraw by it
    ticket:void   [user]                               all tickets of the user are void

Nodes would have to tell of every connection with a token. So a node tells this only of users to
whom another node has given a ticket. A signal that gets lost leaves a ticket as good as it was, for
its minute.
"""

from collections import OrderedDict
from collections.abc import Collection, Sequence
from typing import Any, Final

import attrs
import trio

from chatd.service.download_tickets import TICKET_S, TICKETS_MAX, DownloadTickets
from chatd.service.signals import Signals

_GIVEN: Final = "ticket:given"
_ROOMS: Final = "ticket:rooms"
_VOID: Final = "ticket:void"


@attrs.define(eq=False)
class TicketSignals:
    """The `OtherTickets` of this node; what others tell is for `serve`'s tickets."""

    _signals: Signals
    # Until when users may have tickets of other nodes, by Trio's clock; the oldest first.
    _until_s: OrderedDict[str, float] = attrs.field(init=False, factory=OrderedDict)

    def serve(self, tickets: DownloadTickets) -> None:
        """Hear what other nodes tell, for these tickets."""

        def rooms(_room: str, _node: str, fields: Sequence[Any]) -> None:
            user_id, issued_at_s, given, *more = fields
            writable = more[0] if more else given  # an earlier version of chatd does not say
            is_moment = isinstance(issued_at_s, int | float)
            are_rooms = isinstance(given, list) and isinstance(writable, list)
            if not (is_moment and are_rooms and isinstance(user_id, str)):
                raise TypeError
            tickets.withdraw_of(user_id, issued_at_s, given, writable)

        def void(_room: str, _node: str, fields: Sequence[Any]) -> None:
            user_id, *_ = fields
            tickets.void_of(user_id)

        self._signals.on(_GIVEN, self._on_given)
        self._signals.on(_ROOMS, rooms)
        self._signals.on(_VOID, void)

    def given(self, user_id: str) -> None:
        self._signals.send_all(_GIVEN, [user_id])

    def withdraw(
        self, user_id: str, issued_at_s: float, rooms: Collection[str], writable: Collection[str]
    ) -> None:
        until_s = self._until_s.get(user_id)
        if until_s is None or until_s <= trio.current_time():
            return
        if not self._signals.send_all(_ROOMS, [user_id, issued_at_s, list(rooms), list(writable)]):
            self.void(user_id)  # too many rooms to name: better too few tickets

    def void(self, user_id: str) -> None:
        self._signals.send_all(_VOID, [user_id])

    def _on_given(self, _room: str, _node: str, fields: Sequence[Any]) -> None:
        user_id, *_ = fields
        if not isinstance(user_id, str):
            raise TypeError
        now_s = trio.current_time()
        self._until_s[user_id] = now_s + TICKET_S
        self._until_s.move_to_end(user_id)
        oldest = next(iter(self._until_s.values()))
        if len(self._until_s) > TICKETS_MAX or oldest <= now_s:
            self._until_s.popitem(last=False)
