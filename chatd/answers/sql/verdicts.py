"""What a question may do, and what the guard says of its statement."""

from typing import TypeAlias

import attrs

from chatd.answers.sql.lexer import Dialect
from chatd.answers.sql.scopes import TableName
from chatd.wire.codes import EXPLANATIONS, Code


@attrs.frozen
class Policy:
    """What the statements of a question may do; see `requests.Terms`."""

    dialect: Dialect
    read_only: bool = True
    schema: str | None = None
    tables: tuple[str, ...] | None = None


@attrs.frozen
class Allowed:
    """The statement may run. `sql` is the statement as it is sent; `is_reading`: it changes
    nothing. `remark` says what it probably does not do as it was meant."""

    sql: str
    is_reading: bool
    remark: str | None = None


@attrs.frozen
class Rejected:
    """The statement may not run. The sentence says what to do about it."""

    code: Code
    sentence: str


Verdict: TypeAlias = Allowed | Rejected

ONLY_READING = EXPLANATIONS[Code.DB_READ_ONLY].sentence


class Refused(Exception):
    """Ends a check; its caller gets `rejected`."""

    def __init__(self, sentence: str, code: Code = Code.DB_STATEMENT_REJECTED) -> None:
        super().__init__(sentence)
        self.rejected = Rejected(code, sentence)


def narrows(policy: Policy) -> bool:
    """Whether only some tables may be touched."""
    return policy.schema is not None or policy.tables is not None


def closed(table: TableName) -> Refused:
    """What is said if nobody may read a table, as it tells what the server knows of itself."""
    return Refused(f"{table.text} may not be read here; it can tell secrets of the server.")


def outside(table: TableName) -> Refused:
    """What is said if a table is not one of those."""
    return Refused(f"The table {table.text} is outside of what this question may touch.")
