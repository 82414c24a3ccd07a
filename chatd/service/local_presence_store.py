"""Presence and typing of rooms in the memory of this node."""

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Generic, TypeVar

T = TypeVar("T")


class LocalPresenceStore(Generic[T]):
    """A `PresenceStore` of one node."""

    def __init__(self) -> None:
        self._rooms: dict[str, dict[str, T]] = {}

    def rooms(self) -> Collection[str]:
        return self._rooms.keys()

    def room(self, connection_id: str) -> Mapping[str, T]:
        return self._rooms.get(connection_id, MappingProxyType({}))

    def put(self, connection_id: str, user_id: str, value: T) -> None:
        self._rooms.setdefault(connection_id, {})[user_id] = value

    def drop(self, connection_id: str, user_id: str) -> None:
        room = self._rooms.get(connection_id, {})
        room.pop(user_id, None)
        if not room:
            self._rooms.pop(connection_id, None)
