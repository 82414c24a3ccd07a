"""Every key of the configuration: name, default, unit, what it accepts, what happens beyond it.

This is the one home of all of them (SPEC 8, configuration). A class is a section of chatd.toml, a
field is a key (a field of `Config` that is one itself is a section with names of anybody's choice);
what `key` is told travels in the field's metadata, from where loading, `explain`
and `sample` take it. The values are checked however an object is built, so that a `Config` that
exists is one that can be used.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import attrs

from chatd.config.databases import Database, Databases
from chatd.config.kinds import (
    MOST_PORT,
    Choice,
    Flag,
    Kind,
    Networks,
    Origins,
    Place,
    Rate,
    Seconds,
    Text,
    Whole,
)
from chatd.config.rooms import Connections, FileConnection

ABOUT = "chatd.config"
"""Under this name a field's metadata holds its `About`."""

DEMO_ROOM = "demo"
"""The room of a start without configuration, which the sample database answers in."""
MOST_ANSWER_BYTES = 1_000_000_000
"""The longest answer: so many of it at once are still a backlog that can be written down."""


@attrs.frozen
class About:
    """What is known of a key beside its name and default."""

    kind: Kind
    doc: str
    source: str
    secret: bool = False


def key(default: object, kind: Kind, doc: str, source: str, *, secret: bool = False) -> Any:
    """A field of a section. `doc` is one line with the unit and what happens beyond the value;
    `source` says which rule the key comes from."""
    return attrs.field(
        default=default,
        converter=kind.take,
        repr=not secret,
        metadata={ABOUT: About(kind, doc, source, secret)},
    )


def about(field: "attrs.Attribute[Any]") -> About:
    """What `key` was told about a field."""
    known: About = field.metadata[ABOUT]
    return known


@attrs.frozen
class Server:
    """Where the daemon listens, and what one peer may ask of it."""

    host: str = key(
        "127.0.0.1",
        Text("a host name or address", empty=False),
        'Address to listen on; "::" is every one, of IPv4 too. Beyond loopback a real '
        "auth.jwt_secret is needed.",
        "SPEC 8",
    )
    port: int = key(
        8765,
        Whole(0, MOST_PORT),
        "TCP port, 0 to 65535; 0 takes any that is free.",
        "SPEC 8",
    )
    origins: tuple[str, ...] = key(
        (),
        Origins(),
        "Origins of web pages that may connect, beside the daemon's own; others get 403.",
        "SPEC 1",
    )
    internal: str = key(
        "",
        Place(),
        "Where /livez, /readyz and /metrics are: a socket's path or HOST:PORT; empty: "
        "internal.sock in the state directory.",
        "SPEC 8",
    )
    trusted_proxies: tuple[str, ...] = key(
        (),
        Networks(),
        "Networks whose X-Forwarded-For is believed; from others it is ignored.",
        "SPEC 8",
    )
    max_payload_bytes: int = key(
        1_000_000,
        Whole(),
        "Bytes of one packet or polling body from a client; beyond: the session is closed.",
        "Engine.IO 4, handshake; SPEC 8",
    )
    ping_interval_s: float = key(
        25.0,
        Seconds(),
        "Seconds between two pings of the daemon.",
        "Engine.IO 4, heartbeat",
    )
    ping_timeout_s: float = key(
        20.0,
        Seconds(),
        "Seconds that a client has to answer a ping; beyond: the session is closed.",
        "Engine.IO 4, heartbeat",
    )
    drain_timeout_s: float = key(
        10.0,
        Seconds(),
        "Seconds that a stop may take, hung disk or not; beyond: the process ends.",
        "SPEC 8, drain",
    )
    connect_timeout_s: float = key(
        10.0,
        Seconds(),
        "Seconds until a session must be authenticated; beyond: it is closed.",
        "SPEC 2",
    )
    head_timeout_s: float = key(
        10.0,
        Seconds(),
        "Seconds until the head of a request is complete; beyond: the connection is closed.",
        "SPEC 9, promise 5",
    )
    max_head_bytes: int = key(
        16_384,
        Whole(),
        "Bytes of the head of a request; beyond: 431.",
        "SPEC 9, promise 5",
    )
    max_connections: int = key(
        20_000,
        Whole(),
        "Open connections; beyond: the oldest without a token is closed, or 503 with Retry-After.",
        "SPEC 1",
    )
    backlog_bytes: int = key(
        1_048_576,
        Whole(),
        "Bytes owed to one socket; beyond: its transport is closed as a slow consumer.",
        "SPEC 5, slow consumers",
    )
    accept_backlog: int = key(
        4096,
        Whole(),
        "Connections that the kernel keeps until they are accepted; beyond: it refuses them.",
        "DESIGN, one port",
    )
    upgrade_timeout_s: float = key(
        10.0,
        Seconds(),
        "Seconds that an upgrade to WebSocket may take; beyond: the session stays on polling.",
        "Engine.IO 4, upgrade",
    )


