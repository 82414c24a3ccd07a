"""The log of messages, and what is known of it and of its disk."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import attrs
import trio

from chatd.actors.log_keeper import LogKeeper
from chatd.app.ages import Ages, evidence_of
from chatd.app.damage import DamageFound
from chatd.app.disk_space import DiskSpace
from chatd.app.logs import life_in
from chatd.app.parts.common import Common
from chatd.store.opened_store import OpenedStore

if TYPE_CHECKING:
    from chatd.postgres_store.life import Life


@attrs.frozen(eq=False)
class Storage:
    """`store` is what was opened, `log` its side that writes. `life` is that of a node among others
    with the same log. `ages` tells how old a message is. `frozen` is what the newest snapshot has
    kept, by the name of its part."""

    store: OpenedStore
    log: LogKeeper
    life: "Life | None"
    damage: DamageFound
    disk: DiskSpace
    ages: Ages
    frozen: Mapping[str, object]
    starts_over: trio.Event = attrs.field(factory=trio.Event, init=False)
    """The log has another epoch: this daemon is to end."""


def build_storage(common: Common, store: OpenedStore, log: LogKeeper) -> Storage:
    damage = DamageFound(common.event_log, store.damaged)
    store.readers.witness = damage
    frozen = store.snapshot.parts if store.snapshot else {}
    evidence_ms = evidence_of(frozen.get("clock"), store.recovered.newest_ms)
    return Storage(
        store,
        log,
        life_in(store),
        damage,
        DiskSpace(store.path, common.config.state.min_free_bytes),
        Ages(evidence_ms, common.event_log, common.clock),
        frozen,
    )
