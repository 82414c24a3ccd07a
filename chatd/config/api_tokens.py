"""The tokens of bots and back ends: `[api.tokens.<name>]`.

    [api.tokens.alerts]
    sha256 = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
    rooms = ["demo"]
    rights = ["write"]

`chatd api token` makes the secret, and prints the table that belongs to it.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

import attrs

from chatd.auth import Bot
from chatd.config.errors import Faults, InvalidValue, kind_of
from chatd.config.kinds import Rate, Text, Texts, ValueKind
from chatd.config.tables import TableKind, TableOfRooms
from chatd.wire.identifiers import is_connection_id

MESSAGES_PER_MINUTE: Final = 60.0
"""The limit of a token that sets none: twice what a person may send."""
REQUESTS_PER_MINUTE: Final = 600.0
"""The limit of a token that sets none: as many as the events that a socket may send."""
READ, WRITE = RIGHTS = ("read", "write")

_DIGEST = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@attrs.frozen
class _Digest(ValueKind):
    wants: str = "a SHA-256 in 64 lower-case hexadecimal digits, as `chatd api token` prints it"

    def structure(self, value: object) -> str:
        if isinstance(value, str) and _DIGEST.fullmatch(value):
            return value
        raise InvalidValue(f"must be {self.wants}, not {kind_of(value)}")  # it may be the token


def is_bot_name(value: object) -> bool:
    """Whether `value` may name a token."""
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


def make_bot(
    sha256: str,
    rooms: tuple[str, ...],
    name: str | None = None,
    rights: tuple[str, ...] = (READ,),
    messages_per_minute: float = MESSAGES_PER_MINUTE,
    requests_per_minute: float = REQUESTS_PER_MINUTE,
) -> Bot:
    """The bot that a table of these keys describes."""
    return Bot(
        sha256,
        rooms,
        name,
        READ in rights,
        WRITE in rights,
        messages_per_minute,
        requests_per_minute,
    )


@attrs.frozen
class _TableOfTokens(TableOfRooms):
    def structure(self, value: object) -> Mapping[str, Any]:
        bots: Mapping[str, Bot] = super().structure(value)
        owners: dict[str, str] = {}
        faults = Faults()
        for name, bot in bots.items():
            owner = owners.setdefault(bot.sha256, name)
            if owner != name:
                faults.add(f"must differ from that of {self.name}.{owner}", f".{name}")
        faults.raise_any()
        return bots


def written_rights(bot: Bot) -> tuple[str, ...]:
    """The rights of a token as its table has them."""
    return ((READ,) if bot.can_read else ()) + ((WRITE,) if bot.can_write else ())


def _check(values: Mapping[str, Any], faults: Faults) -> None:
    if values.get("rights") == ():
        faults.add(f"must have one of {', '.join(RIGHTS)}, or both", ".rights")


API_TOKENS = _TableOfTokens(
    "api.tokens",
    TableKind(
        "a table with sha256 and rooms",
        {
            "sha256": _Digest(),
            "rooms": Texts(
                'a list of connectionIds, as in ["demo"]',
                lambda room: room if is_connection_id(room) else None,
            ),
            "name": Text("a text of at least one character", empty=False),
            "rights": Texts(
                'a list of "read" and "write"', lambda right: right if right in RIGHTS else None
            ),
            "messages_per_minute": Rate(),
            "requests_per_minute": Rate(),
        },
        made=Bot,
        make=make_bot,
        required={"sha256": "what `chatd api token` prints", "rooms": 'a list as in ["demo"]'},
        check=_check,
    ),
    named="name",
    is_name=is_bot_name,
    name_rule="1 to 64 letters, digits, dots, dashes and underscores, the first a letter or digit",
)