@attrs.frozen
class Auth:
    """Which tokens are accepted."""

    jwt_secret: str = key(
        "",
        Text("a text without control characters or line breaks", secret=True),
        "Secret of HS256 tokens (Supabase: the project's JWT secret); empty: one is generated.",
        "SPEC 2",
        secret=True,
    )
    audience: str = key(
        "authenticated",
        Text("a text of at least one character", empty=False),
        "What `aud` of a token must be; others are refused.",
        "SPEC 2",
    )
    issuer: str = key("", Text(), "What `iss` must be; empty: it is not checked.", "SPEC 2")
    query_token: bool = key(
        True,
        Flag(),
        "Whether a token is also taken from the URL of the handshake.",
        "SPEC 2",
    )
    leeway_s: float = key(
        30.0,
        Seconds(least=0),
        "Seconds by which clocks may differ; a token expired for longer is refused.",
        "SPEC 2",
    )
    max_token_bytes: int = key(
        8192,
        Whole(),
        "Bytes of a token; beyond: it is refused unread.",
        "DESIGN, tokens",
    )


@attrs.frozen
class Directory:
    """Who may use which room."""

    source: str = key(
        "claim",
        Choice(("claim", "file")),
        'Where the rooms of a user stand: "claim" (in the token) or "file" (below).',
        "SPEC 2",
    )
    claim: str = key(
        "connections",
        Text("a dotted path such as app_metadata.connections", empty=False),
        "Dotted path of the list in the token.",
        "SPEC 2",
    )
    connections: Mapping[str, FileConnection] = key(
        MappingProxyType({}),
        Connections(),
        'The rooms of source = "file": a title, and the users or ["*"].',
        "SPEC 2",
    )


@attrs.frozen
class State:
    """Where messages are kept, and how surely."""

    dir: str = key(
        "",
        Text(),
        "Directory; empty: $STATE_DIRECTORY, $XDG_STATE_HOME/chatd or ~/.local/state/chatd.",
        "SPEC 7",
    )
    durability: str = key(
        "fsync",
        Choice(("fsync", "write")),
        '"fsync" survives a power cut, "write" a killed process only.',
        "SPEC 7",
    )
    snapshot_interval_s: float = key(
        60.0,
        Seconds(),
        "Seconds between two snapshots of what is in memory.",
        "SPEC 7",
    )


@attrs.frozen
class Messages:
    """What a message may be, and how many are shown at once."""

    markup: str = key(
        "neutralise",
        Choice(("neutralise", "escape", "keep")),
        'What happens to HTML in text of people: "neutralise", "escape" or "keep".',
        "SPEC 5, markup",
    )
    content_chars: int = key(
        10_000,
        Whole(),
        "Characters of a message; beyond: content_too_long.",
        "SPEC 5, message",
    )
    history_on_join: int = key(
        50,
        Whole(),
        "Messages that a joining socket gets; older ones on request.",
        "SPEC 4",
    )
    history_page: int = key(
        200,
        Whole(),
        "Messages in one page of history; the rest comes in further pages.",
        "SPEC 3, chat:history:get",
    )
    keep_days: int = key(
        0,
        Whole(least=0),
        "Days that messages are kept; older ones are removed for good. 0: for ever.",
        "SPEC 5, message",
    )
    keep_per_room: int = key(
        0,
        Whole(least=0),
        "Messages kept in a room; the oldest beyond are removed for good. 0: all.",
        "SPEC 5, message",
    )


@attrs.frozen
class Limits:
    """How much one user, socket, room or address may do: any positive number, however large."""

    user_messages_per_minute: float = key(
        30,
        Rate(),
        "Messages a minute of a user; beyond: rate_limited.",
        "SPEC 5, limits",
    )
    socket_messages_per_minute: float = key(
        60,
        Rate(),
        "Messages a minute of a socket; beyond: rate_limited.",
        "SPEC 5, limits",
    )
    room_messages_per_minute: float = key(
        600,
        Rate(),
        "Messages a minute of a room; beyond: rate_limited.",
        "SPEC 5, limits",
    )
    user_typing_per_minute: float = key(
        10,
        Rate(),
        "Typing starts a minute of a user; beyond: rate_limited.",
        "SPEC 5, limits",
    )
    socket_events_per_minute: float = key(
        600,
        Rate(),
        "Events of any kind a minute of a socket; beyond: rate_limited.",
        "SPEC 5, limits",
    )
    sockets_per_user: float = key(
        20,
        Rate(),
        "Open sockets of a user; beyond: CONNECT_ERROR.",
        "SPEC 5, limits",
    )
    sessions_per_address: float = key(
        500,
        Rate(),
        "Open sessions of an address (IPv6: a /64); beyond: the oldest without a token is closed, "
        "or 503 with Retry-After.",
        "SPEC 5, limits",
    )
    pending_sessions_per_address: float = key(
        400,
        Rate(),
        "Of these, sessions that have shown no token yet; beyond: the oldest of them is closed.",
        "SPEC 1",
    )
    connections_per_address: float = key(
        1000,
        Rate(),
        "Open connections of an address, or sessions_per_address if more; beyond: likewise.",
        "SPEC 9, promise 5",
    )
    rooms_per_socket: float = key(
        100,
        Rate(),
        "Rooms that a socket has joined; beyond: rate_limited.",
        "SPEC 5, limits",
    )
    handshakes_per_second: float = key(
        2000,
        Rate(),
        "New sessions a second; beyond: 503 with Retry-After.",
        "SPEC 5, limits",
    )


