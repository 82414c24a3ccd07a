"""Every key of the configuration: name, default, unit, what it accepts, what happens beyond it.

This is the one home of all of them. A class is a section of chatd.toml, a field is a key (a field
of `Config` that is one itself is a section whose names the operator chooses); the arguments of
`key` travel in the field's metadata, from which loading, `explain`, `sample` and the reference take
them. The values are checked however an object is built, so any `Config` that exists can be used.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import attrs

from chatd.answers.mcp.settings import DatabaseSettings
from chatd.auth import Bot, FileConnection, FormerSecret
from chatd.config.api_tokens import API_TOKENS
from chatd.config.databases import DATABASES
from chatd.config.kinds import (
    MOST_PORT,
    NETWORKS,
    ORIGINS,
    BusAddress,
    Bytes,
    Choice,
    FileMode,
    Flag,
    Link,
    ListenAddress,
    NodeName,
    OwnClaim,
    PostgresAddress,
    PublicAddress,
    Rate,
    RoomsQuery,
    SchemaName,
    Seconds,
    Text,
    ValueKind,
    WholeNumber,
)
from chatd.config.rooms import CONNECTIONS
from chatd.config.tokens import CALLERS, FormerSecrets, KeySetPlace, SupabaseProject

ABOUT = "chatd.config"
"""Under this name a field's metadata holds its `About`."""

DEMO_ROOM = "demo"
"""The room of a start without configuration; the sample database answers in it."""
MOST_ANSWER_BYTES = 1_000_000_000
"""The longest answer. `server.backlog_bytes` has to hold twice as much, and must stay a number that
a person can read."""

MOST_POOL = 100
"""As many connections as PostgreSQL accepts by default in total."""
MOST_EXPORT_ROWS = 10_000_000
"""A longer file is not a download by somebody who chats, but a dump."""
MOST_EXPORT_BYTES = 1_073_741_824
"""So much of the disk for temporary files each download under way needs."""
MOST_DISK_BYTES = 2**50
"""No disk of one machine is larger."""


@attrs.frozen
class About:
    """What is known about a key beside its name and default."""

    kind: ValueKind
    doc: str
    why: str
    secret: bool = False
    written: str | None = None
    """How a file spells the key, if not like the name of the field."""


def key(
    default: object,
    kind: ValueKind,
    doc: str,
    why: str,
    *,
    secret: bool = False,
    written: str | None = None,
) -> Any:
    """A field of a section. `doc` is a sentence with the unit and what happens beyond the value;
    `why` says where the default comes from, or what the key is for."""
    return attrs.field(
        default=default,
        converter=kind.structure,
        repr=not secret,
        metadata={ABOUT: About(kind, doc, why, secret, written)},
    )


def about(field: "attrs.Attribute[Any]") -> About:
    """The arguments that `key` got for a field."""
    known: About = field.metadata[ABOUT]
    return known


