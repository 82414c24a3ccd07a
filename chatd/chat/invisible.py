"""Text that shows nothing: a message or a name cannot consist of it.

Unicode has many characters that take no place, or an empty one. Those that have a category or a
property of their own are found by it; the others stand here by name. White space counts too, and so
do marks that combine with the character before them, since a text of nothing but such marks shows
nothing.
"""

import re
import unicodedata
from collections.abc import Iterable

# Format characters (zero-width ones, marks of direction, the deprecated tags), and non-spacing and
# enclosing marks: accents, variation selectors, the grapheme joiner.
_UNSEEN_CATEGORIES = frozenset({"Cf", "Mn", "Me"})

# "Prepended_Concatenation_Mark" of Unicode: format characters that are signs, as that of a year or
# of the end of a verse.
_SIGNS = frozenset(
    "\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd"
)

# "Default_Ignorable_Code_Point" of Unicode, as far as no category says it, reserved ones included;
# then the blanks that count as signs: of Braille, of musical notes, of hieroglyphs.
_UNSEEN = re.compile(
    "[\u115f\u1160\u2065\u3164\uffa0\ufff0-\ufff8\U000e0000-\U000e0fff"
    "\u2800\U0001d159\U00013441\U00013442]"
)


def is_blank(text: Iterable[str]) -> bool:
    """Whether none of the characters can be seen."""
    return all(
        char.isspace()
        or (unicodedata.category(char) in _UNSEEN_CATEGORIES and char not in _SIGNS)
        or _UNSEEN.match(char) is not None
        for char in text
    )
