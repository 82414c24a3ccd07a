"""What a run was asked for, as one value; and the defaults, unless a scenario has its own."""

import attrs

from chatd.bench.client import Transport


@attrs.frozen
class Options:
    """One run. None, or no load, is the scenario's default.

    url: the server; None for a chatd of its own. secret, tokens: what a token of chatd is signed
    with, or tokens that are there. active: how many of the connections send, in a soak. rooms:
    those to use; none for as many as there have to be. event, payload, join, auth: templates for
    servers that are not chatd (`dialect`), JSON. others_only: whether the server sends a message to
    all in a room except its sender. receipts: whether messages are acknowledged as clients of chatd
    do. pid, metrics: where to find out what the server spends, beside what is known anyway.
    """

    url: str | None = None
    secret: str | None = None
    tokens: tuple[str, ...] = ()
    rooms: tuple[str, ...] = ()
    processes: int = 1
    transport: Transport = Transport.WEBSOCKET
    seconds: float | None = None
    connections: int | None = None
    active: int | None = None
    loads: tuple[float, ...] = ()
    room_size: int | None = None
    size_bytes: int = 40
    receipts: bool = True
    event: str | None = None
    payload: str | None = None
    join: str | None = None
    auth: str | None = None
    others_only: bool = False
    sql: str | None = None
    at_once: int = 100
    patience_s: float = 5.0
    pid: int | None = None
    metrics: str | None = None

    def shown(self) -> dict[str, object]:
        """The options that the document of the run shows: those that were given, without
        secrets."""
        given = attrs.asdict(self, filter=attrs.filters.exclude("secret", "tokens", "auth"))
        usual = attrs.asdict(Options())
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in given.items()
            if value != usual[name]
        }