@attrs.frozen
class Answers:
    """How questions to the databases are answered, and how many at once."""

    enabled: bool = key(
        True,
        Flag(),
        "Whether questions are answered at all; otherwise every message is just chat.",
        "SPEC 6",
    )
    max_rows: int = key(
        1000,
        Whole(),
        "Rows of an answer; beyond: it is truncated, and says so.",
        "SPEC 6, bounds",
    )
    max_bytes: int = key(
        262_144,
        Whole(most=MOST_ANSWER_BYTES),
        "Bytes of the rows of an answer, as JSON; beyond: it is truncated, and says so. Twice this "
        "and 524_288 must fit into server.backlog_bytes.",
        "SPEC 6, bounds",
    )
    timeout_s: float = key(
        30.0,
        Seconds(),
        "Seconds that an answer may take; beyond: it is stopped, db_timeout.",
        "SPEC 6, bounds",
    )
    answers_per_user: int = key(
        2,
        Whole(),
        "Answers under way for a user; beyond: a question waits, then db_busy.",
        "SPEC 6, bounds",
    )
    answers_per_room: int = key(
        4,
        Whole(),
        "Answers under way in a room, of which one user never has the last; beyond: as above.",
        "SPEC 6, bounds",
    )
    answers_per_database: int = key(
        8,
        Whole(),
        "Answers under way from a database, no more than its connections; one user never has the "
        "last; beyond: as above.",
        "SPEC 6, bounds",
    )
    wait_s: float = key(
        5.0,
        Seconds(least=0),
        "Seconds from when a question is stored to when it is asked, at most; beyond: db_busy.",
        "SPEC 6, bounds",
    )
    cache_ttl_s: float = key(
        30.0,
        Seconds(least=0),
        "Seconds that an equal question gets the same answer; 0: each one is asked.",
        "SPEC 6, cache",
    )
    cancel: str = key(
        "asker",
        Choice(("asker", "members")),
        'Who may cancel an answer: the "asker", or all "members" of the room.',
        "SPEC 3, answer:cancel",
    )


@attrs.frozen
class Log:
    """What is written to standard error."""

    format: str = key(
        "auto",
        Choice(("auto", "people", "json", "logfmt")),
        '"people", "json", "logfmt", or "auto": people on a terminal, JSON elsewhere.',
        "SPEC 8",
    )
    level: str = key(
        "info",
        Choice(("debug", "info", "warning", "error")),
        "The least that is written.",
        "SPEC 8",
    )


@attrs.frozen
class Config:
    """The whole configuration; `Config()` is the defaults."""

    server: Server = attrs.field(factory=Server)
    auth: Auth = attrs.field(factory=Auth)
    directory: Directory = attrs.field(factory=Directory)
    state: State = attrs.field(factory=State)
    messages: Messages = attrs.field(factory=Messages)
    limits: Limits = attrs.field(factory=Limits)
    answers: Answers = attrs.field(factory=Answers)
    databases: Mapping[str, Database] = key(
        MappingProxyType({DEMO_ROOM: Database(sample=True)}),
        Databases(),
        "The database of each room, and who answers for it; where none is written, this one:",
        "SPEC 6",
    )
    log: Log = attrs.field(factory=Log)


def sections() -> dict[str, type[Any]]:
    """The section classes by name, in the order of the file."""
    return {
        field.name: field.type
        for field in attrs.fields(Config)
        if field.type is not None and ABOUT not in field.metadata
    }


def tables() -> "dict[str, attrs.Attribute[Any]]":
    """The sections that are one key each, whose names are up to who writes them."""
    return {field.name: field for field in attrs.fields(Config) if ABOUT in field.metadata}


def keys_of(section: type[Any]) -> "dict[str, attrs.Attribute[Any]]":
    """The keys of a section by name, in the order of the file."""
    return {field.name: field for field in attrs.fields(section)}
