"""What a user of the generator does with what comes, without a network."""

from typing import Any

import orjson
import pytest

from chatd.bench.askers import Asker
from chatd.bench.client import Transport, make_client
from chatd.bench.deliveries import mark
from chatd.bench.dialect import Dialect, chat
from chatd.bench.players import RECEIPT_EVERY_US, Crew, Player, State, User
from chatd.websocket.client import KEY
from chatd.websocket.frames import encode_text
from chatd.websocket.handshake import switching_protocols
from tests.bench.wires import ADDRESS, Wires

OPEN = b'0{"sid":"s1"}'
JOINED = b'40{"sid":"s2"}'
IDS = b"00000000-0000-4000-8000-"
PLAIN = Dialect(join=None, message='["say","%m"]')


class Table:
    """A crew with one player, a clock that the test sets, and what the player sends."""

    def __init__(self, dialect: Dialect, sql: str | None = None) -> None:
        self.now_us = 1_000_000
        self.crew = Crew(dialect, b"", IDS, lambda: self.now_us)
        self.told: list[State] = []
        self.crew.settled = self.crew.ended = lambda player: self.told.append(player.state)
        user = User(7, "room", {"token": "t"})
        self.player = Player(user, self.crew) if sql is None else Asker(user, self.crew, sql)
        self.wires = Wires()

    def come(self) -> None:
        client = make_client(Transport.WEBSOCKET, ADDRESS, self.player.user.auth, self.wires)
        self.player.come(client, self.now_us)
        client.connected(self.wires.dialled[-1])
        self.wires.take()  # the request for a WebSocket
        self.hear(OPEN, JOINED, head=switching_protocols(KEY))

    def hear(self, *packets: bytes, head: bytes = b"") -> None:
        lane = self.wires.dialled[-1]
        self.player.client.received(lane, head + b"".join(map(encode_text, packets)))

    def deliver(self, sender: int, number: int, due_us: int, step: int = 0, **more: Any) -> None:
        said = mark(step, sender, number, due_us).decode()
        event = ["chat:message", {"messageId": f"m{number}", "content": said, **more}]
        self.hear(b"42" + orjson.dumps(event))

    def sent(self) -> list[tuple[int, Any]]:
        """The events that were sent since the last time: the id of the ack, and the event."""
        written = self.wires.take()
        found = []
        while written:
            length = written[1] & 0x7F
            start = 6 if length < 126 else 8
            if length == 126:
                length = int.from_bytes(written[2:4], "big")
            packet, written = written[start : start + length], written[start + length :]
            if packet.startswith(b"42"):
                bracket = packet.index(b"[")
                found.append((int(packet[2:bracket]), orjson.loads(packet[bracket:])))
        return found


def ready(dialect: Dialect = PLAIN, sql: str | None = None) -> Table:
    table = Table(dialect, sql)
    table.come()
    for ack_id, _ in table.sent():
        table.hear(b'43%d[{"ok":true}]' % ack_id)
    assert table.player.state is State.READY
    table.crew.begin(0, table.now_us)
    return table


def test_a_player_is_ready_when_its_join_is_acked() -> None:
    table = Table(chat())
    table.come()
    ((ack_id, event),) = table.sent()
    assert event[0] == "connection:leave"
    assert (table.player.state, table.crew.ready, table.told) == (State.COMING, 0, [])
    table.now_us += 3000
    table.hear(b'43%d[{"ok":true}]' % ack_id)
    assert (table.crew.ready, table.told) == (1, [State.READY])
    assert table.crew.opening.max_us == 3000


def test_a_join_that_is_refused_is_a_client_that_did_not_come() -> None:
    table = Table(chat())
    table.come()
    ((ack_id, _),) = table.sent()
    table.hear(b'43%d[{"ok":false}]' % ack_id)
    assert (table.crew.ready, table.crew.failed, table.told) == (0, 1, [State.AWAY])


def test_an_ack_counts_from_when_the_message_was_due() -> None:
    table = ready()
    table.player.say(table.now_us)
    ((ack_id, event),) = table.sent()
    assert event == ["say", "~0.7.0.1000000~"]
    table.now_us += 500
    table.hear(b"43%d[]" % ack_id, b"43%d[]" % ack_id)
    tally = table.crew.tally
    assert (tally.sent, tally.acked, tally.twice, tally.acks.max_us) == (1, 1, 1, 500)


def test_numbers_begin_anew_with_each_step() -> None:
    table = ready()
    table.player.say(1_000_000)
    table.player.say(1_000_001)
    table.crew.begin(1, table.now_us)
    table.player.say(1_000_002)
    assert [event[1] for _, event in table.sent()] == [
        "~0.7.0.1000000~",
        "~0.7.1.1000001~",
        "~1.7.0.1000002~",
    ]


def test_what_is_late_for_its_step_is_not_of_the_next_one() -> None:
    table = ready()
    table.player.say(table.now_us)
    ((ack_id, _),) = table.sent()
    table.now_us += 10
    table.crew.begin(1, table.now_us)
    table.hear(b"43%d[]" % ack_id)
    table.deliver(1, 0, due_us=1_000_000, step=0)
    assert (table.crew.tally.acked, table.crew.tally.received) == (0, 0)


def test_deliveries_are_counted_and_timed() -> None:
    table = ready()
    table.now_us = 1_000_900
    for number in (0, 2, 1, 1):
        table.deliver(3, number, due_us=1_000_000)
    tally = table.crew.tally
    assert (tally.received, len(tally.deliveries), tally.deliveries.max_us) == (3, 3, 900)
    assert [(one.twice, one.out_of_order) for one in tally.receivers] == [(1, 1)]
    assert tally.last_us == 1_000_900


