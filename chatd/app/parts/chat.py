"""The chat itself: what clients ask for, who hands that out, and what comes of it."""

import attrs

from chatd.app import settings
from chatd.app.parts.access import Access
from chatd.app.parts.answering import configured_databases
from chatd.app.parts.core import Core
from chatd.app.parts.entering import Entering
from chatd.chat.markup import Markup
from chatd.config import Config
from chatd.service.connect import Connector, Welcome
from chatd.service.dispatch import Dispatcher
from chatd.service.effects import ChatEffects
from chatd.service.events.acks import AckEvents
from chatd.service.events.answers import AnswerEvents
from chatd.service.events.changes import ChangeEvents
from chatd.service.events.history import HistoryEvents
from chatd.service.events.messages import MessageEvents
from chatd.service.events.presence import PresenceEvents
from chatd.service.events.reads import ReadEvents
from chatd.service.events.rooms import RoomEvents
from chatd.service.events.schema import SchemaEvents
from chatd.service.events.search import SearchEvents
from chatd.service.events.token import TokenLife
from chatd.service.events.typing import TypingEvents
from chatd.service.mentions import Mentions
from chatd.service.receipts import Receipts
from chatd.service.request_clients import RequestClients
from chatd.service.request_places import RequestPlaces


@attrs.frozen(eq=False)
class Chat:
    """`connector` lets clients in, `dispatcher` carries out their events, `effects` what the actor
    of messages has decided. `request_clients` are those of requests over HTTP."""

    tokens: TokenLife
    request_clients: RequestClients
    connector: Connector
    acks: AckEvents
    dispatcher: Dispatcher
    effects: ChatEffects


def welcome_of(config: Config, epoch: str, markup: Markup) -> Welcome:
    """What clients are told when they connect, by this configuration."""
    return settings.welcome(config, epoch, markup, configured_databases(config))


def build_chat(core: Core, entering: Entering, access: Access) -> Chat:
    common, storage, publishing = core.common, core.storage, core.publishing
    messages, rosters, answering = core.messages, core.rosters, core.answering
    config, event_log = common.config, common.event_log
    commands, readings, readers = messages.commands, messages.readings, storage.store.readers
    timelines, rooms, limits = publishing.timelines, entering.rooms, entering.limits
    tokens = TokenLife(
        access.authenticator,
        entering.granting,
        common.deadlines,
        common.clock,
        leeway_s=config.auth.leeway_s,
    )
    connector = Connector(
        access.authenticator,
        welcome_of(config, storage.store.epoch, common.markup),
        publishing.clients,
        timelines,
        rooms,
        readings,
        tokens,
        limits,
        common.clock,
        event_log,
    )
    mentions = Mentions(readings)
    acks = AckEvents(commands, timelines, readers, messages.machine)
    schema = SchemaEvents(answering.schemas)
    events = (
        MessageEvents(
            commands,
            rooms,
            timelines,
            readers,
            messages.machine,
            answering.service,
            mentions,
            limits,
            event_log,
            content_chars=config.messages.content_chars,
        ),
        ChangeEvents(
            commands,
            timelines,
            readers,
            mentions,
            limits,
            event_log,
            content_chars=config.messages.content_chars,
        ),
        acks,
        ReadEvents(commands, readings),
        RoomEvents(rooms),
        HistoryEvents(commands, readers, common.renderer, page_max=config.messages.history_page),
        SearchEvents(readers, rooms, common.renderer, event_log),
        AnswerEvents(answering.service, commands, readers),
        schema,
        TypingEvents(rosters.typing, rosters.presence),
        PresenceEvents(rosters.presence, rooms),
        tokens,
    )
    dispatcher = Dispatcher(
        connector, publishing.clients, rooms, limits, tokens, schema, events, event_log
    )
    places = RequestPlaces(
        event_log,
        per_user_max=config.api.requests_per_user,
        owed_bytes_max=config.api.owed_bytes,
    )
    request_clients = RequestClients(limits, access.bots, tokens, event_log, places)
    sharing = publishing.sharing
    effects = ChatEffects(
        publishing.publisher,
        Receipts(timelines, publishing.adapter.to_user)
        if sharing is None
        else sharing.receipts(timelines),
        publishing.adapter,
        entering.occupancy,
        rosters.presence,
        rosters.typing,
        answering.service,
        readings,
        common.times,
        publishing.flusher,
        event_log,
    )
    return Chat(tokens, request_clients, connector, acks, dispatcher, effects)
