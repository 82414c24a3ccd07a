"""The actors of presence and typing, and the rosters that they keep."""

import attrs
import trio

from chatd.actors.mailbox import Mailbox
from chatd.app.parts.common import MAILBOX_CAPACITY, Common
from chatd.app.parts.publishing import Publishing
from chatd.app.parts.storage import Storage
from chatd.chat.presence import Command as PresenceCommand
from chatd.chat.presence import Presence
from chatd.chat.typing import Command as TypingCommand
from chatd.chat.typing import Typing
from chatd.service.local_presence_store import LocalPresenceStore
from chatd.service.presence_roster import PresenceRoster
from chatd.service.typing_roster import TypingRoster
from chatd.service.volatile import Volatile


@attrs.frozen(eq=False)
class Rosters:
    """Who is seen, and who types, each with the mailbox of its actor."""

    typing: TypingRoster
    typing_mailbox: Mailbox[TypingCommand]
    presence: PresenceRoster
    presence_mailbox: Mailbox[PresenceCommand]


def build_rosters(common: Common, storage: Storage, publishing: Publishing) -> Rosters:
    """Build them as the newest snapshot has them."""
    sharing, frozen, now_s = publishing.sharing, storage.frozen, trio.current_time()
    volatile = Volatile(publishing.adapter)
    typing_mailbox: Mailbox[TypingCommand] = Mailbox(MAILBOX_CAPACITY)
    who_types = (TypingRoster if sharing is None else sharing.typing)(
        typing_mailbox,
        LocalPresenceStore(),
        volatile,
        Typing.restore(frozen.get("typing"), now_s),
        common.markup,
        common.clock,
    )
    presence_mailbox: Mailbox[PresenceCommand] = Mailbox(MAILBOX_CAPACITY)
    who_is_seen = (PresenceRoster if sharing is None else sharing.presence)(
        presence_mailbox,
        LocalPresenceStore(),
        volatile,
        publishing.clients,
        who_types,
        Presence.restore(frozen.get("presence"), now_s),
        common.markup,
        common.clock,
    )
    return Rosters(who_types, typing_mailbox, who_is_seen, presence_mailbox)
