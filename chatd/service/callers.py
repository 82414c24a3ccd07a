"""Who may ask over HTTP now: what each user may still send, and how much of it is under way.

A request has no session to count in. So each user has one allowance over HTTP, as a socket has; a
bot has the rates of its token in its stead.
"""

from collections import OrderedDict

import attrs

from chatd.auth import Admitted, Bots
from chatd.observe import EventLog, LimitHit
from chatd.service.allowance import Allowance
from chatd.service.caller import Caller, carried_by_nothing
from chatd.service.client import TokenClock
from chatd.service.rate_limits import RateLimits
from chatd.service.rates import Rates
from chatd.wire.codes import Code, Refusal

ALLOWANCES_MAX = 10_000  # users whose allowance is kept; beyond, who has asked for nothing longest
BUSY_RETRY_MS = 1_000  # told to a user with too many requests under way


@attrs.define(eq=False)
class Callers:
    """The callers of a daemon. `under_way_max`: requests of a user that are answered at once."""

    _limits: RateLimits
    _bots: Bots
    _token_clock: TokenClock
    _event_log: EventLog
    _under_way_max: int = attrs.field(kw_only=True)
    _allowances_max: int = attrs.field(default=ALLOWANCES_MAX, kw_only=True)
    _allowances: OrderedDict[str, Allowance] = attrs.field(init=False, factory=OrderedDict)
    _under_way: dict[str, int] = attrs.field(init=False, factory=dict)

    def begin(self, admitted: Admitted, address: str, room: str) -> Caller | Refusal:
        """A caller for one request about a room, which `end` follows; or why there is none."""
        user_id = admitted.identity.user_id
        count = self._under_way.get(user_id, 0)
        if count >= self._under_way_max:
            self._event_log.record(LimitHit("requests_per_user", user_id, address))
            sentence = f"You have {count} requests under way; wait for one of them."
            return Refusal(Code.OVERLOADED, sentence, retry_after_ms=BUSY_RETRY_MS)
        self._under_way[user_id] = count + 1
        socket = carried_by_nothing(address)
        caller = Caller(
            socket,
            admitted.identity,
            admitted.grants,
            self.allowance(user_id),
            self._token_clock,
        )
        caller.wanted[room] = None
        socket.state = caller
        return caller

    def end(self, caller: Caller) -> None:
        """Its request was answered."""
        left = self._under_way[caller.user_id] - 1
        if left:
            self._under_way[caller.user_id] = left
        else:
            del self._under_way[caller.user_id]

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
        """Other rates are in force from now on, of users or of bots."""
        for user_id, allowance in self._allowances.items():
            allowance.replace(self._rates(user_id))

    def _rates(self, user_id: str) -> Rates:
        bot = self._bots.by_user.get(user_id)
        if bot is None:
            return self._limits.rates
        return attrs.evolve(
            self._limits.rates,
            socket_messages=bot.messages_per_minute,
            socket_events=bot.requests_per_minute,
        )
