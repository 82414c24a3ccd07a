"""What people and observers saw of a cluster, as values that know no clients: notes, in order.

Times are seconds since the run began. Messages are as clients are shown them, reduced to
what nodes have to agree on.
"""

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Any, TypeAlias

import attrs


class Stage(IntEnum):
    """How far a message has come; it never goes back. The tests edit a message once at most."""

    WRITTEN = 0
    EDITED = 1
    DELETED = 2


@attrs.frozen
class Row:
    """A message as of some time."""

    seq: int
    message_id: str
    user_id: str
    content: str
    rev: int = 0
    stage: Stage = Stage.WRITTEN
    reactions: frozenset[tuple[str, str]] = frozenset()  # (emoji, user)
    reply_to: str = ""
    state: str = ""  # of the answer

    @classmethod
    def of(cls, shown: Mapping[str, Any]) -> "Row":
        """From a `chat:message`."""
        stage = Stage.EDITED if "editedAt" in shown else Stage.WRITTEN
        return cls(
            seq=shown["seq"],
            message_id=shown["messageId"],
            user_id=shown["userId"],
            content=shown["content"],
            rev=shown.get("rev", 0),
            stage=Stage.DELETED if "deletedAt" in shown else stage,
            reactions=frozenset(
                (one["emoji"], user) for one in shown.get("reactions", ()) for user in one["users"]
            ),
            reply_to=shown.get("replyTo", ""),
            state=shown.get("answer", {}).get("state", ""),
        )


# What a person notes.


@attrs.frozen
class Tried:
    """A message is sent for the first time."""

    room: str
    message_id: str
    content: str
    at_s: float


@attrs.frozen
class Acked:
    """A message was acknowledged as stored; `epoch` is that of the session."""

    room: str
    message_id: str
    seq: int
    epoch: str
    at_s: float
    is_question: bool = False


@attrs.frozen
class Refused:
    """An event was refused for good, as `retryable: false` says."""

    event: str
    code: str
    at_s: float


@attrs.frozen
class Changing:
    """An edit, a deletion or a reaction is asked for, for the first time."""

    message_id: str
    stage: Stage | None = None
    content: str = ""
    reaction: str = ""


@attrs.frozen
class ChangeAcked:
    """The same was acknowledged."""

    message_id: str
    stage: Stage | None = None
    reaction: str = ""


@attrs.frozen
class Reading:
    """A marker is to be moved, or with `is_acked` it has."""

    room: str
    seq: int
    is_acked: bool


@attrs.frozen
class Received:
    """`chat:ack` of all up to a seq was answered."""

    room: str
    up_to: int


@attrs.frozen
class Joined:
    """`connection:status`: the first of a session. `since` is what the client said it had."""

    node: str
    epoch: str
    asked_s: float
    at_s: float
    since: Mapping[str, int]
    owed: Mapping[str, int]


@attrs.frozen
class Page:
    """A `chat:history` that came by itself."""

    room: str
    rows: Sequence[Row]
    is_reset: bool
    last_rev: int
    at_s: float = 0.0


@attrs.frozen
class Live:
    """A `chat:message`."""

    room: str
    row: Row
    is_replay: bool
    at_s: float = 0.0


@attrs.frozen
class Changed:
    """A change of a message, live."""

    room: str
    seq: int
    message_id: str
    rev: int
    stage: Stage | None = None
    content: str = ""
    reaction: tuple[str, str] | None = None
    at_s: float = 0.0


@attrs.frozen
class Reread:
    """What `changedAfter` brought, all of it."""

    room: str
    rows: Sequence[Row]


@attrs.frozen
class Ended:
    """A `chat:answer:end`."""

    question_id: str
    answer_id: str
    state: str


@attrs.frozen
class CaughtUp:
    """All that a join owes has come."""


@attrs.frozen
class Left:
    """The session is over. It ended well where the node has answered the goodbye. Without a
    `Joined` before it, the node had not answered yet, and may have let the person in."""

    at_s: float
    is_clean: bool


Note: TypeAlias = (
    Tried
    | Acked
    | Refused
    | Changing
    | ChangeAcked
    | Reading
    | Received
    | Joined
    | Page
    | Live
    | Changed
    | Reread
    | Ended
    | CaughtUp
    | Left
)
Notes: TypeAlias = Sequence[Note]


@attrs.frozen
class Presence:
    """Who is shown as what in a room, as one node tells a newcomer."""

    node: str
    room: str
    statuses: Mapping[str, str]


@attrs.frozen
class Typing:
    """How long after the first observer each node's observer saw somebody begin to type, in
    seconds; `None` where it never did."""

    after_s: Mapping[str, float | None]


@attrs.frozen
class Marker:
    """Up to where a node says that a user has read a room."""

    node: str
    user_id: str
    room: str
    read_seq: int


@attrs.frozen
class Case:
    """All of a run. `log` is what a node shows of each room when all is over, by the node."""

    notes: Mapping[str, Notes]  # by user
    logs: Mapping[str, Mapping[str, Sequence[Row]]]  # node -> room -> rows
    epoch: str
    presences: Sequence[Presence] = ()
    present: Mapping[str, frozenset[str]] = attrs.field(factory=dict)  # room -> who is there
    typings: Sequence[Typing] = ()
    markers: Sequence[Marker] = ()
    crashes: Sequence[str] = ()  # what nodes logged of themselves
    is_epoch_kept: bool = True
    detection_s: float = 15.0

    @property
    def log(self) -> Mapping[str, Sequence[Row]]:
        return next(iter(self.logs.values()))
