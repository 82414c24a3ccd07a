"""Reads of the log in PostgreSQL, on separate connections and bounded in time.

Errors are those of the port. They name only the class and the code of what went wrong, since the
server's words may quote a row.
"""

from collections.abc import Awaitable, Callable
from typing import Concatenate, Final, ParamSpec, TypeVar

import psycopg

from chatd.chat.commits import StoreClosed, StoreReadFailed
from chatd.postgres_client import Pool, TrioConnection, Unreachable
from chatd.postgres_store.sessions import LogAddress
from chatd.store.damage import WRONG_VALUE
from chatd.store.reader_pool import Witness

_T = TypeVar("_T")
_P = ParamSpec("_P")

READ_S: Final = 5.0
"""Seconds that one statement of a read may take; beyond: `StoreReadFailed`."""
WAIT_S: Final = 15.0
"""Seconds that a read may take in all, including the wait for a connection; beyond:
`StoreReadFailed`."""
LONGEST_WAIT_S: Final = 1.0
"""The most seconds until a log that came back is read again: until then, nobody can join."""
_DAMAGE: Final = "XX"
"""The class of errors of a server whose files are broken (PostgreSQL's documentation, A)."""


def pool_to_read(address: LogAddress, connections_max: int, statement_s: float) -> Pool:
    """Connections that read the log, and change nothing."""
    settings = address.settings(statement_s) | {
        "default_transaction_read_only": "on",
        # Statements are planned anew each time, and bounded in time: neither of these would pay
        # off.
        "jit": "off",
        "max_parallel_workers_per_gather": "0",
    }
    return Pool(address.url, connections_max, settings, longest_wait_s=LONGEST_WAIT_S)


class ReaderPool:
    """Answers questions about the log, as many at once as its pool has connections.

    `witness` may be set at any time.
    """

    def __init__(self, pool: Pool, wait_s: float = WAIT_S) -> None:
        self.witness: Witness | None = None
        self._pool = pool
        self._wait_s = wait_s
        self._closed = False

    def close(self) -> None:
        """Close the connections; those in use once they are given back."""
        self._closed = True
        self._pool.close()

    async def read(
        self,
        question: Callable[Concatenate[TrioConnection, _P], Awaitable[_T]],
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> _T:
        """Ask `question` on a connection of its own; its other arguments follow. It may be asked
        twice, if the connection turns out to be dead. Raises `StoreReadFailed`, `StoreClosed`.
        """
        if self._closed:
            raise StoreClosed("The readers of the log are closed.")

        async def ask(connection: TrioConnection) -> _T:
            return await question(connection, *args, **kwargs)

        try:
            return await self._pool.run(ask, self._wait_s)
        except UnicodeEncodeError:
            raise  # from the arguments: nothing that is read raises it
        except Unreachable as error:
            failure, cause = StoreReadFailed(f"The log could not be read: {error}"), error.__cause__
        except psycopg.Error as error:
            is_damage = (error.sqlstate or "").startswith(_DAMAGE)
            failure = StoreReadFailed(
                f"The log could not be read: PostgreSQL says {words_of(error)}.",
                is_damage=is_damage,
            )
            cause = error
        except WRONG_VALUE as error:
            failure = StoreReadFailed(
                f"The log could not be read: a value is of a wrong form ({type(error).__name__}).",
                is_damage=True,
            )
            cause = error
        if self.witness is not None:
            self.witness.read_failed(failure)
        raise failure from cause


def words_of(error: psycopg.Error) -> str:
    """What may be told about an error of the server: its name and its code."""
    return f"{type(error).__name__} ({error.sqlstate})" if error.sqlstate else type(error).__name__
