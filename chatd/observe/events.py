"""What the daemon says about itself, as values (SPEC 8, logs).

One class an event, in the past tense. An event holds ids, counts and codes; never a token, never
the content of a message, not even by way of the text of an exception. `event_name` is stable:
people search for it and build alarms on it.
"""

import enum
from collections.abc import Iterator
from traceback import extract_tb
from typing import ClassVar, Protocol

import attrs


class Level(enum.IntEnum):
    """How much an event matters; the numbers are those of the standard library."""

    DEBUG = 10
    INFO = 20
    WARNING = 30
    ERROR = 40


class Event:
    """The base of all events."""

    __slots__ = ()
    event_name: ClassVar[str]
    level: ClassVar[Level]
    is_cheap: ClassVar[bool] = False
    """Whether a peer that is refused can make as many as it likes: the log writes so many a second,
    and how many it left out."""


class EventLog(Protocol):
    """Where events go: the log of the daemon, or a `Recorder` in tests."""

    def wants(self, level: Level) -> bool:
        """Whether events of this level are written; saves making those that are not."""
        ...

    def record(self, event: Event) -> None: ...

    def settle(self, timeout_s: float) -> None:
        """Wait until what was emitted is written, `timeout_s` at most."""
        ...

    @property
    def lost(self) -> int:
        """How many lines were not written, as nothing took them."""
        ...


@attrs.frozen
class ConfigurationLoaded(Event):
    """First of all; `source` is the file, None where there was none."""

    event_name: ClassVar[str] = "configuration.loaded"
    level: ClassVar[Level] = Level.INFO
    source: str | None


@attrs.frozen
class DaemonStarted(Event):
    """The port is open; `port` is the real one where 0 was asked for. `internal` is where the
    internal listener is: the path of a socket, or HOST:PORT. `connections` is how many may
    come: server.max_connections, or fewer where the system grants fewer descriptors (`ulimit -n`).
    """

    event_name: ClassVar[str] = "daemon.started"
    level: ClassVar[Level] = Level.INFO
    host: str
    port: int
    internal: str
    pid: int
    version: str
    state_dir: str
    connections: int


@attrs.frozen
class DaemonStopping(Event):
    """The drain begins; `reason` names the signal or the fault."""

    event_name: ClassVar[str] = "daemon.stopping"
    level: ClassVar[Level] = Level.INFO
    reason: str


@attrs.frozen
class DaemonStopped(Event):
    """The last line; `clean` is false where the deadline cut something off."""

    event_name: ClassVar[str] = "daemon.stopped"
    level: ClassVar[Level] = Level.INFO
    clean: bool


@attrs.frozen
class SignalNoted(Event):
    """A signal came that changes nothing; it kills nobody either."""

    event_name: ClassVar[str] = "signal.noted"
    level: ClassVar[Level] = Level.INFO
    is_cheap: ClassVar[bool] = True
    signal: str


@attrs.frozen
class StoreRecovered(Event):
    """The log was read; `rooms` and `messages` are counts."""

    event_name: ClassVar[str] = "store.recovered"
    level: ClassVar[Level] = Level.INFO
    rooms: int
    messages: int
    epoch: str
    took_ms: float


@attrs.frozen
class LogLost(Event):
    """The log is less than it was (`kind`: its end, another log, no log); `proof` is the file that
    shows it. At least so many records and messages are missing; None where that is not known. The
    daemon goes on under a new epoch."""

    event_name: ClassVar[str] = "store.lost"
    level: ClassVar[Level] = Level.ERROR
    kind: str
    records: int | None
    messages: int | None
    proof: str
    detail: str


@attrs.frozen
class SnapshotUnusable(Event):
    """A file beside the log was passed over at the start, and why."""

    event_name: ClassVar[str] = "snapshot.unusable"
    level: ClassVar[Level] = Level.WARNING
    name: str
    reason: str


@attrs.frozen
class RowDamaged(Event):
    """A row of the log cannot be read, and was passed over; told once. `connection_id` and `seq`
    say which, as far as that is known."""

    event_name: ClassVar[str] = "store.damaged"
    level: ClassVar[Level] = Level.ERROR
    table: str
    connection_id: str | None
    seq: int | None


@attrs.frozen
class ReadFailed(Event):
    """The log did not give what somebody asked for; `is_damage`: its pages are broken."""

    event_name: ClassVar[str] = "store.unreadable"
    level: ClassVar[Level] = Level.ERROR
    is_cheap: ClassVar[bool] = True
    is_damage: bool
    detail: str


@attrs.frozen
class LogDisplaced(Event):
    """A file of the open log was removed or replaced: nothing is accepted until it is back."""

    event_name: ClassVar[str] = "store.displaced"
    level: ClassVar[Level] = Level.ERROR
    detail: str


@attrs.frozen
class LogReturned(Event):
    """The files of the log are back where they were: messages are accepted again."""

    event_name: ClassVar[str] = "store.returned"
    level: ClassVar[Level] = Level.WARNING


