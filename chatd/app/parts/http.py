"""The public port: what is answered over HTTP, and the listener that serves all of it."""

from collections.abc import Mapping
from typing import Final

import attrs

from chatd import __version__
from chatd.app import settings
from chatd.app.parts.access import Access
from chatd.app.parts.chat import Chat
from chatd.app.parts.core import Core
from chatd.app.parts.engine_io import EngineIo
from chatd.app.parts.entering import Entering
from chatd.app.parts.health import Health
from chatd.app.parts.operators import Operators
from chatd.app.secret import can_mint
from chatd.engine.listener import Listener, ListenerSettings
from chatd.net.http.app import HttpRoute
from chatd.net.http.hypercorn import HypercornServer
from chatd.net.http.page import (
    CONFIG_PATH,
    PageConfig,
    PageState,
    read_admin_page,
    read_client,
    read_page,
)
from chatd.net.http.public import OPENAPI_PATH, document_route, public_app
from chatd.net.http.static import StaticFiles
from chatd.net.poller import Poller, make_poller
from chatd.observe import InternalError
from chatd.observe.tap import EventTap
from chatd.service.admin_page import AdminPage
from chatd.service.downloads import ANSWERS_PATH, Downloads
from chatd.service.event_streams import EventStreams
from chatd.service.export_files import ExportFiles
from chatd.service.room_api import ROOMS_PATH, RoomApi

SOCKET_IO_PATH: Final = b"/socket.io/"


@attrs.frozen(eq=False)
class Http:
    """`listener` accepts connections, and hands their requests to Engine.IO or to the routes."""

    export_files: ExportFiles
    downloads: Downloads
    admin_page: AdminPage
    poller: Poller
    listener: Listener
    page_state: PageState
    page_config: PageConfig


def build_http(
    core: Core,
    entering: Entering,
    access: Access,
    chat: Chat,
    health: Health,
    operators: Operators,
    engine_io: EngineIo,
    tap: EventTap | None,
) -> Http:
    """`tap` is where the log can be followed."""
    clock, readers = core.common.clock, core.storage.store.readers
    config, event_log, cors = core.common.config, core.common.event_log, engine_io.cors
    export_files = ExportFiles(
        readers, core.answering.reruns, core.messages.trail, clock, event_log
    )
    downloads = Downloads(
        access.authenticator,
        access.directory.current,
        readers,
        export_files,
        cors,
        access.tickets,
        chat.request_clients,
        clock,
    )
    admin_page = AdminPage(
        access.authenticator,
        settings.administrator_rule(config),
        operators.administration,
        tap,
        cors,
    )
    web = config.web
    api: Mapping[str, HttpRoute] = {}
    if config.api.enabled:
        room_api = _build_room_api(core, entering, access, chat, engine_io)
        api = {
            ROOMS_PATH: room_api.route(),
            OPENAPI_PATH: document_route(settings.api_document(config), cors),
        }
    page = read_page() if web.enabled else read_page().switched_off()
    page_config = PageConfig(web.title, web.login_url, __version__, can_mint(config))
    client = read_client(SOCKET_IO_PATH.decode())
    admin = read_admin_page() if web.enabled else StaticFiles()
    server = HypercornServer(
        public_app(
            health.status.health,
            cors=cors,
            routes={
                ANSWERS_PATH: downloads.route(),
                **api,
                CONFIG_PATH: page_config.route(cors),
                **admin_page.routes(),
                **admin.routes(),
                **page.routes,
                **client.routes,
            },
            turned_away=engine_io.forbidden.turned_away,
        ),
        body_timeout_s=config.server.head_timeout_s,
        report_fault=lambda fault: event_log.record(InternalError.of("http", fault)),
    )
    poller = make_poller()
    listener = Listener(
        ListenerSettings(
            SOCKET_IO_PATH,
            config.server.head_timeout_s,
            settings.connection_limits(config),
            files=frozenset(path.encode() for path in client.routes),
            proxy_protocol=(
                settings.trusted_proxies(config) if config.server.proxy_protocol else None
            ),
        ),
        engine_io.engine,
        poller,
        engine_io.admission,
        server,
        event_log,
        static=StaticFiles({**page.files.by_path, **admin.by_path, **client.files.by_path}),
    )
    return Http(export_files, downloads, admin_page, poller, listener, page.state, page_config)


def _build_room_api(
    core: Core, entering: Entering, access: Access, chat: Chat, engine_io: EngineIo
) -> RoomApi:
    """Rooms over HTTP: the same chat, asked without a socket."""
    common, storage, publishing = core.common, core.storage, core.publishing
    epoch, admission = storage.store.epoch, engine_io.admission
    streams = EventStreams(
        engine_io.engine,
        publishing.clients,
        chat.request_clients,
        entering.limits,
        entering.rooms,
        publishing.timelines,
        entering.unseen_catch_up,
        chat.tokens,
        common.event_log,
        epoch=epoch,
    )
    return RoomApi(
        chat.dispatcher,
        access.api_authenticator,
        access.bots,
        chat.request_clients,
        streams,
        engine_io.cors,
        lambda: admission.is_draining,
        epoch=epoch,
        max_body_bytes=common.config.server.max_payload_bytes,
    )
