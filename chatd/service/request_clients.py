"""Who may ask over HTTP now: what each user may still send, and how many requests are under way.

A request has no session to count in. So each user has one allowance over HTTP, as a socket has; a
bot has the rates of its token instead.
"""

from collections import OrderedDict

import attrs
import trio

from chatd.auth import Admitted, Bots
from chatd.observe import EventLog
from chatd.service.allowance import Allowance
from chatd.service.client import TokenClock
from chatd.service.rate_limits import RateLimits
from chatd.service.rates import Limit, Rates
from chatd.service.request_client import RequestClient, carried_by_nothing
from chatd.service.request_places import RequestPlaces
from chatd.wire.codes import Refusal

ALLOWANCES_MAX = 10_000  # users whose allowance is kept; beyond: who asked longest ago is dropped


@attrs.define(eq=False)
class RequestClients:
    """The clients of requests over HTTP. `places` are those of all requests, downloads included."""

    _limits: RateLimits
    _bots: Bots
    _token_clock: TokenClock
    _event_log: EventLog
    places: RequestPlaces
    _allowances_max: int = attrs.field(default=ALLOWANCES_MAX, kw_only=True)
    _allowances: OrderedDict[str, Allowance] = attrs.field(init=False, factory=OrderedDict)

    def spend_request(self, user_id: str) -> Refusal | None:
        """Count a request of a user, whatever it comes to; returns why, if it goes no further."""
        limited = self.allowance(user_id).admit_event()
        return None if limited is None else limited.refusal(user_id, self._event_log)

    def spend_download(self, user_id: str) -> Refusal | None:
        """Count a request that adds an entry to the log, as a message over HTTP does; returns why,
        if it goes no further."""
        allowance, now_s = self.allowance(user_id), trio.current_time()
        limited = allowance.admit(Limit.SOCKET_MESSAGES, allowance.messages, now_s)
        return None if limited is None else limited.refusal(user_id, self._event_log)

    def begin(self, admitted: Admitted, address: str, room: str) -> RequestClient | Refusal:
        """A client for one request about a room, which `end` follows; or why there is none."""
        place = self.places.take(admitted.identity.user_id, address)
        if isinstance(place, Refusal):
            return place
        socket = carried_by_nothing(address)
        client = RequestClient(
            socket,
            admitted.identity,
            admitted.grants,
            self.allowance(admitted.identity.user_id),
            self._token_clock,
        )
        client.place = place
        client.rooms[room] = None
        socket.state = client
        return client

    def end(self, client: RequestClient) -> None:
        """Its request was answered."""
        client.socket.state = None  # which knows the socket
        client.place.give_back()

    def allowance(self, user_id: str) -> Allowance:
        """What this user may still send over HTTP."""
        found = self._allowances.pop(user_id, None)
        if found is None:
            found = Allowance(self._rates(user_id))
            if len(self._allowances) >= self._allowances_max:
                self._allowances.popitem(last=False)
        self._allowances[user_id] = found  # at the end: who asked longest ago stands first
        return found

    def replace_rates(self) -> None:
        """Put other rates in force from now on, of users or of bots."""
        for user_id, allowance in self._allowances.items():
            allowance.replace(self._rates(user_id))

    def _rates(self, user_id: str) -> Rates:
        bot = self._bots.by_user.get(user_id)
        if bot is None:
            return self._limits.rates
        return {
            **self._limits.rates,
            Limit.SOCKET_MESSAGES: bot.messages_per_minute,
            Limit.SOCKET_EVENTS: bot.requests_per_minute,
        }
