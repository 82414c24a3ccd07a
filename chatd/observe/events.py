"""What the daemon reports about itself, as values (docs/operations, "Events").

One class an event, in the past tense. An event holds ids, counts and codes; never a token, never
the content of a message, not even by way of the text of an exception. `event_name` is stable:
operators search for it and build alarms on it.
"""

import enum
from collections.abc import Iterator, Sequence
from traceback import extract_tb
from typing import ClassVar, Protocol

import attrs


class Level(enum.IntEnum):
    """How much an event matters; the numbers are those of the standard library."""

    DEBUG = 10
    INFO = 20
    WARNING = 30
    ERROR = 40


class LogEvent:
    """The base of all events. `is_cheap`: a peer, a database or a disk can cause them without end,
    so the log writes only so many a second, and how many it left out. Of events that are alike in
    the fields `alike_by` it writes one a minute."""

    __slots__ = ()
    event_name: ClassVar[str]
    level: ClassVar[Level]
    is_cheap: ClassVar[bool]
    alike_by: ClassVar[tuple[str, ...]]

    def __init_subclass__(
        cls,
        name: str | None = None,
        level: Level = Level.INFO,
        *,
        is_cheap: bool = False,
        alike_by: tuple[str, ...] = (),
    ) -> None:
        if name is not None:  # attrs makes the class again, with slots, but without these arguments
            cls.event_name, cls.level, cls.is_cheap = name, level, is_cheap
            cls.alike_by = alike_by


class EventLog(Protocol):
    """Where events go: the log of the daemon, or a `Recorder`, which keeps them."""

    def wants(self, level: Level) -> bool:
        """Whether events of this level are written; saves making those that are not."""
        ...

    def record(self, event: LogEvent) -> None: ...

    def record_all(self, events: Sequence[LogEvent]) -> None:
        """Record events of one class that come together, at least one: this costs less."""
        ...

    def settle(self, timeout_s: float) -> None:
        """Wait until what was recorded is written, `timeout_s` at most."""
        ...

    @property
    def lost(self) -> int:
        """How many lines were not written, because nothing took them."""
        ...


@attrs.frozen
class ConfigurationLoaded(LogEvent, name="configuration.loaded", level=Level.INFO):
    """The first event; `source` is the file, None if there was none."""

    source: str | None


@attrs.frozen
class ConfigurationExposed(LogEvent, name="configuration.exposed", level=Level.WARNING):
    """Others can read a file with a secret, or change one; `detail` says which."""

    detail: str


@attrs.frozen
class DaemonStarted(LogEvent, name="daemon.started", level=Level.INFO):
    """The port is open; `port` is the real one if 0 was configured, None if `host` is a socket.
    `internal` is where the internal listener is: the path of a socket, or HOST:PORT. `connections`
    is how many may come: server.max_connections, or fewer if the system grants fewer descriptors
    (`ulimit -n`). `page` is `built`, `missing` or `off`.
    """

    host: str
    port: int | None
    internal: str
    pid: int
    version: str
    state_dir: str
    connections: int
    page: str


@attrs.frozen
class PageMissing(LogEvent, name="page.missing", level=Level.WARNING):
    """The package was built without its page: a plain one stands in for it (`page.md`)."""

    detail: str


@attrs.frozen
class DaemonStopping(LogEvent, name="daemon.stopping", level=Level.INFO):
    """The drain begins; `reason` names the signal or the fault."""

    reason: str


@attrs.frozen
class DaemonStopped(LogEvent, name="daemon.stopped", level=Level.INFO):
    """The last event; `clean` is false if the deadline cut something off, or if the daemon has to
    begin anew (`epoch.changed`)."""

    clean: bool


@attrs.frozen
class SignalNoted(LogEvent, name="signal.noted", level=Level.INFO, is_cheap=True):
    """A signal came that changes nothing and ends nothing."""

    signal: str


