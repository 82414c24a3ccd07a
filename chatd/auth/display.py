"""Text that is shown to others: names of users, titles of rooms.

It comes from profiles that users edit themselves, so it is made harmless to show, and proves
nothing about a user. The markup rule is applied to it on delivery (`chatd.chat.markup`), so that
stored text follows a change of that rule.
"""

import re
from typing import Final

from chatd.chat.invisible import is_blank

DISPLAY_TEXT_CHARS: Final = 100
"""Code points of a name or title (our choice; a longer one is cut, not refused)."""

# Controls other than the ones that count as white space; lone surrogates, which no encoder takes;
# everything that turns the direction of the text around it; and what takes up no space at all. The
# joiners U+200C and U+200D stay: Persian, the scripts of India and composed emoji need them.
_UNSEEN = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u00ad"
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
    "\u200b\u2060-\u2065\u206a-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)


def display_text(value: object) -> str | None:
    """`value` as one harmless line of at most `DISPLAY_TEXT_CHARS`, or None if nothing is left.

    Anything but a string gives None. Runs of white space, line ends included, become one space.

    >>> display_text("  Ada\\n\\u202eLovelace ")
    'Ada Lovelace'
    """
    if not isinstance(value, str):
        return None
    line = " ".join(_UNSEEN.sub("", value).split())[:DISPLAY_TEXT_CHARS].rstrip()
    if all(is_blank(character) or not character.isprintable() for character in line):
        return None  # only joiners or fillers, say: a name that cannot be seen
    return line
