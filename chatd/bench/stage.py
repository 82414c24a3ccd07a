"""A server that is there, and what a scenario needs to measure it.

Owns what all scenarios share: who the users are, how they are played, and the points so far. It
must not know any scenario.
"""

import secrets
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import attrs
import orjson

from chatd.auth import mint
from chatd.bench.address import Address
from chatd.bench.client import Transport
from chatd.bench.daemon import OwnDaemon
from chatd.bench.dialect import Dialect, chat, chat_echo
from chatd.bench.fleet import Fleet, Seen, open_fleet
from chatd.bench.options import Options
from chatd.bench.orders import Cast, Open
from chatd.bench.players import User
from chatd.bench.progress import Progress
from chatd.bench.results import Moment, Point, Target
from chatd.bench.server_watch import ServerWatch
from chatd.bench.steadiness import Finding
from chatd.counts import counted
from chatd.observe.clock import Clock

COME_S: Final = 30.0
"""Seconds that everybody has to come, and one more for each `COME_A_SECOND` of them."""
COME_A_SECOND: Final = 100
RUNS: Final = 1 << 32
STEPS: Final = 1000
"""No run has as many steps."""
TOKEN_TTL_S: Final = 86_400
CLAIM: Final = "connections"
AUDIENCE: Final = "authenticated"


class SetupError(Exception):
    """The run cannot begin as it was asked for; the message is one sentence for a person."""


@attrs.define(eq=False)
class Stage:
    """One server, and one run.

    family, sockaddr: what the resolver said about its address. daemon: the process, if it is the
    run's own. points: what was measured so far; reasons: why something failed, and how often.
    series: what was seen over time; findings: whether that stayed flat. first_step: the number of
    the first step. It differs in each run, so that a message that a server still has from an
    earlier run does not count in this one.
    """

    options: Options
    target: Target
    address: Address
    family: int
    sockaddr: list[str | int]
    watch: ServerWatch
    progress: Progress
    daemon: OwnDaemon | None = None
    points: list[Point] = attrs.field(factory=list)
    reasons: Counter[str] = attrs.field(factory=Counter)
    series: list[Moment] = attrs.field(factory=list)
    findings: list[Finding] = attrs.field(factory=list)
    first_step: int = attrs.field(factory=lambda: secrets.randbelow(RUNS) * STEPS)

    @property
    def is_chatd(self) -> bool:
        return self.target.kind == "chatd"

    def dialect(self) -> Dialect:
        """How messages are sent. Raises SetupError if the server is not a chatd, and no option says
        what to send."""
        options = self.options
        if options.event is None:
            if self.is_chatd:
                return chat(sends_receipts=options.receipts)
            raise SetupError(
                f"What answers at {self.target.url} is no chatd: say by --event, --payload and "
                "--join how a message is sent there."
            )
        return self._given(options.event, options.payload or '"%m%p"')

    def echo_dialect(self) -> Dialect:
        """How to send an event that the server only acks. Raises SetupError."""
        options = self.options
        if options.event is None:
            if self.is_chatd:
                return chat_echo()
            raise SetupError(
                f"What answers at {self.target.url} is no chatd: name an event that it acks by "
                "--event."
            )
        return self._given(options.event, options.payload or '"%p"')

    def presence_dialect(self) -> Dialect:
        """What clients say that only connect."""
        if self.is_chatd and self.options.event is None:
            return chat_echo()
        return Dialect(join=self.options.join, message='["none"]')

    def _given(self, event: str, payload: str) -> Dialect:
        name = orjson.dumps(event).decode()
        return Dialect(
            join=self.options.join,
            message=f"[{name},{payload}]",
            acks_say_ok=self.is_chatd,
            sends_receipts=False,
        )

    def seats(self, connections: int, room_size: int) -> tuple[list[str], int]:
        """The room of each user, and how many each room has: as many as was asked for, or as
        follows from the rooms that were named. There are only as many users as fill whole rooms."""
        named = self.options.rooms
        if named:
            room_size = max(1, connections // len(named))
            return [room for room in named for _ in range(room_size)][:connections], room_size
        room_size = min(room_size, connections)
        rooms = range(connections // room_size)
        return [f"bench-{number}" for number in rooms for _ in range(room_size)], room_size

    def receivers(self, room_size: int) -> int:
        """How many users receive a message to a room of that size."""
        return room_size - 1 if self.options.others_only else room_size

    def users(self, rooms: Sequence[str]) -> list[User]:
        """A user for each of these rooms, in it. Raises SetupError."""
        return [User(index, room, self._auth(index, room)) for index, room in enumerate(rooms)]

    def _auth(self, index: int, room: str) -> dict[str, Any] | None:
        options = self.options
        if options.auth is not None:
            auth: dict[str, Any] = orjson.loads(options.auth)
            return auth
        if not self.is_chatd:
            return None
        if options.tokens:
            token = options.tokens[index % len(options.tokens)]
        elif (secret := self.daemon.secret if self.daemon else options.secret) is not None:
            token = mint(
                secret,
                user_id=f"bench-{index}",
                rooms=[room],
                name=None,
                ttl_s=TOKEN_TTL_S,
                now_s=Clock().wall_s(),
                audience=AUDIENCE,
                issuer="",
                claim=CLAIM,
            )
        else:
            raise SetupError(
                "A chatd lets in users with a token: give the secret that it signs them with "
                "(--secret), or tokens (--token-file)."
            )
        return {"token": token, "connectionId": room}

    @asynccontextmanager
    async def fleet(
        self,
        users: Sequence[User],
        dialect: Dialect,
        transport: Transport | None = None,
        sql: str | None = None,
        processes: int | None = None,
    ) -> AsyncIterator[Fleet]:
        """The processes that play these users: as many as were asked for, or `processes`."""
        cast = Cast(
            address=self.address,
            family=self.family,
            sockaddr=self.sockaddr,
            transport=transport or self.options.transport,
            dialect=dialect,
            users=[],
            padding_bytes=self.options.size_bytes,
            sql=sql,
        )
        async with open_fleet(processes or self.options.processes, cast, users) as fleet:
            yield fleet

    async def come(self, fleet: Fleet, count: int, at_once: int | None = None) -> Seen:
        """Have the first `count` users come; returns their report. Raises SetupError if nobody
        comes."""
        within_s = COME_S + count / COME_A_SECOND
        each = max(1, (at_once or self.options.at_once) // len(fleet))
        counts = fleet.counts(count)
        with self.progress.step(f"{counted(count, 'client')} to come", count / 2000):
            seen = await fleet.each(lambda place: Open(counts[place], each, within_s))
        self.note(seen)
        if not seen.ready:
            why = next(iter(seen.reasons), "nobody answers")
            raise SetupError(f"No client could connect to {self.target.url}: {why}.")
        return seen

    def note(self, seen: Seen) -> None:
        """Keep why something failed; a later report of the same processes includes all of it."""
        self.reasons |= seen.reasons

    def add(self, point: Point) -> None:
        """Keep what was measured."""
        self.points.append(point)