@attrs.frozen
class ServerConfig:
    """Where the daemon listens, and what one peer may ask of it."""

    host: str = key(
        "127.0.0.1",
        PublicAddress(),
        'Address to listen on; "::" is every one, of IPv4 too; "unix:/run/chatd/chatd.sock" is a '
        "socket, and no port. Beyond this machine a real auth.jwt_secret, or a key set, is needed.",
        "A start without a secret is open to this machine only.",
    )
    port: int = key(
        8765,
        WholeNumber(0, MOST_PORT),
        "TCP port, 0 to 65535; 0 takes any that is free.",
        "A port above 1023 needs no privileges.",
    )
    socket_mode: str = key(
        "0660",
        FileMode(),
        "Permissions of the socket of a host with unix:; whoever may write to it may connect.",
        "A proxy that is in the daemon's group connects, and nobody else.",
    )
    origins: tuple[str, ...] = key(
        (),
        ORIGINS,
        "Origins of web pages that may connect, beside the daemon's own; others get 403.",
        "A page of another site must not use the token that a browser keeps.",
    )
    internal: str = key(
        "",
        ListenAddress(),
        "Where /livez, /readyz and /metrics are: a socket's path or HOST:PORT; empty: "
        "internal.sock in the state directory.",
        "A socket in the state directory is open to the daemon's own user only.",
    )
    internal_admin: bool = key(
        False,
        Flag(),
        "Whether `chatd admin` works over an internal listener that is HOST:PORT; over a socket it "
        "always does.",
        "Whoever reaches a port of this machine could act as an administrator.",
    )
    trusted_proxies: tuple[str, ...] = key(
        (),
        NETWORKS,
        "Networks whose headers about the client are believed (proxy_headers); those of others are "
        'ignored. "unix:" is whoever connects to a unix socket.',
        "Every client can send these headers.",
    )
    proxy_headers: str = key(
        "x-forwarded",
        Choice(("x-forwarded", "forwarded")),
        'What these proxies write: "x-forwarded" (X-Forwarded-For, -Host, -Proto, -Port), or '
        '"forwarded" (Forwarded, RFC 7239). The other is ignored.',
        "A proxy passes on what its client wrote of the other.",
    )
    proxy_protocol: bool = key(
        False,
        Flag(),
        "Whether each connection begins with a header of the PROXY protocol, 1 or 2; one without, "
        "or not from trusted_proxies, is closed.",
        "For proxies that pass on TCP. It is never guessed: a client could write it too.",
    )
    max_payload_bytes: int = key(
        1_000_000,
        Bytes(),
        "Bytes of one packet or polling body from a client; beyond: the session is closed.",
        "The reference server of Engine.IO announces as much (maxPayload).",
    )
    ping_interval_s: float = key(
        25.0,
        Seconds(),
        "Seconds between two pings of the daemon.",
        "As in the reference server of Engine.IO (pingInterval).",
    )
    ping_timeout_s: float = key(
        20.0,
        Seconds(),
        "Seconds that a client has to answer a ping; beyond: the session is closed.",
        "As in the reference server of Engine.IO (pingTimeout).",
    )
    drain_timeout_s: float = key(
        10.0,
        Seconds(),
        "Seconds that a stop may take, hung disk or not; beyond: the process ends.",
        "Container platforms kill a process 10 seconds after they ask it to stop, or later.",
    )
    connect_timeout_s: float = key(
        10.0,
        Seconds(),
        "Seconds until a session must be authenticated; beyond: it is closed.",
        "A client sends its token at once; one that sends none must not fill the daemon.",
    )
    head_timeout_s: float = key(
        10.0,
        Seconds(),
        "Seconds until the head of a request is complete; beyond: the connection is closed.",
        "A peer that sends a byte now and then must not hold a descriptor for ever.",
    )
    max_head_bytes: int = key(
        16_384,
        Bytes(),
        "Bytes of the head of a request; beyond: 431.",
        "As in Node.js.",
    )
    max_connections: int = key(
        20_000,
        WholeNumber(),
        "Open connections; beyond: the oldest without a token is closed, or 503 with Retry-After.",
        "Each takes a descriptor and a few KiB.",
    )
    backlog_bytes: int = key(
        1_048_576,
        Bytes(),
        "Bytes owed to one socket; beyond: its transport is closed as a slow consumer.",
        "A client that does not read must not take the memory of others.",
    )
    accept_backlog: int = key(
        4096,
        WholeNumber(),
        "Connections that the kernel keeps until they are accepted; beyond: it refuses them.",
        "Linux allows as many by default (net.core.somaxconn).",
    )
    upgrade_timeout_s: float = key(
        10.0,
        Seconds(),
        "Seconds that an upgrade to WebSocket may take; beyond: the session stays on polling.",
        "As in the reference server of Engine.IO (upgradeTimeout).",
    )


