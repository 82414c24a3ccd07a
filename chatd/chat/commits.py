"""What becomes of records that have to be kept, and how keeping or reading them fails.

Pure values and errors, shared by everything that keeps the log. Each error is a sentence for
people; those that go to a client carry a stable `code`.
"""

from collections.abc import Mapping
from typing import TypeAlias

import attrs

from chatd.chat.records import Message
from chatd.chat.shares import SharedMember
from chatd.wire.codes import Code


@attrs.frozen
class Committed:
    """All records of the request are durable; `position` is that of the last one.

    Where several nodes share the log: `moved` says, by room, how much higher than in the records
    the seqs of its messages are, since other nodes had stored messages there; `version` is that of
    all members that were written; `repeated` are receipts that other nodes wrote first, as
    (connectionId, seq).
    """

    position: int
    moved: Mapping[str, int] = attrs.field(factory=dict)
    version: int = 0
    repeated: frozenset[tuple[str, int]] = frozenset()


@attrs.frozen
class Conflict:
    """Nothing of the request was written: the log already has these messageIds, for these messages,
    in whatever room."""

    existing: Mapping[str, Message]


@attrs.frozen
class Behind:
    """Nothing of the request was written: it rests on what other nodes have changed meanwhile.

    What it rests on, as it is now: how far its rooms are, as (seq, rev); the messages that it
    changes, by connectionId and seq; its members, by connectionId and userId, None for a user who
    is not a member.
    """

    heads: Mapping[str, tuple[int, int]]
    messages: Mapping[tuple[str, int], Message]
    members: Mapping[tuple[str, str], SharedMember | None]


@attrs.frozen
class EndedBefore:
    """Nothing of the request was written: it ends answers that another node has already ended, or
    that were erased. These are their questions."""

    question_ids: frozenset[str]


CommitOutcome: TypeAlias = Committed | Conflict | Behind | EndedBefore


class CommitFailed(Exception):
    """Nothing of this commit was written. A later one may succeed: the writer tries each anew.

    `is_displaced`: the files of the log are not where they would be looked for. Then it may be
    written in the file that was lost, and is in no log that anybody finds.
    """

    def __init__(self, code: Code, what: str, *, is_displaced: bool = False) -> None:
        self.code = code
        self.what = what
        self.is_displaced = is_displaced
        super().__init__(f"The log could not be written: {what}.")


class RecordRefused(Exception):
    """The records do not fit the log (a gap in the seq, an id that is not a UUID): the caller
    erred.

    Nothing of the request was written; other requests are not affected. The caller that decided
    them has a state that is not the log's, and should recover from the log.
    """


class StoreClosed(Exception):
    """The store or its writer was closed before this call."""


class StoreReadFailed(Exception):
    """A read of the log failed. `is_damage`: its pages are broken, and another attempt reads the
    same; else the disk or the system failed to give them this time."""

    code = Code.STORAGE_READ_ERROR

    def __init__(self, message: str, *, is_damage: bool = False) -> None:
        self.is_damage = is_damage
        super().__init__(message)
