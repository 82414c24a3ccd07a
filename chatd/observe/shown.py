"""Words of strangers in the form that people see: in the log, and in answers to other strangers.

What a caller wrote (a Host, an Origin, a key id) helps whoever looks for a fault, but may be
anything: a megabyte, a second line of the log, a tag. So only characters that no reader treats
specially stay, and not many of them.
"""

import re
from typing import Final

SHOWN_CHARS_MAX: Final = 100
"""Characters of one word; the rest is left out. Real host names are shorter."""

_STRANGE: Final = re.compile(r"[^A-Za-z0-9._~:/@+\[\]-]")


def shown(text: str) -> str:
    """The text, cut to `SHOWN_CHARS_MAX`, with a question mark for each strange character.

    >>> shown("https://chat.example:8443"), shown("<b>\\n")
    ('https://chat.example:8443', '?b??')
    """
    cut = _STRANGE.sub("?", text[:SHOWN_CHARS_MAX])
    return cut if len(text) <= SHOWN_CHARS_MAX else cut + "..."
