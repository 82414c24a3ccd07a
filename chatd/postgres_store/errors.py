"""Why a log in PostgreSQL cannot be opened, or why this node may no longer write it.

Each error is a sentence for people with a stable code. None repeats anything of the database's
address except what libpq says of it: host, user and cause.
"""

import enum
from typing import Final

from chatd.store.errors import EXIT_FAILURE, LogStartedOver, StoreError

EXIT_CONFIG: Final = 78  # EX_CONFIG of sysexits.h: another try does not help


class Unfit(enum.StrEnum):
    """What keeps a start from using the database."""

    URL_INVALID = "state_url_invalid"
    UNREACHABLE = "log_unreachable"
    SERVER_TOO_OLD = "postgres_too_old"
    NOT_UTF8 = "postgres_not_utf8"
    READ_ONLY = "postgres_read_only"
    NOT_DURABLE = "postgres_fsync_off"
    TRANSACTION_POOLER = "postgres_transaction_pooler"
    RIGHT_MISSING = "postgres_right_missing"
    SCHEMA_FOREIGN = "schema_foreign"
    SCHEMA_TOO_NEW = "schema_too_new"
    SCHEMA_IN_USE = "schema_in_use"
    SCHEMA_NOT_EMPTY = "schema_not_empty"
    COPY_UNFINISHED = "copy_unfinished"
    NODE_NAME_IN_USE = "node_name_in_use"
    BUS_DIFFERS = "bus_differs"


_MAY_PASS: Final = frozenset(
    {
        Unfit.UNREACHABLE,
        Unfit.READ_ONLY,
        Unfit.SCHEMA_IN_USE,
        Unfit.SCHEMA_NOT_EMPTY,
        Unfit.COPY_UNFINISHED,
        Unfit.NODE_NAME_IN_USE,
    }
)
_KEYS: Final = {Unfit.NODE_NAME_IN_USE: "[cluster] node", Unfit.BUS_DIFFERS: "[bus] url"}
"""The key of the configuration that is at fault, if it is not the address of the database."""


class DatabaseUnfit(StoreError):
    """The database cannot be the log now."""

    def __init__(self, code: Unfit, sentence: str) -> None:
        self.code = code
        self.sentence = sentence if sentence[-1] in ".?" else f"{sentence}."
        self.exit_code = EXIT_FAILURE if code in _MAY_PASS else EXIT_CONFIG
        super().__init__(f"{_KEYS.get(code, '[state] url')} ({code}): {self.sentence}")


class NodeReplaced(StoreError):
    """Another chatd has taken over the log: this one must not write any more."""


class CommitsLost(LogStartedOver):
    """The database has lost what it had committed. Clients have to start over."""