@attrs.frozen
class FileRenewed(Event):
    """A file of the state directory, the lock's or the mark's, had been removed, and was made
    again."""

    event_name: ClassVar[str] = "file.renewed"
    level: ClassVar[Level] = Level.WARNING
    file: str


@attrs.frozen
class MessagesRemoved(Event):
    """Retention removed so many messages of a room for good, `first_seq` to `last_seq`."""

    event_name: ClassVar[str] = "retention.removed"
    level: ClassVar[Level] = Level.INFO
    connection_id: str
    messages: int
    first_seq: int
    last_seq: int


@attrs.frozen
class ClockDoubted(Event):
    """The clock jumped by `ahead_ms` (back where negative): nothing is too old by it, until it has
    been so for a day."""

    event_name: ClassVar[str] = "clock.doubted"
    level: ClassVar[Level] = Level.WARNING
    ahead_ms: int


@attrs.frozen
class SessionOpened(Event):
    """An Engine.IO handshake went through; nobody has shown a token yet."""

    event_name: ClassVar[str] = "session.opened"
    level: ClassVar[Level] = Level.DEBUG
    session_id: str
    transport: str
    address: str


@attrs.frozen
class SessionClosed(Event):
    """An Engine.IO session ended; `transport` is the last one."""

    event_name: ClassVar[str] = "session.closed"
    level: ClassVar[Level] = Level.DEBUG
    session_id: str
    transport: str
    reason: str
    user_id: str | None
    duration_ms: float


@attrs.frozen
class Connected(Event):
    """A user is in; `rooms` are the connectionIds that were joined."""

    event_name: ClassVar[str] = "socket.connected"
    level: ClassVar[Level] = Level.INFO
    session_id: str
    socket_id: str
    user_id: str
    rooms: tuple[str, ...]
    resumed: bool


@attrs.frozen
class Reconnected(Event):
    """A client says that it came back, after so many attempts."""

    event_name: ClassVar[str] = "socket.reconnected"
    level: ClassVar[Level] = Level.INFO
    session_id: str
    user_id: str
    attempts: int


@attrs.frozen
class Disconnected(Event):
    """A socket is gone, and why."""

    event_name: ClassVar[str] = "socket.disconnected"
    level: ClassVar[Level] = Level.INFO
    session_id: str
    socket_id: str
    user_id: str
    reason: str


@attrs.frozen
class AuthenticationFailed(Event):
    """A token was missing, expired or bad; `code` is that of the CONNECT_ERROR."""

    event_name: ClassVar[str] = "authentication.failed"
    level: ClassVar[Level] = Level.WARNING
    is_cheap: ClassVar[bool] = True
    session_id: str
    address: str
    code: str


@attrs.frozen
class MessageReceived(Event):
    """A message arrived and was not yet judged."""

    event_name: ClassVar[str] = "message.received"
    level: ClassVar[Level] = Level.DEBUG
    session_id: str
    user_id: str
    connection_id: str
    message_id: str


@attrs.frozen
class MessageSent(Event):
    """A message is committed and on its way to the room; `duplicate` says that it was before."""

    event_name: ClassVar[str] = "message.sent"
    level: ClassVar[Level] = Level.INFO
    message_id: str
    connection_id: str
    seq: int
    user_id: str
    duplicate: bool


@attrs.frozen
class MessageRefused(Event):
    """A message was not accepted; `code` is what the sender was told."""

    event_name: ClassVar[str] = "message.refused"
    level: ClassVar[Level] = Level.INFO
    is_cheap: ClassVar[bool] = True
    session_id: str
    user_id: str
    connection_id: str | None
    message_id: str | None
    code: str


@attrs.frozen
class AnswerStarted(Event):
    """A question is being answered."""

    event_name: ClassVar[str] = "answer.started"
    level: ClassVar[Level] = Level.INFO
    answer_id: str
    question_id: str
    connection_id: str


@attrs.frozen
class AnswerEnded(Event):
    """An answer has ended; `code` is what the room was told where it failed."""

    event_name: ClassVar[str] = "answer.ended"
    level: ClassVar[Level] = Level.INFO
    answer_id: str
    connection_id: str
    state: str
    code: str | None
    rows: int
    elapsed_ms: int


@attrs.frozen
class LimitHit(Event):
    """A limit refused something, or ended what had shown no token for longest; `limit` is its key
    in the configuration, or `descriptors`: the system gives this process no more of them."""

    event_name: ClassVar[str] = "limit.hit"
    level: ClassVar[Level] = Level.INFO
    is_cheap: ClassVar[bool] = True
    limit: str
    user_id: str | None
    address: str | None


@attrs.frozen
class HandshakeRefused(Event):
    """A request for a session was turned away before there was one."""

    event_name: ClassVar[str] = "handshake.refused"
    level: ClassVar[Level] = Level.INFO
    is_cheap: ClassVar[bool] = True
    address: str
    reason: str


