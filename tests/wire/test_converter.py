import itertools
import json
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatd.wire import payloads as wire_payloads
from chatd.wire.codes import Code, Refusal
from chatd.wire.converter import context_json, structure
from chatd.wire.fields import classes_of, name_of, wire_name
from chatd.wire.payloads import (
    ChatAck,
    ChatMessage,
    Context,
    ContextConfig,
    HistoryGet,
    PresenceUpdate,
)
from tests.rows import rows
from tests.wire.shapes import CONTEXT, SHAPES, Field, Shape, fault, wrong_word

MESSAGE = {"messageId": "m", "content": "c", "connectionId": "r"}
HISTORY = {"connectionId": "r"}

any_char = st.characters(exclude_categories=())  # lone surrogates too
leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(2**53 - 2, 2**53 + 2)
    | st.floats()
    | st.text(any_char, max_size=5)
)
json_values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=10,
)


def values(field: Field) -> st.SearchStrategy[Any]:
    """Mostly what the field takes, now and then something else."""
    if not isinstance(field.kind, type):
        fitting: st.SearchStrategy[Any] = payloads(field.kind)
    elif field.kind is list:
        fitting = st.lists(st.text(max_size=3), max_size=5)
    elif field.words:
        fitting = st.sampled_from((*field.words, "away "))
    else:
        fitting = st.from_type(field.kind)
    return st.one_of(fitting, fitting, fitting, json_values)


def payloads(shape: Shape) -> st.SearchStrategy[Any]:
    """Objects near the shape: fields missing, fields wrong, unknown fields beside them."""
    known = st.fixed_dictionaries({}, optional={name: values(f) for name, f in shape.items()})
    whole = st.fixed_dictionaries({name: values(field) for name, field in shape.items()})
    unknown = st.dictionaries(st.text(max_size=3), leaves, max_size=2)
    return st.builds(lambda more, fields: more | fields, unknown, whole | known)


def plain(value: Any) -> Any:
    """A typed value as JSON would have it, absent fields left out."""
    if attrs.has(type(value)):
        fields = {name_of(f): getattr(value, f.name) for f in attrs.fields(type(value))}
        return {name: plain(field) for name, field in fields.items() if field is not None}
    return list(value) if type(value) is tuple else value


def reduced(value: Any, shape: Shape) -> Any:
    """A fitting payload without unknown fields and nulls."""
    return {
        name: field if isinstance(known.kind, type) else reduced(field, known.kind)
        for name, known in shape.items()
        if (field := value.get(name)) is not None
    }


@pytest.mark.parametrize("kind", SHAPES, ids=lambda kind: kind.__name__)
@given(data=st.data())
def test_a_payload_becomes_its_own_value_or_the_path_of_its_first_fault(
    kind: type, data: st.DataObject
) -> None:
    payload = data.draw(payloads(SHAPES[kind]) | json_values)
    path = fault(payload, SHAPES[kind])
    result = structure(payload, kind)
    if path is None and (name := wrong_word(payload, SHAPES[kind])) is not None:
        sentence = "status is online, away or offline."
        assert result == Refusal(Code.INVALID_PAYLOAD, sentence, path=name)
    elif path is None:
        assert type(result) is kind
        assert json.dumps(plain(result)) == json.dumps(reduced(payload, SHAPES[kind]))
    elif path:
        assert result == Refusal(Code.INVALID_PAYLOAD, path=path)
    else:
        sentence = "The payload is no JSON object; send one."
        assert result == Refusal(Code.INVALID_PAYLOAD, sentence)


def test_every_payload_is_in_the_catalogue() -> None:
    assert set(classes_of(wire_payloads)) == {*SHAPES, Context, ContextConfig}


@rows(
    ("change", "path"),
    [
        ({"messageId": None}, "messageId"),
        ({"content": 5}, "content"),
        ({"content": ["c"]}, "content"),
        ({"content": "\ud83d"}, "content"),
        ({"context": []}, "context"),
        ({"context": "public"}, "context"),
        ({"context": {"schema": True}}, "context.schema"),
        ({"context": {"tables": "abc"}}, "context.tables"),
        ({"context": {"tables": {"0": "a"}}}, "context.tables"),
        ({"context": {"tables": ["a"] * 101}}, "context.tables"),
        ({"context": {"tables": ["a", "b", "c", 4]}}, "context.tables[3]"),
        ({"context": {"tables": ["a", None]}}, "context.tables[1]"),
        ({"context": {"tables": ["\udc00"]}}, "context.tables[0]"),
        ({"context": {"config": [True]}}, "context.config"),
        ({"context": {"config": {"readOnly": "no"}}}, "context.config.readOnly"),
        ({"context": {"config": {"dryRun": 0}}}, "context.config.dryRun"),
    ],
    ids=str,
)
def test_a_wrong_field_is_refused_by_its_path(change: dict[str, Any], path: str) -> None:
    refusal = Refusal(Code.INVALID_PAYLOAD, path=path)
    assert structure(MESSAGE | change, ChatMessage) == refusal


