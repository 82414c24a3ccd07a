"""The members of rooms, as memory knows them: what each is owed, up to where it has read its room,
what it is called, and on which nodes it is present.

Who becomes a member has read what is there. Everything here is as of the last batch that was
applied. What becomes of it is decided in `chatd.chat.membership`.
"""

from collections.abc import Collection, Iterator, Mapping
from types import MappingProxyType

import attrs

from chatd.chat.mentions import Names
from chatd.chat.queue import Queue, QueuesByRoom
from chatd.chat.shares import NOBODY, Seen, Share, SharedMember

NAMES_MAX = 100_000  # names in memory as mentions are looked up; beyond: rooms are folded anew


class Members:
    """The members of all rooms. `node` is the number of this node's life if several nodes share the
    log, else 0: then no member has a share."""

    def __init__(
        self,
        queues: QueuesByRoom,
        last_seqs: Mapping[str, int],
        read_seqs: Mapping[str, Mapping[str, int]] = MappingProxyType({}),
        names: Mapping[str, Mapping[str, str]] = MappingProxyType({}),
        shares: Mapping[tuple[str, str], Share] = MappingProxyType({}),
        node: int = 0,
    ) -> None:
        """Each by connectionId, then by userId, except the shares. `last_seqs` are those of rooms:
        a member without a marker has read all of its room."""
        self.node = node
        self._shares = dict(shares)
        self._queues = {room: dict(known) for room, known in queues.items()}
        self._rooms_of: dict[str, set[str]] = {}
        for room, known in queues.items():
            for user_id in known:
                self._rooms_of.setdefault(user_id, set()).add(room)
        self._read_seqs = {
            room: {
                user_id: read_seqs.get(room, {}).get(user_id, last_seqs.get(room, 0))
                for user_id in known
            }
            for room, known in queues.items()
        }
        self._names = {room: dict(called) for room, called in names.items()}
        self._directories: dict[str, Names] = {}  # the one that was looked into last at the end

    def rooms(self) -> Collection[str]:
        """The rooms that have members, or had some."""
        return self._queues.keys()

    def of_room(self, connection_id: str) -> Collection[str]:
        """The users that have joined a room."""
        return self._queues.get(connection_id, {}).keys()

    def rooms_of(self, user_id: str) -> Collection[str]:
        """The rooms that a user has joined."""
        return self._rooms_of.get(user_id, ())

    def has(self, connection_id: str, user_id: str) -> bool:
        """Whether a user has joined a room."""
        return user_id in self._queues.get(connection_id, ())

    def each(self) -> Iterator[tuple[str, str, Queue]]:
        """All members, by connectionId and userId, with what they are owed."""
        for room, queues in self._queues.items():
            for user_id, queue in queues.items():
                yield room, user_id, queue

    def queue(self, connection_id: str, user_id: str) -> Queue | None:
        """What a user is owed in a room; None if the user is not a member."""
        queues = self._queues.get(connection_id)
        return None if queues is None else queues.get(user_id)

    def read_seq(self, connection_id: str, user_id: str) -> int | None:
        """Up to where a member has read the room; None for a user who is not a member."""
        read_seqs = self._read_seqs.get(connection_id)
        return None if read_seqs is None else read_seqs.get(user_id)

    def name(self, connection_id: str, user_id: str) -> str | None:
        """What a member is called, if that is known."""
        names = self._names.get(connection_id)
        return None if names is None else names.get(user_id)

    def share(self, connection_id: str, user_id: str) -> Share:
        """What the nodes know together of a member."""
        return self._shares.get((connection_id, user_id), NOBODY) if self.node else NOBODY

    def names_in(self, connection_id: str) -> Names:
        """What the members of a room are called."""
        names = self._directories.pop(connection_id, None)
        if names is None:
            known = self._names.get(connection_id, {})
            members = self._queues.get(connection_id, ())
            names = Names((user_id, known.get(user_id)) for user_id in members)
            held = len(names) + sum(map(len, self._directories.values()))
            while held > NAMES_MAX and self._directories:
                held -= len(self._directories.pop(next(iter(self._directories))))
        self._directories[connection_id] = names
        return names

    # What stays as it is, whatever happens here

    def freeze(self) -> dict[str, dict[str, Queue]]:
        """The members and their queues."""
        return {room: dict(queues) for room, queues in self._queues.items()}

    def freeze_read_seqs(self) -> dict[str, dict[str, int]]:
        """The markers of members, as `freeze` gives their queues."""
        return {room: dict(seqs) for room, seqs in self._read_seqs.items()}

    def freeze_names(self) -> dict[str, dict[str, str]]:
        """The names of members, as `freeze` gives their queues."""
        return {room: dict(names) for room, names in self._names.items()}

    # What becomes of them

    def keep(self, connection_id: str, user_id: str, member: SharedMember) -> None:
        """A user is a member of a room. If `name` is None, a known name stays."""
        self._queues.setdefault(connection_id, {})[user_id] = member.queue
        self._read_seqs.setdefault(connection_id, {})[user_id] = member.read_seq
        self._rooms_of.setdefault(user_id, set()).add(connection_id)
        if self.node:
            self._shares[connection_id, user_id] = member.share
        if member.name is not None:
            self._names.setdefault(connection_id, {})[user_id] = member.name
        directory = self._directories.get(connection_id)
        if directory is not None:
            directory.put(user_id, member.name)

    def mark_read(self, connection_id: str, user_id: str, read_seq: int, version: int) -> None:
        """A member has read its room up to a seq."""
        self._read_seqs[connection_id][user_id] = read_seq
        if self.node:
            share = attrs.evolve(self.share(connection_id, user_id), version=version)
            self._shares[connection_id, user_id] = share

    def remove(self, connection_id: str, user_id: str) -> None:
        """A user is no longer a member."""
        del self._queues[connection_id][user_id]
        del self._read_seqs[connection_id][user_id]
        self._shares.pop((connection_id, user_id), None)
        self._names.get(connection_id, {}).pop(user_id, None)
        rooms = self._rooms_of[user_id]
        rooms.discard(connection_id)
        if not rooms:
            del self._rooms_of[user_id]
        directory = self._directories.get(connection_id)
        if directory is not None:
            directory.remove(user_id)

    def learn(self, seen: Seen) -> None:
        """This was seen of a member in the log, perhaps before what is known here was committed:
        the higher version counts."""
        if seen.version > self.share(seen.connection_id, seen.user_id).version:
            self.put(seen.connection_id, seen.user_id, seen.member)

    def put(self, connection_id: str, user_id: str, member: SharedMember | None) -> None:
        """This is what the log has of a member now, None for a user who is not a member."""
        if member is not None:
            self.keep(connection_id, user_id, member)
            if member.name is None:
                self._names.get(connection_id, {}).pop(user_id, None)
        elif self.has(connection_id, user_id):
            self.remove(connection_id, user_id)
