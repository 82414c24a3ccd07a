"""Words of strangers as people are shown them: in the log, and in answers to other strangers.

What a caller wrote (a Host, an Origin, a key id) helps whoever looks for a fault, and may be
anything: a megabyte, a second line of the log, a tag. So only characters stay that mean nothing to
any reader, and not many of them.
"""

import re
from typing import Final

SHOWN_CHARS_MAX: Final = 100
"""Characters of one word; what stands behind them is left out. Real names of hosts are shorter."""

_STRANGE: Final = re.compile(r"[^A-Za-z0-9._~:/@+\[\]-]")


def shown(text: str) -> str:
    """The text, cut to `SHOWN_CHARS_MAX`, with a question mark for each strange character.

    >>> shown("https://chat.example:8443"), shown("<b>\\n")
    ('https://chat.example:8443', '?b??')
    """
    cut = _STRANGE.sub("?", text[:SHOWN_CHARS_MAX])
    return cut if len(text) <= SHOWN_CHARS_MAX else cut + "..."
