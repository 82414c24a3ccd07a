"""A Socket.IO server of an older or a newer chatd, beside the files of the page.

It speaks by a library that chatd does not use. What it says at a connection, and how it answers an
event, is up to the test; an event that it does not know is never acknowledged.
"""

import asyncio
import socket
import threading
import time
import uuid
from collections.abc import Mapping
from typing import Any, Final

import hypercorn.asyncio
import hypercorn.config
import socketio  # type: ignore[import-untyped]  # it has no types

from chatd.net.addresses import LOCAL
from chatd.net.http.app import NOT_FOUND, Request
from chatd.net.http.page import read_page
from tests.page.browser.files import DIST

ROOM: Final = "demo"
EPOCH: Final = "38d68ef691e5495f"


def old_status(user_id: str, last_seq: int) -> dict[str, Any]:
    """`connection:status` of the first version: no `server`, no markers, no changes."""
    return {
        "status": "connected",
        "userId": user_id,
        "serverTime": now_ms(),
        "epoch": EPOCH,
        "expiresAt": now_ms() + 600_000,
        "resumed": False,
        "rooms": [{"connectionId": ROOM, "lastSeq": last_seq, "unread": 0}],
        "limits": {
            "contentChars": 10_000,
            "historyPage": 50,
            "messagesPerMinute": 60,
            "typingPerMinute": 10,
            "maxPayload": 65_536,
        },
    }


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class FakeServer:
    """One room with a log in memory. `more` is what it adds to a connection's status."""

    def __init__(self, *contents: str, more: Mapping[str, Any] | None = None) -> None:
        self.heard: list[str] = []
        self.messages = [self._message("bob", content, at) for at, content in enumerate(contents)]
        self._more = more or {}
        self._sio = socketio.AsyncServer(async_mode="asgi", cors_allowed_origins="*")
        self._sio.on("connect", self._connect)
        self._sio.on("connection:join", self._join)
        self._sio.on("chat:message", self._send)
        self._sio.on("chat:history:get", self._history_get)
        self._sio.on("*", self._hear)
        self._files = read_page(DIST.parent).files
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._loop = asyncio.new_event_loop()
        self._ended = asyncio.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def emit(self, event: str, payload: Any) -> None:
        """Say something to all clients."""
        asyncio.run_coroutine_threadsafe(self._sio.emit(event, payload), self._loop).result(30)

    def write(self, content: str, **more: Any) -> None:
        """Somebody else writes a message."""
        message = {**self._message("bob", content, len(self.messages)), **more}
        self.messages.append(message)
        self.emit("chat:message", message)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join()
        self._socket.detach()  # Hypercorn has closed it

    def _run(self) -> None:
        config = hypercorn.config.Config()
        config.bind = [f"fd://{self._socket.fileno()}"]
        config.errorlog = None
        config.graceful_timeout = 0
        # Hypercorn cancels connections that outlive it, and asyncio complains of that.
        self._loop.set_exception_handler(lambda *_: None)
        application = socketio.ASGIApp(self._sio, self._serve_file)
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(
                hypercorn.asyncio.serve(application, config, shutdown_trigger=self._ended.wait)
            )

    def _message(self, user_id: str, content: str, at: int) -> dict[str, Any]:
        return {
            "messageId": str(uuid.uuid4()),
            "connectionId": ROOM,
            "userId": user_id,
            "name": user_id.title(),
            "content": content,
            "timestamp": now_ms(),
            "status": "sent",
            "seq": at + 1,
        }

    def _history(self) -> dict[str, Any]:
        return {
            "connectionId": ROOM,
            "messages": self.messages,
            "hasMore": False,
            "firstSeq": min(1, len(self.messages)),
            "lastSeq": len(self.messages),
            "reset": False,
        }

    async def _hear(self, event: str, *_: object) -> Any:
        """Note an event that this server does not know. Its ack never comes."""
        self.heard.append(event)
        await self._ended.wait()

    async def _connect(self, sid: str, _: Any, auth: Any) -> None:
        status = {**old_status("ada", len(self.messages)), **self._more}
        users = [{"userId": "ada", "status": "online", "name": "Ada"}]
        await self._sio.emit("connection:status", status, to=sid)
        await self._sio.emit("presence:snapshot", {"connectionId": ROOM, "users": users}, to=sid)
        await self._sio.emit("chat:history", self._history(), to=sid)

    async def _send(self, sid: str, payload: dict[str, Any]) -> dict[str, Any]:
        message = self._message("ada", payload["content"], len(self.messages))
        message["messageId"] = payload["messageId"]
        self.messages.append(message)
        told = {key: message[key] for key in ("messageId", "timestamp", "connectionId", "seq")}
        await self._sio.emit("chat:message:sent", told, to=sid)
        await self._sio.emit("chat:message", message)
        return {"ok": True, **told}

    async def _join(self, _: str, __: Any) -> dict[str, Any]:
        return {"ok": True, "connectionId": ROOM, "lastSeq": len(self.messages)}

    async def _history_get(self, _: str, __: Any) -> dict[str, Any]:
        return {"ok": True, **self._history()}

    async def _serve_file(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        request = Request("GET", scope["path"], b"", (), LOCAL)
        file = self._files.by_path.get(scope["path"])
        answer = NOT_FOUND if file is None else file.answer(request)
        await send(
            {
                "type": "http.response.start",
                "status": answer.status,
                "headers": list(answer.headers),
            }
        )
        await send({"type": "http.response.body", "body": answer.body})
