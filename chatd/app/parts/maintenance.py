"""What is done from time to time: retention, upkeep of the log, snapshots."""

import attrs

from chatd.actors.retention import AuditRetention, Retention
from chatd.actors.snapshots import Snapshots
from chatd.app.parts.core import Core
from chatd.app.upkeep import Upkeep
from chatd.observe import StoreFailed
from chatd.store.snapshots import MEMBERS, NAMES, READ_SEQS
from chatd.wire.codes import Code


@attrs.frozen(eq=False)
class Maintenance:
    """`audit_retention` is one of those that `upkeep` runs."""

    audit_retention: AuditRetention
    upkeep: Upkeep
    snapshots: Snapshots


def build_maintenance(core: Core) -> Maintenance:
    common, storage, publishing = core.common, core.storage, core.publishing
    messages, rosters = core.messages, core.rosters
    config, event_log = common.config, common.event_log
    store, ages, machine = storage.store, storage.ages, messages.machine
    retention = Retention(
        storage.log,
        store.surplus,
        messages.commands.disown,
        publishing.timelines.forget,
        ages.now_ms,
        event_log,
        young_from=store.recovered.position + 1,
        keep_days=config.messages.keep_days,
        keep_per_room=config.messages.keep_per_room,
    )
    audit_retention = AuditRetention(storage.log, ages.now_ms, keep_days=config.audit.keep_days)
    snapshots = Snapshots(
        store,
        lambda: machine.position,
        {
            MEMBERS: lambda: machine.members.freeze(),
            READ_SEQS: lambda: machine.members.freeze_read_seqs(),
            NAMES: lambda: machine.members.freeze_names(),
            "presence": lambda: rosters.presence.machine.freeze(),
            "typing": lambda: rosters.typing.machine.freeze(),
            "clock": ages.freeze,
        },
        common.clock.wall_ms,
        lambda error: event_log.record(
            StoreFailed(Code.STORAGE_ERROR, f"snapshot: {error.strerror}")
        ),
        interval_s=config.state.snapshot_interval_s,
    )
    return Maintenance(
        audit_retention,
        Upkeep(storage.log, (retention, audit_retention), store.renew, ages, event_log),
        snapshots,
    )