def test_other_events_are_none_of_its_business() -> None:
    table = ready(chat())
    table.hear(b'42["chat:history",{"content":"~0.1.0.5~"}]', b'42["chat:message",{"content":"x"}]')
    assert table.crew.tally.received == 0


def test_a_message_that_is_refused_has_failed_with_its_code() -> None:
    table = ready(chat())
    for refusal in (b'{"ok":false,"error":{"code":"rate_limited"}}', b"7"):
        table.player.say(table.now_us)
        ((ack_id, _),) = table.sent()
        table.hear(b"43%d[%b]" % (ack_id, refusal))
    assert (table.crew.tally.failed, table.crew.tally.acked) == (2, 0)
    assert table.crew.reasons == {"rate_limited": 1, "an ack that says nothing": 1}


def test_the_newest_message_of_others_is_acknowledged_now_and_then() -> None:
    table = ready(chat())
    table.deliver(7, 0, due_us=1)  # its own
    table.crew.send_receipts(table.now_us)
    assert table.sent() == []
    table.deliver(3, 0, due_us=1)
    table.deliver(3, 1, due_us=1)
    table.crew.send_receipts(table.now_us)
    ((ack_id, event),) = table.sent()
    assert event == ["chat:ack", {"messageId": "m1", "upTo": True}]
    table.hear(b'43%d[{"ok":true}]' % ack_id)
    assert table.crew.tally.acked == 0  # its time is nobody's
    table.deliver(3, 2, due_us=1)
    table.crew.send_receipts(table.now_us + RECEIPT_EVERY_US - 1)
    assert table.sent() == []
    table.crew.send_receipts(table.now_us + RECEIPT_EVERY_US)
    assert table.sent()[0][1][1]["messageId"] == "m2"


def test_who_does_not_acknowledge_does_not() -> None:
    table = ready(chat(sends_receipts=False))
    table.deliver(3, 0, due_us=1)
    table.crew.send_receipts(table.now_us)
    assert table.sent() == []


def test_a_player_that_is_lost_fails_what_it_should_send() -> None:
    table = ready(chat())
    table.deliver(3, 0, due_us=1)
    table.player.client.lost(table.wires.dialled[-1], "the server hung up")
    table.player.say(table.now_us)
    table.crew.send_receipts(table.now_us)
    assert (table.crew.ready, table.crew.tally.failed) == (0, 1)
    assert (table.told[-1], table.crew.reasons) == (State.AWAY, {"the server hung up": 1})
    table.player.go()
    assert table.crew.ready == 0


def test_who_goes_is_ready_no_more() -> None:
    table = ready()
    table.player.go()
    assert (table.crew.ready, table.player.state) == (0, State.AWAY)


SQL = "SELECT 1"


def answer(question: str, *batches: int, state: str = "done", rows: int | None = None) -> bytes:
    told = b""
    for index, count in enumerate(batches):
        head = {"messageId": "a", "replyTo": question, "connectionId": "room", "index": index}
        event = ["chat:answer:rows", {**head, "rows": [[1]] * count}]
        told += encode_text(b"42" + orjson.dumps(event))
    end = {"messageId": "a", "replyTo": question, "connectionId": "room", "state": state}
    end |= {"rowCount": sum(batches) if rows is None else rows}
    return told + encode_text(b"42" + orjson.dumps(["chat:answer:end", end]))


def asked(table: Table) -> str:
    """The one question that was asked since the last time."""
    ((ack_id, event),) = table.sent()
    assert event[1]["content"] == SQL
    table.hear(b'43%d[{"ok":true}]' % ack_id)
    return str(event[1]["messageId"])


def asking() -> tuple[Table, Asker]:
    table = ready(chat(), SQL)
    asker = table.player
    assert isinstance(asker, Asker)
    asker.until_us = table.now_us + 10_000
    asker.ask(table.now_us)
    return table, asker


def test_an_answer_has_a_first_row_and_an_end_and_then_it_is_asked_again() -> None:
    table, asker = asking()
    question = asked(table)
    asker.ask(table.now_us)  # one at a time
    table.now_us += 700
    table.hear(head=answer(question, 0, 2, 3))
    tally = table.crew.tally
    assert (tally.sent, tally.acked, tally.received, tally.failed) == (2, 1, 1, 0)
    assert (tally.acks.max_us, tally.deliveries.max_us) == (700, 700)
    table.now_us += 10_000
    table.hear(head=answer(asked(table), 1))
    assert (tally.received, table.sent()) == (2, [])  # its time is over


@pytest.mark.parametrize(
    ("state", "rows", "why"),
    [("timeout", 1, "an answer ended as timeout"), ("done", 9, "an answer lacks rows")],
)
def test_an_answer_that_is_not_whole_has_failed(state: str, rows: int, why: str) -> None:
    table, _ = asking()
    table.hear(head=answer(asked(table), 1, state=state, rows=rows))
    assert (table.crew.tally.failed, table.crew.tally.received) == (1, 0)
    assert table.crew.reasons == {why: 1}


def test_answers_of_others_are_none_of_its_business() -> None:
    table, _ = asking()
    table.hear(head=answer("another question", 1))
    assert table.crew.tally.received == 0
    table.hear(head=answer(asked(table), 1))
    table.hear(head=answer("another question", 1))
    assert table.crew.tally.received == 1


def test_a_question_that_is_refused_is_not_waited_for() -> None:
    table, asker = asking()
    ((ack_id, _),) = table.sent()
    table.hear(b'43%d[{"ok":false,"error":{"code":"overloaded"}}]' % ack_id)
    assert table.crew.tally.failed == 1
    asker.ask(table.now_us)
    asked(table)