@attrs.frozen
class AuthConfig:
    """Which tokens are accepted."""

    jwt_secret: str = key(
        "",
        Text("a text without control characters or line breaks", secret=True),
        "Secret of HS256 tokens (Supabase: the project's JWT secret); empty: one is generated.",
        "Its holder can sign for any user; it has at least 32 bytes (RFC 7518, 3.2).",
        secret=True,
    )
    former_secrets: tuple[FormerSecret, ...] = key(
        (),
        FormerSecrets(),
        'Further secrets of HS256, at most 8 with the first, each with its end: [{ secret = "...", '
        "until = 2027-01-31T00:00:00Z }]. Tokens that they signed are refused from then on.",
        "To change a secret without signing everybody out.",
        secret=True,
    )
    jwks: str = key(
        "",
        KeySetPlace(),
        "Key set of whoever signs tokens with RS256, ES256 or EdDSA: an address of https, or a "
        "file; read again every 10 minutes.",
        "Whoever verifies tokens need not be able to sign them.",
    )
    supabase: str = key(
        "",
        SupabaseProject(),
        "Address of a project of Supabase: sets auth.jwks and auth.issuer to the project's, where "
        "these are empty.",
        "One line instead of three.",
        written="supabase.url",
    )
    allow: tuple[str, ...] = key(
        (),
        CALLERS,
        'Who is let in beside users who have signed up: "anonymous" users, and tokens of the roles '
        '"anon" and "service_role" that name a user.',
        "The keys of a project are signed as tokens are, and everybody has the public one.",
    )
    audience: str = key(
        "authenticated",
        Text("a text of at least one character", empty=False),
        "What `aud` of a token must be; others are refused.",
        "Supabase's for users who are signed in.",
    )
    issuer: str = key(
        "",
        Text(),
        "What `iss` must be; empty: it is not checked.",
        "Set it if several projects share a secret; Supabase's is https://PROJECT.supabase.co/auth/v1.",
    )
    query_token: bool = key(
        True,
        Flag(),
        "Whether a token is also taken from the URL of the handshake.",
        "Some clients cannot send it otherwise; URLs stand in the logs of proxies.",
    )
    leeway_s: float = key(
        30.0,
        Seconds(least=0),
        "Seconds by which clocks may differ; a token expired for longer is refused.",
        "Clocks that are synchronised differ by less.",
    )
    max_token_bytes: int = key(
        8192,
        Bytes(),
        "Bytes of a token; beyond: it is refused unread.",
        "Supabase's have one or two thousand.",
    )
    admin_claim: str = key(
        "",
        OwnClaim(),
        "Dotted path of the claim that says who may open the page at /admin; empty: nobody may.",
        "With Supabase app_metadata.role, say: users cannot write app_metadata.",
    )
    admin_role: str = key(
        "admin",
        Text("a text of at least one character", empty=False),
        "The value of that claim for an administrator, or one of its entries, if it is a list.",
        "Tokens may know other roles.",
    )


