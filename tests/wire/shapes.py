"""The payloads of clients, written down a second time, and what fits them judged by plain code."""

from collections.abc import Mapping
from typing import Any, TypeAlias

import attrs

from chatd.wire.payloads import (
    AnswerCancel,
    AuthRefresh,
    ChatAck,
    ChatMessage,
    ChatSearch,
    ConnectionJoin,
    ConnectionLeave,
    HistoryGet,
    PresenceUpdate,
    TypingSignal,
)


@attrs.frozen
class Field:
    """What a field takes: a type, a list of texts (`list`), or an object of fields; of texts, only
    some words where it has them."""

    kind: "type | Shape"
    optional: bool = False
    words: tuple[str, ...] = ()


Shape: TypeAlias = Mapping[str, Field]

STATUSES = ("online", "away", "offline")

CONFIG: Shape = {"readOnly": Field(bool, True), "dryRun": Field(bool, True)}
CONTEXT: Shape = {
    "schema": Field(str, True),
    "tables": Field(list, True),
    "config": Field(CONFIG, True),
}
SHAPES: Mapping[type, Shape] = {
    ChatMessage: {
        "messageId": Field(str),
        "content": Field(str),
        "connectionId": Field(str),
        "context": Field(CONTEXT, True),
        "threadId": Field(str, True),
    },
    ChatAck: {"messageId": Field(str), "upTo": Field(bool, True)},
    TypingSignal: {"connectionId": Field(str)},
    PresenceUpdate: {"status": Field(str, words=STATUSES), "connectionId": Field(str)},
    ConnectionJoin: {
        "connectionId": Field(str),
        "since": Field(int, True),
        "epoch": Field(str, True),
    },
    ConnectionLeave: {"connectionId": Field(str)},
    HistoryGet: {
        "connectionId": Field(str),
        "before": Field(int, True),
        "after": Field(int, True),
        "limit": Field(int, True),
        "threadId": Field(str, True),
    },
    ChatSearch: {
        "query": Field(str),
        "connectionId": Field(str, True),
        "userId": Field(str, True),
        "before": Field(int, True),
        "after": Field(int, True),
        "limit": Field(int, True),
        "cursor": Field(str, True),
    },
    AnswerCancel: {"messageId": Field(str)},
    AuthRefresh: {"token": Field(str)},
}


def fault(value: Any, shape: Shape) -> str | None:
    """The path of the first field that does not fit; `""` is the value itself, None is no fault."""
    if type(value) is not dict:
        return ""
    for name, field in shape.items():
        if field.optional and value.get(name) is None:
            continue
        if name not in value:
            return name
        inner = _fault_of_field(value[name], field.kind)
        if inner is not None:
            return name + ("." if inner and inner[0] != "[" else "") + inner
    return None


def wrong_word(value: Any, shape: Shape) -> str | None:
    """The name of the first field of a fitting object that holds none of its words."""
    wrong = (
        name for name, field in shape.items() if field.words and value[name] not in field.words
    )
    return next(wrong, None)


def _fault_of_field(value: Any, kind: type | Shape) -> str | None:
    if not isinstance(kind, type):
        return fault(value, kind)
    if kind is list and type(value) is list and len(value) <= 100:
        wrong = (at for at, item in enumerate(value) if not _fits(item, str))
        return next((f"[{at}]" for at in wrong), None)
    return None if kind is not list and _fits(value, kind) else ""


def _fits(value: Any, kind: type) -> bool:
    match value:
        case bool():
            return kind is bool
        case int():
            return kind is int and abs(value) < 2**53
        case str():
            return kind is str and not any("\ud800" <= char <= "\udfff" for char in value)
        case _:
            return False
