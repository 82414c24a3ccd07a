"""What may name a room or a user (SPEC 2): printable ASCII, and how much of it.

Two names that people take for one are not both taken: no user id has a space at an end, or begins
as those of databases do, in whatever case and however spaced.
"""

import re

_CONNECTION_ID = re.compile(r"[\x20-\x7e]{1,128}")
_USER_ID = re.compile(r"(?! )[\x20-\x7e]{1,255}(?<! )")

RESERVED_USER_PREFIX = "db:"  # users of this name are databases that answer, and never sign in
USER_ID_RULE = (
    "1 to 255 printable ASCII characters, without a space at either end, and not beginning "
    f'with "{RESERVED_USER_PREFIX}" in any case'
)


def is_connection_id(value: object) -> bool:
    """Whether `value` may name a connection, and so a room: 1 to 128 printable ASCII characters."""
    return isinstance(value, str) and _CONNECTION_ID.fullmatch(value) is not None


def is_user_id(value: object) -> bool:
    """Whether `value` may name a user: `USER_ID_RULE`."""
    return (
        isinstance(value, str)
        and _USER_ID.fullmatch(value) is not None
        and not value.replace(" ", "").lower().startswith(RESERVED_USER_PREFIX)
    )
