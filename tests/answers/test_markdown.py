"""What people read of an answer, with a parser of Markdown as the judge."""

from base64 import b64encode

from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from chatd.answers.answer import AnswerContent, AnswerState, Ending
from chatd.answers.cut import WHOLE, Cut
from chatd.answers.markdown import (
    BYTES_SHOWN,
    CELL_CHARS_MAX,
    CHARS_MAX,
    COLUMNS_MAX,
    ROWS_MAX,
    SENTENCE_CHARS_MAX,
    cell_text,
    empty_text,
    end_text,
    readable,
    table_text,
    with_partial_table,
)
from chatd.answers.table import BYTES, Cell, Column, Row
from chatd.chat.markup import neutralise
from chatd.wire.codes import Code
from chatd.wire.names import RowsCut
from tests.rows import rows

MORE = Cut(RowsCut.MAX_ROWS)

MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
# What makes links of all that looks like one, numbers of machines included.
LINKING = MarkdownIt("gfm-like", {"html": True, "linkify": True})
assert LINKING.linkify is not None
LINKING.linkify.set({"fuzzy_ip": True, "fuzzy_link": True, "fuzzy_email": True})

cells = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=80),
    st.text("|\\`*_[]()<>!&#;~-\n\r\t ab1\u202e\x00\x1b\u2028", max_size=80),
    st.binary(max_size=40).map(lambda value: {BYTES: b64encode(value).decode()}),
)


addresses = st.lists(
    st.sampled_from(
        [
            *(
                "http://",
                "https://",
                "ftp://",
                "//",
                "www.",
                "WWW.",
                "mailto:",
                "javascript:",
                "xmpp:",
            ),
            *(
                "example.com",
                "a@b.com",
                "localhost",
                "1.2.3.4",
                ".",
                "com",
                "org",
                "/",
                "@",
                ":",
                "1",
            ),
            *(
                "[x](",
                "![",
                "](http://x.y)",
                "<http://a.b>",
                "<a@b.c>",
                "[^1]",
                "[^1]: x",
                "[x]: //y",
            ),
            *(
                "|",
                "\\",
                "`",
                "\n",
                "_",
                "é",
                "xn--p1ai",
                "рф",
                "-",
                "a",
                " ",
                "(",
                ")",
                "<",
                "&#64;",
            ),
        ]
    ),
    max_size=7,
).map("".join)


def parsed(text: str) -> list[Token]:
    return MARKDOWN.parse(text)


def body_cells(text: str) -> list[list[list[Token]]]:
    """The tokens in each cell of each row, the head included."""
    rows: list[list[list[Token]]] = []
    for token in parsed(text):
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline" and rows and token.level > 3:
            rows[-1].append(token.children or [])
    return rows


def columns(*names: str) -> list[Column]:
    return [Column(name) for name in names]


@rows(
    ("cell", "text"),
    [
        (None, "NULL"),
        (True, "true"),
        (False, "false"),
        (7, "7"),
        (-1.5, "-1.5"),
        ("plain text", "plain text"),
        ("a|b", "a\\|b"),
        ("a\r\nb\nc", "a⏎b⏎c"),
        ("`code`", "\\`code\\`"),
        ("a\\|b", "a\\\\\\|b"),
        ("user_name", "user_name"),
        ("_it_", "\\_it\\_"),
        ("**b** ~~s~~", "\\*\\*b\\*\\* \\~\\~s\\~\\~"),
        ("[x](javascript:y)", "\\[x\\](javascript:y)"),
        ("![x](http://y.example)", "!\\[x\\](http:\\//y\\.example)"),
        ("<https://a>", "< https:\\//a>"),
        ("ftp://a.b/c//d", "ftp:\\//a\\.b/c\\//d"),
        ("www.1.example", "www\\.1\\.example"),
        ("ada@example.com", "ada\\@example\\.com"),
        ("@ada :smile: :+1:", "\\@ada \\:smile: \\:+1:"),
        ("[^1]: a", "\\[^1\\]: a"),
        ("1.2.3.4", "1\\.2.3.4"),
        ("3.14 12:30:45 x:y a / b // c.", "3.14 12:30:45 x:y a / b // c."),
        ("<b>", "< b>"),
        ("a < b", "a < b"),
        ("a <", "a < "),
        ("&lt;b&gt; & c", "\\&lt;b\\&gt; & c"),
        ("a\tb\x00\x1b[31m", "a b\ufffd\ufffd\\[31m"),
        ("\u202egnp.exe", "\ufffdgnp\\.exe"),
        ("x" * CELL_CHARS_MAX, "x" * CELL_CHARS_MAX),
        ("x" * (CELL_CHARS_MAX + 1), "x" * (CELL_CHARS_MAX - 1) + "…"),
        (" " * CELL_CHARS_MAX + "x", "x"),
        (" " * 2 * CELL_CHARS_MAX + "x", "…"),
        ("x" * 10_000_000, "x" * (CELL_CHARS_MAX - 1) + "…"),
        ({BYTES: "AP8="}, "0x00ff"),
        ({BYTES: ""}, "0x"),
        ({BYTES: "not base64"}, "(not base64) not base64"),
        (
            {BYTES: b64encode(bytes(BYTES_SHOWN + 1)).decode()},
            "0x" + "00" * BYTES_SHOWN + f"… ({BYTES_SHOWN + 1} bytes)",
        ),
    ],
)
def test_a_cell_is_one_line_that_means_nothing_to_markdown(cell: Cell, text: str) -> None:
    assert cell_text(cell) == text