@attrs.frozen
class TasksShown(LogEvent, name="tasks.shown", level=Level.INFO, is_cheap=True):
    """SIGUSR1 asked for the tasks. `tree` has a line for each: its name, and where it waits."""

    tree: str


@attrs.frozen
class ListenersInherited(LogEvent, name="listeners.inherited", level=Level.INFO):
    """A service manager handed these over, by address; server.host and server.port do not count."""

    addresses: tuple[str, ...]


@attrs.frozen
class NoticeFailed(LogEvent, name="notice.failed", level=Level.WARNING):
    """The daemon could not tell the service manager how it is; reported once."""

    detail: str


@attrs.frozen
class ConfigurationReloaded(LogEvent, name="configuration.reloaded", level=Level.INFO):
    """On SIGHUP the daemon has read the configuration again. `changed` are the keys whose new value
    is in force now, `needs_restart` those whose new value waits for a restart. So many `sockets`
    had to leave a room because of it."""

    source: str | None
    changed: tuple[str, ...]
    needs_restart: tuple[str, ...]
    sockets: int


@attrs.frozen
class ConfigurationRefused(LogEvent, name="configuration.refused", level=Level.ERROR):
    """On SIGHUP the daemon has read the configuration again, and it has mistakes: all stays as it
    was."""

    mistakes: tuple[str, ...]


@attrs.frozen
class StoreRecovered(LogEvent, name="store.recovered", level=Level.INFO):
    """The log was read; `rooms` and `messages` are counts."""

    rooms: int
    messages: int
    epoch: str
    took_ms: float


@attrs.frozen
class PostgresThreaded(LogEvent, name="postgres.threaded", level=Level.WARNING):
    """Trio cannot wait with the psycopg that is installed (`reason`): each connection has a thread,
    and takes twice the time; install the version that chatd asks for."""

    reason: str


@attrs.frozen
class LogLost(LogEvent, name="store.lost", level=Level.ERROR):
    """The log is less than it was (`kind`: its end, another log, no log); `proof` is the file that
    shows it. At least so many records and messages are missing; None if that is not known. The
    daemon goes on under a new epoch."""

    kind: str
    records: int | None
    messages: int | None
    proof: str
    detail: str


@attrs.frozen
class EpochFound(LogEvent, name="epoch.changed", level=Level.ERROR):
    """The log that nodes share has another epoch than at the start of this daemon, which ends."""

    detail: str


@attrs.frozen
class SnapshotUnusable(LogEvent, name="snapshot.unusable", level=Level.WARNING):
    """A file beside the log was passed over at the start, and why."""

    name: str
    reason: str


@attrs.frozen
class SnapshotOutdated(LogEvent, name="snapshot.outdated", level=Level.INFO):
    """A snapshot in the form of an earlier version was passed over at the start after an update:
    the log alone gives everything except who was present or typing."""

    name: str


@attrs.frozen
class RowDamaged(LogEvent, name="store.damaged", level=Level.ERROR):
    """A row of the log cannot be read, and was passed over; reported once. `connection_id` and
    `seq` say which, as far as that is known."""

    table: str
    connection_id: str | None
    seq: int | None


@attrs.frozen
class ReadFailed(LogEvent, name="store.unreadable", level=Level.ERROR, is_cheap=True):
    """A read of the log failed; `is_damage`: its pages are broken."""

    is_damage: bool
    detail: str


@attrs.frozen
class LogDisplaced(LogEvent, name="store.displaced", level=Level.ERROR):
    """A file of the open log was removed or replaced: nothing is accepted until it is back."""

    detail: str


@attrs.frozen
class LogReturned(LogEvent, name="store.returned", level=Level.WARNING):
    """The files of the log are back where they were: messages are accepted again."""


@attrs.frozen
class FileRenewed(LogEvent, name="file.renewed", level=Level.WARNING):
    """A file of the state directory, the lock or the mark, had been removed, and was made again."""

    file: str


@attrs.frozen
class SearchIndexRenewing(LogEvent, name="search.renewing", level=Level.INFO):
    """The search index had the form of an older chatd or Unicode, and is being rebuilt, the newest
    messages first. Searches find older messages as this goes on."""


