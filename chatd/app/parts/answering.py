"""The parts that answer: the databases of rooms, the service, its roster.

Without configuration there is one database, the sample, in the room of the first start.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import attrs
import trio

from chatd.answers.cache import Cache
from chatd.answers.life import AnswerLife, AnswerRules
from chatd.answers.mcp.host import SessionHost
from chatd.answers.mcp.pool import McpDatabase
from chatd.answers.mcp.settings import DatabaseSettings
from chatd.answers.reruns import Reruns
from chatd.answers.sample import make_sample
from chatd.answers.schemas import Schemas
from chatd.answers.service import AnswerService
from chatd.answers.sql.reader import StatementReader, child_command
from chatd.answers.terms import Bounds
from chatd.app.databases import RunningDatabases
from chatd.app.parts.common import Common
from chatd.app.parts.messages import Messages
from chatd.app.parts.publishing import Publishing
from chatd.app.parts.storage import Storage
from chatd.config import DEMO_ROOM, Config
from chatd.observe import StoreFailed
from chatd.service.answer_relay import AnswerRelay
from chatd.service.answer_roster import AnswerRoster
from chatd.service.answer_signals import AnswerSignals
from chatd.wire.codes import Code

SAMPLE_NAME = "sample.sqlite3"  # in the state directory


@attrs.frozen
class Answering:
    """The parts that answer. `elsewhere` shows answers on the other nodes, and theirs here; None
    for a node that is alone."""

    databases: RunningDatabases
    host: SessionHost
    roster: AnswerRoster
    reader: StatementReader
    life: AnswerLife
    service: AnswerService
    reruns: Reruns
    schemas: Schemas
    elsewhere: AnswerSignals | None
    is_over: trio.Event = attrs.field(factory=trio.Event, init=False)
    """Ask databases nothing more: the sessions with db-mcps end."""


FIRST_STARTS_MAX: Final = 8
"""Db-mcps that are started at the same moment when the daemon starts: each takes a second or two of
a processor, and all of many at once would not be ready in time. One that hangs has a place for
`start_timeout_s`, and none when it is tried again."""


def configured_databases(config: Config) -> Mapping[str, DatabaseSettings]:
    """The databases by room: those of the configuration, or the sample, or none."""
    if not config.answers.enabled:
        return {}
    return config.databases or {DEMO_ROOM: DatabaseSettings(sample=True)}


def make_sample_if_used(
    configured: Mapping[str, DatabaseSettings], sample: Path, now_ms: int
) -> StoreFailed | None:
    """Make the sample database where a room uses it and it is not there, or is of an earlier form;
    returns why that was not possible. Blocks."""
    if any(one.sample for one in configured.values()):
        try:
            make_sample(sample, now_ms)
        except OSError as error:  # the chat does without
            return StoreFailed(Code.STORAGE_ERROR, f"{SAMPLE_NAME}: {error.strerror}")
    return None


def build_answering(
    common: Common, storage: Storage, publishing: Publishing, messages: Messages
) -> Answering:
    """Build the parts."""
    config, clock, event_log = common.config, common.clock, common.event_log
    store, commands, signals = storage.store, messages.commands, publishing.signals
    configured = configured_databases(config)
    sample = store.path.parent / SAMPLE_NAME
    unmade = make_sample_if_used(configured, sample, clock.wall_ms())
    if unmade is not None:
        event_log.record(unmade)
    first_starts = trio.CapacityLimiter(FIRST_STARTS_MAX)

    host = SessionHost(event_log)

    def make(room: str, settings: DatabaseSettings) -> McpDatabase:
        return McpDatabase(
            room,
            settings,
            event_log,
            sample=sample,
            first_starts=first_starts,
            opened=host.opened,
        )

    databases = RunningDatabases(make, configured)
    roster = AnswerRoster(publishing.adapter, common.markup)
    reader = StatementReader(
        child_command(sorted({one.dialect for one in configured.values()})), event_log
    )
    answers = config.answers
    elsewhere, relay = None, None
    if signals is not None:
        last_seq = publishing.timelines.last_seq
        elsewhere = AnswerSignals(roster, signals, clock.wall_ms, last_seq, databases)
        relay = AnswerRelay(signals)
    life = AnswerLife(
        databases.answering,
        elsewhere or roster,
        commands.conclude,
        commands.note_read,
        store.readers,
        reader,
        Cache(answers.cache_ttl_s),
        AnswerRules(
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
    service = AnswerService(life, store.readers, relay)
    if relay is not None:
        relay.serve(service)
    if elsewhere is not None:
        publishing.ending.tell(elsewhere, service)
    if storage.life is not None:
        storage.life.adopted = service.adopt
    service.adopt(store.recovered.open_answers)
    export_bounds = Bounds(answers.export_rows, answers.export_bytes, answers.export_timeout_s)
    reruns = Reruns(life, export_bounds, clock.wall_ms)
    schemas = Schemas(life, event_log)
    return Answering(databases, host, roster, reader, life, service, reruns, schemas, elsewhere)