@attrs.frozen
class DirectoryConfig:
    """Who may use which room."""

    source: str = key(
        "claim",
        Choice(("claim", "file", "sql")),
        'Where the rooms of a user stand: "claim" (in the token), "file" (below) or "sql" (in a '
        "PostgreSQL database).",
        "A token that lists them needs no second place that has to be kept in step.",
    )
    claim: str = key(
        "connections",
        Text("a dotted path such as app_metadata.connections", empty=False),
        "Dotted path of the list in the token.",
        "With Supabase take one in app_metadata, which users cannot write.",
    )
    url: str = key(
        "",
        PostgresAddress(),
        'The database of source = "sql", as libpq reads it; TLS as it says (sslmode=verify-full).',
        "Supabase's is that of a direct connection, or of the pooler in session or transaction "
        "mode.",
        secret=True,
    )
    query: str = key(
        "",
        RoomsQuery(),
        "SQL that reads the rooms of the user $1: columns connection_id, and as wanted title and "
        "role (owner, member, viewer). Empty: public.connections and public.connection_members.",
        "Tables have other names elsewhere; see docs/operations.",
    )
    ttl_s: float = key(
        60.0,
        Seconds(least=1),
        "Seconds that an answer of the database counts; a room that is taken away is left within "
        "them.",
        "A database is asked about each user who is connected nearly twice in this time.",
    )
    outage_s: float = key(
        300.0,
        Seconds(least=0),
        "Seconds beyond that for which connected users keep their rooms while the database does "
        "not answer; beyond: their transport is closed. Nobody new comes in meanwhile.",
        "A database that restarts should not end every chat.",
    )
    timeout_s: float = key(
        5.0,
        Seconds(least=0.1),
        "Seconds that an answer may take, a wait for a connection included; beyond: the user is "
        "refused.",
        "A client that connects waits for it.",
    )
    pool_connections: int = key(
        4,
        WholeNumber(most=MOST_POOL),
        "Connections with the database; beyond: questions wait.",
        "Databases have few of them: Supabase's smallest has 60 for everybody.",
    )
    connections: Mapping[str, FileConnection] = key(
        MappingProxyType({}),
        CONNECTIONS,
        'The rooms of source = "file": a title, and the users or ["*"], also as owners and '
        'viewers. A list that names a user counts before ["*"]; of several that do, the one '
        "with the greatest role.",
        "For teams whose tokens list no rooms.",
    )


@attrs.frozen
class StateConfig:
    """Where messages are kept, and how surely."""

    dir: str = key(
        "",
        Text(),
        "Directory; empty: $STATE_DIRECTORY, $XDG_STATE_HOME/chatd or ~/.local/state/chatd.",
        "systemd sets the first, the others are the XDG Base Directory Specification's.",
    )
    url: str = key(
        "",
        PostgresAddress(),
        "The database of PostgreSQL (14 or newer) that keeps the messages, as libpq reads it, TLS "
        "as it says (sslmode=verify-full); empty: SQLite in dir.",
        "Supabase's is that of a direct connection, or of the pooler in session mode, never in "
        "transaction mode.",
        secret=True,
    )
    schema: str = key(
        "chatd",
        SchemaName(),
        "The schema of that database with the tables of chatd, and of nobody else.",
        "Each chatd of a database has its own.",
    )
    durability: str = key(
        "fsync",
        Choice(("fsync", "write")),
        '"fsync" survives a power cut, "write" a killed process only; of PostgreSQL\'s, with url.',
        "A message that was acknowledged is stored.",
    )
    snapshot_interval_s: float = key(
        60.0,
        Seconds(),
        "Seconds between two snapshots of what is in memory.",
        "A crash forgets at most this much of presence and typing.",
    )
    min_free_bytes: int = key(
        268_435_456,
        Bytes(0, MOST_DISK_BYTES),
        "Bytes that are to be free on the disk of `dir`; below: the daemon is `degraded`.",
        "256 MiB: hours of a busy chat, in which somebody can make room. 0: any is enough.",
    )


@attrs.frozen
class ClusterConfig:
    """This node among others behind one proxy (docs/cluster)."""

    node: str = key(
        "",
        NodeName(),
        "The name of this node, which the id of each session begins with (`a.`); another one on "
        "each node. Empty: there is one node, and ids begin with no name.",
        "By it a proxy sends each request to the node that has the session, without a cookie.",
    )
    dead_after_s: float = key(
        10.0,
        Seconds(least=1.0),
        "How long PostgreSQL hears nothing of a node before the others may take it for dead; one "
        "whose process ends is dead at once.",
        "A hiccup of the network ends no life, and the users of a node that hangs are away before "
        "long.",
    )


