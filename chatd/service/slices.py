"""What each node tells of itself, entry by entry, and the copies that it keeps of what others told.

A slice is what one node has of a room, or of itself (the name is empty then): entries by key. Its
stamp (`chatd.chat.shared_clock`) is that of its last change, 0 while it is empty. Four signals, of
which any may get lost, come twice or late; `now` is when one was sent:

    change  [before, at, [[key, isThere, value], ...]]  a copy as of `before` is as of `at` now
    whole   [now, at, part, parts, [[key, value], ...]] the slice as of `at`, in parts
    heads   [now, after, upTo, [[name, at], ...]]       the stamps of all slices that are not empty,
                                                        of names behind `after`, up to `upTo`
    ask     [node]                                      tell this slice; "" for all nodes

So a copy is always what the slice was as of one stamp. A node asks for the whole when a change does
not follow on its copy, or heads say another stamp; heads are told all the time. What was sent
before a copy was dropped does not bring it back.
"""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, Generic, Protocol, TypeVar

import attrs
import trio

from chatd.chat.shared_clock import SharedClock
from chatd.observe.clock import Clock
from chatd.service.nodes_alive import NodesAlive
from chatd.service.signals import Signals, in_pieces

HEADS_EVERY: Final = 3
"""Beats between two rounds of heads: what got lost is found so late."""
AGAIN_S: Final = 1.0
"""Before the same whole is asked for again."""
WHOLE_S: Final = 0.2
"""Between two wholes of one slice; a node that lost something meanwhile gets it with the next
beat."""
LAST: Final = "\U0010ffff"
"""Behind all names."""

V = TypeVar("V")
V_contra = TypeVar("V_contra", contravariant=True)


class Form(Protocol[V]):
    """How values travel."""

    def write(self, value: V) -> object:
        """A value as JSON."""
        ...

    def read(self, written: Any) -> V:
        """Raises ValueError or TypeError for what `write` did not make."""
        ...


class Learned(Protocol[V_contra]):
    """Who is told what has changed of a copy."""

    def __call__(
        self, node: str, name: str, key: str, value: V_contra, *, is_there: bool
    ) -> None: ...


@attrs.define(eq=False)
class _Copy(Generic[V]):
    at: int = 0
    entries: dict[str, V] = attrs.field(factory=dict)
    parts_at: int = 0
    parts: dict[int, list[tuple[str, V]]] = attrs.field(factory=dict)


