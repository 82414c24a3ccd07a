"""What happens to each event of clients: the table by which `Dispatcher` works.

Each class of `chatd/service/events` gives the routes of its events, so that an event is complete in
one file. Together they are the table, which has each event once.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Literal, Protocol, TypeAlias

import attrs

from chatd.service.acks import Handled
from chatd.service.client import Client
from chatd.service.rates import Limit
from chatd.wire.codes import Refusal
from chatd.wire.events import EventPayload
from chatd.wire.names import ClientEvent
from chatd.wire.unknown import plain_names

Read: TypeAlias = Callable[[Client, Any, int | None], Any]  # what the handler gets, or a Refusal
Handler: TypeAlias = Callable[[Client, Any, int | None], Handled]
Refuse: TypeAlias = Callable[[Client, int | None, object, Refusal], None]

PERMITTED: Final = "permitted"
JOINED: Final = "joined"


@attrs.frozen
class Route:
    """What happens to one kind of event; see the steps of `chatd.service.dispatch`.

    `room`: the client has to be permitted to use the room that the payload names; if this is
    JOINED, the client joins the room first, unless it is there. `writes`: the client has to be
    permitted to change something in that room. `limit`: the event spends a token of this limit of
    its user. `is_query`: the ack is a page, which does not count as backlog, since the handler has
    waited for the peer to catch up; and it is given only if the client may still use the room then.
    `as_event`: what a client gets instead of the ack if it asked for none; None: nothing. `refuse`:
    tells the client of a refusal, with the payload as written; None: by `chat:error`, as for most.
    """

    payload: type[Any]
    handler: Handler
    read: Read | None = None
    room: Literal["permitted", "joined"] | None = None
    limit: Limit | None = None
    writes: bool = False
    is_query: bool = False
    as_event: Callable[[Any], EventPayload] | None = None
    refuse: Refuse | None = None
    plain_names: frozenset[str] = attrs.field(
        init=False,
        default=attrs.Factory(lambda self: plain_names(self.payload), takes_self=True),
    )


Routes: TypeAlias = Mapping[ClientEvent, Route]


class Routed(Protocol):
    """What carries out some of the events."""

    def routes(self) -> Routes:
        """What happens to each of them."""
        ...


def table(events: Iterable[Routed]) -> dict[str, Route]:
    """The routes of all events, by name. Raises ValueError if an event has none, or two."""
    found: dict[str, Route] = {}
    for some in events:
        for event, route in some.routes().items():
            if event in found:
                raise ValueError(f"{event} has two routes")
            found[event.value] = route
    lacking = [event.value for event in ClientEvent if event not in found]
    if lacking:
        raise ValueError(f"no route for {', '.join(lacking)}")
    return found
