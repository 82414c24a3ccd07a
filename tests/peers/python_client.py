"""python-socketio's clients, driven through pipes: `python python_client.py sync|asyncio`.

A line of standard input is a command, a line of standard output an event, both JSON; the commands
and events are described in drivers.py. Bytes travel as `{"$bytes": hex}`.
"""

import asyncio
import contextlib
import json
import queue
import sys
import threading
from collections.abc import Callable
from typing import Any

import socketio

TRANSPORTS = {
    "polling": ["polling"],
    "websocket": ["websocket"],
    "upgrade": ["polling", "websocket"],
}
RECONNECTION = {"reconnection_delay": 0.05, "reconnection_delay_max": 0.2, "handle_sigint": False}
LIMIT_S = 30.0  # whatever happens, nothing here waits for longer

_writing = threading.Lock()


def from_json(value: Any) -> Any:
    match value:
        case {"$bytes": str(text)}:
            return bytes.fromhex(text)
        case dict():
            return {key: from_json(inner) for key, inner in value.items()}
        case list():
            return [from_json(inner) for inner in value]
    return value


def to_json(value: Any) -> Any:
    match value:
        case bytes():
            return {"$bytes": value.hex()}
        case dict():
            return {key: to_json(inner) for key, inner in value.items()}
        case list() | tuple():
            return [to_json(inner) for inner in value]
    return value


def tell(client: str, namespace: str, event: str, *args: Any) -> None:
    told = {"client": client, "namespace": namespace, "event": event, "args": to_json(args)}
    with _writing:
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()


def tell_error(client: str, namespace: str, error: object = None) -> None:
    """A refusal of a namespace is an object; a connection that failed is a sentence."""
    refusal = error if isinstance(error, dict) else {"message": str(error)}
    tell(client, namespace, "connect_error", refusal.get("message"), refusal.get("data"))


def answer_of(result: Any) -> list[Any]:
    """What `call` returns, as the arguments of the ack that it was."""
    if result is None:
        return []
    return list(result) if isinstance(result, tuple) else [result]


class InOrder:
    """Makes the synchronous client handle messages in the order in which they came.

    It gives each message a thread of its own, and threads have no order; even the end of the
    connection may overtake the packet that announced it. Here it reads on when a message has been
    handled, or waits for something itself.
    """

    def __init__(self, client: socketio.Client) -> None:
        self._engine = client.eio
        self._start = client.eio.start_background_task
        self._handler = client.eio.handlers["message"]
        self._on_engine_disconnect = client.eio.handlers["disconnect"]
        self._own = threading.local()
        self._latest: threading.Thread | None = None
        self._handled = threading.Event()
        self._handled.set()
        client.eio.start_background_task = self._start_in_order
        client.eio.handlers["disconnect"] = self._disconnected

    def read_on(self) -> None:
        """Called in the thread of a message: it need not be waited for."""
        if hasattr(self._own, "handled"):
            self._own.handled.set()

    def settle(self) -> None:
        """Wait until the connection that was has ended, and what ended it."""
        self._engine.wait()
        if self._latest is not None:
            self._latest.join(LIMIT_S)

    def catch_up(self) -> None:
        """Wait until the message that came last was handled, and the end where that is what it was.

        A client that is closed while it handles the server's DISCONNECT changes its namespaces in
        both threads, and may wait for itself for ever.
        """
        self._handled.wait(LIMIT_S)
        if self._engine.state != "connected":
            self.settle()

    def _start_in_order(self, target: Callable[..., Any], *args: Any, **named: Any) -> Any:
        if target != self._handler:
            return self._start(target, *args, **named)
        handled = self._handled = threading.Event()

        def handle() -> None:
            self._own.handled = handled
            try:
                target(*args, **named)
            finally:
                handled.set()

        self._latest = self._start(handle)
        handled.wait(LIMIT_S)
        return self._latest

    def _disconnected(self, *args: Any) -> None:
        self.read_on()  # who disconnects waits for the reader
        self._on_engine_disconnect(*args)


class SyncClient:
    """One `socketio.Client`."""

    def __init__(self, name: str, namespaces: list[str]) -> None:
        self._name = name
        self._client = socketio.Client(**RECONNECTION)
        self._order = InOrder(self._client)
        self._held: set[tuple[str, str]] = set()
        self._answers: queue.Queue[tuple[Any, ...]] = queue.Queue()
        for namespace in namespaces:
            self._listen(namespace)

    def _listen(self, namespace: str) -> None:
        name, client = self._name, self._client

        def on_any(event: str, *args: Any) -> tuple[Any, ...] | None:
            tell(name, namespace, event, *args)
            if (namespace, event) not in self._held:
                return None
            self._order.read_on()
            return self._answers.get(timeout=LIMIT_S)

        def on_connect() -> None:
            tell(name, namespace, "connect", client.get_sid(namespace))

        client.on("connect", on_connect, namespace)
        client.on(
            "disconnect", lambda reason: tell(name, namespace, "disconnect", reason), namespace
        )
        client.on("connect_error", lambda error: tell_error(name, namespace, error), namespace)
        client.on("*", on_any, namespace)

    def connect(self, url: str, transport: str, namespaces: list[str], auth: Any) -> None:
        self._order.settle()
        with contextlib.suppress(socketio.exceptions.ConnectionError):  # told as connect_error
            self._client.connect(
                url,
                auth=auth,
                transports=TRANSPORTS[transport],
                namespaces=namespaces,
                wait=False,
            )
            tell(self._name, "/", "$transport", self._client.transport())

    def emit(self, namespace: str, args: list[Any], ack: int | None, limit_ms: int | None) -> None:
        event, rest = args[0], tuple(args[1:])
        if limit_ms is not None:
            threading.Thread(
                target=self._call, args=(namespace, event, rest, ack, limit_ms)
            ).start()
            return

        def on_ack(*answer: Any) -> None:
            tell(self._name, namespace, f"$ack {ack}", *answer)

        self._client.emit(event, rest, namespace, None if ack is None else on_ack)

    def _call(self, namespace: str, event: str, rest: Any, ack: int | None, limit_ms: int) -> None:
        try:
            answer = answer_of(self._client.call(event, rest, namespace, limit_ms / 1000))
        except socketio.exceptions.TimeoutError:
            answer = ["$late"]
        tell(self._name, namespace, f"$ack {ack}", *answer)

    def hold(self, namespace: str, event: str) -> None:
        self._held.add((namespace, event))

    def answer(self, namespace: str, args: list[Any]) -> None:
        self._answers.put(tuple(args))

    def close(self) -> None:
        self._order.catch_up()
        carried_by = self._client.transport()
        self._client.reconnection = False
        self._client.shutdown()
        self._client.eio.disconnect()  # a client that was refused still has its connection
        tell(self._name, "/", "$closed", carried_by)


