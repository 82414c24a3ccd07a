"""The locks of a connection: what a child finds in its environment, and what is told of them."""

import pytest

from chatd.answers.mcp.locks import is_locked, is_timed, lock_variables, weaknesses
from chatd.answers.sql.lexer import Dialect

GOOD = {"read_only": "on", "timeout": "1min", "check_interval": "2s", "superuser": "off"}


def told(dialect: Dialect = "postgres", **settings: str) -> list[str]:
    return list(weaknesses(dialect, {**GOOD, **settings}, read_only=True))


def test_a_child_for_postgres_finds_its_locks() -> None:
    assert lock_variables("postgres", read_only=True, call_timeout_s=60.0) == {
        "PGOPTIONS": "-c default_transaction_read_only=on -c statement_timeout=60000 "
        "-c client_connection_check_interval=2000"
    }
    written = lock_variables("postgres", read_only=False, call_timeout_s=0.5)["PGOPTIONS"]
    assert "read_only" not in written
    assert "statement_timeout=500" in written


@pytest.mark.parametrize("dialect", ["sqlite", "mysql"])
def test_for_others_there_is_no_such_variable(dialect: Dialect) -> None:
    assert lock_variables(dialect, read_only=True, call_timeout_s=60.0) == {}


def test_where_all_is_well_nothing_is_told() -> None:
    assert told() == []
    assert told(writable_tables="7", definers="2") == []  # the lock holds
    assert told("mysql", read_only="1", timeout="60000") == []


def test_what_lacks_is_told_once_with_what_to_do() -> None:
    [sentence] = told(read_only="off", timeout="0", check_interval="0")
    for word in (
        *("default_transaction_read_only=on", "statement_timeout", "options="),
        "client_connection_check_interval",
    ):
        assert word in sentence
    [sentence] = told("mysql", read_only="0", timeout="0.000000")
    assert "transaction_read_only=1" in sentence
    assert "max_execution_time" in sentence


def test_where_writing_is_allowed_only_the_time_is_looked_at() -> None:
    assert list(weaknesses("postgres", {**GOOD, "read_only": "off"}, read_only=False)) == []


def test_what_the_credentials_can_do_is_told_where_no_lock_holds() -> None:
    assert "superuser" in told(superuser="on")[0]
    settings = {**GOOD, "read_only": "off", "writable_tables": "3", "definers": "2"}
    tables, functions, _ = weaknesses("postgres", settings, read_only=True)
    assert "tables (3)" in tables
    assert "owners (2)" in functions


@pytest.mark.parametrize(
    ("value", "is_so"), [("on", True), ("1", True), ("off", False), ("0", False)]
)
def test_servers_say_in_their_own_ways_that_they_are_locked(value: str, is_so: bool) -> None:
    assert is_locked({"read_only": value}) is is_so


@pytest.mark.parametrize(
    ("value", "is_so"), [("1min", True), ("60000", True), ("0", False), ("0.000000", False)]
)
def test_servers_say_in_their_own_ways_that_there_is_a_time(value: str, is_so: bool) -> None:
    assert is_timed({"timeout": value}) is is_so
