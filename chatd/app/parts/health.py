"""What may be amiss: each part that knows has its condition in the status of the daemon."""

from collections.abc import Mapping

import attrs

from chatd.actors.pulse import Pulse
from chatd.app.parts.access import Access
from chatd.app.parts.core import Core
from chatd.app.status import (
    DaemonStatus,
    DatabasesAway,
    DatabasesStarting,
    SilentActors,
    life_conditions,
    storage_conditions,
)
from chatd.observe import conditions
from chatd.observe.conditions import OneCondition


@attrs.frozen(eq=False)
class Health:
    """`pulses` are those of the actors, by name."""

    pulses: Mapping[str, Pulse]
    silent_actors: SilentActors
    status: DaemonStatus


def build_health(core: Core, access: Access) -> Health:
    storage, publishing, messages = core.storage, core.publishing, core.messages
    rosters, answering = core.rosters, core.answering
    pulses = {
        "messages": Pulse(messages.mailbox),
        "presence": Pulse(rosters.presence_mailbox),
        "typing": Pulse(rosters.typing_mailbox),
        "answers": answering.service.pulse,
        "the log": Pulse(storage.log),
    }
    silent_actors = SilentActors(pulses)
    status = DaemonStatus(publishing.clients)
    fan_out, key_source = publishing.fan_out, access.key_source

    def why_no_keys() -> str | None:
        """What is amiss with the key set; its first reading is no fault."""
        return key_source.trouble if key_source.ended else None

    def why_bus_down() -> str | None:
        """Why the bus carries nothing; a node that has none misses none."""
        return None if fan_out is None else fan_out.bus.why_down

    for condition in (
        *storage_conditions(storage.log, storage.damage, storage.disk),
        *life_conditions(storage.life),
        silent_actors,
        OneCondition(conditions.KEYS_UNAVAILABLE, why_no_keys),
        OneCondition(conditions.DIRECTORY_UNAVAILABLE, access.directory.why_unavailable),
        OneCondition(conditions.BUS_DOWN, why_bus_down),
        DatabasesAway(answering.databases, answering.reader),
        DatabasesStarting(answering.databases),
    ):
        status.conditions.add(condition)
    return Health(pulses, silent_actors, status)
