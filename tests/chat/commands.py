"""Commands and messages of the chat, with everything that a test does not care about filled in."""

from typing import Any

from chatd.chat.messages import Acknowledge, JoinRooms, LeaveRooms, SendMessage
from chatd.chat.records import Message, MessagePlace


def message_id(number: int) -> str:
    """The UUID that stands for a small number."""
    return f"00000000-0000-4000-8000-{number:012x}"


def send(number: int = 1, content: str = "hello", **changes: Any) -> SendMessage:
    """A message of ann in the room `demo`."""
    fields: dict[str, Any] = {
        "origin": None,
        "user_id": "ann",
        "name": None,
        "message_id": message_id(number),
        "connection_id": "demo",
        "content": content,
        "context": None,
        "thread_id": None,
    }
    return SendMessage(**(fields | changes))


def stored(command: SendMessage, seq: int, timestamp_ms: int = 0) -> Message:
    """The message that a command becomes."""
    return Message(
        message_id=command.message_id,
        connection_id=command.connection_id,
        seq=seq,
        user_id=command.user_id,
        name=command.name,
        content=command.content,
        context=command.context,
        thread_id=command.thread_id,
        timestamp_ms=timestamp_ms,
    )


def join(*rooms: str, user_id: str = "ann") -> JoinRooms:
    return JoinRooms(None, user_id, rooms)


def leave(*rooms: tuple[str, int], user_id: str = "ann") -> LeaveRooms:
    """The last socket of the user leaves rooms, having seen up to a seq in each."""
    return LeaveRooms(user_id, rooms)


def place(message: Message) -> MessagePlace:
    """Where a message is, and whose it is."""
    return MessagePlace(message.message_id, message.connection_id, message.seq, message.user_id)


def acknowledge(
    message: Message,
    *receipts: Message,
    up_to: bool = False,
    user_id: str = "bob",
    settles_to: int = 0,
) -> Acknowledge:
    """The user has a message; `receipts` are those that nobody has acknowledged, it seems."""
    places = tuple(map(place, receipts))
    return Acknowledge(None, user_id, message, up_to, places, settles_to)