def test_a_table_is_one_of_markdown() -> None:
    text = table_text(columns("id", "a|b"), [[1, None], [2, "x"]], WHOLE)
    assert text == "| id | a\\|b |\n| --- | --- |\n| 1 | NULL |\n| 2 | x |"


def test_rows_beyond_the_bound_are_counted() -> None:
    rows: list[Row] = [[number] for number in range(1_008)]
    text = table_text(columns("n"), rows, WHOLE)
    assert text.endswith("| 49 |\n\n… 958 more rows")
    assert len(body_cells(text)) == 1 + ROWS_MAX
    one_more = table_text(columns("n"), rows[: ROWS_MAX + 1], WHOLE)
    assert one_more.endswith("\n\n… 1 more row")
    assert "more" not in table_text(columns("n"), rows[:ROWS_MAX], WHOLE)


def test_it_is_said_that_the_database_had_more() -> None:
    text = table_text(columns("n"), [[1], [2]], MORE)
    cut = "Cut after 2 rows, as many as fit; there are more in the database."
    assert text.endswith(f"| 2 |\n\n{cut}")


def test_columns_beyond_the_bound_are_counted() -> None:
    names = [f"c{number}" for number in range(COLUMNS_MAX + 2)]
    text = table_text(columns(*names), [[0] * len(names)], WHOLE)
    assert text.endswith("\n\n… 2 more columns")
    assert {len(row) for row in body_cells(text)} == {COLUMNS_MAX}


def test_wide_rows_show_fewer_of_them() -> None:
    rows: list[Row] = [["x" * CELL_CHARS_MAX] * COLUMNS_MAX for _ in range(ROWS_MAX)]
    text = table_text(columns(*["c"] * COLUMNS_MAX), rows, MORE)
    assert len(text) <= CHARS_MAX
    shown = len(body_cells(text)) - 1
    assert 0 < shown < ROWS_MAX
    assert f"… {ROWS_MAX - shown} more rows" in text


@given(
    st.integers(1, 4).flatmap(
        lambda width: st.tuples(
            st.lists(st.text(max_size=20), min_size=width, max_size=width),
            st.lists(st.lists(cells, min_size=width, max_size=width), min_size=1, max_size=5),
        )
    )
)
def test_no_cell_leaves_its_place_or_becomes_anything_but_text(
    table: tuple[list[str], list[Row]],
) -> None:
    names, rows = table
    text = table_text(columns(*names), rows, WHOLE)
    seen = body_cells(text)
    assert [len(row) for row in seen] == [len(names)] * (len(rows) + 1)
    for row in seen:
        for tokens in row:
            assert {token.type for token in tokens} <= {"text", "text_special"}
    assert {token.type for token in parsed(text)} <= {
        *("table_open", "thead_open", "tr_open", "th_open", "inline", "th_close", "tr_close"),
        *("thead_close", "tbody_open", "td_open", "td_close", "tbody_close", "table_close"),
        *("paragraph_open", "paragraph_close"),  # below: what is shown in part
    }


def test_values_that_are_shown_in_part_are_counted() -> None:
    long, large = "x" * (CELL_CHARS_MAX + 1), {BYTES: b64encode(bytes(BYTES_SHOWN + 1)).decode()}
    text = table_text(columns("a", "b"), [[long, large], [1, "x" * CELL_CHARS_MAX]], WHOLE)
    assert text.endswith("\n\n… 2 values shown in part")
    assert "in part" not in table_text(columns("a"), [["x" * CELL_CHARS_MAX], [None]], WHOLE)


@rows(
    ("cut", "said"),
    [
        (Cut(RowsCut.MAX_ROWS), "Cut after 1 row, as many as fit; there are more"),
        (Cut(RowsCut.MAX_BYTES), "Cut after 1 row, as many bytes as fit; there are more"),
        (Cut(RowsCut.LARGE_VALUE), "Cut after 1 row: a value in the next row is too large"),
        (Cut(RowsCut.DATABASE), "Cut after 1 row by the database's server; there are more"),
        (Cut(values=1), "1 value is shortened to fit."),
        (Cut(values=2), "2 values are shortened to fit."),
        (Cut(names=1), "Names or types of 1 column are shortened to fit."),
    ],
)
def test_it_is_said_what_is_cut(cut: Cut, said: str) -> None:
    text = table_text(columns("n"), [[1]], cut)
    assert f"\n\n{said}" in text
    assert ("more in the database" in text) is ("there are more" in said)


