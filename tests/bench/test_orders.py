"""What goes over the pipes between the processes is read as it was written."""

import orjson
import pytest

from chatd.bench.client import Transport
from chatd.bench.dialect import chat
from chatd.bench.orders import (
    Ask,
    Cast,
    Close,
    ComeBack,
    Look,
    Open,
    Order,
    Report,
    Send,
    cast_of,
    order_of,
    report_of,
    to_line,
)
from chatd.bench.players import User
from tests.bench.wires import ADDRESS


def report(**fields: object) -> Report:
    """A report of nothing, but for these fields."""
    empty = {"max_us": 0, "counts": []}
    nothing: dict[str, object] = dict.fromkeys(
        ("at_us", "ready", "failed_to_come", "sent", "acked", "received", "failed", "twice"), 0
    )
    nothing |= {"out_of_order": 0, "last_us": 0, "busy_s": 0.0, "returned_us": [], "reasons": {}}
    nothing |= dict.fromkeys(("lag", "opening", "acks", "deliveries"), empty)
    return report_of(orjson.dumps(nothing | fields))


@pytest.mark.parametrize(
    "order",
    [
        Open(3, 2, 1.5),
        Send(1, 10**15, 12.5, 2.0, [0, 1]),
        Ask(1, 2, 0.5),
        Look(),
        ComeBack(),
        Close(),
    ],
)
def test_an_order_is_read_as_it_was_written(order: Order) -> None:
    line = to_line(order)
    assert line.endswith(b"\n")
    assert order_of(line) == order


def test_a_cast_is_read_as_it_was_written() -> None:
    users = [User(0, "r", {"token": "t"}), User(1, "r")]
    cast = Cast(ADDRESS, 2, ["127.0.0.1", 1], Transport.UPGRADE, chat(), users, 40, "SELECT 1")
    assert cast_of(to_line(cast)) == cast


def test_a_report_is_read_as_it_was_written() -> None:
    said = report(sent=3, busy_s=0.5, reasons={"why": 2}, acks={"max_us": 5, "counts": [[5, 1]]})
    assert report_of(to_line(said)) == said