class AsyncioClient:
    """One `socketio.AsyncClient`."""

    def __init__(self, name: str, namespaces: list[str]) -> None:
        self._name = name
        self._client = socketio.AsyncClient(**RECONNECTION)
        self._held: set[tuple[str, str]] = set()
        self._answers: asyncio.Queue[tuple[Any, ...]] = asyncio.Queue()
        self._calls: set[asyncio.Task[None]] = set()
        self._latest: asyncio.Task[Any] | None = None
        self._handle_message = self._client.eio.handlers["message"]
        self._client.eio.handlers["message"] = self._note_and_handle
        for namespace in namespaces:
            self._listen(namespace)

    def _listen(self, namespace: str) -> None:
        name, client = self._name, self._client

        async def on_any(event: str, *args: Any) -> tuple[Any, ...] | None:
            tell(name, namespace, event, *args)
            if (namespace, event) not in self._held:
                return None
            return await asyncio.wait_for(self._answers.get(), LIMIT_S)

        def on_connect() -> None:
            tell(name, namespace, "connect", client.get_sid(namespace))

        client.on("connect", on_connect, namespace)
        client.on(
            "disconnect", lambda reason: tell(name, namespace, "disconnect", reason), namespace
        )
        client.on("connect_error", lambda error: tell_error(name, namespace, error), namespace)
        client.on("*", on_any, namespace)

    async def _note_and_handle(self, message: str | bytes) -> None:
        self._latest = asyncio.current_task()
        await self._handle_message(message)

    async def _settle(self) -> None:
        """Wait until the connection that was has ended, and what ended it."""
        await self._client.eio.wait()
        if self._latest is not None:
            await asyncio.wait([self._latest], timeout=LIMIT_S)

    async def connect(self, url: str, transport: str, namespaces: list[str], auth: Any) -> None:
        await self._settle()
        with contextlib.suppress(socketio.exceptions.ConnectionError):  # told as connect_error
            await self._client.connect(
                url,
                auth=auth,
                transports=TRANSPORTS[transport],
                namespaces=namespaces,
                wait=False,
            )
            tell(self._name, "/", "$transport", self._client.transport())

    async def emit(
        self, namespace: str, args: list[Any], ack: int | None, limit_ms: int | None
    ) -> None:
        event, rest = args[0], tuple(args[1:])
        if limit_ms is not None:
            call = asyncio.create_task(self._call(namespace, event, rest, ack, limit_ms))
            self._calls.add(call)
            call.add_done_callback(self._calls.discard)
            return

        def on_ack(*answer: Any) -> None:
            tell(self._name, namespace, f"$ack {ack}", *answer)

        await self._client.emit(event, rest, namespace, None if ack is None else on_ack)

    async def _call(
        self, namespace: str, event: str, rest: Any, ack: int | None, limit_ms: int
    ) -> None:
        try:
            answer = answer_of(await self._client.call(event, rest, namespace, limit_ms / 1000))
        except socketio.exceptions.TimeoutError:
            answer = ["$late"]
        tell(self._name, namespace, f"$ack {ack}", *answer)

    async def hold(self, namespace: str, event: str) -> None:
        self._held.add((namespace, event))

    async def answer(self, namespace: str, args: list[Any]) -> None:
        self._answers.put_nowait(tuple(args))

    async def close(self) -> None:
        carried_by = self._client.transport()
        self._client.reconnection = False
        await self._client.shutdown()
        await self._client.eio.disconnect()  # a client that was refused still has its connection
        tell(self._name, "/", "$closed", carried_by)


def parsed(line: str | bytes) -> tuple[str, str, dict[str, Any]]:
    """A line of input as a client's name, a command and its arguments."""
    command = from_json(json.loads(line))
    return command.pop("client"), command.pop("do"), command


def run_sync() -> None:
    clients: dict[str, SyncClient] = {}
    for line in sys.stdin:
        name, what, arguments = parsed(line)
        if name not in clients:
            clients[name] = SyncClient(name, arguments["namespaces"])
        client = clients.pop(name) if what == "close" else clients[name]
        getattr(client, what)(**arguments)


async def run_asyncio() -> None:
    clients: dict[str, AsyncioClient] = {}
    lines = asyncio.StreamReader(limit=2**24)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := await lines.readline():
        name, what, arguments = parsed(line)
        if name not in clients:
            clients[name] = AsyncioClient(name, arguments["namespaces"])
        client = clients.pop(name) if what == "close" else clients[name]
        await getattr(client, what)(**arguments)


if __name__ == "__main__":
    if sys.argv[1] == "sync":
        run_sync()
    else:
        asyncio.run(run_asyncio())
