"""Who gets in, and into which rooms: keys, the directory, tickets, and what is revoked."""

from pathlib import Path

import attrs

from chatd.app import settings
from chatd.app.parts.core import Core
from chatd.app.parts.entering import Entering
from chatd.app.running_directory import RunningDirectory
from chatd.app.secret import key_set_place, make_keys, make_verifier
from chatd.auth import Bots, FailureBackoff, KeySet, KeySource, Revocations, fetch_from
from chatd.observe import KeySetFailed, KeySetRead
from chatd.service.authenticator import ApiAuthenticator, TokenAuthenticator
from chatd.service.download_tickets import DownloadTickets
from chatd.service.kicks import Kicks
from chatd.service.revoking import Revoking
from chatd.service.ticket_signals import TicketSignals
from chatd.wire.identifiers import is_user_id


@attrs.frozen(eq=False)
class Access:
    """`authenticator` judges the tokens of sockets and downloads, `api_authenticator` those of
    requests over HTTP, which may be of `bots`."""

    bots: Bots
    tickets: DownloadTickets
    directory: RunningDirectory
    kicks: Kicks
    revoking: Revoking
    key_source: KeySource
    authenticator: TokenAuthenticator
    api_authenticator: ApiAuthenticator

    async def revoke(self, user_id: str) -> int:
        """End what a user's tokens of before now gave, and return how many sessions that were; of a
        bot the configuration has the token."""
        if is_user_id(user_id):
            return await self.revoking.revoke(user_id)
        return self.kicks.kick(user_id)


def build_access(
    core: Core, entering: Entering, bots: Bots, secret: str | None, revocations: Revocations
) -> Access:
    """`secret` is None where an issuer alone signs tokens."""
    common, publishing = core.common, core.publishing
    config, event_log = common.config, common.event_log
    clients, sharing, signals = publishing.clients, publishing.sharing, publishing.signals
    others = None if signals is None else TicketSignals(signals)
    tickets = DownloadTickets(
        is_revoked=revocations.is_revoked, node=config.cluster.node, others=others
    )
    if others is not None:
        others.serve(tickets)
    directory = RunningDirectory(config, clients, entering.granting, event_log)
    kicks, answers = Kicks(clients, signals), core.answering.service
    revoking = (
        Revoking(revocations, clients, answers, common.clock, event_log)
        if sharing is None
        else sharing.revoking(revocations, answers, event_log)
    )
    keys, place = make_keys(config, secret), key_set_place(config)

    def read(place: str, key_set: KeySet) -> None:
        """The issuer has another set of keys than before."""
        event_log.record(KeySetRead(place, len(key_set.keys), key_set.passed_over))

    key_source = KeySource(
        place,
        keys,
        fetch_from(place or "", Path.cwd()),
        read,
        lambda place, reason: event_log.record(KeySetFailed(place, reason)),
    )
    judging = (
        make_verifier(config, keys),
        key_source,
        revocations,
        directory.current,
        FailureBackoff(),
        tickets.withdraw,
    )
    return Access(
        bots,
        tickets,
        directory,
        kicks,
        revoking,
        key_source,
        TokenAuthenticator(
            *judging,
            query_token=config.auth.query_token,
            clock=common.clock,
            event_log=event_log,
            directory_timeout_s=settings.directory_timeout_s(config),
        ),
        ApiAuthenticator(
            *judging,
            query_token=False,
            clock=common.clock,
            event_log=event_log,
            bots=bots,
            directory_timeout_s=settings.directory_timeout_s(config),
        ),
    )
