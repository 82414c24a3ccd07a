"""Reactions to messages: what may be one, and how many there may be (docs/protocol, "Changes")."""

import re
import unicodedata
from collections.abc import Sequence
from typing import Final

from chatd.chat.invisible import is_blank
from chatd.chat.records import Reaction
from chatd.wire.codes import Code, Refusal

EMOJI_CHARS_MAX: Final = 16  # code points: a family of four with its skin tones has 11
KINDS_MAX: Final = 20  # different reactions to one message; beyond: too_many_reactions
REACTIONS_MAX: Final = 200  # reactions to one message, of all users; beyond: too_many_reactions

_WORD: Final = re.compile(r"[A-Za-z0-9]*")
_MARKUP: Final = frozenset("<>&\"'`")
# Controls, format characters, private ones, surrogates; white space of all kinds.
_REFUSED: Final = frozenset({"Cc", "Cf", "Co", "Cs", "Zl", "Zp", "Zs"})
# The allowed format characters: what joins several emoji into one, and the tags that spell the
# flags of regions.
_JOINS: Final = frozenset({"\u200d", *map(chr, range(0xE0020, 0xE0080))})
_KEYCAP: Final = "\u20e3"

_SENTENCE: Final = (
    f"A reaction is one emoji, or a name as :done:, of {EMOJI_CHARS_MAX} code points at most."
)


def check_emoji(emoji: str) -> Refusal | None:
    """Why a text cannot be a reaction.

    It is 1 to 16 code points that show something, without white space, controls and what opens
    markup; a word of ASCII letters and digits is one only between colons.
    """
    if (
        0 < len(emoji) <= EMOJI_CHARS_MAX
        and not is_blank(emoji)
        and _WORD.fullmatch(_seen(emoji)) is None
        and all(map(_may_be_in_one, emoji))
    ):
        return None
    return Refusal(Code.INVALID_PAYLOAD, _SENTENCE, path="emoji")


def _seen(emoji: str) -> str:
    """What can be seen of it: `1` with the enclosing keycap is not `1`, with a joiner it is."""
    return "".join(char for char in emoji if char == _KEYCAP or not is_blank(char))


def _may_be_in_one(char: str) -> bool:
    if char in _MARKUP:
        return False
    return unicodedata.category(char) not in _REFUSED or char in _JOINS


def with_reaction(
    reactions: Sequence[Reaction], emoji: str, user_id: str
) -> tuple[Reaction, ...] | None:
    """The reactions to a message once the user has added this one; None if there would be too
    many."""
    if sum(len(one.users) for one in reactions) >= REACTIONS_MAX:
        return None
    if all(one.emoji != emoji for one in reactions):
        if len(reactions) >= KINDS_MAX:
            return None
        return (*reactions, Reaction(emoji, (user_id,)))
    return tuple(
        Reaction(emoji, (*one.users, user_id)) if one.emoji == emoji else one for one in reactions
    )


def without_reaction(
    reactions: Sequence[Reaction], emoji: str, user_id: str
) -> tuple[Reaction, ...]:
    """The reactions to a message once the user has taken this one off."""
    left = (
        Reaction(emoji, tuple(user for user in one.users if user != user_id))
        if one.emoji == emoji
        else one
        for one in reactions
    )
    return tuple(one for one in left if one.users)


def has_reaction(reactions: Sequence[Reaction], emoji: str, user_id: str) -> bool:
    """Whether the user has put this one there."""
    return any(one.emoji == emoji and user_id in one.users for one in reactions)
