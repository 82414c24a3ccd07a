"""What can go wrong with the state on disk, named for what the caller learns.

Each error is a sentence for people. Those of opening stop the start; those of a commit carry a
stable `code` of SPEC 3, which goes to the sender of the message.
"""

import enum
from pathlib import Path

EXIT_FAILURE = 1
EXIT_DAMAGED = 74  # SPEC 8: the store is damaged (sysexits.h, EX_IOERR)


class StoreError(Exception):
    """Something is wrong with the state on disk; a start that meets it ends in `exit_code`."""

    exit_code: int = EXIT_FAILURE


class StoreDamaged(StoreError):
    """The log is there, and is not a whole log: a person has to decide what to do."""

    exit_code = EXIT_DAMAGED

    def __init__(self, path: Path, what: str) -> None:
        self.path = path
        self.what = what
        super().__init__(
            f"The log {path} is damaged: {what}. Nothing was changed. Restore it from a backup, or "
            f"move all files whose names begin with {path.name} away together to start with an "
            "empty log."
        )


class StoreUnavailable(StoreError):
    """The state directory or a file in it cannot be used now: permission, kind, no space."""


class StoreLocked(StoreError):
    """Another daemon uses this state directory, or a writer of this one still lives."""


class StoreTooNew(StoreError):
    """A newer chatd wrote this log; an older one would misread it."""


class StoreTooOld(StoreError):
    """An older chatd wrote this log, and no start has brought it forward yet."""


class BackupFailed(StoreError):
    """A backup could not be made or restored. What was there before is as it was."""


class BackupDamaged(StoreError):
    """What was to be restored is not a whole log. The state directory is as it was."""

    exit_code = EXIT_DAMAGED


class StoreClosed(StoreError):
    """The store or its writer was closed before this was asked of it."""


class FailureCode(enum.StrEnum):
    """Codes of SPEC 3 that come from the disk."""

    STORAGE_FULL = "storage_full"
    STORAGE_ERROR = "storage_error"
    STORAGE_READ_ERROR = "storage_read_error"


class CommitFailed(StoreError):
    """Nothing of this commit was written. A later one may succeed: the writer tries each anew.

    `is_displaced`: the files of the log are not where they would be looked for. Then it may be
    written in the file that was lost, and is in no log that anybody finds.
    """

    def __init__(self, code: FailureCode, what: str, *, is_displaced: bool = False) -> None:
        self.code = code
        self.what = what
        self.is_displaced = is_displaced
        super().__init__(f"The log could not be written: {what}.")


class CommitUntold(StoreError):
    """A commit ran while a file of the log was away, and was said to have failed. The file is back,
    so that the log holds it: who decides what is committed has to begin with what the log holds."""


class RecordRefused(StoreError):
    """The records do not fit the log (a gap in the seq, an id that is no UUID): the caller erred.

    Nothing of the request was written, other requests are not touched. Who decided the records has
    a state that is not the log's, and should recover from the log.
    """


class StoreDisplaced(StoreError):
    """A file of the open log was removed or replaced: what is written now would not be found."""


class StoreReadFailed(StoreError):
    """A read of the log failed. `is_damage`: its pages are broken, and trying again reads the same;
    else the disk or the system did not give them this time."""

    code = FailureCode.STORAGE_READ_ERROR

    def __init__(self, message: str, *, is_damage: bool = False) -> None:
        self.is_damage = is_damage
        super().__init__(message)