class Slices(Generic[V]):
    """The slices of one kind: those of this node, and copies of those that it hears."""

    def __init__(
        self,
        kind: str,
        signals: Signals,
        nodes: NodesAlive,
        shared: SharedClock,
        clock: Clock,
        form: Form[V],
        learned: Learned[V],
    ) -> None:
        self._kind, self._signals, self._nodes = kind, signals, nodes
        self._shared, self._clock, self._form, self._learned = shared, clock, form, learned
        self._own: dict[str, dict[str, V]] = {}
        self._stamps: dict[str, int] = {}
        self._changed: dict[str, dict[str, tuple[bool, V]]] = {}
        self._copies: dict[str, dict[str, _Copy[V]]] = {}  # by name and node
        self._dropped: dict[str, int] = {}  # the last stamp at which something was dropped, by node
        self._held = {""}
        self._asked_s: dict[tuple[str, str], float] = {}  # by name and node
        self._told_s: dict[str, float] = {}  # when a whole was told
        self._due: set[str] = set()  # wholes that are told with the next beat
        self._beats = 0
        signals.on(f"{kind}.change", self._change)
        signals.on(f"{kind}.whole", self._whole)
        signals.on(f"{kind}.heads", self._heads)
        signals.on(f"{kind}.ask", self._ask)
        signals.watch(self)
        nodes.watch(self)

    # What this node has

    def put(self, name: str, key: str, value: V) -> None:
        """Have this entry; does nothing if it is there already. The others learn of it with
        `tell`."""
        entries = self._own.setdefault(name, {})
        if entries.get(key) != value:
            entries[key] = value
            self._changed.setdefault(name, {})[key] = (True, value)

    def drop(self, name: str, key: str, value: V) -> None:
        """No longer have this entry; `value` is the last word on it."""
        entries = self._own.get(name, {})
        if entries.pop(key, None) is not None:
            self._changed.setdefault(name, {})[key] = (False, value)
        if not entries:
            self._own.pop(name, None)

    def tell(self) -> None:
        """Tell the others what has changed."""
        changed, self._changed = self._changed, {}
        for name, changes in changed.items():
            written = [[key, here, self._form.write(it)] for key, (here, it) in changes.items()]
            for piece in in_pieces(written):
                before = self._stamps.get(name, 0)
                at = self._stamps[name] = self._now()
                self._signals.send(name, f"{self._kind}.change", [before, at, piece])
            if name not in self._own:
                self._stamps.pop(name, None)

    def own(self, name: str) -> Mapping[str, V]:
        """The entries of this node."""
        return self._own.get(name, MappingProxyType({}))

    # What others have

    def holders(self, name: str, key: str) -> Iterator[tuple[str, V]]:
        """The other nodes that have the entry, each with its value there."""
        for node, copy in self._copies.get(name, {}).items():
            value = copy.entries.get(key)
            if value is not None:
                yield node, value

    def copies(self) -> Iterator[tuple[str, str, str, V]]:
        """All that the others have: node, name, key and value."""
        for name, copies in self._copies.items():
            for node, copy in copies.items():
                for key, value in copy.entries.items():
                    yield node, name, key, value

    # The holder of rooms, and what goes by nodes

    def held(self, room: str) -> None:
        self._held.add(room)
        self._signals.send(room, f"{self._kind}.ask", [""])

    def released(self, room: str) -> None:
        self._held.discard(room)
        for node in list(self._copies.get(room, ())):
            self._drop(node, room, 0)

    def came_up(self) -> None:
        self._tell_heads()

    def beat(self) -> None:
        self.tell()
        due, self._due = self._due, set()
        for name in due:
            self._tell_whole(name)
        horizon_s = trio.current_time() - AGAIN_S
        self._asked_s = {of: at_s for of, at_s in self._asked_s.items() if at_s > horizon_s}
        self._told_s = {name: at_s for name, at_s in self._told_s.items() if at_s > horizon_s}
        if self._beats % HEADS_EVERY == 0:
            self._tell_heads()
        self._beats += 1

    def gone(self, node: str) -> None:
        for name in [name for name, copies in self._copies.items() if node in copies]:
            self._drop(node, name, self._copies[name][node].at)

    def _tell_whole(self, name: str) -> None:
        self.tell()
        written = [[key, self._form.write(value)] for key, value in self.own(name).items()]
        pieces = list(in_pieces(written)) or [[]]
        now = self._now()
        at = self._stamps.get(name, now)
        self._told_s[name] = trio.current_time()
        for part, piece in enumerate(pieces):
            self._signals.send(name, f"{self._kind}.whole", [now, at, part, len(pieces), piece])

    def _tell_heads(self) -> None:
        now = self._now()
        pieces = list(in_pieces([name, at] for name, at in sorted(self._stamps.items()))) or [[]]
        after = ""
        for piece in pieces:
            up_to = LAST if piece is pieces[-1] else piece[-1][0]
            self._signals.send_all(f"{self._kind}.heads", [now, after, up_to, piece])
            after = up_to

    # Signals

    def _change(self, name: str, node: str, fields: Sequence[Any]) -> None:
        before, at, entries, *_ = fields
        read = [(_text(key), here is True, self._form.read(it)) for key, here, it in entries]
        if not self._takes(name, node, before, at):
            return
        copy = self._copy(name, node)
        if at <= copy.at or at <= self._dropped.get(node, 0):
            return
        if before != copy.at:
            self._ask_for(name, node)
            return
        copy.at = at
        for key, here, value in read:
            self._apply(node, name, copy, key, value, is_there=here)
        if not copy.entries:
            self._drop(node, name, at)

    def _whole(self, name: str, node: str, fields: Sequence[Any]) -> None:
        now, at, part, parts, entries, *_ = fields
        read = [(_text(key), self._form.read(it)) for key, it in entries]
        if not self._takes(name, node, now, at) or not 0 <= part < parts:
            return
        copy = self._copy(name, node)
        if at <= copy.at or now <= self._dropped.get(node, 0):
            return
        if copy.parts_at != now:
            copy.parts_at, copy.parts = now, {}
        copy.parts[part] = read
        if len(copy.parts) < parts:
            return
        now_there = {key: value for some in copy.parts.values() for key, value in some}
        copy.at, copy.parts_at, copy.parts = at, 0, {}
        for key in [key for key in copy.entries if key not in now_there]:
            self._apply(node, name, copy, key, copy.entries[key], is_there=False)
        for key, value in now_there.items():
            self._apply(node, name, copy, key, value, is_there=True)
        if not now_there:
            self._drop(node, name, now)

    def _heads(self, _all: str, node: str, fields: Sequence[Any]) -> None:
        now, after, up_to, heads, *_ = fields
        stamps = {_text(name): at for name, at in heads}
        if not self._takes("", node, now, *stamps.values()):
            return
        for name, at in stamps.items():
            if name in self._held and self._copy(name, node).at != at:
                self._ask_for(name, node)
        after, up_to = _text(after), _text(up_to)
        for name in list(self._copies):
            is_meant = after < name <= up_to or name == after == ""
            copy = self._copies[name].get(node)
            if is_meant and copy is not None and name not in stamps and copy.at <= now:
                self._drop(node, name, now)

    def _ask(self, name: str, _node: str, fields: Sequence[Any]) -> None:
        asked, *_ = fields
        if asked not in ("", self._signals.node):
            return
        if not asked:
            if name in self._own:
                self._tell_whole(name)
        elif name in self._told_s and trio.current_time() - self._told_s[name] < WHOLE_S:
            self._due.add(name)
        else:
            self._tell_whole(name)

    def _takes(self, name: str, node: str, *stamps: int) -> bool:
        """Whether a signal is about something that this node listens to. Raises ValueError for a
        value that is not a stamp."""
        for stamp in stamps:
            self._shared.witness(stamp, self._clock.wall_ms())
        return name in self._held and self._nodes.heard(node)

    def _ask_for(self, name: str, node: str) -> None:
        now_s = trio.current_time()
        if now_s - self._asked_s.get((name, node), -AGAIN_S) >= AGAIN_S:
            self._asked_s[name, node] = now_s
            self._signals.send(name, f"{self._kind}.ask", [node])

    def _now(self) -> int:
        return self._shared.stamp(self._clock.wall_ms())

    def _copy(self, name: str, node: str) -> _Copy[V]:
        return self._copies.setdefault(name, {}).setdefault(node, _Copy())

    def _apply(
        self, node: str, name: str, copy: _Copy[V], key: str, value: V, *, is_there: bool
    ) -> None:
        if is_there:
            if copy.entries.get(key) == value:
                return
            copy.entries[key] = value
        elif copy.entries.pop(key, None) is None:
            return
        self._learned(node, name, key, value, is_there=is_there)

    def _drop(self, node: str, name: str, at: int) -> None:
        """Nothing is there, as of this stamp."""
        self._dropped[node] = max(self._dropped.get(node, 0), at)
        copy = self._copies[name].pop(node)
        if not self._copies[name]:
            del self._copies[name]
        while copy.entries:
            key, value = copy.entries.popitem()
            self._learned(node, name, key, value, is_there=False)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("no text")
    return value