@attrs.frozen
class ProxyNotTrusted(Event):
    """An X-Forwarded-For came from an address that `key` does not list, and was ignored; `advice`
    says what to do."""

    event_name: ClassVar[str] = "proxy.untrusted"
    level: ClassVar[Level] = Level.WARNING
    address: str
    key: str = "server.trusted_proxies"
    advice: str = (
        "if this is your proxy, list it under trusted_proxies in [server]; until then everybody "
        "behind it counts as one address, and shares its limits"
    )


@attrs.frozen
class ProtocolViolated(Event):
    """A peer broke a protocol and lost its session; `what` names the rule, not the bytes."""

    event_name: ClassVar[str] = "protocol.violated"
    level: ClassVar[Level] = Level.INFO
    is_cheap: ClassVar[bool] = True
    session_id: str
    layer: str
    what: str


@attrs.frozen
class ActorCrashed(Event):
    """An actor raised; its supervisor decides what is next."""

    event_name: ClassVar[str] = "actor.crashed"
    level: ClassVar[Level] = Level.ERROR
    actor: str
    error_type: str


@attrs.frozen
class StoreFailed(Event):
    """The disk refused; `code` is what clients are told."""

    event_name: ClassVar[str] = "store.failed"
    level: ClassVar[Level] = Level.ERROR
    code: str
    detail: str


@attrs.frozen
class DatabaseConnected(Event):
    """A session with the db-mcp of a room is ready."""

    event_name: ClassVar[str] = "database.connected"
    level: ClassVar[Level] = Level.INFO
    connection_id: str
    took_ms: float


@attrs.frozen
class DatabaseLost(Event):
    """A session with a db-mcp has ended, or none came about; it is tried again in `retry_in_s`."""

    event_name: ClassVar[str] = "database.lost"
    level: ClassVar[Level] = Level.WARNING
    connection_id: str
    reason: str
    retry_in_s: float


@attrs.frozen
class DatabaseWrote(Event):
    """A db-mcp wrote so many bytes to its standard error; they are read and forgotten."""

    event_name: ClassVar[str] = "database.wrote"
    level: ClassVar[Level] = Level.DEBUG
    connection_id: str
    size: int


@attrs.frozen
class ReaderReady(Event):
    """The process that reads messages which may be questions is ready."""

    event_name: ClassVar[str] = "reader.ready"
    level: ClassVar[Level] = Level.INFO
    took_ms: float


@attrs.frozen
class ReaderLost(Event):
    """That process has ended, or none came about; it is started again in `retry_in_s`."""

    event_name: ClassVar[str] = "reader.lost"
    level: ClassVar[Level] = Level.WARNING
    reason: str
    retry_in_s: float


@attrs.frozen
class InternalError(Event):
    """A fault of the daemon itself. Make it with `InternalError.of`."""

    event_name: ClassVar[str] = "internal.error"
    level: ClassVar[Level] = Level.ERROR
    where: str
    error_type: str
    traceback: str

    @classmethod
    def of(cls, where: str, error: BaseException) -> "InternalError":
        """The event for an exception that was caught at `where`."""
        return cls(where, type(error).__name__, traceback_of(error))


MOST_FRAMES = 30
"""Frames shown of one exception, the innermost ones."""
MOST_ERRORS = 10
"""Exceptions shown of one chain or group."""


def traceback_of(error: BaseException) -> str:
    """Where an exception came from: types, files, lines and functions, causes and groups.

    No locals, and no messages of exceptions: these quote what was being worked on (`KeyError:
    '<token>'`, a validation error with the content), and nobody reviews each raise of each library
    for it. An `OSError` keeps the system's own words (strerror).
    """
    lines: list[str] = []
    for count, (title, one) in enumerate(_related(error, "error", set())):
        if count == MOST_ERRORS:
            lines.append("... more errors left out")
            break
        words = f": {one.strerror}" if isinstance(one, OSError) and one.strerror else ""
        lines.append(f"{title} {type(one).__module__}.{type(one).__qualname__}{words}")
        lines += (
            f'  File "{frame.filename}", line {frame.lineno}, in {frame.name}'
            for frame in extract_tb(one.__traceback__, limit=-MOST_FRAMES)
        )
    return "\n".join(lines)


def _related(
    error: BaseException, title: str, seen: set[int]
) -> Iterator[tuple[str, BaseException]]:
    """The exception, then its causes and the members of groups, each once (chains can be rings)."""
    waiting = [(title, error)]
    while waiting:
        name, one = waiting.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield name, one
        if isinstance(one, BaseExceptionGroup):
            waiting += [("in the group", member) for member in one.exceptions]
        if one.__cause__ is not None:
            waiting.append(("caused by", one.__cause__))
        elif one.__context__ is not None and not one.__suppress_context__:
            waiting.append(("while handling", one.__context__))
