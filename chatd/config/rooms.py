"""The rooms that the file itself lists: `[directory.connections.<connectionId>]` (SPEC 2).

    [directory.connections.demo]
    title = "Sample database"
    users = ["*"]

A user list is all names or the one entry "*": as "*" is also a possible user id, a mix would say
two things.
"""

from collections.abc import Mapping
from types import MappingProxyType

import attrs

from chatd.config.errors import Unfit, described, nearest
from chatd.config.kinds import Text, unknown_name
from chatd.wire.identifiers import USER_ID_RULE, is_connection_id, is_user_id

EVERYBODY = "*"
_KEYS = ("title", "users")


@attrs.frozen
class FileConnection:
    """One room of the file: its title (None: the connectionId serves), and who may use it."""

    title: str | None = None
    users: tuple[str, ...] = ()

    def admits(self, user_id: str) -> bool:
        """Whether the user may use this room."""
        return self.users == (EVERYBODY,) or user_id in self.users


@attrs.frozen
class Connections:
    """The kind of `directory.connections`: a table of tables."""

    wants: str = "tables [directory.connections.<connectionId>]"

    def take(self, value: object) -> Mapping[str, FileConnection]:
        if not isinstance(value, Mapping):
            raise Unfit(f"must be {self.wants}, not {described(value)}")
        return MappingProxyType({name: self._one(name, table) for name, table in value.items()})

    def read(self, text: str) -> object:
        raise Unfit("cannot be set in the environment, write it in chatd.toml")

    def _one(self, name: object, table: object) -> FileConnection:
        if not isinstance(name, str) or not is_connection_id(name):
            raise Unfit(
                "must have names of 1 to 128 printable ASCII characters that open no HTML tag, "
                f"not {described(name)}"
            )
        at = f".{unknown_name(name)}"
        if isinstance(table, FileConnection):
            table = attrs.asdict(table)
        if not isinstance(table, Mapping):
            raise Unfit(f"must be a table with title and users, not {described(table)}", at)
        for key in table:
            if key not in _KEYS:
                raise Unfit(f"is not a key; {nearest(key, _KEYS)}", f"{at}.{unknown_name(key)}")
        if "users" not in table:
            raise Unfit(
                'is missing; write a list of user ids, or ["*"] for everybody', f"{at}.users"
            )
        title = table.get("title")
        return FileConnection(
            title=None if title is None else self._title(title, f"{at}.title"),
            users=self._users(table["users"], f"{at}.users"),
        )

    def _title(self, value: object, at: str) -> str:
        try:
            return Text("a text of at least one character", empty=False).take(value)
        except Unfit as error:
            raise Unfit(error.problem, at) from None

    def _users(self, value: object, at: str) -> tuple[str, ...]:
        if not isinstance(value, list | tuple):
            raise Unfit(f'must be a list of user ids, or ["*"], not {described(value)}', at)
        for index, user_id in enumerate(value):
            if not is_user_id(user_id):
                raise Unfit(
                    f"must be a user id ({USER_ID_RULE}), not {described(user_id)}",
                    f"{at}[{index}]",
                )
        if EVERYBODY in value and len(value) > 1:
            raise Unfit('must be either user ids or ["*"] alone, not both', at)
        return tuple(value)
