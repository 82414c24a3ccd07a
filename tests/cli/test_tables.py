"""The tables of the documents say what the code says."""

import re
from collections.abc import Mapping

from chatd.actors.fair_queue import WAIT_S, WAITING_MAX
from chatd.answers.schema import BYTES_MAX as SCHEMA_BYTES_MAX
from chatd.answers.schema import TABLES_MAX as SCHEMA_TABLES_MAX
from chatd.answers.schemas import KEPT_S
from chatd.answers.sql.commands import COMMANDS
from chatd.app.settings import STRANGER_PAYLOAD_BYTES
from chatd.auth import FailureBackoff
from chatd.auth.directories import CLAIMED_ROOMS
from chatd.chat.content import CONTEXT_BYTES_MAX, PADDING_CHARS_MAX
from chatd.chat.mentions import MENTIONS_MAX, TRIED_MAX
from chatd.chat.queue import QUEUE_MAX, QUEUE_MAX_MS
from chatd.chat.reactions import EMOJI_CHARS_MAX, KINDS_MAX, REACTIONS_MAX
from chatd.chat.reading import UNREAD_MAX
from chatd.chat.search import QUERY_CHARS_MAX, TERMS_MAX
from chatd.cli.docs import documents
from chatd.config.api_tokens import MESSAGES_PER_MINUTE, REQUESTS_PER_MINUTE
from chatd.config.sections import Config, keys_of, sections
from chatd.engine.event_stream import INPUT_BYTES_MAX
from chatd.service.connect import NAMED_ROOMS_MAX, REFUSALS_MAX
from chatd.service.download_tickets import TICKET_S, TICKETS_PER_USER
from chatd.service.events.acks import RECEIPTS_PER_ACK
from chatd.service.events.schema import WAITS_MAX
from chatd.service.events.search import HITS_MAX
from chatd.service.export_files import FILES_MAX, FILES_PER_USER
from chatd.service.export_files import WAIT_S as EXPORT_WAIT_S
from chatd.service.http_payloads import MARKS_MAX, PARAMETERS_MAX, QUOTES_MAX
from chatd.service.request_clients import ALLOWANCES_MAX
from chatd.service.request_places import SMALL_BYTES
from chatd.store import REPLIES_MAX
from chatd.store.search import SEARCH_S
from chatd.wire.names import Feature
from chatd.wire.payloads import TABLES_MAX
from tests.cli import field_tables, operations_tables

FIXED: Mapping[str, float] = {
    "code points of white space around a message": PADDING_CHARS_MAX,
    "bytes of a context, as JSON": CONTEXT_BYTES_MAX,
    "entries of `context.tables`": TABLES_MAX,
    "code points of a reaction": EMOJI_CHARS_MAX,
    "different reactions to a message": KINDS_MAX,
    "reactions to a message, of all users": REACTIONS_MAX,
    "replies of a thread that are counted": REPLIES_MAX,
    "tables of a schema (`schema:get`)": SCHEMA_TABLES_MAX,
    "bytes of a schema, as JSON": SCHEMA_BYTES_MAX,
    "seconds that a schema is kept": KEPT_S,
    "schemas that a client waits for at once": WAITS_MAX,
    "code points of a search": QUERY_CHARS_MAX,
    "words and phrases of a search": TERMS_MAX,
    "hits of a page (`limit`)": HITS_MAX,
    "searches of a user that wait": WAITING_MAX,
    "seconds that a search waits for its turn": WAIT_S,
    "seconds that a search takes": SEARCH_S,
    "messages that one `chat:ack` is the first to acknowledge": RECEIPTS_PER_ACK,
    "messages that count as unread in a room": UNREAD_MAX,
    "users that a message mentions": MENTIONS_MAX,
    "places of a message where a mention may begin": TRIED_MAX,
    "messages in a user's queue, of all rooms together": QUEUE_MAX,
    "days that a message is in a queue": QUEUE_MAX_MS / 86_400_000,
    "rooms of a handshake (`auth.connectionId`) whose refusals are reported": NAMED_ROOMS_MAX,
    "rooms in the list of a token": CLAIMED_ROOMS,
    "refused CONNECTs of a session": REFUSALS_MAX,
    "bytes of the same over Engine.IO, before a token was shown": STRANGER_PAYLOAD_BYTES,
    "invalid tokens of an address that are free": FailureBackoff().free_failures,
    "downloads that are written to a file first, at once": FILES_MAX,
    "of these, of a user": FILES_PER_USER,
    "seconds that such a download waits": EXPORT_WAIT_S,
    "seconds that a download ticket is good": TICKET_S,
    "download tickets of a user": TICKETS_PER_USER,
    "messages of a bot, a minute, where its token says nothing else": MESSAGES_PER_MINUTE,
    "requests of a bot, a minute, where its token says nothing else": REQUESTS_PER_MINUTE,
    "users whose rates over HTTP are kept": ALLOWANCES_MAX,
    "bytes up to which a response does not count among these": SMALL_BYTES,
    "bytes that a client sends after its request for a stream": INPUT_BYTES_MAX,
    "parameters of a query over HTTP": PARAMETERS_MAX,
    "colons, commas and brackets of a body over HTTP, except in strings": MARKS_MAX,
    "quotes of a body over HTTP, including those in its text": QUOTES_MAX,
}
"""The limits without a key in the configuration, by what the table calls them."""


