"""How the db-mcp of one database is started, reached and bounded."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import attrs

from chatd.answers.mcp.contract import ADDRESS_VARIABLE, GROWTH_BYTES_MAX, ROWS_WRITTEN_MAX
from chatd.answers.mcp.locks import lock_variables
from chatd.answers.mcp.mapping import BUNDLED, READY, PeerMapping
from chatd.answers.mcp.secrets import secrets_of
from chatd.answers.sql.lexer import Dialect

BYTES_A_CHAR: Final = 10
"""Bytes of a message for each character of an answer: some db-mcps send the text twice, in the
result and in its structured content, each with at most 4 bytes per character."""
INHERITED: Final = ("PATH", "HOME", "LANG")
"""What a child sees of the daemon's environment, besides what the configuration names."""


@attrs.frozen
class DatabaseSettings:
    """The database of one room, and the db-mcp that answers for it.

    Exactly one of `command`, `url`, `sqlite`, `postgres` and `sample` is set. `mapping` is a
    `PeerMapping` or the name of one in `READY`. `environment`, `headers` and the address in
    `postgres` hold secrets and are never shown. `max_rows_written` and `max_growth_bytes` bound one
    statement that writes through chatd's own db-mcps, the second only for `sqlite`.
    """

    command: tuple[str, ...] = ()
    url: str = ""
    sqlite: str = ""
    postgres: str = attrs.field(default="", repr=False)
    sample: bool = False
    dialect: Dialect = "sqlite"
    mapping: str | PeerMapping = BUNDLED
    read_only: bool = True
    credentials: str = "unknown"
    pass_environment: tuple[str, ...] = ()
    environment: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    headers: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    connections: int = 2
    start_timeout_s: float = 20.0
    call_timeout_s: float = 60.0
    max_message_bytes: int = 1_048_576
    max_rows_written: int = ROWS_WRITTEN_MAX
    max_growth_bytes: int = GROWTH_BYTES_MAX

    def variables(self, own: Mapping[str, str], passed: Sequence[str]) -> dict[str, str]:
        """The environment of a child: a few of the daemon's `own` variables, and those configured.

        The locks are set unless the configuration passes or gives a variable of that name.
        """
        locks: Mapping[str, str] = {ADDRESS_VARIABLE: self.postgres}
        if not self.postgres:  # else our own db-mcp locks each transaction
            locks = lock_variables(
                self.dialect, read_only=self.read_only, call_timeout_s=self.call_timeout_s
            )
        names = (*INHERITED, *passed)
        bounds: dict[str, str] = {}
        if self.peer.chars_variable:
            bounds = {self.peer.chars_variable: str(self.max_message_bytes // BYTES_A_CHAR)}
        inherited = {name: own[name] for name in names if name in own}
        return {**locks, **bounds, **inherited, **self.environment}

    def secrets(self, own: Mapping[str, str]) -> frozenset[str]:
        """What a child knows that must not be shown: see `secrets_of`. `HOME` and the like are not
        secret, and often the reason why it does not start."""
        passed = {name: own[name] for name in self.pass_environment if name in own}
        given = {ADDRESS_VARIABLE: self.postgres, **passed, **self.environment}
        return secrets_of(
            {name: text for name, text in given.items() if name not in INHERITED}, self.command
        )

    @property
    def is_bundled(self) -> bool:
        """Whether a db-mcp that comes with chatd answers."""
        return bool(self.sqlite or self.sample or self.postgres)

    @property
    def peer(self) -> PeerMapping:
        """The mapping itself."""
        peer = READY[self.mapping] if isinstance(self.mapping, str) else self.mapping
        if self.dialect != "sqlite" and peer.server_binary is not None:
            return attrs.evolve(peer, binary=peer.server_binary)
        return peer


def bundled_command(settings: DatabaseSettings, file: Path | None) -> tuple[str, ...]:
    """The command that starts a db-mcp that comes with chatd: on a SQLite file, or else on
    PostgreSQL."""
    command = [sys.executable, "-P", "-m", "chatd", "db-mcp"]
    command += ["--postgres"] if file is None else ["--database", str(file)]
    if not settings.read_only:
        command += ["--writable", "--max-rows-written", str(settings.max_rows_written)]
        if file is not None:
            command += ["--max-growth-bytes", str(settings.max_growth_bytes)]
    return tuple(command)
