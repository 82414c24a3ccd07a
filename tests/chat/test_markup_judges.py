"""What delivered text is to others: no markup to a parser of HTML, and the same SQL as it was.

The judges are html5lib, which parses as the standard says, and the tokenizer of sqlglot, which
knows the dialects; none of our own rule is in them.
"""

from xml.dom.minidom import Node

import html5lib
import orjson
import pytest
import sqlglot
from hypothesis import example, given
from hypothesis import strategies as st
from sqlglot.tokens import TokenType

from chatd.chat.markup import escape, keep, neutralise
from chatd.chat.rendering import message_json
from tests.chat.commands import send, stored
from tests.rows import rows

DIALECTS = (
    "postgres",
    "mysql",
    "sqlite",
    "tsql",
    "oracle",
    "snowflake",
    "bigquery",
    "duckdb",
    "clickhouse",
    "spark",
)
LITERALS = frozenset(kind for kind in TokenType if kind.name.endswith("STRING"))

pieces = st.sampled_from(
    [
        *(
            "<",
            "</",
            "<!",
            "<?",
            "<!--",
            "-->",
            "--!>",
            "<!>",
            "<![CDATA[",
            "]]>",
            "</>",
            "/>",
            ">",
        ),
        *("<!doctype html>", "<script>", "</script>", "<svg/onload=x>", "<a href='", "<b", "<\t"),
        *("&lt;", "&#60;", "&#x3c", "&lt;b&gt;", "a", "B", "=", '"', "'", " ", "\n", "\f", "\r"),
        *("<title>", "<textarea>", "<plaintext>", "<style>", "\0", "\u017f", "\u212a", "\ufeff"),
    ]
)
written = st.lists(pieces, max_size=12).map("".join) | st.text(
    "<>/!?-[]aZ \n\0'\"&;=#", max_size=40
)


def markup_in(text: str) -> list[str]:
    """What a parser finds in a page that is this text, beside the text."""
    page = html5lib.parse(text, treebuilder="dom")
    found = []

    def walk(node: Node) -> None:
        for child in node.childNodes:
            if child.nodeType == Node.DOCUMENT_TYPE_NODE:
                found.append("a doctype")
            elif child.nodeType != Node.TEXT_NODE:
                if child.nodeName not in ("html", "head", "body") or child.attributes.length:
                    found.append(child.nodeName)
                walk(child)

    walk(page)
    return found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("1 < 2 &lt;b&gt;", []),
        ("<!doctype html>x", ["a doctype"]),
        ("x<!-- y", ["#comment"]),
        ("x<?y?>", ["#comment"]),
        ("x</ y>", ["#comment"]),
        ("x<![CDATA[y]]>", ["#comment"]),
        ("x<b>", ["b"]),
        ("<script>", ["script"]),
        ("<body class=x>", ["body"]),
    ],
)
def test_the_judge_finds_what_is_there(text: str, found: list[str]) -> None:
    assert markup_in(text) == found


@given(written)
@example("<scr<script>ipt>")
@example("<<!-- -->b>")
@example("<!doctype html>")
@example("<html lang=x>")
def test_delivered_content_holds_no_markup(content: str) -> None:
    for rule in (neutralise, escape):
        message = stored(send(content=content), 1)
        delivered = orjson.loads(message_json(message, rule))["content"]
        assert markup_in(delivered) == []
        assert markup_in(f"before {delivered}") == []


@given(written)
def test_where_the_parser_finds_nothing_in_it_two_texts_side_by_side_are_text_too(
    content: str,
) -> None:
    """A page that puts one text behind another makes no markup of the seam."""
    assert markup_in(neutralise(content) * 2) == []


@given(written, written)
@example("a <", "b>")
def test_whatever_a_page_puts_behind_a_text_is_what_it_was_alone(content: str, more: str) -> None:
    assert markup_in(f"x{neutralise(content)}{more}") == markup_in(f"x{more}")


names = st.sampled_from(["a", "B", "t.c", "orders", "script", "b1"])
numbers = st.sampled_from(["1", "2.5", "1e5", "0"])
comparisons = st.sampled_from(["<", "<", "<", "<=", "<>", ">", ">=", "=", "<<", ">>", "<=>", "!="])
operators = comparisons | st.sampled_from(["+", "-", "/", "*", " AND ", " or ", ",", "<-", "< !"])
inside = st.sampled_from(["a<b", "<b>x</b>", "<!-- y -->", "<?z?>", "plain", "a < b", "it is"])
literals = st.one_of(
    inside.map(lambda text: f"'{text}'"),
    inside.map(lambda text: f"'it''s {text}'"),
    inside.map(lambda text: f" N'{text}'"),
)
comments = st.one_of(
    inside.map(lambda text: f"/* {text} */"),
    inside.map(lambda text: f"-- {text}\n"),
    st.just("/*+ INDEX(a b) */"),
    st.just("/**/"),
)
quoted = st.sampled_from(['"A b"', '"c"'])
placeholders = st.just("?")
operands = st.one_of(names, numbers, literals, quoted, placeholders)
expressions = st.lists(
    st.tuples(operands, operators, st.just("") | comments, st.sampled_from(["", " ", "\n"])),
    max_size=6,
).map(lambda parts: "SELECT " + "".join("".join(part) for part in parts) + "a FROM t")


def tokens(sql: str, dialect: str) -> list[tuple[TokenType, str]]:
    """Kinds and texts; of string literals only that there is one."""
    found = sqlglot.tokenize(sql, read=dialect)
    return [(it.token_type, "" if it.token_type in LITERALS else it.text) for it in found]


@pytest.mark.parametrize("dialect", DIALECTS)
@given(sql=expressions)
def test_sql_outside_of_literals_has_the_tokens_that_it_had(dialect: str, sql: str) -> None:
    assert tokens(neutralise(sql), dialect) == tokens(sql, dialect)


@rows("dialect", DIALECTS)
@rows(
    "sql",
    [
        "a<b",
        "1<<a",
        "a<!b",
        "a<!--b\n",
        "a<?",
        "a</*why*/b",
        "a</*+ hint(a<b) */b",
        "a <!= b",
        "ARRAY<STRUCT<a INT64, b MAP<string,int>>>",
    ],
)
def test_every_place_that_opens_markup_keeps_its_tokens(dialect: str, sql: str) -> None:
    assert neutralise(sql) != sql
    assert tokens(neutralise(sql), dialect) == tokens(sql, dialect)


@pytest.mark.parametrize("quotes", ["$$", "$tag$"])
def test_a_dollar_quoted_string_is_a_literal(quotes: str) -> None:
    sql = f"SELECT {quotes}<b>{quotes} WHERE a<b"
    assert tokens(neutralise(sql), "postgres") == tokens(sql, "postgres")
    assert neutralise(sql) == f"SELECT {quotes}< b>{quotes} WHERE a< b"


def test_a_quoted_name_is_changed_like_a_literal_as_it_would_be_markup() -> None:
    assert neutralise('SELECT "a<b"') == 'SELECT "a< b"'


def test_no_dialect_has_a_token_that_the_rule_would_part() -> None:
    for dialect in sqlglot.Dialect.classes.values():
        for token in dialect.tokenizer_class.KEYWORDS:
            assert neutralise(f"{token} ") == f"{token} "


def test_the_judges_would_see_text_that_is_kept() -> None:
    assert markup_in(keep("a<b>")) != []
    assert tokens("a< =b", "sqlite") != tokens("a<=b", "sqlite")
