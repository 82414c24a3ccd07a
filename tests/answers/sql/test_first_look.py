"""The first look at a message is cheap, and says what each of its rules says by itself."""

import sys

from hypothesis import given
from hypothesis import strategies as st

from chatd.answers.sql import first_look, pasted
from chatd.answers.sql.blocks import has_fence
from chatd.answers.sql.first_look import may_be_question
from chatd.answers.sql.likeness import first_word
from chatd.answers.sql.pasted import begins_with_prompt

PIECES = (
    *(
        "/",
        "\\",
        ".",
        "`",
        "'",
        '"',
        "“",
        "”",
        "```",
        "~~~",
        "\n",
        " ",
        "\u00a0",
        "\ufeff",
        "(",
        ")",
    ),
    *("select ", "SELECT 1", "with a as (", "slect", "hello", "@ada", "please ", "sql: ", "ſql "),
    *("1. ", "\u0661) ", "•\u2003", "- ", "$ ", "? ", "dt", "tables", "sqlite> ", "shop=# ", "]: "),
)


def is_introduced(text: str) -> bool:
    introduced = first_look.INTRODUCED.match(text)
    return introduced is not None and first_word(text[introduced.end() :]) is not None


def begins_with_one(text: str) -> bool:
    return any(first.match(text[:80]) is not None for first, _ in pasted._PROMPTS)


def may_be_one(content: str) -> bool:
    """Every rule, as if none were dear."""
    text = first_look.begun(content)
    if has_fence(text):
        return True
    match text[:1]:
        case "/":
            return (
                first_look._COMMAND_BEGINS.match(text) is not None or first_word(text) is not None
            )
        case "\\" | ".":
            return first_look._SHELL_BEGINS.match(text) is not None
        case "`" | "'" | '"' | "“":
            return first_look.QUOTED.fullmatch(text.rstrip()) is not None
    is_begun = first_word(text) is not None or begins_with_one(text) or is_introduced(text)
    return is_begun or first_look.LINE_BEGINS.search(text) is not None


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=2), max_size=6).map("".join))
def test_a_message_may_be_a_question_by_one_of_the_rules(content: str) -> None:
    assert may_be_question(content) == may_be_one(content)
    assert begins_with_prompt(content) == begins_with_one(content)


def test_every_sign_of_an_introduction_is_looked_at() -> None:
    for code in range(sys.maxunicode + 1):
        for behind in (" select 1", ". select 1", "ql: select 1", "% q select 1"):
            text = chr(code) + behind
            if first_look.INTRODUCED.match(text) is not None and not text[0].isspace():
                assert text[0] in first_look._INTRODUCES or not text[0].isascii(), text
    for word in ("please run", "sql", "query", "q", "run", "execute", "try"):
        assert may_be_question(f"{word} select 1")
        assert may_be_question(f"{word.upper()}: select 1")
