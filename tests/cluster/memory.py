"""What a person has in mind: what it has noted, and what it needs to know to go on.

The rules are those of the protocol's document, "Reconnecting" and "Changes".
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs
import trio

from tests.cluster.histories import (
    Changed,
    Ended,
    Joined,
    Live,
    Note,
    Page,
    Row,
    Stage,
)

RECENT: Final = 20  # messages that somebody still edits, or reacts to
CHANGES: Final = {
    "chat:message:edited": Stage.EDITED,
    "chat:message:deleted": Stage.DELETED,
    "chat:message:reaction": None,
}


@attrs.define(eq=False)
class Memory:
    """`since`, `epoch` and `revs` are what the next visit begins with."""

    rooms: Sequence[str]
    began_s: float  # the run's beginning
    notes: list[Note] = attrs.field(factory=list)
    since: dict[str, int] = attrs.field(factory=dict)
    epoch: str | None = None
    revs: dict[str, int] = attrs.field(factory=dict)  # all changes up to there are known
    newest: dict[str, str] = attrs.field(factory=dict)  # the id of the message at `since`
    mine: list[tuple[str, str]] = attrs.field(factory=list)  # (room, id), not edited yet
    edited: list[tuple[str, str]] = attrs.field(factory=list)
    read: list[tuple[str, str]] = attrs.field(factory=list)  # what it may react to
    is_current: bool = False  # what was changed before this visit is known
    entered: set[str] = attrs.field(factory=set)  # rooms of which a page came, in this visit
    is_kept_out: bool = False  # of a room, in this visit
    has_started_over: bool = False  # as the log is another one
    sent_since: dict[str, int] = attrs.field(factory=dict)
    node: str = ""  # where it is; empty while it is nowhere
    news: trio.lowlevel.ParkingLot = attrs.field(factory=trio.lowlevel.ParkingLot)
    _asked_s: float = 0.0
    _heard_revs: dict[str, int] = attrs.field(factory=dict)  # in this visit

    def now_s(self) -> float:
        return trio.current_time() - self.began_s

    def note(self, note: Note) -> None:
        self.notes.append(note)

    def begin(self) -> None:
        """A visit begins: the client says what it has."""
        self._asked_s, self.sent_since = self.now_s(), dict(self.since)
        self.is_current, self._heard_revs, self.entered = False, {}, set()
        self.is_kept_out = False

    def is_caught_up(self) -> None:
        """What was changed before this visit is known now."""
        for room, rev in self._heard_revs.items():
            self.revs[room] = max(rev, self.revs.get(room, 0))
        self.is_current = True
        self.news.unpark_all()

    def forget_rooms(self) -> None:
        """It goes for a while, and keeps nothing."""
        self.since, self.revs = {}, {}

    def hear(self, name: str, payload: Any) -> None:
        match name:
            case "connection:status" if payload["status"] == "connected":
                self._enter(payload)
            case "chat:history":
                self._page(payload)
            case "chat:message":
                row, room = Row.of(payload), payload["connectionId"]
                is_replay = "replay" in payload
                self.note(Live(room, row, is_replay, self.now_s()))
                if not is_replay:
                    self._came(room, row)
            case "chat:error" if payload["event"] == "connection:join":
                self._kept_out(payload)
            case "chat:answer:end":
                self.note(Ended(payload["replyTo"], payload["messageId"], payload["state"]))
            case _ if name in CHANGES:
                self._changed(payload, CHANGES[name])
        self.news.unpark_all()

    def _enter(self, status: Mapping[str, Any]) -> None:
        if self.epoch not in (None, status["epoch"]):
            # The log is another one: nothing of the last one is of use.
            for kept in (self.since, self.revs, self.newest, self.sent_since):
                kept.clear()
            for ids in (self.mine, self.edited, self.read):
                ids.clear()
            self.has_started_over = True
        self.epoch = status["epoch"]
        owed = {
            room["connectionId"]: room["owed"]
            for room in status["rooms"]
            if room["connectionId"] in self.rooms
        }
        since, at_s = dict(self.sent_since), self.now_s()
        self.note(Joined(self.node, status["epoch"], self._asked_s, at_s, since, owed))

    def _page(self, page: Mapping[str, Any]) -> None:
        room = page["connectionId"]
        rows = [Row.of(shown) for shown in page["messages"]]
        is_reset = "reset" in page
        self.entered.add(room)
        self.note(Page(room, rows, is_reset, page["lastRev"], self.now_s()))
        if is_reset:
            self.since.pop(room, None)
            self.revs.pop(room, None)
        self._heard_revs[room] = max(page["lastRev"], self._heard_revs.get(room, 0))
        for row in rows:
            self._came(room, row)

    def _kept_out(self, error: Mapping[str, Any]) -> None:
        """A join has failed, and what came of it may not be all."""
        room = error.get("connectionId", "")
        self.is_kept_out = True
        if room in self.since and room not in self.sent_since:
            del self.since[room]
            self.revs.pop(room, None)

    def _came(self, room: str, row: Row) -> None:
        self.since[room] = row.seq
        self.newest[room] = row.message_id
        if row.reply_to == "":
            self.read = [*self.read[-RECENT:], (room, row.message_id)]

    def _changed(self, payload: Mapping[str, Any], stage: Stage | None) -> None:
        room, rev = payload["connectionId"], payload["rev"]
        reaction = None if stage is not None else (payload["emoji"], payload["userId"])
        self.note(
            Changed(
                *(room, payload["seq"], payload["messageId"], rev, stage),
                *(payload.get("content", ""), reaction, self.now_s()),
            )
        )
        self._heard_revs[room] = max(rev, self._heard_revs.get(room, 0))
        if self.is_current:
            self.revs[room] = max(rev, self.revs.get(room, 0))
