"""What `chatd admin` and the other commands of operators ask of a running daemon, as HTTP on the
private socket (docs/administration, "Commands").

Whoever reaches the socket may do all of this: it is open to the daemon's own user alone. Requests
are bounded; a body is a JSON object of strings.
"""

import math
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Final

import attrs
import orjson
import trio

from chatd.net.http.app import HttpRoute, Request, Response, json_response, refusal
from chatd.net.http.cors import CorsPolicy
from chatd.net.http.internal import CALLER, NO_STORE
from chatd.observe.events import Level
from chatd.observe.tap import EventTap, Follower
from chatd.service.administration import Acted, Administration
from chatd.service.erasures import Erased, ErasureFailedError, Erasures
from chatd.service.http_refusals import refused
from chatd.wire.codes import Code, Refusal
from chatd.wire.identifiers import is_connection_id, is_id

ADMIN_PATH: Final = "/admin/"
BODY_BYTES_MAX: Final = 131_072
"""Bytes of a request: a message of the greatest length, and more. Beyond: 413."""
ID_CHARS_MAX: Final = 255
ALIVE_S: Final = 15.0
"""Between two empty lines to somebody who follows a log in which nothing happens: so the daemon
notices when that one has gone."""
TOO_MANY: Final = "Too many follow the log already; end one of them."

Action = Callable[[Mapping[str, str], str], Awaitable[Response]]


@attrs.define(eq=False)
class AdminRoutes:
    """The routes below `/admin/`, of the internal listener."""

    _administration: Administration
    _erasures: Erasures
    _tap: EventTap
    _origins: CorsPolicy

    def table(self) -> dict[str, HttpRoute]:
        """All of them."""
        looks: dict[str, Callable[[], dict[str, Any]]] = {
            "status": lambda: {**self._administration.status(), "followers": self._tap.count},
            "rooms": self._administration.rooms,
            "users": self._administration.users,
        }
        actions: dict[str, Action] = {
            "kick": self._kick,
            "revoke": self._revoke,
            "say": self._say,
            "erase-user": self._erase_user,
            "delete-room": self._delete_room,
        }
        return {
            **{f"{ADMIN_PATH}{name}": self._look(look) for name, look in looks.items()},
            **{f"{ADMIN_PATH}{name}": self._act(action) for name, action in actions.items()},
            f"{ADMIN_PATH}tail": HttpRoute(self._follow, cors=self._origins, headers=NO_STORE),
        }

    def _look(self, look: Callable[[], dict[str, Any]]) -> HttpRoute:
        async def answer(_request: Request) -> Response:
            return json_response(200, look(), NO_STORE)

        return HttpRoute(answer, cors=self._origins)

    def _act(self, action: Action) -> HttpRoute:
        async def answer(request: Request) -> Response:
            asked = _strings(request.body)
            if asked is None:
                return _wrong("The body is to be a JSON object of strings.")
            return await action(asked, request.header(CALLER) or "internal")

        return HttpRoute(
            answer, frozenset({"POST"}), max_body_bytes=BODY_BYTES_MAX, cors=self._origins
        )

    async def _kick(self, asked: Mapping[str, str], by: str) -> Response:
        target = asked.get("target")
        if not is_id(target, ID_CHARS_MAX):
            return _wrong("target is to be a userId or a socketId.")
        kicked = await self._administration.kick(target, by)
        return _answer(kicked, lambda acted: {"kicked": acted.count, "outcome": acted.outcome})

    async def _revoke(self, asked: Mapping[str, str], by: str) -> Response:
        user_id = asked.get("userId")
        if not is_id(user_id, ID_CHARS_MAX):
            return _wrong("userId is to be the id of a user.")
        is_known = self._administration.knows(user_id)
        ended = await self._administration.revoke(user_id, by)
        return _answer(
            ended, lambda acted: {"revoked": user_id, "kicked": acted.count, "isKnown": is_known}
        )

    async def _say(self, asked: Mapping[str, str], by: str) -> Response:
        content, room = asked.get("content"), asked.get("connectionId")
        if content is None or not (room is None or is_connection_id(room)):
            return _wrong("content is to be a text, and connectionId a room, or not there.")
        said = await self._administration.say(room, content, by)
        return _answer(said, lambda acted: {"rooms": acted.count})

    async def _erase_user(self, asked: Mapping[str, str], by: str) -> Response:
        user_id = asked.get("userId")
        if not is_id(user_id, ID_CHARS_MAX):
            return _wrong("userId is to be the id of a user.")
        return await _erase(self._erasures.erase_user(user_id, by))

    async def _delete_room(self, asked: Mapping[str, str], by: str) -> Response:
        room = asked.get("connectionId")
        if not is_id(room, ID_CHARS_MAX):
            return _wrong("connectionId is to be a room.")
        return await _erase(self._erasures.delete_room(room, by))

    async def _follow(self, request: Request) -> Response:
        word = request.query.decode("latin-1").partition("level=")[2] or "info"
        if word.upper() not in Level.__members__:
            return _wrong("level is to be debug, info, warning or error.")
        return followed(request, self._tap, Level[word.upper()])


