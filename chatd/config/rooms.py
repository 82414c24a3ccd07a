"""The rooms that the file itself lists: `[directory.connections.<connectionId>]`.

    [directory.connections.demo]
    title = "Sample database"
    users = ["ada", "grace"]    # members
    owners = ["ada"]            # a user in several lists has the greatest role
    viewers = ["*"]             # all others: these read, but do not write

A user list consists of names, or of the single entry "*": as "*" is also a possible user id, a mix
would be ambiguous.
"""

import attrs

from chatd.auth import FileConnection
from chatd.auth.directories import EVERYBODY
from chatd.config.errors import Faults, described
from chatd.config.kinds import Text, ValueKind
from chatd.config.tables import TableKind, TableOfRooms
from chatd.wire.identifiers import USER_ID_RULE, is_user_id


@attrs.frozen
class _Users(ValueKind):
    wants: str = 'a list of user ids, or ["*"]'

    def structure(self, value: object) -> tuple[str, ...]:
        if not isinstance(value, list | tuple):
            raise self.refusal(value)
        faults = Faults()
        for index, user_id in enumerate(value):
            if not is_user_id(user_id):
                faults.add(
                    f"must be a user id ({USER_ID_RULE}), not {described(user_id)}", f"[{index}]"
                )
        if EVERYBODY in value and len(value) > 1:
            faults.add('must be either user ids or ["*"] alone, not both')
        faults.raise_any()
        return tuple(value)


CONNECTIONS = TableOfRooms(
    "directory.connections",
    TableKind(
        "a table with title, users, owners and viewers",
        {
            "title": Text("a text of at least one character", empty=False),
            "users": _Users(),
            "owners": _Users(),
            "viewers": _Users(),
        },
        made=FileConnection,
        make=FileConnection,
        required={"users": 'a list of user ids, or ["*"] for everybody'},
    ),
)