@attrs.frozen
class BusConfig:
    """How nodes tell each other what was committed (docs/cluster)."""

    url: str = key(
        "",
        BusAddress(),
        "Redis, as redis://USER:PASSWORD@HOST:6379, rediss:// for TLS, or unix:///PATH; or a "
        "PostgreSQL database, as libpq reads it, in session mode. Empty: there is one node, or "
        "several that look 5 times a second.",
        "What it carries may get lost: messages are never only there.",
        secret=True,
    )


@attrs.frozen
class MessagesConfig:
    """What a message may be, and how many are shown at once."""

    markup: str = key(
        "neutralise",
        Choice(("neutralise", "escape", "keep")),
        'What happens to HTML in text of people: "neutralise", "escape" or "keep".',
        "A page that puts text into its HTML unescaped must not run what a user wrote.",
    )
    content_chars: int = key(
        10_000,
        WholeNumber(),
        "Characters of a message; beyond: content_too_long.",
        "Some pages of text; clients are told the number when they connect.",
    )
    history_on_join: int = key(
        50,
        WholeNumber(),
        "Messages that a joining socket gets; older ones on request.",
        "More than a screen shows.",
    )
    history_page: int = key(
        200,
        WholeNumber(),
        "Messages in one page of history; the rest comes in further pages.",
        "A page is one event, and has to fit into what a socket may be owed.",
    )
    keep_days: int = key(
        0,
        WholeNumber(least=0),
        "Days that messages are kept; older ones are removed for good. 0: for ever.",
        "Nothing is removed unless the operator says so.",
    )
    keep_per_room: int = key(
        0,
        WholeNumber(least=0),
        "Messages kept in a room; the oldest beyond are removed for good. 0: all.",
        "Nothing is removed unless the operator says so.",
    )


@attrs.frozen
class LimitsConfig:
    """How much one user, socket, room or address may do: any positive number, however large."""

    user_messages_per_minute: float = key(
        30,
        Rate(),
        "Messages a minute of a user; beyond: rate_limited.",
        "Nobody types more.",
    )
    socket_messages_per_minute: float = key(
        60,
        Rate(),
        "Messages a minute of a socket, or of a user over HTTP, where downloads count as messages; "
        "beyond: rate_limited.",
        "Twice what its user may send.",
    )
    room_messages_per_minute: float = key(
        600,
        Rate(),
        "Messages a minute of a room; beyond: rate_limited.",
        "Nobody reads more.",
    )
    user_typing_per_minute: float = key(
        10,
        Rate(),
        "Typing starts a minute of a user; beyond: rate_limited.",
        "Each goes to everybody in the room.",
    )
    user_changes_per_minute: float = key(
        60,
        Rate(),
        "Deletions and reactions a minute of a user; beyond: rate_limited. An edit is a message.",
        "They are quicker than typing.",
    )
    socket_events_per_minute: float = key(
        600,
        Rate(),
        "Events of any kind a minute of a socket; beyond: rate_limited.",
        "Acknowledgements of a busy room included.",
    )
    sockets_per_user: float = key(
        20,
        Rate(),
        "Open sockets of a user; beyond: CONNECT_ERROR.",
        "A few devices with a few tabs each.",
    )
    sessions_per_address: float = key(
        2000,
        Rate(),
        "Open sessions of an address (IPv6: a /64); beyond: the oldest without a token is closed, "
        "or 503 with Retry-After.",
        "An office of 700 people behind one address, with a few tabs each.",
    )
    pending_sessions_per_address: float = key(
        1500,
        Rate(),
        "Of these, sessions that have shown no token yet; beyond: the oldest of them is closed.",
        "The same office comes back at once; what is left are places for sessions with a token.",
    )
    connections_per_address: float = key(
        4000,
        Rate(),
        "Open connections of an address, or sessions_per_address if more; beyond: likewise.",
        "A polling session has two at times.",
    )
    rooms_per_socket: float = key(
        100,
        Rate(),
        "Rooms that a socket has joined; beyond: rate_limited.",
        "A joined room is held in memory.",
    )
    handshakes_per_second: float = key(
        2000,
        Rate(),
        "New sessions a second; beyond: 503 with Retry-After.",
        "Everybody comes back at once after a restart; clients try again by themselves.",
    )


