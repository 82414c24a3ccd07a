"""Every packet that a chat makes, held against the golden catalogue as it is made."""

from collections.abc import Iterator
from contextlib import contextmanager

import orjson
import pytest

from chatd.engine.outgoing import Outgoing
from chatd.sockets import emitter
from tests.wire.golden import fault_of_ack, fault_of_connect_error, fault_of_event


@contextmanager
def judged_packets() -> Iterator[None]:
    """Events, acks and refusals of CONNECT that are made meanwhile are all in the catalogue."""
    faults: list[str] = []

    def judge(text: bytes, attachments: tuple[bytes, ...] = ()) -> Outgoing:
        fault = fault_of(text)
        if fault is not None:
            faults.append(fault)
        return Outgoing(text, attachments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(emitter, "Outgoing", judge)
        yield
    assert not faults, faults[0]


def fault_of(text: bytes) -> str | None:
    """What of a packet of the main namespace is not in the catalogue."""
    match text[:2]:
        case b"42":
            return fault_of_event(*orjson.loads(text[2:]))
        case b"43":
            return fault_of_ack(None, *orjson.loads(text[text.index(b"[") :]))
        case b"44" if "data" in (error := orjson.loads(text[text.index(b"{") :])):
            return fault_of_connect_error(error["data"])
        case _:
            return None
