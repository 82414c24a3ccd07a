"""The keyword that was meant, where a statement is not understood."""

import time

import pytest

from chatd.answers.sql.guard import check_statement
from chatd.answers.sql.lexer import Dialect
from chatd.answers.sql.reader_process import PIECE_CPU_S
from chatd.answers.sql.verdicts import Policy, Rejected
from tests.answers.sql.corpus import DIALECTS
from tests.rows import rows


def said_of(sql: str, dialect: Dialect) -> str:
    verdict = check_statement(sql, Policy(dialect))
    assert isinstance(verdict, Rejected), verdict
    return verdict.sentence


@pytest.mark.parametrize("dialect", DIALECTS)
@rows(
    ("sql", "word", "keyword"),
    [
        ("SELECT * FORM sales", "FORM", "FROM"),
        ("SELECT * frm sales", "frm", "FROM"),
        ("SELECT * fro sales", "fro", "FROM"),
        ("SELECT * fromm sales", "fromm", "FROM"),
        ("SELECT * frm products", "frm", "FROM"),
        ("select count(*) fron sales", "fron", "FROM"),
        ("select id, name frmo groups", "frmo", "FROM"),
        ("select max(limits) form limits", "form", "FROM"),
        ("SELECT * FORM sales WHRE id = 1", "FORM", "FROM"),
        ("select * from groups oder by id", "oder", "ORDER"),
        ("select * from orders gruop by id", "gruop", "GROUP"),
        ("select city, count(*) from t group bye city", "bye", "BY"),
        ("select * from t order bu id", "bu", "BY"),
        ("select * from t where a > 1 adn b < 3", "adn", "AND"),
        ("select * from t where a > 1 an b < 3", "an", "AND"),
        ("select * from t where a = 1 ro b = 3", "ro", "OR"),
        ("select * from t where name lik 'w%'", "lik", "LIKE"),
        ("select * from t where a iss null", "iss", "IS"),
        ("select * from t where a betwen 1 and 3", "betwen", "BETWEEN"),
        ("select * from t order by id decs", "decs", "DESC"),
        ("select * from t limit 3 ofset 2", "ofset", "OFFSET"),
        ("select * from t jion u on t.id = u.id", "jion", "JOIN"),
    ],
)
def test_a_misspelt_keyword_is_told_with_the_one_that_was_meant(
    dialect: Dialect, sql: str, word: str, keyword: str
) -> None:
    said = said_of(sql, dialect)
    column = f"{sql} ".index(f" {word} ") + 2
    assert said.startswith(f"{word} (line 1, column {column}) is not understood")
    assert said.endswith(f"; did you mean {keyword}?")


@pytest.mark.parametrize("dialect", DIALECTS)
@rows(
    "sql",
    [
        "SELECT aa ab ac FROM t",
        "SELECT id FROM sales sold cheap",
        "SELECT * FROM form form form",
        "SELECT * FROM t WHERE limits = = 3",
        "SELECT t.form, t.wher FROM t WHERE",
    ],
)
def test_a_name_is_not_taken_for_a_misspelt_keyword(dialect: Dialect, sql: str) -> None:
    assert "did you mean" not in said_of(sql, dialect)


@pytest.mark.parametrize("dialect", DIALECTS)
@rows(
    "sql",
    [
        "SELECT * FROM t WHERE " + "(a an b) + " * 60 + "frm an adn",
        "SELECT a" + " adn an lik betwen" * 90,
        "SELECT " + "((" * 19 + "a" + "))" * 19 + " frm an adn orr t",
        "SELECT a" + ", a" * 2_000 + " frm t",
    ],
)
def test_a_slip_is_not_looked_for_too_long(dialect: Dialect, sql: str) -> None:
    said_of("SELECT * FORM t", dialect)  # so that the grammar is there
    began_s = time.process_time()
    said_of(sql, dialect)
    assert time.process_time() - began_s < PIECE_CPU_S / 2