def test_a_result_of_which_no_row_fits_is_not_said_to_be_empty() -> None:
    text = table_text(columns("n"), [], Cut(RowsCut.MAX_BYTES))
    assert text.startswith("No row fits. Columns: n\n\nCut after 0 rows, as many bytes as fit")


@given(st.lists(st.lists(cells, min_size=2, max_size=2), max_size=60), st.text(max_size=30))
def test_the_text_is_bounded_and_the_markup_rule_changes_nothing(
    rows: list[Row], name: str
) -> None:
    text = table_text(columns(name, "b"), rows, MORE)
    assert len(text) <= CHARS_MAX
    assert neutralise(text) == text
    assert "\0" not in text


def test_a_markdown_reader_sees_the_cell_as_it_was() -> None:
    written = "a|b `c` *d* _e_ [f](g) \\ &amp; ~h~ i_j //k.org l@m :n:"
    text = table_text(columns("x"), [[written]], WHOLE)
    assert "".join(token.content for token in body_cells(text)[1][0]) == written


@given(st.lists(addresses | cells, min_size=2, max_size=2), addresses)
@example(["a@b.com", "http://localhost"], "www.example.com")
def test_no_reader_of_markdown_makes_a_link_of_a_cell_or_of_an_error(
    row: list[Cell], complaint: str
) -> None:
    for text in (
        table_text(columns("a", complaint), [row], WHOLE),
        end_text(AnswerState.ERROR, complaint),
    ):
        tokens = LINKING.parse(text)
        inside = [child for token in tokens for child in token.children or ()]
        assert {token.type for token in inside} <= {"text", "text_special"}


def test_the_judge_would_see_a_link() -> None:
    for text in (
        "see http://a.example",
        "a@b.com",
        "www.a.org",
        "a.com",
        "//localhost",
        "1.2.3.4",
    ):
        [token] = [token for token in LINKING.parse(text) if token.type == "inline"]
        assert "link_open" in {child.type for child in token.children or ()}


def test_an_empty_result_names_its_columns() -> None:
    assert empty_text(columns("id", "a|b")) == "No rows. Columns: id, a\\|b"
    assert empty_text(columns(*["c"] * (COLUMNS_MAX + 1))).endswith("c, …")
    assert empty_text([]) == "Done; there is nothing to show."
    assert table_text(columns("id"), [], WHOLE) == "No rows. Columns: id"


def test_every_other_end_has_a_sentence() -> None:
    assert (
        end_text(AnswerState.ERROR, "no such table: <b>") == "This went wrong: no such table: < b>"
    )
    assert (
        end_text(AnswerState.CANCELLED, "The answer was cancelled.") == "The answer was cancelled."
    )
    assert end_text(AnswerState.TIMEOUT, "It took long.") == "Out of time: It took long."
    assert end_text(AnswerState.INTERRUPTED, "Ask again.") == "Interrupted: Ask again."
    assert len(end_text(AnswerState.ERROR, "x" * 100_000)) < SENTENCE_CHARS_MAX + 50


@rows(
    "ending, said",
    [
        (Ending(), "No rows. Columns: n\n\nNote: NULL \\| nothing"),
        (
            Ending.failed(Code.DB_ERROR, "No."),
            "This went wrong: No.\n\nNote: NULL \\| nothing",
        ),
    ],
)
def test_what_is_remarked_on_a_statement_stands_below_all(ending: Ending, said: str) -> None:
    content = AnswerContent(10, 1_000)
    content.asks("SELECT n FROM t")
    content.remark = "NULL | nothing"
    content.set_columns([Column("n", None)])
    content.end(ending)
    assert readable(content) == said


def test_a_text_with_its_remark_is_no_longer_than_a_text_may_be() -> None:
    content = AnswerContent(1_000, 1_000_000)
    content.asks("SELECT n FROM t")
    content.remark = "x" * 300
    content.set_columns([Column(f"column {number}", None) for number in range(40)])
    content.add_rows([["y" * 100] * 40] * 900)
    content.end(Ending(cut=Cut(RowsCut.MAX_ROWS, values=100_000, names=100)))
    assert 6_000 < len(readable(content)) <= CHARS_MAX


def test_rows_that_had_come_stand_below_the_sentence() -> None:
    assert with_partial_table("Cancelled.", None, [], WHOLE) == "Cancelled."
    assert with_partial_table("Cancelled.", columns("a"), [], WHOLE) == "Cancelled."
    text = with_partial_table("Cancelled.", columns("a"), [[1]], WHOLE)
    assert text == "Cancelled.\n\nUntil then:\n\n| a |\n| --- |\n| 1 |"
    assert len(body_cells(text)) == 2
