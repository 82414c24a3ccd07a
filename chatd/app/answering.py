"""How answers are put together: the databases of rooms, the service, its board and its exports.

Without configuration there is one database, the sample, in the room of the first start.
"""

from collections.abc import Mapping

import attrs

from chatd.answers.asking import Bounds, RoomDatabase
from chatd.answers.cache import Cache
from chatd.answers.mcp.pool import McpDatabase
from chatd.answers.sample import make_sample
from chatd.answers.service import Answers, Rules
from chatd.answers.sql.reader import Reader, child_command
from chatd.chat.markup import Markup
from chatd.config import DEMO_ROOM, Config, Database
from chatd.observe import EventLog, StoreFailed
from chatd.observe.clock import Clock
from chatd.service.answer_roster import AnswerRoster
from chatd.service.commands import Commands
from chatd.sockets.ports import Adapter
from chatd.store import Store
from chatd.wire.codes import Code

SAMPLE_NAME = "sample.sqlite3"  # in the state directory


@attrs.frozen
class Answering:
    """The parts that answer."""

    databases: Mapping[str, McpDatabase]
    board: AnswerRoster
    reader: Reader
    service: Answers


def configured_databases(config: Config) -> Mapping[str, Database]:
    """The databases by room: those of the configuration, or the sample, or none."""
    if not config.answers.enabled:
        return {}
    return config.databases or {DEMO_ROOM: Database(sample=True)}


def build_answering(
    config: Config,
    store: Store,
    adapter: Adapter,
    commands: Commands,
    markup: Markup,
    clock: Clock,
    event_log: EventLog,
) -> Answering:
    """Put the answers together; the sample database is made where it is asked and not there."""
    configured = configured_databases(config)
    sample = store.path.parent / SAMPLE_NAME
    if any(one.sample for one in configured.values()):
        try:
            make_sample(sample)
        except OSError as error:  # the chat does without
            event_log.record(StoreFailed(Code.STORAGE_ERROR, f"{SAMPLE_NAME}: {error.strerror}"))
    databases = {
        room: McpDatabase(room, one, event_log, sample=sample) for room, one in configured.items()
    }
    board = AnswerRoster(adapter, markup)
    reader = Reader(child_command(sorted({one.dialect for one in configured.values()})), event_log)
    answers = config.answers
    service = Answers(
        {
            room: RoomDatabase(databases[room], one.dialect, one.read_only)
            for room, one in configured.items()
        },
        board,
        commands.conclude,
        commands.note_read,
        store.readers,
        reader,
        Cache(answers.cache_ttl_s),
        Rules(
            Bounds(answers.max_rows, answers.max_bytes, answers.timeout_s),
            per_user=answers.answers_per_user,
            per_room=answers.answers_per_room,
            per_database=answers.answers_per_database,
            wait_s=answers.wait_s,
            anybody_cancels=answers.cancel == "members",
        ),
        clock.wall_ms,
        event_log,
    )
    service.adopt(store.recovered.open_answers)
    return Answering(databases, board, reader, service)
