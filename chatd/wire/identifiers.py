"""What may name a room or a user: printable ASCII of bounded length, without markup.

Clients compare ids with what they sent, so an id is always delivered unchanged. Pages show it all
the same: text that an HTML parser would read as markup is not an id, and is refused where ids come
from, in tokens and directories (docs/protocol, "Names and ids").

No two user ids look alike: none has a space at an end, and none begins like those of databases, of
bots and of the daemon, in any case or spacing.
"""

import re
from typing import TypeGuard

CONNECTION_ID_CHARS = 128
USER_ID_CHARS = 255

OPENS_MARKUP = re.compile(r"<(?=[A-Za-z/!?]|\Z)")
"""Where an HTML tokenizer would leave text (WHATWG HTML, "Tag open state"), or would with what a
page puts after the text."""

RESERVED_USER_PREFIX = "db:"  # users of this name are databases that answer, and never sign in
BOT_USER_PREFIX = "bot:"  # users of this name have a token of the configuration, and no other
SYSTEM_USER_PREFIX = "chatd:"  # users of this name are the daemon itself, and never sign in
SYSTEM_USER = f"{SYSTEM_USER_PREFIX}system"
"""The author of what an administrator has the daemon say."""
ERASED_USER_PREFIX = f"{SYSTEM_USER_PREFIX}erased:"
"""The user whose messages were erased: the rest of the id is random."""
USER_ID_RULE = (
    "1 to 255 printable ASCII characters that open no HTML tag, without a space at either end, "
    f'and not beginning with "{RESERVED_USER_PREFIX}", "{BOT_USER_PREFIX}" or '
    f'"{SYSTEM_USER_PREFIX}" in any case'
)

_NOBODYS = (RESERVED_USER_PREFIX, BOT_USER_PREFIX, SYSTEM_USER_PREFIX)
_PRINTABLE = re.compile(r"[\x20-\x7e]+")


def is_id(value: object, chars_max: int) -> TypeGuard[str]:
    """Whether `value` may be an id: 1 to `chars_max` printable ASCII characters, no markup."""
    return (
        isinstance(value, str)
        and len(value) <= chars_max
        and _PRINTABLE.fullmatch(value) is not None
        and OPENS_MARKUP.search(value) is None
    )


def is_connection_id(value: object) -> bool:
    """Whether `value` may name a connection, and so a room."""
    return is_id(value, CONNECTION_ID_CHARS)


def is_user_id(value: object) -> bool:
    """Whether `value` may name a user: `USER_ID_RULE`."""
    return (
        is_id(value, USER_ID_CHARS)
        and value.strip(" ") == value
        and not value.replace(" ", "").lower().startswith(_NOBODYS)
    )