@pytest.mark.parametrize("missing", MESSAGE)
def test_a_missing_field_is_refused_by_its_path(missing: str) -> None:
    payload = {name: value for name, value in MESSAGE.items() if name != missing}
    assert structure(payload, ChatMessage) == Refusal(Code.INVALID_PAYLOAD, path=missing)


@pytest.mark.parametrize("value", [True, 1.0, "1", 2**53, -(2**53), 10**400, float("nan"), [1]])
def test_nothing_is_made_into_a_whole_number(value: object) -> None:
    refusal = Refusal(Code.INVALID_PAYLOAD, path="before")
    assert structure(HISTORY | {"before": value}, HistoryGet) == refusal


@pytest.mark.parametrize("value", [0, 1, "true", "", 1.0, []])
def test_nothing_is_made_into_a_truth(value: object) -> None:
    refusal = Refusal(Code.INVALID_PAYLOAD, path="upTo")
    assert structure({"messageId": "m", "upTo": value}, ChatAck) == refusal


def test_the_outermost_whole_numbers_are_kept_exact() -> None:
    payload = HISTORY | {"before": 2**53 - 1, "after": -(2**53) + 1}
    assert structure(payload, HistoryGet) == HistoryGet("r", 2**53 - 1, -(2**53) + 1)


def test_a_hundred_tables_are_not_too_many() -> None:
    message = structure(MESSAGE | {"context": {"tables": ["t"] * 100}}, ChatMessage)
    assert message == ChatMessage("m", "c", "r", Context(tables=("t",) * 100))


def test_null_for_an_optional_field_is_its_absence() -> None:
    nulls = {"context": None, "threadId": None}
    assert structure(MESSAGE | nulls, ChatMessage) == structure(MESSAGE, ChatMessage)
    empty = {"context": {"schema": None, "tables": None, "config": None}}
    assert structure(MESSAGE | empty, ChatMessage) == ChatMessage("m", "c", "r", Context())


def test_a_word_that_is_none_is_refused_after_fields_of_a_wrong_shape() -> None:
    assert structure({"status": "busy"}, PresenceUpdate) == Refusal(
        Code.INVALID_PAYLOAD, path="connectionId"
    )


def test_unknown_fields_are_ignored_at_every_depth() -> None:
    newer = {"context": {"config": {"readOnly": True, "x": 1}, "x": {}}, "x": [], "message_id": 1}
    expected = ChatMessage("m", "c", "r", Context(config=ContextConfig(read_only=True)))
    assert structure(MESSAGE | newer, ChatMessage) == expected


@pytest.mark.parametrize("depth", [10, 5_000])
def test_deep_nesting_is_refused_like_any_wrong_field(depth: int) -> None:
    deep: Any = []
    for _ in range(depth):
        deep = [deep]
    refusal = Refusal(Code.INVALID_PAYLOAD, path="context.tables[0]")
    assert structure(MESSAGE | {"context": {"tables": deep}}, ChatMessage) == refusal


@pytest.mark.parametrize(
    ("attribute", "name"), [("token", "token"), ("message_id", "messageId"), ("up_to", "upTo")]
)
def test_a_field_has_its_wire_name_by_rule(attribute: str, name: str) -> None:
    assert wire_name(attribute) == name


@pytest.mark.parametrize(
    ("context", "canonical"),
    [
        (Context(), b"{}"),
        (Context(config=ContextConfig()), b'{"config":{}}'),
        (Context(tables=()), b'{"tables":[]}'),
        (
            Context("p\u00fcblic", ("b", "a"), ContextConfig(read_only=False, dry_run=True)),
            '{"schema":"p\u00fcblic","tables":["b","a"],'
            '"config":{"readOnly":false,"dryRun":true}}'.encode(),
        ),
    ],
)
def test_a_context_has_one_form(context: Context, canonical: bytes) -> None:
    assert context_json(context) == canonical


def test_the_order_of_fields_does_not_change_the_canonical_form() -> None:
    fields = {"schema": "s", "tables": ["t"], "config": {"dryRun": True, "readOnly": None}}
    forms = set()
    for order in itertools.permutations(fields.items()):
        context = structure(dict(order), Context)
        assert isinstance(context, Context)
        forms.add(context_json(context))
    assert forms == {b'{"schema":"s","tables":["t"],"config":{"dryRun":true}}'}


@given(payloads(CONTEXT))
def test_a_canonical_context_reads_back_as_the_same_context(payload: Any) -> None:
    context = structure(payload, Context)
    if isinstance(context, Context):
        assert structure(json.loads(context_json(context)), Context) == context
    else:
        assert fault(payload, CONTEXT) is not None