@attrs.frozen
class SearchIndexRenewed(LogEvent, name="search.renewed", level=Level.INFO):
    """The search index holds all messages again; so many were indexed anew."""

    messages: int


@attrs.frozen
class MessagesRemoved(LogEvent, name="retention.removed", level=Level.INFO):
    """Retention removed so many messages of a room for good, `first_seq` to `last_seq`."""

    connection_id: str
    messages: int
    first_seq: int
    last_seq: int


@attrs.frozen
class ClockDoubted(LogEvent, name="clock.doubted", level=Level.WARNING):
    """The clock jumped by `ahead_ms` (back if negative): nothing counts as too old by it
    until it has stayed so for a day."""

    ahead_ms: int


@attrs.frozen
class SessionOpened(LogEvent, name="session.opened", level=Level.DEBUG):
    """An Engine.IO handshake went through; the client has shown no token yet."""

    session_id: str
    transport: str
    address: str


@attrs.frozen
class SessionClosed(LogEvent, name="session.closed", level=Level.DEBUG):
    """An Engine.IO session ended; `transport` is the last one."""

    session_id: str
    transport: str
    reason: str
    user_id: str | None
    duration_ms: float


@attrs.frozen
class SocketConnected(
    LogEvent, name="socket.connected", level=Level.INFO, alike_by=("session_id",)
):
    """A user is in, and joins these rooms; `took_ms`: since its CONNECT."""

    session_id: str
    socket_id: str
    user_id: str
    rooms: tuple[str, ...]
    resumed: bool
    took_ms: float


@attrs.frozen
class SocketReconnected(
    LogEvent, name="socket.reconnected", level=Level.INFO, alike_by=("session_id",)
):
    """A client says that it came back, after so many attempts."""

    session_id: str
    user_id: str
    attempts: int


@attrs.frozen
class SocketDisconnected(
    LogEvent, name="socket.disconnected", level=Level.INFO, alike_by=("session_id", "reason")
):
    """A socket is gone, and why."""

    session_id: str
    socket_id: str
    user_id: str
    reason: str


@attrs.frozen
class AuthenticationFailed(
    LogEvent,
    name="authentication.failed",
    level=Level.WARNING,
    is_cheap=True,
    alike_by=("address", "code", "reason"),
):
    """A token was missing, expired or bad; `code` is the one in the CONNECT_ERROR, `reason` what
    `chatd token check` says about the token."""

    session_id: str
    address: str
    code: str
    reason: str


@attrs.frozen
class DirectoryUnavailable(
    LogEvent,
    name="directory.unavailable",
    level=Level.ERROR,
    is_cheap=True,
    alike_by=("reason",),
):
    """The directory of rooms does not answer, or its answer is not a list of rooms: nobody comes in
    whose rooms are not known. `reason` is what the database says."""

    reason: str


@attrs.frozen
class DirectoryRecovered(LogEvent, name="directory.recovered", level=Level.INFO):
    """The directory of rooms answers again."""


@attrs.frozen
class DirectoryRowIgnored(
    LogEvent,
    name="directory.ignored",
    level=Level.WARNING,
    is_cheap=True,
    alike_by=("reason",),
):
    """A row of the directory gives nobody a room: it names none, or a role that nobody knows."""

    reason: str


@attrs.frozen
class KeySetRead(LogEvent, name="keys.read", level=Level.INFO):
    """The key set of the issuer of tokens was read, and differs from the one before; `keys` is how
    many of its keys can be used, `passed_over` says why others cannot."""

    place: str
    keys: int
    passed_over: tuple[str, ...]


@attrs.frozen
class KeySetFailed(
    LogEvent, name="keys.failed", level=Level.WARNING, is_cheap=True, alike_by=("place", "reason")
):
    """The key set could not be read; the last one serves meanwhile, if there was one."""

    place: str
    reason: str


