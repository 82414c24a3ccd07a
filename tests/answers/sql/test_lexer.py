"""The lexer of the guard: what each dialect takes for a literal, a name, a comment."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatd.answers.sql.lexer import (
    EMPTIED,
    STATEMENT_CHARS_MAX,
    Dialect,
    Lexed,
    TokenKind,
    Unclear,
    closing_parentheses,
    lex,
)
from tests.answers.sql.corpus import DIALECTS, bad, good
from tests.rows import rows

W, N, L, D, S = (
    TokenKind.WORD,
    TokenKind.NAME,
    TokenKind.LITERAL,
    TokenKind.NUMBER,
    TokenKind.SYMBOL,
)

dialects = st.sampled_from(DIALECTS)
sql_like = st.one_of(
    st.text("aeEnuUxX1.'\"`[]()$;-/*!#\\\n\r &@?:", max_size=40),
    st.lists(
        st.sampled_from(
            [" ", "/*", "*/", "--", "\n", "'", '"', "$$", "$a$", "E'", "\\'", ";", "a"]
        ),
        max_size=20,
    ).map("".join),
    st.text(max_size=40),
)


def lexed(text: str, dialect: Dialect) -> Lexed:
    result = lex(text, dialect)
    assert isinstance(result, Lexed), result
    return result


@rows(
    ("dialect", "text", "tokens"),
    [
        ("sqlite", "Select a1_", [(W, "SELECT"), (W, "A1_")]),
        ("sqlite", "'it''s'", [(L, "it''s")]),
        ("sqlite", "'C:\\'", [(L, "C:\\")]),
        ("sqlite", '"a b"', [(N, "a b")]),
        ("sqlite", "[a b]`c`", [(N, "a b"), (N, "c")]),
        ("sqlite", "x'0aF'", [(L, "0aF")]),
        ("sqlite", "x 'y'", [(W, "X"), (L, "y")]),
        ("postgres", "'\\d+'", [(L, "\\d+")]),
        ("postgres", "E'a\\'b'", [(L, "a\\'b")]),
        ("postgres", "e'a\\\\'", [(L, "a\\\\")]),
        ("postgres", "E'a''b'", [(L, "a''b")]),
        ("postgres", "$$it's$$ $_x1$ $$ $_x1$", [(L, "it's"), (L, " $$ ")]),
        ("postgres", "a[1]", [(W, "A"), (S, "["), (D, "1"), (S, "]")]),
        ("postgres", "a#>b", [(W, "A"), (S, "#"), (S, ">"), (W, "B")]),
        ("mysql", '"a" `b`', [(L, "a"), (N, "b")]),
        ("mysql", "'a\\\\'", [(L, "a\\\\")]),
        ("mysql", "'a\\nb'", [(L, "a\\nb")]),
        ("mysql", "1- -1", [(D, "1"), (S, "-"), (S, "-"), (D, "1")]),
        ("mysql", "a#b\nc", [(W, "A"), (W, "C")]),
        ("mysql", "a--\nb", [(W, "A"), (W, "B")]),
        ("mysql", "a--", [(W, "A")]),
        ("postgres", "a/*/* */ b */c", [(W, "A"), (W, "C")]),
        ("sqlite", "a/* b */c--d\re", None),
        ("sqlite", "a/* b */c--d\r\ne", [(W, "A"), (W, "C"), (W, "E")]),
        ("sqlite", "1.5e-3 .5 0xFf 2.", [(D, "1.5e-3"), (D, ".5"), (D, "0xFf"), (D, "2.")]),
        ("sqlite", "höhe straße", [(W, "HÖHE"), (W, "STRASSE")]),
        ("sqlite", "a;;", [(W, "A")]),
        ("sqlite", ";a", [(S, ";"), (W, "A")]),
    ],
)
def test_a_text_is_read_as_the_dialect_reads_it(
    dialect: Dialect, text: str, tokens: list[tuple[TokenKind, str]] | None
) -> None:
    result = lex(text, dialect)
    if tokens is None:
        assert isinstance(result, Unclear)
    else:
        assert isinstance(result, Lexed)
        assert [(token.kind, token.text) for token in result.tokens] == tokens


@rows(
    ("dialect", "text", "reason"),
    [
        ("sqlite", "'a", "no end"),
        ("sqlite", "[a", "no end"),
        ("postgres", "$x$ $y$", "no end"),
        ("postgres", "/* /* */", "no end"),
        ("mysql", "'a\\'b'", "backslash stands before a quote"),
        ("postgres", "'a\\''", "backslash stands before a quote"),
        ("sqlite", "/* /* */", "beginning of another"),
        ("mysql", "1--1", "space after --"),
        ("sqlite", "x'0g'", "bytes or bits"),
        ("postgres", '""', "in quotes is empty"),
        ("mysql", "``", "in quotes is empty"),
        ("sqlite", '"a""', "no end"),
        ("mysql", "`a``", "no end"),
        ("sqlite", "[a\x01b]", "control character"),
        ("postgres", "$$\x07$$", "control character"),
        ("postgres", "$é$a$é$", "no end"),
        ("postgres", "a$1", "holds a \\$"),
        ("sqlite", "$a", "No value is put in"),
        ("sqlite", "1a", "runs into a word"),
        ("sqlite", "\u2003", "EM SPACE"),
        ("sqlite", "\ue000", "U\\+E000"),
        ("sqlite", "a" * (STATEMENT_CHARS_MAX + 1), "may have 20000"),
        ("mysql", "[a]", r"The sign \["),
        ("mysql", "_latin1'a'", "character set"),
    ],
)
def test_what_could_hide_something_is_unclear(dialect: Dialect, text: str, reason: str) -> None:
    result = lex(text, dialect)
    assert isinstance(result, Unclear)
    with pytest.raises(AssertionError, match=reason):
        raise AssertionError(result.sentence)


def test_the_database_gets_the_text_without_comments_and_the_grammar_without_literals() -> None:
    text = "/* a */ SELECT 'x''y', \"n m\" -- b\n, x'0F', interval '1 day' FROM t; -- c"
    result = lexed(text, "postgres")
    assert result.sql == "SELECT 'x''y', \"n m\"  \n, x'0F', interval '1 day' FROM t"
    assert result.plain == (f"SELECT '{EMPTIED}', \"n m\"  \n, X'0F', interval '1 day' FROM t")


def test_an_interval_of_anything_else_is_emptied_too() -> None:
    assert lexed("INTERVAL '1''; day'", "postgres").plain == f"INTERVAL '{EMPTIED}'"


def test_each_name_in_quotes_is_quoted_in_one_way_for_the_grammar() -> None:
    assert lexed("[a b], `c`", "sqlite").plain == '"a b", "c"'
    assert lexed("`a b`", "mysql").plain == "`a b`"


def test_parentheses_are_paired_and_unbalanced_ones_left_out() -> None:
    assert sorted(closing_parentheses(lexed(")((a)b", "sqlite").tokens)) == [(2, 4)]


@given(sql_like, dialects)
def test_no_text_makes_it_raise_and_tokens_stand_where_they_say(
    text: str, dialect: Dialect
) -> None:
    result = lex(text, dialect)
    if isinstance(result, Unclear):
        assert result.sentence.endswith(".")
        return
    for token in result.tokens:
        assert text[token.at : token.at + len(token.written)] == token.written


@given(sql_like, dialects)
def test_what_comes_out_is_read_the_same_again(text: str, dialect: Dialect) -> None:
    once = lex(text, dialect)
    if isinstance(once, Unclear):
        return
    again = lexed(once.sql, dialect)
    assert [(token.kind, token.written) for token in again.tokens] == [
        (token.kind, token.written) for token in once.tokens
    ]
    assert again.sql == once.sql


@rows(("dialect", "sql"), good())
def test_honest_statements_are_clear(dialect: Dialect, sql: str) -> None:
    assert isinstance(lex(sql, dialect), Lexed)


def test_the_corpus_has_no_statement_twice() -> None:
    assert len(set(good())) == len(list(good()))
    assert len({entry[:2] for entry in bad()}) == len(list(bad()))
