"""Which listener hears which topics of a bus: each has those that begin with its letter."""

import attrs

from chatd.bus.bus import Listener


@attrs.define(eq=False)
class Topics:
    """The `Listener` of a node's bus, which passes on what is heard: topics are written
    `letter:name`."""

    _listeners: dict[str, Listener] = attrs.field(init=False, factory=dict)

    def add(self, letter: str, listener: Listener) -> None:
        """Topics that begin with `letter` are for this listener."""
        assert letter not in self._listeners
        self._listeners[letter] = listener

    def heard(self, topic: str, payload: bytes) -> None:
        listener = self._listeners.get(topic.partition(":")[0])
        if listener is not None:
            listener.heard(topic, payload)

    def came_up(self) -> None:
        for listener in self._listeners.values():
            listener.came_up()
