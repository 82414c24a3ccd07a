"""How clients enter rooms and leave them, and how much they may send there."""

import attrs

from chatd.app import settings
from chatd.app.parts.core import Core
from chatd.auth import Bots
from chatd.service.catch_up import CatchUp, Roster
from chatd.service.event_streams import Unseen
from chatd.service.grants import Granting
from chatd.service.local_rate_limits import LocalRateLimits
from chatd.service.occupancy import Occupancy
from chatd.service.rooms import Rooms


@attrs.frozen(eq=False)
class Entering:
    """`unseen_catch_up` is that of clients whom nobody sees in a room: streams of events."""

    occupancy: Occupancy
    limits: LocalRateLimits
    rooms: Rooms
    granting: Granting
    unseen_catch_up: CatchUp


def build_entering(core: Core, bots: Bots) -> Entering:
    common, storage, publishing = core.common, core.storage, core.publishing
    messages, rosters, answering = core.messages, core.rosters, core.answering
    sharing, readers = publishing.sharing, storage.store.readers
    limits = (LocalRateLimits if sharing is None else sharing.limits)(
        settings.rates(common.config), bots.message_rates
    )

    def make_catch_up(presence: Roster, typing: Roster) -> CatchUp:
        """How clients of whom these rosters are told catch up with a room."""
        return CatchUp(
            publishing.timelines,
            publishing.adapter,
            readers,
            presence,
            typing,
            answering.roster,
            common.renderer,
            history_page=common.config.messages.history_page,
        )

    occupancy = Occupancy()
    rooms = Rooms(
        messages.commands,
        publishing.timelines,
        publishing.adapter,
        occupancy,
        make_catch_up(rosters.presence, rosters.typing),
        (rosters.presence, rosters.typing),
        messages.membership,
        readers,
        limits,
        common.event_log,
        now_ms=storage.ages.now_ms,
        epoch=storage.store.epoch,
    )
    granting = Granting(rooms, publishing.clients, answering.service, common.markup)
    return Entering(occupancy, limits, rooms, granting, make_catch_up(Unseen(), Unseen()))
