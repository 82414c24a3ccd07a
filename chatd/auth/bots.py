"""Tokens that the configuration lists, for bots and back ends (docs/http, "Tokens").

Such a token is a long random text after a prefix that tells it from a JWT. The configuration holds
only its SHA-256: whoever reads that learns no token. A slow hash would add nothing, since nobody
guesses 256 random bits.
"""

import secrets
from collections.abc import Mapping
from hashlib import sha256
from types import MappingProxyType
from typing import Final

import attrs

from chatd.auth.claims import LATEST_DATE_S
from chatd.auth.directory import Grant
from chatd.auth.refusals import TokenRefused
from chatd.auth.tokens import Identity
from chatd.wire.codes import Code
from chatd.wire.identifiers import BOT_USER_PREFIX

BOT_TOKEN_PREFIX: Final = "chatd_"
BOT_TOKEN_BYTES: Final = 32
"""Random bytes of a token."""
BOT_TOKEN_CHARS_MAX: Final = 128
"""Characters of a text that is taken for such a token; a longer one is refused unread."""


@attrs.frozen
class Bot:
    """What a token of the configuration gives.

    `sha256` is the token's, in lower-case hexadecimal digits. `name` is shown to people. The rates
    are per minute.
    """

    sha256: str
    rooms: tuple[str, ...]
    name: str | None
    can_read: bool
    can_write: bool
    messages_per_minute: float
    requests_per_minute: float


class Bots:
    """The tokens of the configuration, by the names that they have there."""

    __slots__ = ("_by_digest", "by_user")

    def __init__(self, bots: Mapping[str, Bot]) -> None:
        self.replace(bots)

    def replace(self, bots: Mapping[str, Bot]) -> None:
        """Take these as the tokens from now on."""
        self.by_user: Mapping[str, Bot] = MappingProxyType(
            {f"{BOT_USER_PREFIX}{name}": bot for name, bot in bots.items()}
        )
        # An attacker can vary only the source of a digest, so the time of a look-up tells nothing.
        self._by_digest = {bot.sha256: user_id for user_id, bot in self.by_user.items()}

    @property
    def message_rates(self) -> Mapping[str, float]:
        """The messages per minute that each bot may send, by user id."""
        return {user_id: bot.messages_per_minute for user_id, bot in self.by_user.items()}

    def identify(self, token: str) -> Identity:
        """The bot that shows this token, which has the prefix. Raises TokenRefused."""
        user_id = None
        if len(token) <= BOT_TOKEN_CHARS_MAX:
            user_id = self._by_digest.get(bot_digest(token))
        if user_id is None:
            raise TokenRefused(
                Code.TOKEN_INVALID,
                "This API token is not known here.",
                "An API token came that [api.tokens] does not have.",
            )
        name = self.by_user[user_id].name
        return Identity(user_id, name, LATEST_DATE_S * 1000, MappingProxyType({}))

    def grants(self, identity: Identity) -> Mapping[str, Grant]:
        """The rooms of an identity that was made here."""
        rooms = self.by_user[identity.user_id].rooms
        return MappingProxyType({room: Grant(room, None) for room in rooms})


def make_bot_token() -> str:
    """A new token."""
    return BOT_TOKEN_PREFIX + secrets.token_urlsafe(BOT_TOKEN_BYTES)


def bot_digest(token: str) -> str:
    """What the configuration holds of a token; any text has one."""
    return sha256(token.encode("utf-8", "replace")).hexdigest()
