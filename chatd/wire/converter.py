"""The one strict converter for payloads: plain JSON values in, typed values or a refusal out.

cattrs coerces by default (`"no"` becomes True), so every leaf has a hook of its own that takes its
type and nothing else. Unknown fields are ignored, so that newer clients work; `null` for an
optional field means its absence. The usual payload is structured by generated code without error
bookkeeping; only a payload that fails is structured again, to find the path of its field.
"""

from collections.abc import Callable, Iterator
from typing import Any, TypeVar, get_args

import attrs
import cattrs
import orjson
from cattrs.errors import ClassValidationError, IterableValidationError
from cattrs.gen import make_dict_structure_fn, override

from chatd.wire import payloads
from chatd.wire.codes import Code, Refusal
from chatd.wire.fields import classes_of, name_of, wire_name
from chatd.wire.names import PresenceStatus
from chatd.wire.payloads import TABLES_MAX, Context, ContextConfig

T = TypeVar("T")

SAFE_INTEGER = 2**53 - 1  # the largest whole number that every JSON peer keeps exact

_CLASSES = tuple(classes_of(payloads))
WRONG_STATUS = "status is online, away or offline."
_STATUSES = {status.value: status for status in PresenceStatus}


class WrongShapeError(TypeError):
    """A value is not of the type that its field has."""


class WrongWordError(ValueError):
    """A text is not one that its field takes; the message says which it takes."""


def _text(value: Any, _: Any) -> str:
    if type(value) is not str:
        raise WrongShapeError("string")
    if not value.isascii():
        value.encode()  # a lone surrogate is not text: it cannot be stored, nor sent as UTF-8
    return value


def _whole(value: Any, _: Any) -> int:
    if type(value) is not int or not -SAFE_INTEGER <= value <= SAFE_INTEGER:
        raise WrongShapeError("integer")
    return value


def _truth(value: Any, _: Any) -> bool:
    if type(value) is not bool:
        raise WrongShapeError("boolean")
    return value


def presence_status(value: object) -> PresenceStatus | None:
    """The status that a word names; None if it names none."""
    return _STATUSES.get(value) if isinstance(value, str) else None


def _presence(value: Any, kind: Any) -> PresenceStatus:
    status = presence_status(_text(value, kind))
    if status is None:
        raise WrongWordError(WRONG_STATUS)
    return status


def _object_first(structure: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def check(value: Any, kind: Any) -> Any:
        if type(value) is not dict:
            raise WrongShapeError("object")
        return structure(value, kind)

    return check


def _make(detailed: bool) -> cattrs.Converter:
    converter = cattrs.Converter(detailed_validation=detailed)
    converter.register_structure_hook(str, _text)
    converter.register_structure_hook(int, _whole)
    converter.register_structure_hook(bool, _truth)
    converter.register_structure_hook(PresenceStatus, _presence)
    texts = converter.get_structure_hook(list[str])

    def tables(value: Any, _: Any) -> tuple[str, ...]:
        if type(value) is not list or len(value) > TABLES_MAX:
            raise WrongShapeError("list")
        return tuple(texts(value, list[str]))

    converter.register_structure_hook_func(lambda kind: kind == tuple[str, ...], tables)
    for cls in _CLASSES:
        renamed: Any = {one.name: override(rename=name_of(one)) for one in attrs.fields(cls)}
        for one in attrs.fields(cls):
            if one.default is attrs.NOTHING:  # the hook of `Annotated` would be one call more
                hook = converter.get_structure_hook(get_args(one.type)[0])
                renamed[one.name] = attrs.evolve(renamed[one.name], struct_hook=hook)
        generated: Callable[[Any, Any], Any] = make_dict_structure_fn(
            cls,
            converter,
            _cattrs_forbid_extra_keys=False,
            _cattrs_detailed_validation=detailed,
            **renamed,
        )

        converter.register_structure_hook(cls, _object_first(generated))
    return converter


_fast = _make(detailed=False)
_detailed = _make(detailed=True)
_hooks: dict[type, Callable[[Any, Any], Any]] = {
    cls: _fast.get_structure_hook(cls) for cls in _CLASSES
}


def structure(value: Any, kind: type[T]) -> T | Refusal:
    """`value`, as parsed from JSON, as a `kind`; or `invalid_payload` and the path."""
    try:
        return _hooks[kind](value, kind)  # type: ignore[no-any-return]  # the table is by kind
    except Exception:
        return _refusal(value, kind)


def _refusal(value: Any, kind: type) -> Refusal:
    """Why `value` is not a `kind`, and where: its first field of a wrong shape, or else the first
    that holds a wrong word."""
    failures: list[tuple[str, BaseException]] = []
    try:
        _detailed.structure(value, kind)
    except Exception as error:
        failures = list(_failures(error))
    if type(value) is not dict:
        return Refusal(Code.INVALID_PAYLOAD, "The payload is no JSON object; send one.")
    for path, failure in failures:
        if not isinstance(failure, WrongWordError):
            return Refusal(Code.INVALID_PAYLOAD, path=path)
    for path, failure in failures:
        return Refusal(Code.INVALID_PAYLOAD, str(failure), path=path)
    return Refusal(Code.INVALID_PAYLOAD, path="")


def _failures(error: BaseException, path: str = "") -> Iterator[tuple[str, BaseException]]:
    """Every error inside one of the detailed converter, and the wire path of its field."""
    if isinstance(error, ClassValidationError):
        names = {one.name: name_of(one) for one in attrs.fields(error.cl)}
        for inner, field in error.group_exceptions()[0]:
            name = names[field.name]
            yield from _failures(inner, f"{path}.{name}" if path else name)
    elif isinstance(error, IterableValidationError):
        for inner, item in error.group_exceptions()[0]:
            yield from _failures(inner, f"{path}[{item.index}]")
    else:
        yield path, error


def context_json(context: Context) -> bytes:
    """The canonical JSON of a context: fields in one order, absent ones left out."""
    plain: dict[str, Any] = {}
    if context.schema is not None:
        plain["schema"] = context.schema
    if context.tables is not None:
        plain["tables"] = context.tables
    if context.config is not None:
        plain["config"] = {
            wire_name(field.name): value
            for field in attrs.fields(ContextConfig)
            if (value := getattr(context.config, field.name)) is not None
        }
    return orjson.dumps(plain)
