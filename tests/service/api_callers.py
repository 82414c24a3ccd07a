"""Somebody who asks a chat over HTTP with a token."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

import attrs
import orjson

from tests.service.asking import Answer, ask
from tests.service.chats import (
    ROOM,
    Chat,
    token,
)
from tests.wire.golden import fault_of_ack

GOOD = {"content": "x"}


@attrs.frozen
class Api:
    """Somebody who asks with a token; the acks that come back are held to the catalogue."""

    chat: Chat
    bearer: str | None = attrs.field(factory=token)
    room: str = ROOM

    async def ask(
        self,
        method: str,
        what: str,
        headers: Mapping[str, str] = {},
        body: bytes | None = None,
        **query: object,
    ) -> Answer:
        sent = dict(headers)
        if self.bearer is not None:
            sent["authorization"] = f"Bearer {self.bearer}".rstrip()
        target = f"/api/rooms/{quote(self.room, safe='')}/{what}"
        if query:
            target += "?" + urlencode(query, doseq=True)
        return await ask(self.chat.address, method, target, sent, body)

    async def post(
        self, body: object, *, key: str | None = None, headers: Mapping[str, str] = {}
    ) -> Answer:
        sent = {"content-type": "application/json", **headers}
        if key is not None:
            sent["idempotency-key"] = key
        written = body if isinstance(body, bytes) else orjson.dumps(body)
        answer = await self.ask("POST", "messages", sent, written)
        if answer.status in (200, 201):
            assert fault_of_ack("chat:message", answer.json()) is None
        return answer

    async def say(self, content: str, **fields: object) -> Any:
        answer = await self.post({"content": content, **fields})
        assert answer.status == 201, answer
        return answer.json()


def code_of(answer: Answer) -> str:
    error = answer.json()["error"]
    assert set(error) <= {"code", "message", "retryable", "retryAfterMs", "path"}
    assert error["message"].endswith((".", "`"))
    return str(error["code"])


def code_of_plain(answer: Answer) -> str:
    return str(answer.json()["error"]["code"])