def section_of(topic: str, heading: str) -> str:
    """The text of a section of a document, without its heading."""
    text = documents()[topic]
    found = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", text, re.M | re.S)
    assert found is not None
    return found[1]


def rows_of(text: str, first_column: str) -> list[list[str]]:
    """The rows of the table whose first column has this title."""
    table = re.search(rf"^\| {re.escape(first_column)} \|.*\n\|[-|]+\|\n((?:\|.*\n)*)", text, re.M)
    assert table is not None
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table[1].splitlines()]


def _number(value: float) -> str:
    return f"{value:,.15g}"


def test_the_protocol_is_that_of_the_catalogue() -> None:
    """`python -m tests.cli.field_tables` writes them anew."""
    text = field_tables.DOCUMENT.read_text("utf-8")
    assert text == field_tables.rewritten(text)


def test_the_limits_are_those_in_force() -> None:
    defaults = Config()
    rows = rows_of(section_of("protocol", "Limits"), "what")
    fixed = {}
    for what, key, default, _ in rows:
        if key:
            section, name = key.strip("`").split(".")
            assert (key, default) == (key, _number(getattr(getattr(defaults, section), name)))
        else:
            fixed[what] = default
    assert fixed == {what: _number(value) for what, value in FIXED.items()}
    told = {key.strip("`") for _, key, *_ in rows}
    assert {f"limits.{name}" for name in keys_of(sections()["limits"])} <= told
    bounds = {name for name in keys_of(sections()["answers"]) if name.endswith(("_rows", "_bytes"))}
    assert {f"answers.{name}" for name in bounds} <= told


def test_the_features_are_those_that_a_server_can_have() -> None:
    rows = rows_of(section_of("protocol", "Connecting"), "in `server.features`")
    assert sorted(row[0].strip("`") for row in rows) == sorted(Feature)


def test_the_commands_are_those_that_are_understood() -> None:
    shown = {
        row[0].strip("`").removeprefix("/").split()[0]: row
        for row in rows_of(section_of("answers", "Questions"), "command")
    }
    assert shown.keys() == COMMANDS.keys()
    for name, command in COMMANDS.items():
        assert shown[name][0] == f"`/{' '.join(filter(None, (name, command.argument)))}`"


def test_conditions_metrics_and_events_are_those_of_the_code() -> None:
    """`python -m tests.cli.operations_tables` writes them anew."""
    text = operations_tables.DOCUMENT.read_text("utf-8")
    assert text == operations_tables.rewritten(text)
