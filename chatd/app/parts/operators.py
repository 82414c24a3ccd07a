"""What operators have done: administration and erasures."""

import attrs

from chatd.app.logs import traces_in
from chatd.app.parts.access import Access
from chatd.app.parts.core import Core
from chatd.app.parts.entering import Entering
from chatd.app.parts.health import Health
from chatd.app.parts.maintenance import Maintenance
from chatd.service.administration import Administration
from chatd.service.erasures import Erasures


@attrs.frozen(eq=False)
class Operators:
    """What the page of administrators, `chatd admin` and the commands call."""

    administration: Administration
    erasures: Erasures


def build_operators(
    core: Core, entering: Entering, access: Access, maintenance: Maintenance, health: Health
) -> Operators:
    common, storage, publishing = core.common, core.storage, core.publishing
    messages, rosters, answering = core.messages, core.rosters, core.answering
    administration = Administration(
        messages.machine,
        publishing.clients,
        entering.occupancy,
        messages.commands,
        messages.trail,
        common.clock,
        common.event_log,
        lambda: health.status.described(answering.service.count),
        access.kicks,
        access.revoke,
        content_chars=common.config.messages.content_chars,
    )
    erasures = Erasures(
        messages.commands,
        messages.machine,
        storage.log,
        traces_in(storage.store, storage.log),
        maintenance.snapshots,
        publishing.timelines,
        publishing.clients,
        entering.rooms,
        rosters.presence,
        rosters.typing,
        answering.service,
        access.tickets,
        messages.trail,
        common.clock,
        common.event_log,
        access.revoke,
        storage.store.readers,
        publishing.signals,
    )
    return Operators(administration, erasures)
