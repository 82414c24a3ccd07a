"""What a handler of an event comes to."""

from collections.abc import Coroutine
from typing import Any, TypeAlias

from chatd.wire.acks import AckPayload
from chatd.wire.codes import Refusal
from chatd.wire.identifiers import CONNECTION_ID_CHARS, is_id

# None if the event is answered elsewhere: by the actor's effect, or by what it began.
Outcome: TypeAlias = AckPayload | Refusal | None

# A coroutine is awaited by the task that owns the socket's input.
Handled: TypeAlias = Outcome | Coroutine[Any, Any, Outcome]


async def outcome_of(handled: Handled) -> Outcome:
    """What a handler came to, once it has."""
    if isinstance(handled, Coroutine):
        return await handled
    return handled


def echoed_id(value: object, chars_max: int = CONNECTION_ID_CHARS) -> str | None:
    """What a client wrote in the place of an id, as far as it is repeated to the client and in
    logs.

    It is repeated as written if it might be an id of `chars_max` characters, so that the client
    recognises it; anything else (markup, control characters, a long text) is not.
    """
    return value if is_id(value, chars_max) else None