@attrs.frozen
class AnswersConfig:
    """How questions to the databases are answered, and how many at once."""

    enabled: bool = key(
        True,
        Flag(),
        "Whether questions are answered at all; otherwise every message is just chat.",
        "Without databases it changes nothing.",
    )
    max_rows: int = key(
        1000,
        WholeNumber(),
        "Rows of an answer; beyond: it is truncated, and says so.",
        "More than anybody reads in a chat.",
    )
    max_bytes: int = key(
        262_144,
        Bytes(most=MOST_ANSWER_BYTES),
        "Bytes of the rows of an answer, as JSON; beyond: it is truncated, and says so. Twice this "
        "and 524_288 must fit into server.backlog_bytes.",
        "Two answers at once must not make a slow consumer of everybody in the room.",
    )
    export_rows: int = key(
        0,
        WholeNumber(least=0, most=MOST_EXPORT_ROWS),
        "Rows of a download: if it may have more than the message of its answer holds, the "
        "statement runs again, only to read. 0: none runs.",
        "A download costs the database nothing unless the operator says so.",
    )
    export_bytes: int = key(
        67_108_864,
        Bytes(most=MOST_EXPORT_BYTES),
        "Bytes of the rows of such a download, as JSON; beyond: it is truncated, and says so.",
        "Each takes about as much of the disk while under way, an .xlsx several times as much.",
    )
    export_timeout_s: float = key(
        50.0,
        Seconds(),
        "Seconds that such a download may take to be made; beyond: db_timeout.",
        "nginx gives up after 60 s without a byte.",
    )
    timeout_s: float = key(
        30.0,
        Seconds(),
        "Seconds that an answer may take; beyond: it is stopped, db_timeout.",
        "A statement that runs for longer is a load on the database.",
    )
    answers_per_user: int = key(
        2,
        WholeNumber(),
        "Answers under way for a user; beyond: a question waits, then db_busy.",
        "One user must not keep the database from others.",
    )
    answers_per_room: int = key(
        4,
        WholeNumber(),
        "Answers under way in a room, of which one user never has the last; beyond: as above.",
        "One room must not keep a database from others.",
    )
    answers_per_database: int = key(
        8,
        WholeNumber(),
        "Answers under way from a database, no more than its connections; one user never has the "
        "last; beyond: as above.",
        "A database serves others than this chat.",
    )
    wait_s: float = key(
        5.0,
        Seconds(least=0),
        "Seconds from when a question is stored to when it is asked, at most; beyond: db_busy.",
        "Somebody looks at the screen meanwhile.",
    )
    cache_ttl_s: float = key(
        30.0,
        Seconds(least=0),
        "Seconds that an equal question gets the same answer; 0: each one is asked.",
        "Several people in a room ask the same.",
    )
    cancel: str = key(
        "asker",
        Choice(("asker", "members")),
        'Who may cancel an answer: the "asker", or all "members" of the room.',
        "Nobody else's answer is ended by mistake.",
    )


@attrs.frozen
class AuditConfig:
    """What is kept of who asked what, and who took it away (`chatd audit`)."""

    keep_days: int = key(
        365,
        WholeNumber(least=0),
        "Days that entries of the audit are kept; older ones are removed for good. 0: for ever.",
        "A year is what auditors look back; an entry is of a person, and is kept no longer.",
    )


@attrs.frozen
class WebConfig:
    """The page at `/`."""

    enabled: bool = key(
        True,
        Flag(),
        "Whether the page is served; otherwise / is 404.",
        "The link of a first start opens it.",
    )
    title: str = key(
        "chatd",
        Text("a text of at least one character", empty=False),
        "Title of the page.",
        "Whoever has several of them open tells them apart.",
    )
    login_url: str = key(
        "",
        Link(),
        "Where the page sends somebody who has to sign in; empty: it asks for a token.",
        "Tokens come from an identity provider, whose page only the operator knows.",
    )


