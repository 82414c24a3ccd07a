"""Real client libraries, each in a process of its own, driven by the tests.

A driver process runs one library. It reads commands and writes events, one JSON object a line;
`{"$bytes": hex}` stands for bytes. So a scenario is written once, here in Python, and every library
is put through it. Every command names a `client`, of which a driver may have several:

    connect   url, transport, namespaces, auth    again for the same client: come back;
              credentials                         only there where a browser's are sent along
    emit      namespace, args, ack, limit_ms      ack: a number for the answer, or null
    hold      namespace, event                    answer this event only when told to
    answer    namespace, args                     ack the oldest event that was not answered
    close                                         end it, whatever it is doing

Every event has `client`, `namespace`, `event`, `args`: what the library's listeners were given, and
beside it `connect` (with the socket's id), `disconnect` (reason), `connect_error` (message, data),
and the driver's own: `$ack N` (the answer, or "$late"), `$transport` (name), `$ping`, and `$closed`
(the transport that it had in the end, null where it had none).
"""

import contextlib
import itertools
import json
import subprocess
import sys
import threading
from collections import defaultdict, deque
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).parent
LIMIT_S: Final = 45.0
"""A hard limit of every wait. Nothing here takes a tenth of it, even on a busy machine."""

GOODBYE_S: Final = 40.0
"""For a driver to end by itself, and Chromium before it."""

LATE: Final = "$late"

COMMANDS: Final = {
    "npm-4.8": ["node", "client.mjs", "socket.io-client-4.8"],
    "npm-4.4": ["node", "client.mjs", "socket.io-client-4.4"],
    "npm-4.0": ["node", "client.mjs", "socket.io-client-4.0"],
    "npm-3.1": ["node", "client.mjs", "socket.io-client-3.1"],
    "python-sync": [sys.executable, "python_client.py", "sync"],
    "python-asyncio": [sys.executable, "python_client.py", "asyncio"],
    "chromium": [sys.executable, "browser.py", "localhost"],
    "chromium-of-a-stranger": [sys.executable, "browser.py", "evil.test"],
    "chromium-of-an-app": [sys.executable, "browser.py", "app.test"],
}
"""How each kind of client is started."""

KINDS: Final = tuple(kind for kind in COMMANDS if not kind.startswith("chromium-of-"))
"""Those that every server lets in."""

TRANSPORTS: Final = ("polling", "websocket", "upgrade")
"""What every client is run over; `upgrade` begins with polling and ends on a WebSocket."""

_names = itertools.count(1)