@attrs.frozen
class UserRevoked(LogEvent, name="user.revoked", level=Level.INFO):
    """The tokens of a user are no longer accepted; so many sockets were closed. `durable` is false
    if the disk did not take this: then the next start forgets it."""

    user_id: str
    sockets: int
    durable: bool


@attrs.define  # not frozen: one is made for each message
class MessageReceived(LogEvent, name="message.received", level=Level.DEBUG):
    """A message arrived and was not yet checked."""

    session_id: str
    user_id: str
    connection_id: str
    message_id: str


@attrs.define  # not frozen: one is made for each message
class MessageSent(LogEvent, name="message.sent", level=Level.INFO):
    """A message is committed and on its way to the room; `duplicate` says that it was committed
    before."""

    message_id: str
    connection_id: str
    seq: int
    user_id: str
    duplicate: bool


@attrs.frozen
class MessageRefused(
    LogEvent,
    name="message.refused",
    level=Level.INFO,
    is_cheap=True,
    alike_by=("user_id", "code"),
):
    """A message was not accepted; `code` is what the sender got."""

    session_id: str
    user_id: str
    connection_id: str | None
    message_id: str | None
    code: str


@attrs.frozen
class MessageChanged(LogEvent, name="message.changed", level=Level.INFO):
    """A message was edited or deleted, or a reaction to it was added or removed, as change number
    `rev` of its room; `duplicate` says that it was so before."""

    message_id: str
    connection_id: str
    seq: int
    user_id: str
    change: str
    rev: int
    duplicate: bool


@attrs.frozen
class ChangeRefused(
    LogEvent,
    name="change.refused",
    level=Level.INFO,
    is_cheap=True,
    alike_by=("user_id", "code"),
):
    """A message was not changed; `code` is what the client got."""

    session_id: str
    user_id: str
    connection_id: str
    message_id: str
    code: str


@attrs.frozen
class AnswerStarted(LogEvent, name="answer.started", level=Level.INFO):
    """A question is being answered."""

    answer_id: str
    question_id: str
    connection_id: str


@attrs.frozen
class AnswerEnded(LogEvent, name="answer.ended", level=Level.INFO):
    """An answer has ended; `kind`: what was asked (`sql`, `tables` and so on; `none` if it was
    refused or not read); `code` is what the room got if it failed."""

    answer_id: str
    connection_id: str
    kind: str
    state: str
    code: str | None
    rows: int
    elapsed_ms: int


@attrs.frozen
class ExportEnded(LogEvent, name="export.ended", level=Level.INFO, is_cheap=True):
    """An answer was downloaded as a file, or was not.

    `outcome` is `sent`, `broken_off` if the client took only a part, or the code that it got.
    `rerun`: the statement ran once more. `rows` counts the rows of the file, `size` the bytes that
    were sent.
    """

    answer_id: str
    connection_id: str
    user_id: str
    format: str
    outcome: str
    rerun: bool
    truncated: bool
    rows: int
    size: int
    elapsed_ms: int


@attrs.frozen
class LimitHit(
    LogEvent,
    name="limit.hit",
    level=Level.INFO,
    is_cheap=True,
    alike_by=("limit", "user_id", "address"),
):
    """A limit refused something, or ended a peer: the one that went too far, or, to make room, the
    one that had gone longest without showing a token. `limit` is its key in the configuration, or a
    name in "Where a limit shows"."""

    limit: str
    user_id: str | None
    address: str | None


@attrs.frozen
class HandshakeRefused(
    LogEvent,
    name="handshake.refused",
    level=Level.INFO,
    is_cheap=True,
    alike_by=("address", "reason"),
):
    """A request for a session, or a connection, was turned away before there was a session:
    `reason` is `proxy_protocol` if it does not begin with that header, `proxy_untrusted` if it does
    not come from a trusted proxy."""

    address: str
    reason: str


