"""The sessions of Engine.IO behind the public port, and how many of them are taken in."""

import attrs
import trio

from chatd.app import settings
from chatd.app.isolation import Isolation
from chatd.app.parts.chat import Chat
from chatd.app.parts.core import Core
from chatd.engine.admission import Admission
from chatd.engine.engine import Engine
from chatd.engine.session import Handshake, Session
from chatd.engine.sessions import Sessions
from chatd.net.disconnects import DisconnectReason
from chatd.net.http.cors import CorsPolicy
from chatd.net.proxies import ForbiddenNotices
from chatd.sockets.connection import SocketIOConnection


@attrs.frozen(eq=False)
class EngineIo:
    """`cors` says which origins browsers may come from, `forbidden` logs who came from another one.
    `isolation` is None for a node that is alone."""

    cors: CorsPolicy
    forbidden: ForbiddenNotices
    admission: Admission
    sessions: Sessions
    engine: Engine
    isolation: Isolation | None


def build_engine_io(core: Core, chat: Chat) -> EngineIo:
    common, storage, publishing = core.common, core.storage, core.publishing
    config, event_log = common.config, common.event_log
    cors, forbidden = settings.cors_policy(config), ForbiddenNotices(event_log)
    admission = settings.make_admission(config, trio.current_time())
    sessions = Sessions(
        settings.session_settings(config),
        common.deadlines,
        publishing.flusher,
        event_log,
        admission,
    )

    def make_connection(session: Session, handshake: Handshake) -> SocketIOConnection:
        return SocketIOConnection(session, handshake, chat.dispatcher, publishing.adapter)

    engine = Engine(
        sessions,
        admission,
        cors,
        make_connection,
        event_log,
        node=config.cluster.node,
        forbidden=forbidden,
    )

    def isolate(is_isolated: bool) -> None:
        admission.is_isolated = is_isolated
        if is_isolated:
            for session in list(sessions.by_sid.values()):
                session.end(DisconnectReason.LOG_UNREACHABLE)

    isolation = (
        Isolation(storage.life, publishing.signals, isolate)
        if storage.life is not None and publishing.signals is not None
        else None
    )
    return EngineIo(cors, forbidden, admission, sessions, engine, isolation)
