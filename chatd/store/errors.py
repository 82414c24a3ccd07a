"""What can go wrong with the files of a store, named for what the caller learns.

Each error is a sentence for people. Those of commits and reads are in `chatd.chat.commits`.
"""

from pathlib import Path

EXIT_FAILURE = 1
EXIT_DAMAGED = 74  # EX_IOERR of sysexits.h


class StoreError(Exception):
    """Something is wrong with the state on disk; a start that meets it ends in `exit_code`."""

    exit_code: int = EXIT_FAILURE


class StoreDamaged(StoreError):
    """The log is there, but is not whole: a person has to decide what to do."""

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


class NothingKnown(StoreError):
    """The log holds nothing of what was to be exported, and no file was made."""


class BackupDamaged(StoreError):
    """What was to be restored is not a whole log. The state directory is as it was."""

    exit_code = EXIT_DAMAGED


class LogStartedOver(StoreError):
    """The log lacks what it had committed, and has another epoch: clients have to start over."""


class FailedCommitFound(StoreError):
    """A commit ran while a file of the log was away, and was reported as failed. The file is back,
    so that the log holds it: the actor has to begin again with what the log holds."""


class StoreDisplaced(StoreError):
    """A file of the open log was removed or replaced: what is written now would not be found."""
