"""The largest message that ends an answer: what the configuration reckons with, and not less."""

from collections.abc import Sequence

import orjson

from chatd.answers.answer import STATEMENT_CHARS_MAX, AnswerContent, Ending
from chatd.answers.markdown import COLUMNS_MAX as COLUMNS_SHOWN
from chatd.answers.markdown import SENTENCE_CHARS_MAX, readable
from chatd.answers.mcp.documents import COLUMNS_MAX
from chatd.answers.mcp.meter import Meter
from chatd.answers.table import Column, Row
from chatd.chat.markup import MARKUPS
from chatd.chat.records import Message
from chatd.chat.rendering import message_json
from chatd.config.checks import BESIDE_ROWS_BYTES
from chatd.sockets.emitter import rendered_packet
from chatd.wire.codes import Code
from chatd.wire.names import ServerEvent
from tests.chat.commands import message_id
from tests.rows import rows

MAX_BYTES = 100_000


class Into:
    """A sink that fills an answer."""

    def __init__(self, answer: AnswerContent) -> None:
        self._answer = answer

    def columns(self, columns: Sequence[Column]) -> None:
        self._answer.set_columns(columns)

    def rows(self, rows: Sequence[Row]) -> None:
        self._answer.add_rows(rows)


def size(answer: AnswerContent, markup: str) -> int:
    """Bytes of the packet that a client gets."""
    message = Message(
        message_id(1),
        "room" * 32,
        2**53,
        "db:" + "room" * 32,
        "name" * 32,
        readable(answer),
        None,
        None,
        2**53,
        reply_to=message_id(2),
        answer=answer.as_json(2**53),
    )
    payload = message_json(message, MARKUPS[markup])
    return len(rendered_packet(ServerEvent.CHAT_MESSAGE, payload).text)


@rows("markup", MARKUPS)
@rows("text", ["'", "<a", "\x01", "\N{ROCKET}", "|", '"'])
@rows("width", [1, COLUMNS_SHOWN, COLUMNS_MAX])
def test_no_answer_is_larger_than_the_configuration_reckons_with(
    width: int, text: str, markup: str
) -> None:
    answer = AnswerContent(max_rows=10**6, max_bytes=MAX_BYTES)
    answer.asks(text * STATEMENT_CHARS_MAX)
    meter = Meter(Into(answer), 10**6, MAX_BYTES)
    meter.columns([Column(text * 1_000, text * 1_000)] * width)
    while not meter.is_full:
        meter.rows([[text * 30] * width])
    answer.end(Ending.failed(Code.DB_ERROR, text * SENTENCE_CHARS_MAX))
    rows = len(orjson.dumps(answer.rows))
    assert rows <= MAX_BYTES + len("[]")
    assert size(answer, markup) - rows <= BESIDE_ROWS_BYTES
