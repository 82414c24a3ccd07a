"""Why a session or a socket ended: every reason, named once.

The first group has the reference server's own words, which clients and operators know. How an end
reaches the peer decides whether a stock client comes back (docs/protocol, "Reconnecting"). The chat
closes the transport, after which it does; after a DISCONNECT packet it would not.
"""

from enum import StrEnum


class DisconnectReason(StrEnum):
    """A reason, as logs and the application get it."""

    TRANSPORT_CLOSE = "transport close"  # the peer ended the connection, or said that it is done
    TRANSPORT_ERROR = "transport error"  # the connection broke, or its framing was violated
    PING_TIMEOUT = "ping timeout"  # no pong came in time
    PARSE_ERROR = "parse error"  # a packet that Engine.IO or Socket.IO does not allow
    FORCED_CLOSE = "forced close"  # a connection was cut off at once; no session of chatd ends so
    CLIENT_DISCONNECT = "client namespace disconnect"  # the peer left; its session may go on
    SERVER_DISCONNECT = "server namespace disconnect"  # a stream over HTTP whose room was taken
    # away from its user. A socket has it that `disconnect` put out, which the chat never does.
    SERVER_SHUTDOWN = "server shutting down"  # the daemon drains

    CONNECT_TIMEOUT = "connect timeout"  # no namespace joined in time
    CONNECTS_REFUSED = "connects refused"  # as many CONNECTs were refused as a session may send
    PACKET_FLOOD = "packet flood"  # far too many packets that lead nowhere (`engine.throttle`)
    SLOW_CONSUMER = "slow consumer"  # owed more bytes than the bound
    TOKEN_EXPIRED = "token expired"
    DIRECTORY_UNAVAILABLE = "directory unavailable"  # which rooms its user has is not known
    LOG_UNREACHABLE = "log unreachable"  # the client finds another node, which reaches it
    TOKEN_REVOKED = "token revoked"  # an administrator ended the sessions of its user
    KICKED = "kicked"  # an administrator ended it
    OVERLOADED = "overloaded"  # it showed no token yet, and gave way to a newer peer: all is full
    INTERNAL_ERROR = "internal error"  # a fault of the daemon, or a log that a stream cannot read