@attrs.define(eq=False)
class FollowedLog:
    """The events of the log from now on, a JSON object a line, as the body of a response: for
    `within_s`, or without end; no longer than its follower gets any."""

    _tap: EventTap
    _follower: Follower
    _gone: Callable[[], Awaitable[None]]
    _within_s: float
    _until_s: float | None = attrs.field(init=False, default=None)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        now_s = trio.current_time()
        if self._until_s is None:
            self._until_s = now_s + self._within_s
            return b"\n"  # the head goes out with it
        if self._follower.is_over and (rest := await self._follower.lines(0)):
            return rest
        if self._follower.is_over or now_s >= self._until_s:
            raise StopAsyncIteration
        return await self._lines(min(self._until_s - now_s, ALIVE_S)) or b"\n"

    async def _lines(self, within_s: float) -> bytes:
        """The next lines. Whoever is gone makes room at once: there are few places."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._end_when_gone)
            lines = await self._follower.lines(within_s)
            nursery.cancel_scope.cancel()
        return lines

    async def _end_when_gone(self) -> None:
        await self._gone()
        self._follower.end()

    async def aclose(self) -> None:
        self._tap.leave(self._follower)
        await trio.lowlevel.checkpoint()


def followed(
    request: Request,
    tap: EventTap,
    least: Level,
    within_s: float = math.inf,
    *,
    ends_with_drain: bool = False,
) -> Response:
    """The answer to somebody who asks to follow the log."""
    follower = tap.follow(least, ends_with_drain=ends_with_drain)
    if follower is None:
        why = Refusal(Code.DRAINING) if tap.is_draining else Refusal(Code.OVERLOADED, TOO_MANY)
        return refused(why)
    head = ((b"content-type", b"application/x-ndjson"),)
    return Response(200, head, FollowedLog(tap, follower, request.gone, within_s))


async def _erase(erasing: Awaitable[Erased]) -> Response:
    try:
        return json_response(200, attrs.asdict(await erasing), NO_STORE)
    except ErasureFailedError as error:
        return refusal(503, "erasure_failed", str(error))


def _answer(acted: Acted | Refusal, told: Callable[[Acted], dict[str, object]]) -> Response:
    if isinstance(acted, Refusal):
        return refused(acted)
    return json_response(200, told(acted), NO_STORE)


def _strings(body: bytes) -> dict[str, str] | None:
    try:
        asked = orjson.loads(body)
    except ValueError:
        return None
    if not isinstance(asked, dict) or not all(isinstance(one, str) for one in asked.values()):
        return None
    return asked


def _wrong(sentence: str) -> Response:
    return refused(Refusal(Code.INVALID_PAYLOAD, sentence))
