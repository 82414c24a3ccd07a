"""Payloads of requests over HTTP: what is told twice is found, however it is written."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatd.service.http_payloads import MARKS_MAX, is_json, read_body, read_query
from chatd.wire.codes import Refusal
from chatd.wire.payloads import ChatSearch, HistoryGet

NAMES = st.sampled_from(["content", "context", "a", 'b"', "c\\", ":,", "é", ""])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text('ab":,[{\\é\n', max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.lists(st.tuples(NAMES, inner), max_size=3),
    max_leaves=12,
)


def written(value: Any) -> str:
    """JSON in which a list of pairs is an object, whose names may stand twice."""
    match value:
        case [(str(), _), *_]:
            pairs = (f"{json.dumps(name)} : {written(one)}" for name, one in value)
            return "{" + ",".join(pairs) + "}"
        case list():
            return "[" + ", ".join(map(written, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def stands_twice(value: Any) -> bool:
    match value:
        case [(str(), _), *_]:
            names = [name for name, _ in value]
            return len(names) != len(set(names)) or any(stands_twice(one) for _, one in value)
        case list():
            return any(map(stands_twice, value))
    return False


@given(st.lists(st.tuples(NAMES, VALUES), min_size=1, max_size=4))
def test_a_name_that_stands_twice_anywhere_is_refused_and_nothing_else(pairs: Any) -> None:
    read = read_body(written(pairs).encode(), "demo", None)
    if stands_twice(pairs):
        assert isinstance(read, Refusal)
    else:
        assert not isinstance(read, Refusal)
        assert read.pop("connectionId") == "demo"
        assert read.keys() == {name for name, _ in pairs}


@given(st.binary(max_size=60) | st.text('{}[]":,\\u0e1 \n', max_size=60).map(str.encode))
def test_any_body_is_read_or_refused(body: bytes) -> None:
    assert isinstance(read_body(body, "demo", None), dict | Refusal)


@given(st.binary(max_size=60) | st.text("beforlimt=&;%+02\x00é", max_size=60).map(str.encode))
def test_any_query_is_read_or_refused(query: bytes) -> None:
    for kind in (HistoryGet, ChatSearch):
        assert isinstance(read_query(query, kind, "demo"), dict | Refusal)


def test_what_a_string_holds_is_not_counted() -> None:
    body = json.dumps({"content": ",:[{" * MARKS_MAX}).encode()
    assert not isinstance(read_body(body, "demo", None), Refusal)
    most = json.dumps({"content": "x", "context": {"tables": ["t"] * 100}}).encode()
    assert not isinstance(read_body(most, "demo", None), Refusal)


MB = 1_000_000


@pytest.mark.timeout(60)  # what is read twice for each of its characters takes an hour
@pytest.mark.parametrize(
    "body",
    ['"\\' * MB, '"' * MB, '"\\\n' * MB, '{"a":"' + "\\" * MB, "{" + '"a":1,' * MB, '{"a":' * MB],
    ids=["backslashes", "quotes", "lines", "no end", "pairs", "depth"],
)
def test_a_large_body_of_any_kind_is_refused_at_once(body: str) -> None:
    assert isinstance(read_body(body.encode(), "demo", None), Refusal)


@pytest.mark.parametrize("key", ["id", '"id"', ' "id" ', "ID"])
def test_a_key_may_be_quoted(key: str) -> None:
    read = read_body(b'{"messageId":"id"}', "demo", key)
    assert isinstance(read, dict)
    assert read["messageId"] == "id"


def test_a_type_is_json_in_utf_8() -> None:
    assert is_json("application/json")
    assert is_json(" application/json ; charset=utf-8 ")
    for other in (None, "", "application/json;", "application/json; charset=utf-16", "text/json"):
        assert not is_json(other)