@attrs.frozen
class RequestForbidden(LogEvent, name="request.forbidden", level=Level.WARNING):
    """The host that a request was sent to, or the origin of its page, is not allowed: 403; `key` of
    the configuration decides, and `advice` says what to do. At most ten a minute, each host and
    origin once."""

    # `net.proxies` ensures that.

    address: str
    host: str | None
    origin: str | None
    key: str
    advice: str


@attrs.frozen
class ProxyNotTrusted(LogEvent, name="proxy.untrusted", level=Level.WARNING):
    """A header of proxies (X-Forwarded-For or its like) came from an address that `key` does not
    list, and was ignored; `advice` says what to do."""

    address: str
    key: str = "server.trusted_proxies"
    advice: str = (
        "if this is your proxy, list it under trusted_proxies in [server]; until then everybody "
        "behind it counts as one address, and shares its limits"
    )


@attrs.frozen
class ProxyUnread(LogEvent, name="proxy.unread", level=Level.WARNING):
    """A trusted proxy passed on only headers of the family that `key` does not name, and they were
    ignored; `advice` says what to do."""

    address: str
    key: str = "server.proxy_headers"
    advice: str = (
        "if your proxy writes this family of headers, say so with proxy_headers in [server]; until "
        "then everybody behind it counts as one address; if it writes none, a client did"
    )


@attrs.frozen
class ProtocolViolated(LogEvent, name="protocol.violated", level=Level.INFO, is_cheap=True):
    """A peer broke a protocol and lost its session; `what` names the rule, not the bytes."""

    session_id: str
    layer: str
    what: str


@attrs.frozen
class AdministratorActed(LogEvent, name="admin.acted", level=Level.INFO):
    """An administrator did something to a user, a room, a socket or all (`target`); `by` is the
    administrator, as in the audit, and `outcome` how it ended."""

    action: str
    target: str
    by: str
    outcome: str


@attrs.frozen
class ActorCrashed(LogEvent, name="actor.crashed", level=Level.ERROR, is_cheap=True):
    """An actor raised; its supervisor decides what happens next."""

    actor: str
    error_type: str


@attrs.frozen
class LifeLost(LogEvent, name="node.lost", level=Level.WARNING):
    """The session that proves that this node is alive is lost; others may take it for dead.
    `node_id` is the number of its life."""

    node_id: int
    reason: str


@attrs.frozen
class LifeResumed(LogEvent, name="node.resumed", level=Level.INFO):
    """The node is alive again."""

    node_id: int


@attrs.frozen
class LifeBegunAnew(LogEvent, name="node.renewed", level=Level.WARNING):
    """Other nodes have taken this one for dead: it begins anew, under another number."""

    node_id: int


@attrs.frozen
class NodeReaped(LogEvent, name="node.reaped", level=Level.WARNING):
    """Another node is dead: its users count as away since it was last heard (`members`, one for
    each room of each user), and this node ends the answers that it left open."""

    node: str
    node_id: int
    members: int
    answers: int


@attrs.frozen
class StoreFailed(
    LogEvent, name="store.failed", level=Level.ERROR, is_cheap=True, alike_by=("code", "detail")
):
    """The disk, or the database of the log, refused; `code` is what clients get."""

    code: str
    detail: str


@attrs.frozen
class DatabaseConnected(LogEvent, name="database.connected", level=Level.INFO, is_cheap=True):
    """A session with the db-mcp of a room is ready."""

    connection_id: str
    took_ms: float


@attrs.frozen
class DatabaseLost(
    LogEvent,
    name="database.lost",
    level=Level.WARNING,
    is_cheap=True,
    alike_by=("connection_id", "reason", "last_words"),
):
    """A session with a db-mcp has ended, or could not be opened; the next try is in `retry_in_s`.

    `last_words` is the end of what it wrote to its standard error before it was ready, without the
    secrets that it was given; empty if it was ready, as then it may know what somebody asked.
    """

    connection_id: str
    reason: str
    retry_in_s: float
    last_words: str = ""


