"""Content is plain text: how it is delivered so that no HTML parser finds markup in it (SPEC 5).

An HTML tokenizer leaves the data state at `<` only before an ASCII letter, `/`, `!` or `?` (WHATWG
HTML, "Tag open state"). Writing `< ` there leaves text only, and leaves the tokens of SQL as they
were: white space between `<` and what follows is insignificant outside of literals. Inside of them,
and of quoted names and comments, it is one more character: no text can both be left alone there and
hold no markup. The database gets the text as written.
"""

import re
from collections.abc import Callable
from typing import TypeAlias

Markup: TypeAlias = Callable[[str], str]

_OPENS_MARKUP = re.compile(r"<(?=[A-Za-z/!?])")


def neutralise(content: str) -> str:
    """`<` written `< ` exactly where it would open markup."""
    if "<" not in content:
        return content
    return _OPENS_MARKUP.sub("< ", content)


def escape(content: str) -> str:
    """The characters that HTML gives a meaning to, as character references."""
    return (
        content.replace("&", "&amp;")
        .replace("<", "&lt;")
        .replace(">", "&gt;")
        .replace('"', "&quot;")
        .replace("'", "&#39;")
    )


def keep(content: str) -> str:
    """The content as written; only for clients that render text and nothing else."""
    return content


MARKUPS: dict[str, Markup] = {"neutralise": neutralise, "escape": escape, "keep": keep}