class Driver:
    """A process with one client library; `more` is for its command line."""

    def __init__(self, kind: str, *more: str) -> None:
        self.kind = kind
        self._told = threading.Condition()
        self._events: defaultdict[tuple[str, str, str], deque[list[Any]]] = defaultdict(deque)
        self._tail: deque[str] = deque(maxlen=40)
        self._process = subprocess.Popen(
            [*COMMANDS[kind], *more],
            cwd=HERE,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        self._readers = [
            threading.Thread(target=self._read_events, daemon=True),
            threading.Thread(target=self._read_errors, daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    def client(self, url: str, transport: str) -> "Client":
        """A client of this library, not connected yet."""
        return Client(self, f"{self.kind}#{next(_names)}", url, transport)

    def command(self, client: str, do: str, **arguments: Any) -> None:
        assert self._process.stdin is not None
        command = {"client": client, "do": do, **to_json(arguments)}
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()

    def take(self, client: str, namespace: str, event: str, count: int) -> list[list[Any]]:
        """The arguments of the next `count` of these events, in the order in which they came."""
        came = self._events[client, namespace, event]
        with self._told:
            if not self._told.wait_for(lambda: len(came) >= count or self._is_dead, LIMIT_S):
                raise AssertionError(f"{event!r} came {len(came)} times, not {count}; {self.tail}")
            if len(came) < count:
                raise AssertionError(f"{self.kind} died waiting for {event!r}; {self.tail}")
            return [came.popleft() for _ in range(count)]

    def came(self, client: str, namespace: str, event: str) -> int:
        """How many of these events came and were not taken."""
        with self._told:
            return len(self._events[client, namespace, event])

    @property
    def tail(self) -> str:
        """The last things that the driver said, for people."""
        return "it said last:\n" + "\n".join(self._tail)

    def stop(self) -> None:
        """End the process, also one that does not answer."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):  # it is dead already
            self._process.stdin.close()
        try:
            self._process.wait(GOODBYE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(LIMIT_S)
        for reader in self._readers:
            reader.join(LIMIT_S)
        for pipe in (self._process.stdout, self._process.stderr):
            assert pipe is not None
            pipe.close()

    @property
    def _is_dead(self) -> bool:
        return not self._readers[0].is_alive() and self._process.poll() is not None

    def _read_events(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            told = json.loads(line)
            with self._told:
                key = told["client"], told["namespace"], told["event"]
                self._events[key].append(from_json(told["args"]))
                self._tail.append(line.rstrip()[:300])
                self._told.notify_all()
        self._process.wait(LIMIT_S)
        with self._told:
            self._told.notify_all()

    def _read_errors(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self._tail.append(line.rstrip()[:300])


class Client:
    """One client of a driver; `sid` is the id that it had last in `/`."""

    def __init__(self, driver: Driver, name: str, url: str, transport: str) -> None:
        self._driver = driver
        self._name = name
        self._url = url
        self._transport = transport
        self._acks = itertools.count(1)
        self._is_closed = False
        self._carried_by: str | None = None

    def connect(self, *namespaces: str, auth: Any = None, credentials: bool = False) -> None:
        """Begin to connect, to `/` where nothing else is said."""
        self._driver.command(
            self._name,
            "connect",
            url=self._url,
            transport=self._transport,
            namespaces=list(namespaces or ("/",)),
            auth=auth,
            **({"credentials": True} if credentials else {}),
        )

    def connected(self, *namespaces: str, auth: Any = None, credentials: bool = False) -> "Client":
        """Connect and wait for it."""
        self.connect(*namespaces, auth=auth, credentials=credentials)
        for namespace in namespaces or ("/",):
            self.expect("connect", namespace)
        return self

    def emit(self, *args: Any, namespace: str = "/") -> None:
        """Send an event that asks for no answer."""
        self._driver.command(
            self._name, "emit", namespace=namespace, args=args, ack=None, limit_ms=None
        )

    def ask(self, *args: Any, namespace: str = "/", limit_ms: int | None = None) -> str:
        """Send an event; returns the name of the event under which its answer is to come."""
        ack = next(self._acks)
        self._driver.command(
            self._name, "emit", namespace=namespace, args=args, ack=ack, limit_ms=limit_ms
        )
        return f"$ack {ack}"

    def call(self, *args: Any, namespace: str = "/", limit_ms: int | None = None) -> list[Any]:
        """Send an event and wait for its answer; `[LATE]` where none came in `limit_ms`."""
        return self.expect(self.ask(*args, namespace=namespace, limit_ms=limit_ms), namespace)

    def hold(self, event: str, namespace: str = "/") -> None:
        """From now on this event is answered by `answer` only."""
        self._driver.command(self._name, "hold", namespace=namespace, event=event)

    def answer(self, *args: Any, namespace: str = "/") -> None:
        """Answer the oldest event that waits for it."""
        self._driver.command(self._name, "answer", namespace=namespace, args=args)

    def expect(self, event: str, namespace: str = "/") -> list[Any]:
        """Wait for the next event of this name; its arguments."""
        return self.take(event, 1, namespace)[0]

    def take(self, event: str, count: int, namespace: str = "/") -> list[list[Any]]:
        """Wait for so many events of this name; the arguments of each."""
        return self._driver.take(self._name, namespace, event, count)

    def came(self, event: str, namespace: str = "/") -> int:
        """How many events of this name came and were not taken; it does not wait."""
        return self._driver.came(self._name, namespace, event)

    def close(self) -> str | None:
        """End it, and wait for that; the transport that it had, None where it had none."""
        if not self._is_closed:
            self._is_closed = True
            self._driver.command(self._name, "close")
            (self._carried_by,) = self.expect("$closed")
            if self._transport != "upgrade":
                assert self._carried_by in (None, self._transport)
        return self._carried_by


def to_json(value: Any) -> Any:
    match value:
        case bytes():
            return {"$bytes": value.hex()}
        case dict():
            return {key: to_json(inner) for key, inner in value.items()}
        case list() | tuple():
            return [to_json(inner) for inner in value]
    return value


def from_json(value: Any) -> Any:
    match value:
        case {"$bytes": str(text)}:
            return bytes.fromhex(text)
        case dict():
            return {key: from_json(inner) for key, inner in value.items()}
        case list():
            return [from_json(inner) for inner in value]
    return value
