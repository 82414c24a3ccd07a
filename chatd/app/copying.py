"""Copies a log from where one configuration has it to where another one has it."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import attrs

from chatd.app.logs import address_of, keeps_files
from chatd.config import StateConfig
from chatd.store import StoreError
from chatd.store.copied_log import new_sqlite_log, sqlite_log_to_copy
from chatd.store.log_copy import Copied, CopyFailed, LogRows, NewLog, Progress, copy_log


@attrs.frozen
class LogPlace:
    """Where a log is: in the files of a state directory, or in PostgreSQL."""

    state: StateConfig
    directory: Path

    @property
    def shown(self) -> str:
        """For a person, after "the store"; without any part of an address."""
        if keeps_files(self.state):
            return str(self.directory)
        return f"in the schema {self.state.schema} of PostgreSQL"


def copy_between(source: LogPlace, target: LogPlace, progress: Progress) -> Copied:
    """Copy a log that no daemon uses to a place without one, and compare. Raises StoreError,
    StartFailedError."""
    with _log_to_copy(source) as rows, _of_target(), _new_log(target) as log:
        return copy_log(rows, log, progress)


def _log_to_copy(place: LogPlace) -> contextlib.AbstractContextManager[LogRows]:
    if keeps_files(place.state):
        return sqlite_log_to_copy(place.directory)
    address = address_of(place.state)
    from chatd.postgres_store.copied_log import postgres_log_to_copy

    return postgres_log_to_copy(address)


def _new_log(place: LogPlace) -> contextlib.AbstractContextManager[NewLog]:
    if keeps_files(place.state):
        return new_sqlite_log(place.directory)
    address = address_of(place.state)
    from chatd.postgres_store.copied_log import new_postgres_log

    return new_postgres_log(address)


@contextlib.contextmanager
def _of_target() -> Iterator[None]:
    """What is wrong with the target's database is reported of the target, not of `[state] url`."""
    try:
        yield
    except StoreError as error:
        code, sentence = getattr(error, "code", None), getattr(error, "sentence", None)
        if code is None or sentence is None:
            raise
        raise CopyFailed(code, sentence, error.exit_code, of="The target") from None
