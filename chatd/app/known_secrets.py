"""Secrets that are not secret: those of examples, and one short text over and over. Pure.

They will do for a first try on one machine. Whoever can reach a daemon that has one of them can
sign a token for any user.
"""

from typing import Final

EXAMPLES: Final = frozenset(
    {
        "super-secret-jwt-token-with-at-least-32-characters-long",  # Supabase on a local machine
        "your-super-secret-jwt-token-with-at-least-32-characters-long",  # its .env.example
        "a-string-secret-at-least-256-bits-long",  # the debugger of jwt.io
        "your-256-bit-secret-your-256-bit-secret",
    }
)
REPEATED_CHARS_MAX: Final = 16
"""Characters of a text that is easy to guess however often it is repeated, such as `changeme`."""


def is_known(secret: str) -> bool:
    """Whether a secret is one of these.

    >>> is_known("changeme" * 4), is_known("0123456789abcdef0123456789abcdeF")
    (True, False)
    """
    if secret.strip().lower() in EXAMPLES:
        return True
    period = (secret + secret).find(secret, 1)
    return period <= REPEATED_CHARS_MAX and period < len(secret)