@attrs.frozen
class DatabaseAsked(LogEvent, name="database.asked", level=Level.DEBUG):
    """A db-mcp has carried out a call; `outcome`: `answered`, `stopped`, or the code; the time is
    without the wait for a session."""

    connection_id: str
    outcome: str
    took_ms: float


@attrs.frozen
class DatabaseStuck(LogEvent, name="database.stuck", level=Level.WARNING, is_cheap=True):
    """A statement was told to stop `age_s` after it began, but the database still runs it, in the
    backend `pids` (more than one if it is not certain in which). Its user gets `db_busy` until it
    has ended."""

    connection_id: str
    pids: tuple[int, ...]
    age_s: float


@attrs.frozen
class DatabaseWrote(LogEvent, name="database.wrote", level=Level.DEBUG):
    """A db-mcp wrote so many bytes to its standard error; the text is kept only until it is
    ready."""

    connection_id: str
    size: int


@attrs.frozen
class ReaderReady(LogEvent, name="reader.ready", level=Level.INFO, is_cheap=True):
    """The process that reads messages that may be questions is ready."""

    took_ms: float


@attrs.frozen
class ReaderLost(LogEvent, name="reader.lost", level=Level.WARNING, is_cheap=True):
    """That process has ended, or none came about; it is started again in `retry_in_s`."""

    reason: str
    retry_in_s: float


@attrs.frozen
class SessionHostReady(LogEvent, name="sessions.ready", level=Level.INFO, is_cheap=True):
    """The process that has the sessions with databases' servers is ready."""

    took_ms: float


@attrs.frozen
class SessionHostLost(LogEvent, name="sessions.lost", level=Level.WARNING, is_cheap=True):
    """That process has ended, or none came about; it is started again in `retry_in_s`."""

    reason: str
    retry_in_s: float


@attrs.frozen
class ConditionBegan(
    LogEvent,
    name="condition.began",
    level=Level.WARNING,
    is_cheap=True,
    alike_by=("code", "connection_id"),
):
    """Something is amiss from now on: a reason of `/readyz`, by its code."""

    code: str
    connection_id: str | None
    message: str


@attrs.frozen
class ConditionEnded(
    LogEvent,
    name="condition.ended",
    level=Level.INFO,
    is_cheap=True,
    alike_by=("code", "connection_id"),
):
    """What was amiss is well again, after so long."""

    code: str
    connection_id: str | None
    lasted_s: float


@attrs.frozen
class InternalError(
    LogEvent,
    name="internal.error",
    level=Level.ERROR,
    is_cheap=True,
    alike_by=("where", "error_type", "traceback"),
):
    """A fault of the daemon itself; `traceback` has places, and no values."""

    # Made by `InternalError.of`, which ensures that.

    where: str
    error_type: str
    traceback: str

    @classmethod
    def of(cls, where: str, error: BaseException) -> "InternalError":
        """The event for an exception that was caught at `where`."""
        return cls(where, type(error).__name__, traceback_of(error))


@attrs.frozen
class SignalUnreadable(
    LogEvent,
    name="bus.unreadable",
    level=Level.WARNING,
    is_cheap=True,
    alike_by=("kind", "error_type", "traceback"),
):
    """A signal of another node is not as this node expects it; `traceback` has places, and no
    values."""

    # Made by `SignalUnreadable.of`, which ensures that.

    kind: str
    error_type: str
    traceback: str

    @classmethod
    def of(cls, kind: str, error: Exception) -> "SignalUnreadable":
        """The event for what the handler of this kind of signal has raised."""
        return cls(kind, type(error).__name__, traceback_of(error))


MOST_FRAMES = 30
"""How many frames of one exception are shown, the innermost ones."""
MOST_ERRORS = 10
"""How many exceptions of one chain or group are shown."""


def traceback_of(error: BaseException) -> str:
    """Where an exception came from: types, files, lines and functions, causes and groups.

    No locals, and no messages of exceptions: these quote what was being processed (`KeyError:
    '<token>'`, a validation error with the content), and no review covers every raise of every
    library. An `OSError` keeps the system's own words (strerror).
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