@attrs.frozen
class ApiConfig:
    """Rooms over HTTP, for bots and back ends: `/api/rooms/`."""

    enabled: bool = key(
        True,
        Flag(),
        "Whether rooms can be asked and written to over HTTP; otherwise /api/rooms/ is 404.",
        "It lets nobody do more than a socket does.",
    )
    requests_per_user: int = key(
        8,
        WholeNumber(),
        "Requests of a user that are being answered at once, downloads included, streams of events "
        "aside; beyond: 503.",
        "A page that is not taken is held in memory.",
    )
    owed_bytes: int = key(
        67_108_864,
        Bytes(),
        "Bytes of responses that clients of all users have not taken yet, not counting those of at "
        "most 64 KiB; one user never has more than half; beyond: 503.",
        "Clients that read slowly must not make memory grow.",
    )
    tokens: Mapping[str, Bot] = key(
        MappingProxyType({}),
        API_TOKENS,
        "Tokens of bots: `sha256` of the token, `rooms`, and where wanted `name`, `rights` "
        '(["read"], ["write"] or both; else to read), `messages_per_minute` (60) and '
        "`requests_per_minute` (600). `chatd api token` makes one.",
        "A program has no user who signs in.",
    )


@attrs.frozen
class LogConfig:
    """What is written to standard error."""

    format: str = key(
        "auto",
        Choice(("auto", "people", "json", "logfmt")),
        '"people", "json", "logfmt", or "auto": people on a terminal, JSON elsewhere.',
        "A collector reads JSON.",
    )
    level: str = key(
        "info",
        Choice(("debug", "info", "warning", "error")),
        "The least that is written.",
        "Sessions and arriving messages are debug: there are many.",
    )


@attrs.frozen
class Config:
    """The whole configuration; `Config()` is the defaults."""

    server: ServerConfig = attrs.field(factory=ServerConfig)
    auth: AuthConfig = attrs.field(factory=AuthConfig)
    directory: DirectoryConfig = attrs.field(factory=DirectoryConfig)
    state: StateConfig = attrs.field(factory=StateConfig)
    cluster: ClusterConfig = attrs.field(factory=ClusterConfig)
    bus: BusConfig = attrs.field(factory=BusConfig)
    messages: MessagesConfig = attrs.field(factory=MessagesConfig)
    limits: LimitsConfig = attrs.field(factory=LimitsConfig)
    answers: AnswersConfig = attrs.field(factory=AnswersConfig)
    databases: Mapping[str, DatabaseSettings] = key(
        MappingProxyType({DEMO_ROOM: DatabaseSettings(sample=True)}),
        DATABASES,
        "The database of each room, and who answers for it; if none is written, this one:",
        "A first start has something to ask.",
    )
    audit: AuditConfig = attrs.field(factory=AuditConfig)
    web: WebConfig = attrs.field(factory=WebConfig)
    api: ApiConfig = attrs.field(factory=ApiConfig)
    log: LogConfig = attrs.field(factory=LogConfig)


def sections() -> dict[str, type[Any]]:
    """The section classes by name, in the order of the file."""
    return {
        field.name: field.type
        for field in attrs.fields(Config)
        if field.type is not None and ABOUT not in field.metadata
    }


def tables() -> "dict[str, attrs.Attribute[Any]]":
    """The sections that are one key each, whose names the operator chooses."""
    return {field.name: field for field in attrs.fields(Config) if ABOUT in field.metadata}


def keys_of(section: type[Any]) -> "dict[str, attrs.Attribute[Any]]":
    """The keys of a section by name, in the order of the file."""
    return {field.name: field for field in attrs.fields(section)}
