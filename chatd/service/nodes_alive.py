"""Which other nodes say that they live, and when one has fallen silent.

Each node says so once a second, and goodbye at its end. One that says nothing for `SILENCE_S` is
taken for gone, with what it told of itself. Nothing durable rests on that: what a node owes when it
dies is settled by its life in the log. So an error costs little: a node that speaks again tells all
of it again.
"""

import math
from typing import Any, Final, Protocol

import attrs
import trio

from chatd.service.signals import Signals

BEAT_S: Final = 1.0
SILENCE_S: Final = 3.5
"""With a grace of presence behind it this stays below 15 s, by which all nodes show the same."""
NODES_MAX: Final = 100
"""Other nodes that are heard; if there are more, somebody makes up names."""


class Watcher(Protocol):
    """Whatever goes by what nodes say."""

    def beat(self) -> None:
        """A second is over: tell what there is to tell."""
        ...

    def gone(self, node: str) -> None:
        """The node has fallen silent, or has said goodbye."""
        ...


@attrs.define(eq=False, slots=False)
class NodesAlive:
    """The other nodes, by name."""

    _signals: Signals
    _heard_s: dict[str, float] = attrs.field(init=False, factory=dict)
    _watchers: list[Watcher] = attrs.field(init=False, factory=list)
    _is_over: bool = attrs.field(init=False, default=False)
    _beat_s: float = attrs.field(init=False, default=math.inf)

    def __attrs_post_init__(self) -> None:
        self._signals.on("node.alive", self._alive)
        self._signals.on("node.bye", self._bye)

    def watch(self, watcher: Watcher) -> None:
        """Tell this one, too."""
        self._watchers.append(watcher)

    def names(self) -> tuple[str, ...]:
        """The nodes that were heard lately."""
        return tuple(self._heard_s)

    def heard(self, node: str) -> bool:
        """A signal of this node came; False if it is one node too many."""
        if node not in self._heard_s and len(self._heard_s) >= NODES_MAX:
            return False
        self._heard_s[node] = trio.current_time()
        return True

    async def run(self) -> None:
        """Say that this node lives, and notice which do not, until cancelled."""
        while not self._is_over:
            self.look(trio.current_time())
            await trio.sleep(BEAT_S)
        await trio.sleep_forever()

    def goodbye(self) -> None:
        """Tell the others that this node has no clients left and is about to end; nothing is told
        after that."""
        self._is_over = True
        self._signals.send_all("node.bye", [])

    def look(self, now_s: float) -> None:
        """Do what a beat does."""
        if now_s - self._beat_s > 2 * BEAT_S:  # this node was stopped: others were not heard
            self._heard_s = dict.fromkeys(self._heard_s, now_s)
        self._beat_s = now_s
        self._signals.send_all("node.alive", [], latest_of="node.alive")
        for node in [node for node, at_s in self._heard_s.items() if now_s - at_s > SILENCE_S]:
            self._end(node)
        for watcher in self._watchers:
            watcher.beat()

    def _alive(self, _room: str, node: str, _fields: Any) -> None:
        self.heard(node)

    def _bye(self, _room: str, node: str, _fields: Any) -> None:
        if node in self._heard_s:
            self._end(node)

    def _end(self, node: str) -> None:
        del self._heard_s[node]
        for watcher in self._watchers:
            watcher.gone(node)
