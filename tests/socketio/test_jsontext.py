"""JSON at the edges where orjson, the stdlib and Node differ."""

from __future__ import annotations

import json
import math

import pytest

from chatd.socketio.jsontext import MAX_BRACKETS, MAX_NESTING, MAX_STRICT_CHARS, dumps, loads
from chatd.socketio.packet import ProtocolError
from tests.rows import rows


@rows(
    "text",
    [
        "", " ", "[", "[1,]", "nul", "NaN", "[Infinity]", "[-Infinity]", "1e400", "-1e400",
        "1" * 400, "1" * 5000, '"\t"', "\x0b1", "\u00a01", "\ufeff1", "'a'", "[1]x", '"\\ud83"',
        '"\\uzzzz"', '{1:2}', '{"a"}',
        # each with a lone surrogate, so that the stdlib gets to see it
        '["\\ud83d",NaN]', '["\\ud83d",Infinity]', '["\\ud83d",-Infinity]', '["\\ud83d",1e400]',
        '["\\ud83d",' + "1" * 400 + "]", '["\\uD83D",' + "-" + "1" * 5000 + "]", '["\\ud83d",]',
        '["\\ud83d","\t"]', '["\\ud83d"]x', '["\\ud83d",01]',
    ],
)  # fmt: skip
def test_what_is_not_json_is_a_protocol_error(text: str) -> None:
    with pytest.raises(ProtocolError):
        loads(text)


@rows("surrogate", ["", '"\\ud83d",'])
@rows(
    ("digits", "value"),
    [
        ("0", 0),
        ("18446744073709551615", 2**64 - 1),
        ("18446744073709551616", float(2**64)),
        ("-9223372036854775808", -(2**63)),
        ("-9223372036854775809", -float(2**63)),
        ("1" * 100, float("1" * 100)),
        ("1e-400", 0.0),
    ],
)
def test_a_number_reads_the_same_beside_a_lone_surrogate(
    surrogate: str, digits: str, value: float
) -> None:
    read = loads(f"[{surrogate}{digits}]")[-1]
    assert read == value
    assert type(read) is type(value)


@rows("text", ['"\\ud83d"', '"\\udc00\\ud83d"', '{"\\ud83d":"é"}'])
def test_lone_surrogates_stay_escaped_on_the_wire(text: str) -> None:
    assert dumps(loads(text)) == text.encode()
    assert dumps(loads(text.replace("d83d", "D83D"))) == text.encode()


def test_a_surrogate_pair_is_one_character() -> None:
    assert loads('"\\ud83d\\ude00"') == loads('["\\ud83d","\\ud83d\\ude00"]')[1] == "😀"


@rows("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_written_as_null(value: float) -> None:
    assert dumps([value]) == b"[null]"
    assert dumps(["\ud83d", value, "NaN -Infinity \\", {"Infinity": value}]) == (
        b'["\\ud83d",null,"NaN -Infinity \\\\",{"Infinity":null}]'
    )


def test_an_integer_beyond_64_bits_is_written_exactly() -> None:
    assert dumps([10**30, "é"]) == f'[{10**30},"é"]'.encode()


def test_text_beside_a_lone_surrogate_is_written_as_utf_8() -> None:
    assert dumps("é🙂\u2028\x7f\0\ud83d") == b'"' + "é🙂\u2028\x7f".encode() + b'\\u0000\\ud83d"'


@rows(("opening", "closing"), [("[", "]"), ('{"a":', "}"), ('[{"a":', "}]")])
@rows("innermost", ["1", '"\\ud83d"', '"\\"]}]}]}"', '"[[[{{{"'])
def test_nesting_is_taken_up_to_the_limit_and_can_be_written_again(
    opening: str, closing: str, innermost: str
) -> None:
    levels = opening.count("[") + opening.count("{")
    times = MAX_NESTING // levels
    text = opening * times + innermost + closing * times
    assert dumps(loads(text)) == text.encode()
    with pytest.raises(ProtocolError):
        loads("[" + text + "]")


def test_brackets_that_do_not_nest_are_not_counted_as_depth() -> None:
    wide = [[] for _ in range(MAX_NESTING * 3)]
    assert loads(dumps(wide).decode()) == wide
    text = "[{" * MAX_NESTING * 3
    assert loads(json.dumps([text, '"' + text])) == [text, '"' + text]


def test_closing_brackets_in_strings_do_not_hide_depth() -> None:
    levels = MAX_NESTING + 1
    with pytest.raises(ProtocolError, match="nested"):
        loads('["]]]",' * levels + "1" + "]" * levels)


@rows("levels", [255, 1000, 1024, 1025, 5000, 500_000])
@rows("innermost", ["", '"\\ud83d"'])
def test_no_depth_ends_in_anything_but_a_value_or_a_protocol_error(
    levels: int, innermost: str
) -> None:
    text = "[" * levels + innermost + "]" * levels
    if levels <= MAX_NESTING:
        assert dumps(loads(text)) == text.encode()
    else:
        with pytest.raises(ProtocolError):
            loads(text)


def test_a_value_too_deep_to_write_is_a_value_error() -> None:
    value: list[object] = []
    for _ in range(100_000):
        value = [value]
    with pytest.raises(ValueError, match="too deeply"):
        dumps(value)


def test_a_value_without_end_is_a_value_error() -> None:
    value: list[object] = []
    value.append(value)
    with pytest.raises(ValueError, match="Circular"):
        dumps(value)


@rows("value", [b"", object(), {"a": {1}}])
def test_what_has_no_form_in_json_is_a_type_error(value: object) -> None:
    with pytest.raises(TypeError):
        dumps(value)


@rows("opening", ["[", "{"])
def test_so_many_arrays_and_objects_are_read_and_no_more(opening: str) -> None:
    one = "[]" if opening == "[" else "{}"
    text = f"[{','.join([one] * (MAX_BRACKETS - 1))}]"
    assert len(loads(text)) == MAX_BRACKETS - 1
    with pytest.raises(ProtocolError, match="too many"):
        loads(f"[{one},{text[1:]}")


def test_a_long_text_without_them_is_read() -> None:
    assert loads(f"[{'1,' * 400_000}1]")[-1] == 1


def test_a_lone_surrogate_is_read_in_texts_of_a_message_and_not_in_endless_ones() -> None:
    text = '"\\ud83d' + "x" * (MAX_STRICT_CHARS - 8) + '"'
    assert len(loads(text)) == MAX_STRICT_CHARS - 7
    with pytest.raises(ProtocolError, match="not JSON"):
        loads(text[:-1] + 'x"')
