"""What becomes of records that are to be kept, and how keeping or reading them fails.

Pure values and errors, shared by everything that keeps the log. Each error is a sentence for
people; those that go to a client carry a stable `code`.
"""

from collections.abc import Mapping
from typing import TypeAlias

import attrs

from chatd.chat.records import Message
from chatd.wire.codes import Code


@attrs.frozen
class Committed:
    """All records of the request are durable; `position` is that of the last one.

    `moved`: by how much the messages of a room have higher seqs than the records say, where other
    nodes have stored messages there that were not known.
    """

    position: int
    moved: Mapping[str, int] = attrs.field(factory=dict)


@attrs.frozen
class Conflict:
    """Nothing of the request was written: these messageIds were in the log already, as these,
    whatever room they are in."""

    existing: Mapping[str, Message]


@attrs.frozen
class Behind:
    """Nothing of the request was written: it goes by the seqs of rooms in which other nodes have
    stored messages meanwhile. These are the last seqs of its rooms now."""

    last_seqs: Mapping[str, int]


@attrs.frozen
class EndedBefore:
    """Nothing of the request was written: it ends answers that have ended already, by another node,
    or that were erased. These are their questions."""

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
    """The records do not fit the log (a gap in the seq, an id that is no UUID): the caller erred.

    Nothing of the request was written, other requests are not touched. The caller that decided them
    has a state that is not the log's, and should recover from the log.
    """


class StoreClosed(Exception):
    """The store or its writer was closed before this call."""


class StoreReadFailed(Exception):
    """A read of the log failed. `is_damage`: its pages are broken, and trying again reads the same;
    else the disk or the system did not give them this time."""

    code = Code.STORAGE_READ_ERROR

    def __init__(self, message: str, *, is_damage: bool = False) -> None:
        self.is_damage = is_damage
        super().__init__(message)
