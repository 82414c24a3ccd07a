"""What the nodes of a cluster tell each other beside the log: which parts a node has for that."""

from collections.abc import Mapping

from chatd.actors.mailbox import Mailbox
from chatd.auth import Revocations
from chatd.chat import presence, typing
from chatd.chat.markup import Markup
from chatd.chat.shared_clock import SharedClock
from chatd.observe import EventLog
from chatd.observe.clock import Clock
from chatd.service.clients import Clients
from chatd.service.grants import WritingAnswers
from chatd.service.nodes_alive import NodesAlive
from chatd.service.presence_store import PresenceStore
from chatd.service.rates import Rates
from chatd.service.receipts import Receipts
from chatd.service.shared_adapter import SharedAdapter
from chatd.service.shared_presence_roster import SharedPresenceRoster
from chatd.service.shared_rate_limits import Elsewhere, SharedRateLimits
from chatd.service.shared_receipts import SharedReceipts
from chatd.service.shared_revoking import SharedRevoking
from chatd.service.shared_typing_roster import SharedTypingRoster
from chatd.service.shown_signs import ShownSigns
from chatd.service.signals import Signals
from chatd.service.socket_counts import SocketCounts
from chatd.service.timeline import Timelines
from chatd.service.typing_roster import TypingRoster
from chatd.service.volatile import Volatile


class Sharing:
    """Makes the shared counterpart of each part that a node alone has, from what that takes."""

    def __init__(
        self,
        signals: Signals,
        clock: Clock,
        clients: Clients,
        adapter: SharedAdapter,
        shown: ShownSigns,
    ) -> None:
        self.signals = signals
        self.nodes = NodesAlive(signals)
        self._clock, self._clients, self._adapter, self._shown = clock, clients, adapter, shown
        self._shared = SharedClock()
        self._sockets = SocketCounts(signals, self.nodes, self._shared, clock)
        clients.counted = self._sockets.count
        adapter.share(signals)

    def typing(
        self,
        mailbox: Mailbox[typing.Command],
        store: PresenceStore[str | None],
        volatile: Volatile,
        machine: typing.Typing,
        markup: Markup,
        clock: Clock,
    ) -> SharedTypingRoster:
        """Who types."""
        roster = SharedTypingRoster(
            mailbox, store, volatile, machine, markup, clock, self.signals, self.nodes
        )
        self._shown.wrote = roster.ended_elsewhere
        return roster

    def presence(
        self,
        mailbox: Mailbox[presence.Command],
        store: PresenceStore[presence.PresenceEntry],
        volatile: Volatile,
        clients: Clients,
        typing: TypingRoster,
        machine: presence.Presence,
        markup: Markup,
        clock: Clock,
    ) -> SharedPresenceRoster:
        """Who is seen."""
        roster = SharedPresenceRoster(
            mailbox,
            store,
            volatile,
            clients,
            typing,
            machine,
            markup,
            clock,
            self.signals,
            self.nodes,
            self._shared,
        )
        self._shown.signed = roster.sign
        return roster

    def receipts(self, timelines: Timelines) -> Receipts:
        """What authors get."""
        return SharedReceipts(timelines, self._adapter.to_user_here, self.signals)

    def limits(self, rates: Rates, own_rates: Mapping[str, float]) -> SharedRateLimits:
        """What users may send."""
        elsewhere = Elsewhere(self.signals, self.nodes, self._shared, self._clock, self._sockets)
        return SharedRateLimits(rates, own_rates, elsewhere)

    def revoking(
        self, revocations: Revocations, answers: WritingAnswers, event_log: EventLog
    ) -> SharedRevoking:
        """Users whose tokens are no longer taken."""
        revoking = SharedRevoking(
            revocations, self._clients, answers, self._clock, event_log, self.signals, self.nodes
        )
        self.keep_revocations = revoking.run
        return revoking
