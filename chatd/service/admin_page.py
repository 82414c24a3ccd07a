"""What the page at `/admin` shows to administrators: what `chatd admin` shows, and nothing that
acts (docs/administration, "The page").

Each request has the token of a user as Bearer; a claim in it says that it is an administrator's.
Bad tokens back off per address, together with those of handshakes.
"""

import math
from typing import Any, Final

import attrs
import trio

from chatd.auth import Admitted, Authenticator, Credentials
from chatd.auth.role import AdministratorRule
from chatd.net.http.app import Headers, HttpRoute, Request, Response, json_response
from chatd.net.http.cors import CorsPolicy
from chatd.observe.events import Level
from chatd.observe.tap import EventTap
from chatd.service.admin_routes import followed
from chatd.service.administration import Administration
from chatd.service.http_refusals import refused
from chatd.wire.codes import Code, Refusal

OVERVIEW_PATH: Final = "/api/admin/overview"
EVENTS_PATH: Final = "/api/admin/events"
OVERVIEW_S: Final = 1.0
"""How long one overview serves everybody who asks: making it looks at every client."""
FOLLOW_S: Final = 60.0
"""How long a page follows the log with one token; then it asks again, and is judged again."""

NO_STORE: Final[Headers] = ((b"cache-control", b"no-store"), (b"referrer-policy", b"no-referrer"))
HOW: Final = "Send the token of an administrator as `Authorization: Bearer ...`."
NOBODY: Final = "Nobody is an administrator here: with auth.admin_claim the operator says who is."
NOT_YOU: Final = "Your token is not that of an administrator; ask the operator for that role."


@attrs.define(eq=False)
class AdminPage:
    """The routes that the page asks."""

    _authenticator: Authenticator
    _rule: AdministratorRule
    _administration: Administration
    _tap: EventTap | None
    _origins: CorsPolicy
    _overview: dict[str, Any] | None = attrs.field(init=False, default=None)
    _until_s: float = attrs.field(init=False, default=-math.inf)

    def routes(self) -> dict[str, HttpRoute]:
        """All of them."""
        return {
            OVERVIEW_PATH: HttpRoute(self._look, cors=self._origins, headers=NO_STORE),
            EVENTS_PATH: HttpRoute(self._follow, cors=self._origins, headers=NO_STORE),
        }

    async def _look(self, request: Request) -> Response:
        denial = await self._refused(request)
        if denial is not None:
            return denial
        now_s = trio.current_time()
        if self._overview is None or now_s >= self._until_s:
            self._until_s = now_s + OVERVIEW_S
            self._overview = {
                "status": self._administration.status(),
                "rooms": self._administration.rooms(),
                "users": self._administration.users(),
            }
        return json_response(200, self._overview)

    async def _follow(self, request: Request) -> Response:
        denial = await self._refused(request)
        if denial is not None:
            return denial
        if self._tap is None:
            return refused(Refusal(Code.OVERLOADED, "The log cannot be followed here."))
        return followed(request, self._tap, Level.INFO, FOLLOW_S, ends_with_drain=True)

    async def _refused(self, request: Request) -> Response | None:
        """Why the caller may not look; None for an administrator."""
        address = request.arrival(self._origins).address
        authorization = request.header(b"authorization")
        admitted = await self._authenticator.authenticate(
            Credentials(address, "http", authorization=authorization)
        )
        if isinstance(admitted, Admitted):
            if self._rule.admits(admitted.identity):
                return None
            return refused(Refusal(Code.FORBIDDEN, NOT_YOU if self._rule.path else NOBODY))
        if admitted.code is Code.UNAUTHORIZED:
            admitted = attrs.evolve(admitted, message=HOW)
        return refused(admitted)

    def drain(self) -> None:
        """The daemon is about to end: nobody follows its log on the page any longer."""
        if self._tap is not None:
            self._tap.drain()

    def replace_rule(self, rule: AdministratorRule) -> None:
        """These are the administrators from now on."""
        self._rule = rule
